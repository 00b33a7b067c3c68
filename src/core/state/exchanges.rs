//! Exchanges, as far as the core knows them: who owns which waits and waitables.

use super::*;

impl Core {
    /// Makes room for an exchange, whose waits and waitables end with it.
    pub(crate) fn open_exchange(&mut self, key: u32) -> Result<Token> {
        if self.closed {
            return Err(closing());
        }
        let entry =
            ExchangeEntry { key, waits: 0, first_wait: NIL, first_waitable: NIL, spent: NIL };
        // A pool thread tells its exchange that it wants something.
        self.occupy(Kind::Exchange, Listens::Flag, Entry::Exchange(entry))
    }

    /// The gateway's own name for the exchange in a slot; `None` if the slot holds none.
    pub(crate) fn exchange_key(&self, slot: u32) -> Option<u32> {
        match self.entries.get(slot as usize) {
            Some(Entry::Exchange(exchange)) => Some(exchange.key),
            _ => None,
        }
    }

    /// How many waits of an exchange have not been delivered.
    pub(crate) fn exchange_waits(&self, slot: u32) -> u32 {
        self.exchange(slot).waits
    }

    /// Forgets all waits of an exchange.
    pub(crate) fn forget_exchange_waits(&mut self, slot: u32) {
        loop {
            let first = self.exchange(slot).first_wait;
            if first == NIL {
                return;
            }
            self.forget(first);
        }
    }

    /// One of the waitables that an exchange made.
    pub(crate) fn exchange_waitable(&self, slot: u32) -> Option<u32> {
        let first = self.exchange(slot).first_waitable;
        (first != NIL).then_some(first)
    }

    /// Ends an exchange whose waits and waitables have ended.
    pub(crate) fn close_exchange(&mut self, slot: u32) {
        debug_assert_eq!(self.exchange(slot).waits, 0);
        debug_assert_eq!(self.exchange(slot).first_waitable, NIL);
        self.forget_members(slot);
        self.vacate(slot);
    }
}
