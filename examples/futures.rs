//! Futures on a reactor: a small executor for one thread, and two tasks, one that waits for a socket
//! and one that waits for a timer.
//!
//! `cargo run --example futures`

use std::collections::VecDeque;
use std::future::Future;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use awsgi::{
    Deadline, Outcome, Reactor, ReactorOptions, Readiness, Result, Stopper, Token, Turn, WaitSpec,
    Watch, waitable_close, waitable_take,
};

fn main() -> Result<()> {
    for line in run()? {
        println!("{line}");
    }
    Ok(())
}

/// What it prints.
pub fn run() -> Result<Vec<String>> {
    let reactor = Reactor::new(&ReactorOptions::default())?;
    let lines = Arc::new(Mutex::new(Vec::new()));
    let say = |line: String| lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    let (ours, theirs) = UnixStream::pair().expect("a socket pair");

    block_on_all(
        &reactor,
        vec![
            Box::pin(receive(&reactor, ours, &say)),
            Box::pin(send_at_each_tick(&reactor, theirs, &say)),
        ],
    )?;

    reactor.close()?;
    while !reactor.turn(&Turn::default(), |_| ())?.closed {}
    reactor.free()?;
    let lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(lines.clone())
}

/// Reads what comes, until the other side has closed.
async fn receive(reactor: &Reactor, mut socket: UnixStream, say: &dyn Fn(String)) -> Result<()> {
    let waitable = reactor.descriptor(socket.as_raw_fd(), false)?;
    let set = [Watch { waitable, interest: Readiness::READABLE }];
    loop {
        let done = reactor.wait(&WaitSpec::any(&set)).await?;
        if done.outcome != Outcome::Ready {
            break;
        }
        let mut byte = [0];
        match socket.read(&mut byte) {
            Ok(1) => say(format!("received {}", byte[0])),
            Ok(_) => break,
            Err(error) => {
                say(format!("receiving failed: {error}"));
                break;
            }
        }
    }
    say("the other side has closed".to_owned());
    // Before its descriptor.
    waitable_close(waitable)
}

/// Sends three bytes, one at each expiration of a timer.
async fn send_at_each_tick(
    reactor: &Reactor,
    mut socket: UnixStream,
    say: &dyn Fn(String),
) -> Result<()> {
    let timer: Token = reactor.timer(Deadline::at(reactor.now()? + 10_000_000), 10_000_000)?;
    let set = [Watch { waitable: timer, interest: Readiness::READABLE }];
    for number in 1..=3 {
        reactor.wait(&WaitSpec::any(&set)).await?;
        waitable_take(timer)?;
        if let Err(error) = socket.write_all(&[number]) {
            say(format!("sending failed: {error}"));
            break;
        }
    }
    waitable_close(timer)
}

type Task<'a> = Pin<Box<dyn Future<Output = Result<()>> + 'a>>;

/// The tasks that are to be polled, by number.
struct Ready {
    tasks: Mutex<VecDeque<usize>>,
    stopper: Stopper,
}

/// Wakes one task. A waker may be used on any thread, so the turn that blocks is ended.
struct TaskWaker {
    number: usize,
    ready: Arc<Ready>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        let mut tasks = self.ready.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.push_back(self.number);
        drop(tasks);
        self.ready.stopper.stop();
    }
}

/// Polls tasks and turns the reactor until all tasks are complete, or one fails.
fn block_on_all(reactor: &Reactor, tasks: Vec<Task<'_>>) -> Result<()> {
    let ready = Arc::new(Ready {
        tasks: Mutex::new((0..tasks.len()).collect()),
        stopper: reactor.stopper(),
    });
    let mut tasks: Vec<Option<Task<'_>>> = tasks.into_iter().map(Some).collect();
    while tasks.iter().any(Option::is_some) {
        loop {
            let next = ready.tasks.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some(number) = next else { break };
            let waker = Waker::from(Arc::new(TaskWaker { number, ready: Arc::clone(&ready) }));
            let Some(task) = &mut tasks[number] else { continue };
            if let Poll::Ready(result) = task.as_mut().poll(&mut Context::from_waker(&waker)) {
                tasks[number] = None;
                result?;
            }
        }
        if tasks.iter().any(Option::is_some) {
            // Completions of futures wake their tasks here.
            reactor.turn(&Turn { deadline: Deadline::FOREVER, ..Turn::default() }, |_| ())?;
        }
    }
    Ok(())
}
