//! A server in a tokio runtime. Its handlers wait for waitables of the reactor, which are futures there,
//! beside tokio's own sockets.
//!
//! `cargo run --features tokio --example tokio`

use std::error::Error;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use awsgi::tokio::Clock;
use awsgi::{
    Deadline, Outcome, Reactor, ReactorOptions, Readiness, Token, WaitSpec, Watch, notify,
    waitable_close, waitable_take,
};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::task::{LocalSet, spawn_local};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    for line in run()? {
        println!("{line}");
    }
    Ok(())
}

/// What it prints.
pub fn run() -> Result<Vec<String>> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let (reactor, driver) = awsgi::tokio::reactor(&ReactorOptions::default())?;
        let clock = driver.clock();
        let driver = spawn_local(driver);

        let lines = serve_two(&reactor, clock).await?;

        reactor.close()?; // what still waits completes as closed
        driver.await??;
        reactor.free()?;
        Ok(lines)
    })
}

/// Serves two clients: one has things done, the other waits until it is told to go.
async fn serve_two(reactor: &Reactor, clock: Clock) -> Result<Vec<String>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let stopping = reactor.event()?;
    let mut handlers = Vec::new();
    let mut clients = Vec::new();
    for lines in [&["hello", "thread", "ticks", "descriptor"][..], &[]] {
        let mut client = TcpStream::connect(address).await?;
        let (accepted, _) = listener.accept().await?;
        let reactor = reactor.clone();
        handlers.push(spawn_local(async move {
            handle(&reactor, clock, stopping, accepted).await.map_err(|error| error.to_string())
        }));
        for line in lines {
            client.write_all(format!("{line}\n").as_bytes()).await?;
        }
        clients.push(BufReader::new(client).lines());
    }
    let mut said = Vec::new();
    for _ in 0..4 {
        said.extend(clients[0].next_line().await?);
    }
    // Every handler waits for it.
    notify(stopping, Readiness::READABLE)?;
    for client in &mut clients {
        said.extend(client.next_line().await?);
    }
    for handler in handlers {
        handler.await??;
    }
    waitable_close(stopping)?;
    Ok(said)
}

/// Does what the lines of a client ask for, until the server stops.
async fn handle(
    reactor: &Reactor,
    clock: Clock,
    stopping: Token,
    mut client: TcpStream,
) -> Result<()> {
    let (input, mut output) = client.split();
    let mut lines = BufReader::new(input).lines();
    let stop = [Watch { waitable: stopping, interest: Readiness::READABLE }];
    loop {
        tokio::select! {
            line = lines.next_line() => {
                let answer = match line?.as_deref() {
                    Some("thread") => ask_a_thread(reactor, clock).await?,
                    Some("ticks") => count_ticks(reactor).await?,
                    Some("descriptor") => hear_a_descriptor(reactor).await?,
                    Some(other) => format!("you said {other}"),
                    None => return Ok(()),
                };
                output.write_all(format!("{answer}\n").as_bytes()).await?;
            }
            // Forgotten with the future, when a line comes first.
            _ = reactor.wait(&WaitSpec::any(&stop)) => break,
        }
    }
    Ok(output.write_all(b"the server stops\n").await?)
}

/// Waits for what a thread says, for ten seconds at most.
async fn ask_a_thread(reactor: &Reactor, clock: Clock) -> Result<String> {
    let event = reactor.event()?;
    let thread = std::thread::spawn(move || notify(event, Readiness::READABLE));
    let set = [Watch { waitable: event, interest: Readiness::READABLE }];
    let until = clock.after(Duration::from_secs(10));
    let done = reactor.wait(&WaitSpec::any(&set).until(until)).await?;
    waitable_close(event)?;
    thread.join().expect("it does not panic")?;
    Ok(match done.outcome {
        Outcome::Ready => "a thread has notified".to_owned(),
        other => format!("the thread did not come in time: {other:?}"),
    })
}

/// Waits for a timer to expire three times.
async fn count_ticks(reactor: &Reactor) -> Result<String> {
    let timer = reactor.timer(Deadline::at(reactor.now()? + 2_000_000), 2_000_000)?;
    let set = [Watch { waitable: timer, interest: Readiness::READABLE }];
    let mut ticks = 0;
    while ticks < 3 {
        reactor.wait(&WaitSpec::any(&set)).await?;
        ticks += waitable_take(timer)?;
    }
    waitable_close(timer)?;
    Ok("three ticks or more".to_owned())
}

/// Waits for a descriptor of which tokio knows nothing.
async fn hear_a_descriptor(reactor: &Reactor) -> Result<String> {
    let (ours, mut theirs) = UnixStream::pair()?;
    let waitable = reactor.descriptor(ours.as_raw_fd(), false)?;
    let set = [Watch { waitable, interest: Readiness::READABLE }];
    theirs.write_all(b"x")?;
    let done = reactor.wait(&WaitSpec::any(&set)).await?;
    // Before its descriptor.
    waitable_close(waitable)?;
    Ok(format!("a descriptor is {:?}", done.ready))
}
