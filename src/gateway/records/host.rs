//! The host's half of an exchange: feeding it, taking from it, ending it, and what it is told.

use bytes::Buf;

use super::*;
use crate::core::Outcome;

impl State {
    pub(in crate::gateway) fn feed(
        &mut self,
        key: u32,
        bytes: &mut impl Buf,
        end: bool,
    ) -> Result<usize> {
        let record = self.exchanges.record(key);
        if record.phase == Phase::Closed || record.phase == Phase::Closing {
            return Err(Error::new(
                Status::Closed,
                "the application is done: the rest of the body is of no use to it",
            ));
        }
        let (taken, readable, room) = {
            let mut flow = record.shared.lock();
            if bytes.has_remaining() && flow.input.is_ended() {
                return Err(Error::new(
                    Status::State,
                    "the body has ended, or there is none: feed nothing more",
                ));
            }
            let taken = flow.input.feed(bytes, end);
            (taken, flow.input.is_readable(), flow.input.room_due(false))
        };
        record.wake();
        if let (true, Some(waitable)) = (readable, record.waitable()) {
            self.core.ready(waitable.slot(), Readiness::READABLE);
            self.work_outside();
        }
        if room {
            // The host asks whether input is wanted, and it is.
            self.exchanges.announce(key, Readiness::ROOM);
            self.work_outside();
        }
        Ok(taken)
    }

