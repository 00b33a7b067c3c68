//! The task of one connection: hyper's, and around it what hyper leaves to its user.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWrite;

use super::hub::Hub;
use super::inbound;
use super::io::{Io, Stream};
use super::link::{Due, Ends, Link};
use super::options::Limits;
use super::refusal::{MALFORMED, Refusal, SLOW_HEAD};
use super::service::Service;

/// What hyper holds of one direction at most; a body passes through in pieces of this size.
const MAX_BUFFER: usize = 64 << 10;

/// hyper's settings for every connection.
pub(super) fn builder(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        // A client that stops sending is looked after in `Io::watch`: it may wait for its
        // response, and hyper would not see it leave while it does not read.
        .half_close(true)
        .max_header_size(limits.max_header_bytes)
        .max_buf_size(limits.max_header_bytes.max(MAX_BUFFER));
    // Any other number costs hyper an allocation for each request.
    if limits.max_headers != 100 {
        builder.max_headers(limits.max_headers);
    }
    builder
}

/// A connection, until it is closed.
pub(super) struct Connection {
    stage: Stage,
    link: Rc<Link>,
}

#[expect(clippy::large_enum_variant, reason = "almost every connection is served all its life")]
enum Stage {
    Serving(http1::Connection<TokioIo<Io>, Service>),
    /// The last response, one of our own, is being written.
    Closing(Io),
    Over,
}

impl Connection {
    pub(super) fn new(
        builder: &http1::Builder,
        hub: &Rc<Hub>,
        stream: Stream,
        ends: Ends,
    ) -> Connection {
        let link = Link::new(hub, ends);
        let io = TokioIo::new(Io::new(stream, Rc::clone(&link)));
        let http = builder.serve_connection(io, Service::new(Rc::clone(&link)));
        Connection { stage: Stage::Serving(http), link }
    }

    fn poll_stage(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let link = &self.link;
        match &mut self.stage {
            Stage::Serving(http) => {
                if link.take_closing() {
                    Pin::new(&mut *http).graceful_shutdown();
                }
                link.reading.set(false);
                match Pin::new(http).poll(cx) {
                    Poll::Pending => {}
                    Poll::Ready(Ok(())) => return Poll::Ready(()),
                    Poll::Ready(Err(error)) => {
                        tracing::debug!(client = link.ends.remote.as_str(), %error, "connection");
                        if error.is_parse() {
                            return self.refuse(MALFORMED, cx);
                        }
                        return Poll::Ready(());
                    }
                }
                // Taking from the body lets hyper read on: it wakes this task itself.
                inbound::pump(link, cx);
                if link.gone.get() { Poll::Ready(()) } else { Poll::Pending }
            }
            Stage::Closing(io) => Pin::new(io).poll_shutdown(cx).map(drop),
            Stage::Over => Poll::Ready(()),
        }
    }

    /// What a deadline means. Ready: the connection ends here.
    fn expire(&mut self, due: Due, cx: &mut Context<'_>) -> Poll<()> {
        match due {
            Due::Idle | Due::Stuck | Due::Gone | Due::Linger => Poll::Ready(()),
            Due::Body => {
                inbound::overdue(&self.link);
                Poll::Pending
            }
            Due::SlowHead => self.refuse(SLOW_HEAD, cx),
        }
    }

    /// Takes the socket from hyper and ends the connection with this, unless hyper has had its
    /// own last word (which [`Io`] made ours) or could not write what came before.
    fn refuse(&mut self, refusal: Refusal, cx: &mut Context<'_>) -> Poll<()> {
        let Stage::Serving(http) = std::mem::replace(&mut self.stage, Stage::Over) else {
            return Poll::Ready(());
        };
        let mut io = http.into_parts().io.into_inner();
        if io.is_shut() || self.link.owed.get() {
            return Poll::Ready(());
        }
        io.refuse(refusal);
        self.stage = Stage::Closing(io);
        self.poll_stage(cx)
    }
}

impl Future for Connection {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        this.link.set_waker(cx.waker());
        if this.poll_stage(cx).is_ready() {
            return Poll::Ready(());
        }
        if let Some(due) = this.link.take_due() {
            if this.expire(due, cx).is_ready() {
                return Poll::Ready(());
            }
        }
        this.link.settle();
        Poll::Pending
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // First hyper and with it the exchange, which still needs the link.
        self.stage = Stage::Over;
        self.link.hub.remove_link(self.link.key);
    }
}
