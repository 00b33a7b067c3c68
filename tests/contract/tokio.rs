//! tokio as a host, held to docs/contract.md: `awsgi-contract target/debug/examples/contract_tokio`.
//!
//! Two tasks of one runtime: this one turns the reactor and deals with what came of it, the other
//! reads commands, and executes them, as any work beside the reactor would.

#[path = "tokio/children.rs"]
mod children;
#[path = "tokio/commands.rs"]
mod commands;
#[path = "tokio/objects.rs"]
mod objects;
#[path = "tokio/waits.rs"]
mod waits;
#[path = "tokio/words.rs"]
mod words;

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::poll_fn;
use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::rc::Rc;
use std::thread::JoinHandle;

use awsgi::{Error, Reactor, ReactorOptions, Result, Turn};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::net::unix::pipe;
use tokio::runtime::Builder;
use tokio::task::{LocalSet, spawn_local, yield_now};

use objects::Objects;
use waits::Waits;

/// What the commands have made.
struct Program {
    reactor: Reactor,
    objects: Objects,
    waits: Waits,
    threads: HashMap<String, Vec<JoinHandle<Result<()>>>>,
    /// A wait, and the command for its next completion.
    kept: Option<(String, String)>,
    /// Of the turns that follow.
    turn: Turn,
}

fn main() -> ExitCode {
    let runtime = match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("tokio: starting a runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let ended = LocalSet::new().block_on(&runtime, host());
    // A task that reads a terminal cannot be ended.
    runtime.shutdown_background();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tokio: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn host() -> Result<()> {
    let input = input().map_err(|error| Error::os("reading the standard input", &error))?;
    let (reactor, mut driver) = awsgi::tokio::reactor(&ReactorOptions::default())?;
    for line in ["contract 1", "host tokio", "mode nested", "kind both", "ready"] {
        words::say(line);
    }
    let program = Rc::new(RefCell::new(Program {
        reactor: reactor.clone(),
        objects: Objects::default(),
        waits: Waits::default(),
        threads: HashMap::new(),
        kept: None,
        turn: Turn::default(),
    }));
    let reading = spawn_local(read(Rc::clone(&program), input));
    let (mut done, mut changes) = (Vec::new(), Vec::new());
    loop {
        let report = poll_fn(|cx| {
            // Anew with each poll: a command may have changed it.
            let turn = program.borrow().turn;
            driver.poll_turn(cx, &turn, |it| done.push(it), |change| changes.push(change))
        })
        .await?;
        let mut program = program.borrow_mut();
        for change in changes.drain(..) {
            program.objects.apply(&change);
        }
        let mut due = false;
        for completion in done.drain(..) {
            let name = program.waits.tell(&reactor, &completion)?;
            due |= program.kept.as_ref().is_some_and(|(wait, _)| *wait == name);
        }
        if let Some((_, line)) = program.kept.take_if(|_| due) {
            program.execute(&line);
        }
        if report.completions + report.changes > 0 {
            program.objects.report()?;
        }
        if report.closed {
            break;
        }
    }
    drop(driver);
    reading.await.expect("the task that reads ends, and does not panic");
    reactor.free()?;
    words::say("freed");
    Ok(())
}

/// Where the commands come from.
fn input() -> std::io::Result<Box<dyn AsyncRead + Unpin>> {
    let stdin = std::io::stdin().as_fd().try_clone_to_owned()?;
    match pipe::Receiver::from_owned_fd(stdin) {
        Ok(pipe) => Ok(Box::new(pipe)),
        // What is no pipe, tokio reads on a thread.
        Err(error) if error.kind() == ErrorKind::InvalidInput => Ok(Box::new(tokio::io::stdin())),
        Err(error) => Err(error),
    }
}

/// Reads commands and executes them, each as soon as it is there.
async fn read(program: Rc<RefCell<Program>>, input: Box<dyn AsyncRead + Unpin>) {
    let mut lines = BufReader::new(input).lines();
    let mut goes_on = true;
    while goes_on {
        let Ok(Some(line)) = lines.next_line().await else { break };
        let mut batch = vec![line];
        if let Some(count) = batch[0].strip_prefix("batch ") {
            let count: usize = count.parse().unwrap_or_default();
            batch.clear();
            while batch.len() < count {
                let Ok(Some(line)) = lines.next_line().await else { break };
                batch.push(line);
            }
        }
        for line in batch {
            goes_on &= program.borrow_mut().execute(&line);
        }
        // To the loop, also if more lines are there already.
        yield_now().await;
    }
    let mut program = program.borrow_mut();
    program.join_all();
    if let Err(error) = program.reactor.close() {
        words::broken(&format!("the reactor cannot be closed: {error}"));
    }
}
