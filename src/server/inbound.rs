//! The body of a request on its way to the application.
//!
//! It is read eagerly up to the exchange's buffer, also while the application does something
//! else, because only one who reads learns that the client has left. With `Expect: 100-continue`
//! nothing is read, and so no 100 sent, before the application wants input.

use std::error::Error as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Incoming};

use super::hub::report;
use super::link::{Link, NEVER};
use crate::core::Readiness;
use crate::error::Status;
use crate::gateway::Exchange;

/// A body, not all of which is with the application.
pub(super) struct Inbound {
    exchange: Exchange,
    incoming: Incoming,
    /// What arrived and found no room.
    rest: Bytes,
    taken: u64,
    /// All of it has arrived.
    complete: bool,
    /// The exchange wants nothing until it says so.
    held: bool,
    /// Nothing has come yet: the client waits for a 100.
    expect: bool,
    /// The client owes bytes, and the exchange was asked to say when it wants them.
    stalled: bool,
}

/// What became of a body.
enum Fate {
    /// More is to come.
    Pending,
    /// The application has all of it.
    Delivered,
    /// Nobody wants the rest.
    Useless,
}

impl Inbound {
    /// `expect`: the client waits for a 100 before it sends anything.
    pub(super) fn new(exchange: Exchange, incoming: Incoming, expect: bool) -> Inbound {
        if expect {
            ask(exchange);
        }
        Inbound {
            exchange,
            incoming,
            rest: Bytes::new(),
            taken: 0,
            complete: false,
            held: expect,
            expect,
            stalled: false,
        }
    }

    fn pump(&mut self, link: &Link, cx: &mut Context<'_>) -> Fate {
        if link.take(Readiness::ROOM) {
            self.held = false;
            // From here on somebody waits for what the client does not send.
            if self.stalled || self.expect {
                self.client_is_due(link);
            }
        }
        while !self.held {
            if !self.rest.is_empty() || self.complete {
                match self.feed() {
                    Fate::Pending if self.held => return Fate::Pending,
                    Fate::Pending => {}
                    fate => return fate,
                }
            }
            match Pin::new(&mut self.incoming).poll_frame(cx) {
                Poll::Pending => {
                    if !self.stalled {
                        self.stalled = true;
                        ask(self.exchange);
                    }
                    return Fate::Pending;
                }
                Poll::Ready(Some(Ok(frame))) => {
                    self.stalled = false;
                    self.expect = false;
                    link.body_due.set(NEVER);
                    // Trailers are of no use to an environ that has been given already.
                    if let Ok(data) = frame.into_data() {
                        self.taken += data.len() as u64;
                        if link.hub.limits.max_body.is_some_and(|max| self.taken > max) {
                            return self.fail(link, 413);
                        }
                        self.rest = data;
                        self.complete = self.incoming.is_end_stream();
                    }
                }
                Poll::Ready(None) => self.complete = true,
                Poll::Ready(Some(Err(error))) => {
                    if is_malformed(&error) {
                        return self.fail(link, 400);
                    }
                    // The client left in the middle of it.
                    link.gone.set(true);
                    return Fate::Useless;
                }
            }
        }
        Fate::Pending
    }

    /// Hands on what has arrived; holds if not all of it was taken.
    fn feed(&mut self) -> Fate {
        match self.exchange.feed(&mut self.rest, self.complete) {
            Ok(_) if !self.rest.is_empty() => {
                self.held = true;
                Fate::Pending
            }
            Ok(_) if self.complete => Fate::Delivered,
            Ok(_) => Fate::Pending,
            Err(error) => {
                if error.status() != Status::Closed {
                    tracing::debug!(%error, "could not feed an exchange");
                }
                Fate::Useless
            }
        }
    }

    fn client_is_due(&self, link: &Link) {
        link.body_due.set(link.hub.now().saturating_add(link.hub.times.idle));
    }

    fn fail(&self, link: &Link, status: u16) -> Fate {
        link.last.set(true);
        report(self.exchange.fail(status), "fail");
        Fate::Useless
    }
}

/// Has the exchange say when it wants input.
fn ask(exchange: Exchange) {
    report(exchange.feed(&mut Bytes::new(), false).map(drop), "ask for the wish of");
}

/// Whether the framing of a body is broken, as opposed to its connection.
fn is_malformed(error: &hyper::Error) -> bool {
    let cause = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    cause.is_some_and(|cause| {
        matches!(cause.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData)
    })
}

/// Moves the body of the request on, as far as it goes.
pub(super) fn pump(link: &Link, cx: &mut Context<'_>) {
    with(link, |inbound| inbound.pump(link, cx));
}

/// The client has sent nothing for too long while the application waited for it.
pub(super) fn overdue(link: &Link) {
    with(link, |inbound| inbound.fail(link, 408));
}

fn with(link: &Link, step: impl FnOnce(&mut Inbound) -> Fate) {
    let mut place = link.inbound.borrow_mut();
    let Some(inbound) = place.as_deref_mut() else { return };
    match step(inbound) {
        Fate::Pending => return,
        Fate::Delivered => {}
        Fate::Useless => link.unread.set(true),
    }
    link.body_due.set(NEVER);
    let ended = place.take();
    drop(place);
    // Dropping the body has hyper stop reading it.
    drop(ended);
}
