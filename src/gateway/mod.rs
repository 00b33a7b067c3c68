//! The gateway: connects hosts, which speak HTTP, to applications, which may suspend.
//!
//! A host opens an exchange with the head of a request, feeds the body, and takes the response;
//! completions of its turn tell it when. An application runs in steps, on the owner's thread, or
//! in place on a pool thread. Neither calls the other: what they share is the exchange's input and
//! output, under its lock.

mod application;
mod environ;
mod exchange;
mod flow;
mod input;
mod output;
mod pool;
mod records;
mod runner;

use std::sync::Arc;

pub use application::{Application, Run, Step, Style, Worker};
pub use exchange::Exchange;
pub(crate) use exchange::{POKE, runs_here, through_owner};
pub use output::{Head, Taken};
#[cfg(feature = "ffi")]
pub(crate) use pool::no_thread;
pub(crate) use records::Exchanges;
pub(crate) use runner::Job;

use crate::error::{Error, Result, Status};
use crate::reactor::Reactor;

/// The head of a request, as the host parsed it.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The method, as `GET`.
    pub method: &'a [u8],
    /// The raw target: a path with its query, a URL, or `*`.
    pub target: &'a [u8],
    /// The protocol, as `HTTP/1.1`.
    pub protocol: &'a [u8],
    /// `http` or `https`.
    pub scheme: &'a [u8],
    /// The address of the client.
    pub remote_addr: &'a [u8],
    /// The port of the client; 0 if it has none.
    pub remote_port: u16,
    /// The name or address under which the server was reached.
    pub server_name: &'a [u8],
    /// The port under which the server was reached.
    pub server_port: u16,
    /// Names and values, in the order in which they came.
    pub headers: &'a [(&'a [u8], &'a [u8])],
    /// The length of the body; `None` if there is none, or if feeding it will tell.
    pub content_length: Option<u64>,
    /// Whether a body follows by [`Exchange::feed`].
    pub body: bool,
    /// Comes back in the completions of the host's half.
    pub user_data: u64,
}

/// How a gateway runs its exchanges.
#[derive(Clone, Debug)]
pub struct GatewayOptions {
    /// Exchanges at once; one more is refused with `Limit`.
    pub max_exchanges: u32,
    /// Waits of one exchange at once.
    pub max_waits_per_exchange: u32,
    /// Body bytes held for an application that has not read them.
    pub input_buffer: usize,
    /// The high-water mark: response bytes held for a host that has not sent them.
    pub output_buffer: usize,
    /// Threads for blocking applications; further exchanges of theirs are queued.
    pub pool_threads: u32,
    /// Whether other threads of the process run the same application (`wsgi.multithread`).
    pub multithread: bool,
    /// The prefix of the path at which the application lies, as `/app`; empty for the root.
    pub script_name: String,
}

impl Default for GatewayOptions {
    fn default() -> GatewayOptions {
        GatewayOptions {
            max_exchanges: 1 << 20,
            max_waits_per_exchange: 64,
            input_buffer: 64 << 10,
            output_buffer: 64 << 10,
            pool_threads: 16,
            multithread: false,
            script_name: String::new(),
        }
    }
}

/// An application bound to a reactor, with its limits. Belongs to the reactor's owner.
#[derive(Clone)]
pub struct Gateway {
    reactor: Reactor,
    key: u32,
}

/// A gateway without the bond to its thread, for those who keep it in a table.
#[cfg(feature = "ffi")]
pub(crate) struct GatewayRef {
    cell: &'static crate::reactor::ReactorCell,
    key: u32,
}

#[cfg(feature = "ffi")]
impl GatewayRef {
    pub(crate) fn gateway(&self) -> Gateway {
        Gateway { reactor: Reactor::from_cell(self.cell), key: self.key }
    }
}

impl Gateway {
    #[cfg(feature = "ffi")]
    pub(crate) fn to_ref(&self) -> GatewayRef {
        GatewayRef { cell: self.reactor.cell(), key: self.key }
    }

    /// Binds an application to a reactor; makes the application's part for this worker.
    ///
    /// # Errors
    ///
    /// Those of the application's `worker`; `Thread` elsewhere than on the owner's thread.
    pub fn new(
        reactor: &Reactor,
        application: Arc<dyn Application>,
        options: &GatewayOptions,
    ) -> Result<Gateway> {
        reactor.with(|_| ())?;
        // Before the application makes anything, which would have to be ended again.
        if !options.script_name.is_empty()
            && (!options.script_name.starts_with('/') || options.script_name.ends_with('/'))
        {
            return Err(Error::new(
                Status::Invalid,
                "script_name is empty or begins with a slash and does not end with one, as \"/app\"",
            ));
        }
        let worker = application.worker(reactor)?;
        let key = reactor.with(|state| state.add_gateway(&*application, worker, options))?;
        Ok(Gateway { reactor: reactor.clone(), key })
    }

    /// Opens an exchange. It runs in the next turn.
    ///
    /// # Errors
    ///
    /// `Invalid` if the request is malformed (answer 400), `Limit` if the gateway is full (503),
    /// `Closed` if it is draining.
    pub fn open(&self, request: &Request<'_>) -> Result<Exchange> {
        self.reactor.with(|state| state.open_exchange(self.key, request))?
    }

    /// Begins to drain: nothing new is opened, applications see PRIORITY on their exchange, and
    /// after `within` nanoseconds what is left is ended. Called again it can only shorten that.
    ///
    /// # Errors
    ///
    /// `Thread` elsewhere than on the owner's thread.
    pub fn close(&self, within: u64) -> Result<()> {
        self.reactor.with(|state| state.drain_gateway(self.key, within))?
    }

    /// How many exchanges are open.
    ///
    /// # Errors
    ///
    /// `Thread` elsewhere than on the owner's thread.
    pub fn exchanges(&self) -> Result<usize> {
        self.reactor.with(|state| state.gateway_exchanges(self.key))?
    }

    /// Ends the gateway, its pool threads and the application's part for this worker.
    ///
    /// # Errors
    ///
    /// `Busy` while exchanges are open: close it and turn until none is.
    pub fn free(&self) -> Result<()> {
        self.reactor.outside_step("free a gateway")?;
        let ended = self.reactor.with(|state| state.remove_gateway(self.key))??;
        // Joins threads and runs the application's code: outside of the borrow.
        drop(ended);
        Ok(())
    }
}
