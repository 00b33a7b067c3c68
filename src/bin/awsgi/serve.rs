//! `awsgi serve`.

use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use awsgi::server::{Server, ServerOptions};
use awsgi::{Error, Result};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::filter::LevelFilter;

use crate::arguments::{Level, Serve};
use crate::{access_log, config, descriptors};

/// What does not end by itself within this time of the second signal is left where it is.
const AT_ONCE: Duration = Duration::from_secs(2);

/// Serves until a signal ends it.
pub fn serve(arguments: &Serve) -> Result<ExitCode> {
    trace(arguments.log_level);
    let listen = arguments.listen()?;
    let config = config(&arguments.args);
    let load = |path: &Path| awsgi::ffi::load(path, config.as_deref());
    let mut options = ServerOptions::new(listen, load(&arguments.application)?);
    for (prefix, path) in &arguments.mount {
        options.mounts.push((prefix.clone(), load(path)?));
    }
    options.workers = arguments.workers;
    options.limits = arguments.limits.limits();
    options.pool_threads = arguments.pool_threads;
    let mut log_writer = None;
    if arguments.access_log {
        let (log, writer) = access_log::start()
            .map_err(|error| Error::os("start the thread of the access log", &error))?;
        options.access_log = Some(log);
        log_writer = Some(writer);
    }
    let max_exchanges = options.limits.max_exchanges;
    let address = Arc::new(OnceLock::<String>::new());
    options.ready = Some({
        let address = Arc::clone(&address);
        Arc::new(move || {
            if let Some(address) = address.get() {
                eprintln!("listening on {address}");
            }
        })
    });
    let server = Arc::new(Server::new(options)?);
    // It is set here and nowhere else.
    let _ = address.set(server.local_addr().to_string());
    descriptors::raise(max_exchanges, server.workers());
    let ended_by = drain_on_signals(&server, arguments.drain_timeout)?;
    let served = server.run();
    if let Some(writer) = log_writer {
        writer.finish();
    }
    served.map(|()| ExitCode::from(ended_by.load(Ordering::SeqCst)))
}

/// Drains the server at the first SIGTERM or SIGINT, and ends it at the second. What it answers
/// becomes the exit status of the second.
fn drain_on_signals(server: &Arc<Server>, within: Duration) -> Result<Arc<AtomicU8>> {
    let failed = |error: std::io::Error| Error::os("take signals", &error);
    let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let entered = runtime.enter();
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    drop(entered);
    let code = Arc::new(AtomicU8::new(0));
    let obey = {
        let (server, code) = (Arc::clone(server), Arc::clone(&code));
        move || {
            let first = next(&runtime, &mut terminate, &mut interrupt);
            tracing::info!(
                "{first}: the server stops accepting, and waits up to {} s for what is open; \
                 a second signal ends it at once",
                within.as_secs_f32()
            );
            server.drain(within);
            let second = next(&runtime, &mut terminate, &mut interrupt);
            code.store(128 + second.number(), Ordering::SeqCst);
            server.drain(Duration::ZERO);
            // `main` returns in the meantime, unless an application does not.
            std::thread::sleep(AT_ONCE);
            std::process::exit(i32::from(128 + second.number()));
        }
    };
    std::thread::Builder::new().name("awsgi-signals".into()).spawn(obey).map_err(failed)?;
    Ok(code)
}

#[derive(Clone, Copy)]
enum Sent {
    Terminate,
    Interrupt,
}

impl Sent {
    fn number(self) -> u8 {
        match self {
            Sent::Terminate => 15,
            Sent::Interrupt => 2,
        }
    }
}

impl std::fmt::Display for Sent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Sent::Terminate => "SIGTERM",
            Sent::Interrupt => "SIGINT",
        })
    }
}

fn next(runtime: &Runtime, terminate: &mut Signal, interrupt: &mut Signal) -> Sent {
    runtime.block_on(async {
        tokio::select! {
            _ = terminate.recv() => Sent::Terminate,
            _ = interrupt.recv() => Sent::Interrupt,
        }
    })
}

/// Diagnostics on stderr.
fn trace(level: Level) {
    let level = match level {
        Level::Off => LevelFilter::OFF,
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    };
    tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).init();
}
