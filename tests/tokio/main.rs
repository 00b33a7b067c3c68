//! Waitables as futures in a tokio runtime.
#![cfg(all(feature = "tokio", unix))]

mod driver;
mod time;
mod waits;

use std::cell::Cell;
use std::future::Future;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use awsgi::tokio::{Driver, reactor};
use awsgi::{
    Completion, Deadline, Mode, Outcome, Reactor, ReactorOptions, Readiness, Result, Status, Token,
    Turn, WaitSpec, Watch, Watching, completion_members, notify, wait_cancel, waitable_close,
    waitable_take,
};
use tokio::runtime::{Builder, LocalOptions, Runtime};
use tokio::task::{LocalSet, spawn_local, yield_now};

const MS: u64 = 1_000_000;

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Runs a test on a LocalSet, and closes its reactor.
fn run<F: Future<Output = ()>>(test: impl FnOnce(Reactor) -> F) {
    run_on(&runtime(), test);
}

fn run_on<F: Future<Output = ()>>(runtime: &Runtime, test: impl FnOnce(Reactor) -> F) {
    LocalSet::new().block_on(runtime, async {
        let (reactor, driver) = reactor(&ReactorOptions::default()).unwrap();
        let driver = spawn_local(driver);
        in_time(test(reactor.clone())).await;
        reactor.close().unwrap();
        in_time(driver).await.unwrap().unwrap();
        reactor.free().unwrap();
    });
}

/// What takes so long never ends.
async fn in_time<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(60), future).await.expect("it hangs")
}

fn watch(waitable: Token) -> Watch {
    Watch { waitable, interest: Readiness::READABLE }
}

async fn ready(reactor: &Reactor, waitable: Token) -> Result<Completion> {
    reactor.wait(&WaitSpec::any(&[watch(waitable)])).await
}

/// Ends a reactor whose driver is not spawned.
async fn end(reactor: &Reactor, driver: Driver) {
    reactor.close().unwrap();
    in_time(driver).await.unwrap();
    reactor.free().unwrap();
}
