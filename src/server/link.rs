//! What the parts of one connection know together: the socket, hyper's service, the body of the
//! request, and the task that polls them.
//!
//! A connection serves one exchange at a time, and all of its parts are polled by one task. So it
//! has one waker, one set of completions and one deadline, and an exchange costs it no memory
//! beyond a place in the worker's table.

use std::cell::{Cell, RefCell};
use std::io::Write;
use std::net::IpAddr;
use std::rc::Rc;
use std::task::Waker;

use super::deadlines::Key;
use super::hub::Hub;
use super::inbound::Inbound;
use crate::core::Readiness;

/// A point in time that has not been set.
pub(super) const NEVER: u64 = u64::MAX;

/// How long a client may have stopped sending before it counts as gone.
///
/// One that has closed its socket and one that only says that it will send no more (as `nc` does
/// at the end of its input) look the same until we write. The second kind waits for its response,
/// so the quick ones are delivered.
const HALF_CLOSED_NS: u64 = 20_000_000;

/// How long what the client still sends is read and dropped after the last response. Closing with
/// unread bytes resets the connection, and the client may lose the response over it.
const LINGER_NS: u64 = 5_000_000_000;

/// Where a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Between requests.
    Idle,
    /// A part of a head has arrived.
    Head,
    /// An exchange is open.
    Exchange,
    /// The last response is out; what still comes is dropped.
    Linger,
}

/// Why a connection has to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// No request came.
    Idle,
    /// The head of a request does not end.
    SlowHead,
    /// The client sends nothing of the body.
    Body,
    /// The client takes nothing.
    Stuck,
    /// The client has left.
    Gone,
    /// The client does not stop sending after the last response.
    Linger,
}

/// The text of an address, in place.
#[derive(Clone, Copy)]
pub(super) struct Text {
    bytes: [u8; 45],
    len: u8,
}

impl Text {
    pub(super) fn of(ip: Option<IpAddr>) -> Text {
        let mut text = Text { bytes: [0; 45], len: 0 };
        if let Some(ip) = ip {
            let mut rest = &mut text.bytes[..];
            // The longest IPv6 address has 45 characters; one that did not fit would be cut.
            let _ = write!(rest, "{}", ip.to_canonical());
            text.len = 45 - rest.len() as u8;
        }
        text
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len as usize]
    }

    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or("")
    }
}

/// Who is at the two ends.
pub(super) struct Ends {
    pub(super) remote: Text,
    pub(super) remote_port: u16,
    pub(super) server_port: u16,
    pub(super) server_name: Rc<str>,
}

/// One connection's.
pub(super) struct Link {
    pub(super) hub: Rc<Hub>,
    pub(super) key: Key,
    pub(super) ends: Ends,
    /// The body of the request, while it is not all with the application.
    pub(super) inbound: RefCell<Option<Box<Inbound>>>,
    waker: RefCell<Option<Waker>>,
    phase: Cell<Phase>,
    /// When the phase began; NEVER until [`Link::settle`] says it.
    since: Cell<u64>,
    /// Since when the client takes nothing that we want to write.
    pub(super) blocked: Cell<u64>,
    /// Since when the client sends no more.
    pub(super) eof: Cell<u64>,
    /// When the body of the request has to be looked at.
    pub(super) body_due: Cell<u64>,
    /// The earliest entry of ours among the worker's deadlines.
    armed: Cell<u64>,
    bits: Cell<Readiness>,
    /// No request has come yet.
    fresh: Cell<bool>,
    due: Cell<bool>,
    closing: Cell<bool>,
    /// hyper waits for the socket to become readable.
    pub(super) reading: Cell<bool>,
    /// hyper may hold bytes of a response that are not written yet.
    pub(super) owed: Cell<bool>,
    /// Bytes of the request may come that nobody reads.
    pub(super) unread: Cell<bool>,
    /// The connection cannot be written to any more.
    pub(super) gone: Cell<bool>,
    /// The next response ends the connection.
    pub(super) last: Cell<bool>,
    /// tokio was made to forget that bytes can be read: read without asking it.
    pub(super) forgotten: Cell<bool>,
    /// The socket is shut down for writing.
    pub(super) shut: Cell<bool>,
    /// The end of the connection must not look like the end of the response.
    pub(super) reset: Cell<bool>,
}

impl Link {
    pub(super) fn new(hub: &Rc<Hub>, ends: Ends) -> Rc<Link> {
        hub.add_link(|key| {
            Rc::new(Link {
                hub: Rc::clone(hub),
                key,
                ends,
                inbound: RefCell::new(None),
                waker: RefCell::new(None),
                phase: Cell::new(Phase::Idle),
                since: Cell::new(NEVER),
                blocked: Cell::new(NEVER),
                eof: Cell::new(NEVER),
                body_due: Cell::new(NEVER),
                armed: Cell::new(NEVER),
                bits: Cell::new(Readiness::NONE),
                fresh: Cell::new(true),
                due: Cell::new(false),
                closing: Cell::new(false),
                reading: Cell::new(false),
                owed: Cell::new(false),
                unread: Cell::new(false),
                gone: Cell::new(false),
                last: Cell::new(false),
                forgotten: Cell::new(false),
                shut: Cell::new(false),
                reset: Cell::new(false),
            })
        })
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase.get()
    }

