//! The server's hold on one exchange, let go of in exactly one way however it ends.

use std::rc::Rc;

use super::admission::Permit;
use super::deadlines::Key;
use super::hub::report;
use super::link::Link;
use super::log;
use crate::core::Readiness;
use crate::gateway::Exchange;

/// One request of a connection, from its head to the end of its response. hyper drops it when
/// the response is complete and when the client has left; both end here.
pub(super) struct Session {
    link: Rc<Link>,
    open: Option<Open>,
    entry: Option<Box<log::Entry>>,
}

struct Open {
    exchange: Exchange,
    key: Key,
    permit: Permit,
    /// The client speaks HTTP/1.0, so that only the end of the connection ends some responses.
    old: bool,
    /// The client has been given all of the response.
    delivered: bool,
}

impl Session {
    pub(super) fn new(link: Rc<Link>) -> Session {
        Session { link, open: None, entry: None }
    }

    pub(super) fn logged(&mut self, entry: Box<log::Entry>) {
        self.entry = Some(entry);
    }

    pub(super) fn opened(&mut self, exchange: Exchange, key: Key, permit: Permit, old: bool) {
        self.open = Some(Open { exchange, key, permit, old, delivered: false });
    }

    pub(super) fn link(&self) -> &Rc<Link> {
        &self.link
    }

    pub(super) fn exchange(&self) -> Option<Exchange> {
        self.open.as_ref().map(|open| open.exchange)
    }

    pub(super) fn is_old(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.old)
    }

    pub(super) fn delivered(&mut self) {
        if let Some(open) = &mut self.open {
            open.delivered = true;
        }
    }

    pub(super) fn status(&mut self, status: u16) {
        if let Some(entry) = &mut self.entry {
            entry.status(status);
        }
    }

    pub(super) fn wrote(&mut self, bytes: usize) {
        if let Some(entry) = &mut self.entry {
            entry.wrote(bytes);
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let hub = &self.link.hub;
        if let Some(Open { exchange, key, permit, delivered, .. }) = self.open.take() {
            if self.link.saw(Readiness::END | Readiness::ABORT) {
                // The application has finished: nothing is left to be done in a turn.
                report(exchange.end(), "end");
                hub.remove_exchange(key);
            } else {
                // What an application does after its response, or after its client has left and
                // it was told so, is its own affair for a while.
                if !delivered {
                    report(exchange.gone(), "leave");
                }
                hub.finish_later(key, exchange, permit);
            }
        }
        self.link.finish();
        if let (Some(entry), Some(log)) = (self.entry.take(), &hub.access_log) {
            entry.finish(log);
        }
    }
}
