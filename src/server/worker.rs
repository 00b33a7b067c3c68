//! A worker: one thread with a runtime, a reactor, a gateway for each application, and its share
//! of the connections.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use socket2::Socket;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::watch;

use super::accept::Acceptor;
use super::admission::Admission;
use super::connection::{self, Connection};
use super::diagnostics::Diagnostics;
use super::hub::Hub;
use super::listener::Address;
use super::mounts::Mounts;
use super::options::{AccessLog, Limits};
use crate::error::{Error, Result};
use crate::gateway::{Application, Gateway, GatewayOptions, Style};
use crate::reactor::{Reactor, ReactorOptions, Turn};
use crate::tokio::Driver;

/// How long the ends of exchanges that were cut off may take on their way to the clients.
const LAST_WORDS: Duration = Duration::from_millis(250);
/// How long a blocking application may take to return when its worker ends.
const LAST_CALLS: Duration = Duration::from_secs(1);

/// What the server wants of its workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Wait for the others to be ready.
    Prepare,
    Serve,
    /// Finish, and end at this time at the latest.
    Drain(Instant),
}

/// What all workers share.
pub(super) struct Shared {
    pub(super) orders: watch::Sender<Order>,
    pub(super) admission: Arc<Admission>,
    pub(super) limits: Limits,
    pub(super) access_log: Option<AccessLog>,
    pub(super) diagnostics: Diagnostics,
    pub(super) address: Address,
    pub(super) application: Arc<dyn Application>,
    pub(super) mounts: Vec<(String, Arc<dyn Application>)>,
    pub(super) workers: usize,
    pub(super) pool_threads: u32,
}

/// Runs a worker to its end. `started` is called once, when it is able to serve or has failed to
/// become so.
pub(super) fn run(shared: &Shared, socket: Socket, started: impl FnOnce(Result<()>)) -> Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            started(Err(Error::os("start the runtime of a worker", &error)));
            return Ok(());
        }
    };
    let mut worker = match runtime.block_on(async { Worker::new(shared, socket) }) {
        Ok(worker) => worker,
        Err(error) => {
            started(Err(error));
            return Ok(());
        }
    };
    started(Ok(()));
    let served = runtime.block_on(worker.serve());
    // Its tasks hold exchanges and the reactor's descriptor: they go first.
    let Worker { hub, acceptor, driver, .. } = worker;
    drop((acceptor, driver));
    drop(runtime);
    wind_up(&hub);
    served
}

struct Worker<'a> {
    shared: &'a Shared,
    hub: Rc<Hub>,
    orders: watch::Receiver<Order>,
    acceptor: Option<Acceptor>,
    /// Until it is spawned.
    driver: Option<Driver>,
}