    pub(super) fn enter(&self, phase: Phase) {
        self.phase.set(phase);
        self.since.set(NEVER);
    }

    /// An exchange begins.
    pub(super) fn begin(&self) {
        self.enter(Phase::Exchange);
        self.fresh.set(false);
        self.bits.set(Readiness::NONE);
        self.eof.set(NEVER);
        self.unread.set(false);
    }

    /// The exchange is over; what the client still sends of its body is of no use.
    pub(super) fn finish(&self) {
        self.enter(Phase::Idle);
        // The end of a chunked body may follow.
        self.owed.set(true);
        self.eof.set(NEVER);
        self.body_due.set(NEVER);
        if self.inbound.take().is_some() {
            self.unread.set(true);
        }
    }

    /// Whether the client sends, or may send, what nobody takes: then the connection cannot be used again. An application
    /// that goes on may still read.
    pub(super) fn body_is_left(&self) -> bool {
        let over = self.saw(Readiness::END | Readiness::ABORT);
        self.unread.get() || over && self.inbound.borrow().is_some()
    }

    // Waking.

    pub(super) fn set_waker(&self, waker: &Waker) {
        let mut known = self.waker.borrow_mut();
        match &*known {
            Some(known) if known.will_wake(waker) => {}
            _ => *known = Some(waker.clone()),
        }
    }

    fn wake(&self) {
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    /// Notes what completed of the exchange.
    pub(super) fn complete(&self, ready: Readiness) {
        self.bits.set(self.bits.get() | ready);
        self.wake();
    }

    /// Whether any of these has completed.
    pub(super) fn saw(&self, bits: Readiness) -> bool {
        self.bits.get().intersects(bits)
    }

    /// Whether any of these has completed since it was asked last.
    pub(super) fn take(&self, bits: Readiness) -> bool {
        let seen = self.bits.get();
        self.bits.set(seen & !bits);
        seen.intersects(bits)
    }

    /// Has the connection closed as soon as it owes no response.
    pub(super) fn ask_to_close(&self) {
        self.closing.set(true);
        self.wake();
    }

    pub(super) fn take_closing(&self) -> bool {
        self.closing.replace(false)
    }

    // Time.

    /// The next deadline, and what it is.
    fn deadline(&self) -> (u64, Due) {
        let times = &self.hub.times;
        let after = |start: u64, time: u64| start.saturating_add(time);
        let phase = match self.phase.get() {
            Phase::Idle if self.fresh.get() => (after(self.since.get(), times.header), Due::Idle),
            Phase::Idle => (after(self.since.get(), times.idle), Due::Idle),
            Phase::Head => (after(self.since.get(), times.header), Due::SlowHead),
            Phase::Linger => (after(self.since.get(), LINGER_NS), Due::Linger),
            Phase::Exchange => {
                let body = (self.body_due.get(), Due::Body);
                let gone = (after(self.eof.get(), HALF_CLOSED_NS), Due::Gone);
                // One who has closed resets what we write; who lets it wait is still there.
                let waits = self.blocked.get() != NEVER;
                if waits || body.0 < gone.0 { body } else { gone }
            }
        };
        let stuck = after(self.blocked.get(), times.idle);
        if stuck < phase.0 { (stuck, Due::Stuck) } else { phase }
    }

    /// What is due, after the connection was woken for it.
    pub(super) fn take_due(&self) -> Option<Due> {
        if !self.due.replace(false) {
            return None;
        }
        let (at, due) = self.deadline();
        (at <= self.hub.now()).then_some(due)
    }

    /// Called when an entry of ours has come: wakes the connection if the time is real, and
    /// otherwise waits for what the deadline has moved to.
    pub(super) fn expire(&self, at: u64, now: u64) {
        if self.armed.get() == at {
            self.armed.set(NEVER);
        }
        if self.deadline().0 <= now {
            self.due.set(true);
            self.wake();
        } else {
            self.arm();
        }
    }

    /// Called whenever the connection has been polled: starts the clock of a phase that began,
    /// and makes sure that the deadline is noticed.
    pub(super) fn settle(&self) {
        if self.since.get() == NEVER && self.phase.get() != Phase::Exchange {
            self.since.set(self.hub.now());
        }
        self.arm();
    }

    fn arm(&self) {
        let (at, _) = self.deadline();
        if at < self.armed.get() {
            self.armed.set(at);
            self.hub.arm(at, self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_written_in_its_canonical_form() {
        let text = |ip: &str| Text::of(Some(ip.parse().unwrap())).as_str().to_string();
        assert_eq!(text("127.0.0.1"), "127.0.0.1");
        assert_eq!(text("::1"), "::1");
        assert_eq!(text("::ffff:10.0.0.1"), "10.0.0.1");
        let longest = "1111:2222:3333:4444:5555:6666:7777:8888";
        assert_eq!(text(longest), longest);
        assert_eq!(Text::of(None).as_bytes(), b"");
    }
}