    /// What a host has borrowed of an exchange; dropped when it ends the exchange.
    #[cfg(feature = "ffi")]
    pub(in crate::gateway) fn lent<T: Default + Send + 'static>(&mut self, key: u32) -> &mut T {
        let lent = self.exchanges.lent.entry(key).or_insert_with(|| Box::<T>::default());
        lent.downcast_mut().expect("a host borrows one kind of thing")
    }

    pub(in crate::gateway) fn sent(&mut self, key: u32, len: usize) -> Result<()> {
        let record = self.exchanges.record(key);
        let writable = {
            let mut flow = record.shared.lock();
            flow.output.sent(len)?;
            flow.output.is_writable()
        };
        if !writable {
            return Ok(());
        }
        record.wake();
        if let Some(waitable) = record.waitable() {
            self.core.ready(waitable.slot(), Readiness::WRITABLE);
            self.work_outside();
        }
        Ok(())
    }

    /// Nothing can be read or written any more.
    pub(super) fn drop_flow(&mut self, key: u32) {
        let record = self.exchanges.record(key);
        let mut flow = record.shared.lock();
        flow.gone = true;
        flow.input.discard();
        flow.output.discard();
        drop(flow);
        record.wake();
    }

    pub(in crate::gateway) fn client_gone(&mut self, key: u32) {
        if self.exchanges.record(key).shared.lock().gone {
            return;
        }
        self.drop_flow(key);
        let record = self.exchanges.record(key);
        let waitable = record.waitable();
        let slot = record.token.slot();
        let watched =
            waitable.is_some_and(|waitable| self.core.is_watched_by(waitable.slot(), slot));
        let (phase, ran) = {
            let record = self.exchanges.record(key);
            (record.phase, record.ran)
        };
        match phase {
            Phase::Suspended if watched => {}
            // Resumed already: its next call tells it.
            Phase::Runnable if ran && waitable.is_some() => {}
            Phase::Suspended | Phase::Runnable => self.close_soon(key),
            Phase::Pooled => self.abandon_call(key),
            Phase::Running | Phase::Closing | Phase::Closed => {}
        }
        if let Some(waitable) = waitable {
            self.core.ready(waitable.slot(), Readiness::HANGUP);
        }
        self.work_outside();
    }

    /// A pool thread that waits in place is told that the client left.
    pub(super) fn abandon_call(&mut self, key: u32) {
        let slot = self.exchanges.record(key).token.slot();
        if self.core.exchange_waits(slot) > 0 {
            self.core.forget_exchange_waits(slot);
            self.exchanges.record(key).shared.reply(Err(gone()));
        }
    }

    /// Ends the application's part without running it again.
    pub(in crate::gateway) fn close_soon(&mut self, key: u32) {
        let record = self.exchanges.record(key);
        let queued = record.phase == Phase::Runnable;
        record.phase = Phase::Closing;
        let slot = record.token.slot();
        self.core.forget_exchange_waits(slot);
        if !queued {
            self.exchanges.queue(key);
        }
    }

    /// Ends an exchange early: with a response of this status if the host has no head yet.
    pub(in crate::gateway) fn cut(&mut self, key: u32, status: u16) {
        let reason = match status {
            400 => "400 Bad Request: the request body is malformed\n",
            408 => "408 Request Timeout: the request body came too slowly\n",
            413 => "413 Content Too Large: the request body is larger than this server takes\n",
            503 => "503 Service Unavailable: the server is shutting down\n",
            _ => "the request was ended by the server\n",
        };
        // First, or a pool thread could take the end of what is discarded for that of its client.
        self.exchanges.record(key).shared.lock().gone = true;
        self.fail_response(key, status, reason);
        let record = self.exchanges.record(key);
        record.wake();
        match record.phase {
            Phase::Suspended | Phase::Runnable => self.close_soon(key),
            Phase::Pooled => self.abandon_call(key),
            Phase::Running | Phase::Closing | Phase::Closed => {}
        }
        self.work_outside();
    }

    /// Puts an error response in place of one the host has not seen, or breaks off the other.
    pub(in crate::gateway) fn fail_response(&mut self, key: u32, status: u16, text: &str) {
        let record = self.exchanges.record(key);
        let bits = {
            let mut flow = record.shared.lock();
            flow.input.discard();
            if flow.output.has_begun() {
                flow.output.discard();
                Readiness::NONE
            } else if flow.output.is_ended() {
                Readiness::NONE
            } else {
                flow.output.replace(status, text);
                Readiness::HEAD | Readiness::BODY
            }
        };
        self.exchanges.announce(key, bits);
    }

    pub(in crate::gateway) fn host_ends(&mut self, key: u32) {
        self.drop_flow(key);
        let record = self.exchanges.record(key);
        record.ended = true;
        #[cfg(feature = "ffi")]
        self.exchanges.lent.remove(&key);
        let record = self.exchanges.record(key);
        match record.phase {
            Phase::Suspended | Phase::Runnable => self.close_soon(key),
            Phase::Pooled => self.abandon_call(key),
            Phase::Closed => {
                self.remove_exchange(key);
                if !self.core.is_closed() {
                    // Only the last of a reactor that is closed is news to anybody.
                    return;
                }
            }
            Phase::Running | Phase::Closing => {}
        }
        self.work_outside();
    }

    /// The application's part has ended, and its `close` has run.
    pub(crate) fn exchange_closed(&mut self, key: u32) {
        let slot = self.exchanges.record(key).token.slot();
        self.core.forget_exchange_waits(slot);
        while let Some(waitable) = self.core.exchange_waitable(slot) {
            self.close_waitable_in(waitable);
        }
        let record = self.exchanges.record(key);
        record.phase = Phase::Closed;
        record.waitable = Token::NONE;
        record.done = None;
        let ended = record.ended;
        let last = {
            let mut flow = record.shared.lock();
            // What the application left unfinished cannot be completed by anybody.
            flow.output.discard_unfinished();
            if flow.output.is_broken() { Readiness::ABORT } else { Readiness::END }
        };
        if ended {
            self.remove_exchange(key);
        } else {
            self.exchanges.announce(key, last);
        }
    }

    pub(super) fn remove_exchange(&mut self, key: u32) {
        // An announcement that is queued finds the record gone, or another one that has its own.
        let record = self.exchanges.records.remove(key as usize);
        self.core.close_exchange(record.token.slot());
        if record.announced {
            self.exchanges.announcements.retain(|other| *other != key);
        }
        self.exchanges.gateways[record.gateway as usize].exchanges -= 1;
    }

    /// The next thing that a host has to be told of one of its exchanges.
    pub(crate) fn next_announcement(&mut self) -> Option<Completion> {
        let key = loop {
            let key = self.exchanges.announcements.pop_front()?;
            let record = self.exchanges.record(key);
            record.announced = false;
            // A host that has let go may have freed what its user_data points to.
            if !record.ended {
                break key;
            }
        };
        let record = self.exchanges.record(key);
        let bits = std::mem::take(&mut record.bits);
        let last = bits.intersects(Readiness::END | Readiness::ABORT);
        Some(Completion {
            user_data: record.user_data,
            wait: record.token,
            outcome: Outcome::Ready,
            more: !last,
            members: 1,
            ready: bits,
            index: 0,
            error: 0,
        })
    }

    pub(crate) fn has_announcement(&self) -> bool {
        !self.exchanges.announcements.is_empty()
    }
}