impl<'a> Worker<'a> {
    fn new(shared: &'a Shared, socket: Socket) -> Result<Worker<'a>> {
        let (reactor, driver) = crate::tokio::reactor(&ReactorOptions {
            log: Some({
                let diagnostics = shared.diagnostics.clone();
                Arc::new(move |level, text: &str| diagnostics.say(level, format_args!("{text}")))
            }),
            ..ReactorOptions::default()
        })?;
        let mounts = shared
            .mounts
            .iter()
            .map(|(prefix, application)| {
                Ok((prefix.clone(), gateway(shared, &reactor, application, prefix)?))
            })
            .collect::<Result<Vec<_>>>()?;
        let root = gateway(shared, &reactor, &shared.application, "")?;
        let hub = Hub::new(
            reactor,
            Mounts::new(root, mounts),
            shared.limits.clone(),
            Arc::clone(&shared.admission),
            shared.access_log.clone(),
            shared.diagnostics.clone(),
        );
        Ok(Worker {
            shared,
            orders: shared.orders.subscribe(),
            acceptor: Some(Acceptor::new(socket, &shared.address)?),
            driver: Some(driver),
            hub,
        })
    }

    async fn serve(&mut self) -> Result<()> {
        let Some(driver) = self.driver.take() else { return Ok(()) };
        let mut driver = tokio::task::spawn_local(drive(driver, Rc::clone(&self.hub)));
        let ended = async {
            let until = self.accept().await;
            self.drain(until).await;
        };
        tokio::select! {
            error = &mut driver => match error {
                Ok(error) => Err(error),
                Err(panic) => std::panic::resume_unwind(panic.into_panic()),
            },
            () = ended => Ok(()),
        }
    }

    /// Takes connections until the order to drain comes.
    async fn accept(&mut self) -> Instant {
        let builder = connection::builder(&self.shared.limits);
        let Some(mut acceptor) = self.acceptor.take() else { return Instant::now() };
        loop {
            let order = *self.orders.borrow_and_update();
            match order {
                Order::Drain(until) => return until,
                Order::Prepare => {
                    if self.orders.changed().await.is_err() {
                        return Instant::now();
                    }
                    continue;
                }
                Order::Serve => {}
            }
            tokio::select! {
                biased;
                changed = self.orders.changed() => {
                    if changed.is_err() {
                        // The server is gone, and nobody could give another order.
                        return Instant::now();
                    }
                }
                (stream, ends) = acceptor.accept(&self.hub) => {
                    let connection = Connection::new(&builder, &self.hub, stream, ends);
                    tokio::task::spawn_local(connection);
                    // The other workers heard of the same connections: leave them some.
                    tokio::task::yield_now().await;
                }
            }
        }
    }

    /// Lets what is open finish, until the time is over.
    async fn drain(&mut self, mut until: Instant) {
        self.hub.drain();
        loop {
            close_gateways(&self.hub, until.saturating_duration_since(Instant::now()));
            tokio::select! {
                () = quiet(&self.hub) => return,
                () = tokio::time::sleep_until(until.into()) => break,
                _ = self.orders.changed() => {
                    if let Order::Drain(earlier) = *self.orders.borrow_and_update() {
                        until = until.min(earlier);
                    }
                }
            }
        }
        close_gateways(&self.hub, Duration::ZERO);
        let _ = tokio::time::timeout(LAST_WORDS, quiet(&self.hub)).await;
    }
}

/// Turns the reactor. Ends only when that fails.
async fn drive(mut driver: Driver, hub: Rc<Hub>) -> Error {
    loop {
        if let Err(error) = driver.turn(&now(), |completion| hub.deliver(completion)).await {
            return error;
        }
        hub.settle();
    }
}

/// Waits until the last connection has ended.
async fn quiet(hub: &Hub) {
    while !hub.is_quiet() {
        hub.quiet.notified().await;
    }
}

fn close_gateways(hub: &Hub, within: Duration) {
    let within = u64::try_from(within.as_nanos()).unwrap_or(u64::MAX);
    for gateway in hub.gateways.iter() {
        if let Err(error) = gateway.close(within) {
            hub.diagnostics.warn(format_args!("closing a gateway: {error}"));
        }
    }
}

fn gateway(
    shared: &Shared,
    reactor: &Reactor,
    application: &Arc<dyn Application>,
    prefix: &str,
) -> Result<Gateway> {
    let defaults = GatewayOptions::default();
    let options = GatewayOptions {
        max_exchanges: shared.limits.max_exchanges,
        pool_threads: match shared.pool_threads {
            0 => defaults.pool_threads,
            threads => threads,
        },
        multithread: shared.workers > 1 || application.style() == Style::Blocking,
        script_name: prefix.to_string(),
        ..defaults
    };
    Gateway::new(reactor, Arc::clone(application), &options)
}

/// Ends what is left and frees the reactor. What an application keeps busy beyond its time is
/// left to it: a thread cannot be ended from outside.
fn wind_up(hub: &Hub) {
    let since = Instant::now();
    hub.abandon_all();
    close_gateways(hub, Duration::ZERO);
    let open = || hub.gateways.iter().any(|gateway| gateway.exchanges().is_ok_and(|open| open > 0));
    loop {
        if !turn(hub) {
            return;
        }
        if !open() {
            break;
        }
        if since.elapsed() > LAST_CALLS {
            hub.diagnostics.warn(format_args!(
                "an application did not return from a call: it was left behind"
            ));
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    for gateway in hub.gateways.iter() {
        if let Err(error) = gateway.free() {
            hub.diagnostics.warn(format_args!("freeing a gateway: {error}"));
            return;
        }
    }
    let closed = hub.reactor.close().and_then(|()| {
        while !hub.reactor.turn(&now(), |_| {})?.closed {
            if since.elapsed() > 2 * LAST_CALLS {
                break;
            }
        }
        hub.reactor.free()
    });
    if let Err(error) = closed {
        hub.diagnostics.warn(format_args!("freeing the reactor of a worker: {error}"));
    }
}

/// Completions beyond this many come with the next turn, after other tasks.
fn now() -> Turn {
    Turn { capacity: 1024, ..Turn::default() }
}

fn turn(hub: &Hub) -> bool {
    match hub.reactor.turn(&now(), |completion| hub.deliver(completion)) {
        Ok(_) => {
            hub.settle();
            true
        }
        Err(error) => {
            hub.diagnostics
                .warn(format_args!("turning the reactor of a worker to its end: {error}"));
            false
        }
    }
}
