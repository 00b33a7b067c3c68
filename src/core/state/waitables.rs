//! Waitables, and the lists of those who wait for them.

use super::*;

impl Core {
    /// Makes a waitable. Creating one never arms anything. `maker` is the slot of the exchange
    /// with which it ends.
    pub(crate) fn open(&mut self, source: Source, maker: Option<u32>) -> Result<Token> {
        if self.closed {
            return Err(closing());
        }
        if self.waitables >= self.limits.waitables {
            return Err(Error::new(
                Status::Limit,
                format!(
                    "the reactor holds {} waitables, its max_waitables: close some or raise it",
                    self.waitables
                ),
            ));
        }
        let token = self.occupy(
            Kind::Waitable,
            Entry::Waitable(Waitable {
                source,
                notified: Bits::of(Readiness::NONE),
                first: NodeRef::NONE,
                asked: [0; 4],
                maker: maker.unwrap_or(NIL),
                before: NIL,
                after: NIL,
            }),
        )?;
        self.waitables += 1;
        if let Some(maker) = maker {
            let first =
                std::mem::replace(&mut self.exchange_mut(maker).first_waitable, token.slot());
            self.waitable_mut(token.slot()).after = first;
            if first != NIL {
                self.waitable_mut(first).before = token.slot();
            }
        }
        Ok(token)
    }

    /// What stands behind a waitable.
    pub(crate) fn source(&self, slot: u32) -> Source {
        self.waitable(slot).source
    }

    /// The slot of the exchange that made the waitable.
    pub(crate) fn maker(&self, slot: u32) -> Option<u32> {
        let maker = self.waitable(slot).maker;
        (maker != NIL).then_some(maker)
    }

    /// What all waiters of a waitable ask for together.
    pub(crate) fn interest(&self, slot: u32) -> Readiness {
        let waitable = self.waitable(slot);
        let mut interest = Readiness::NONE;
        for (bit, count) in COUNTED.into_iter().zip(waitable.asked) {
            if count > 0 {
                interest |= bit;
            }
        }
        if waitable.first != NodeRef::NONE {
            interest |= Readiness::ALWAYS;
        }
        interest
    }

    /// Completes the waits on a waitable as closed; the waitable stays.
    pub(crate) fn close_waits(&mut self, slot: u32) {
        let mut at = self.waitable(slot).first;
        while at != NodeRef::NONE {
            let after = self.node(at).after;
            self.end_wait(at.wait(), Outcome::Closed);
            at = after;
        }
    }

    /// Ends a waitable; its waits complete as closed. Answers what stood behind it.
    pub(crate) fn close(&mut self, slot: u32) -> Source {
        loop {
            let at = self.waitable(slot).first;
            if at == NodeRef::NONE {
                break;
            }
            self.end_wait(at.wait(), Outcome::Closed);
            self.unlink(at);
            self.node_mut(at).waitable = NIL;
        }
        let Entry::Waitable(waitable) = self.vacate(slot) else { unreachable!("a waitable") };
        self.waitables -= 1;
        if waitable.maker != NIL {
            if waitable.before == NIL {
                self.exchange_mut(waitable.maker).first_waitable = waitable.after;
            } else {
                self.waitable_mut(waitable.before).after = waitable.after;
            }
            if waitable.after != NIL {
                self.waitable_mut(waitable.after).before = waitable.before;
            }
        }
        waitable.source
    }

    /// Sets an event.
    pub(crate) fn notify(&mut self, slot: u32, bits: Readiness) {
        let waitable = self.waitable_mut(slot);
        waitable.notified = Bits::of(waitable.notified.get() | bits);
        self.ready(slot, bits);
    }

    /// Another thread has notified the object in a slot. Only events listen.
    pub(crate) fn notified_elsewhere(&mut self, slot: u32, bits: Readiness) {
        if let Some(Entry::Waitable(Waitable { source: Source::Event, .. })) =
            self.entries.get(slot as usize)
        {
            self.notify(slot, bits);
        }
    }

    /// What an event was notified of; clears it.
    pub(crate) fn take(&mut self, slot: u32) -> Readiness {
        std::mem::replace(&mut self.waitable_mut(slot).notified, Bits::of(Readiness::NONE)).get()
    }

    /// What an event was notified of and nobody took.
    pub(crate) fn notified(&self, slot: u32) -> Readiness {
        self.waitable(slot).notified.get()
    }

    /// A waitable became, or is, ready: every waiter that asked for it wakes. Answers whether
    /// there was one.
    pub(crate) fn ready(&mut self, slot: u32, bits: Readiness) -> bool {
        let mut at = self.waitable(slot).first;
        let mut woke = false;
        while at != NodeRef::NONE {
            let node = self.node_mut(at);
            let after = node.after;
            let seen = bits.seen_by(node.interest.get());
            if !seen.is_empty() {
                node.ready = Bits::of(node.ready.get() | seen);
                woke = true;
                self.end_wait(at.wait(), Outcome::Ready);
            }
            at = after;
        }
        woke
    }

    /// Whether an exchange waits for a waitable.
    pub(crate) fn is_watched_by(&self, slot: u32, exchange: u32) -> bool {
        let mut at = self.waitable(slot).first;
        while at != NodeRef::NONE {
            if self.wait(at.wait()).exchange == exchange {
                return true;
            }
            at = self.node(at).after;
        }
        false
    }

    /// Whether anybody waits for a waitable.
    pub(crate) fn has_waiters(&self, slot: u32) -> bool {
        self.waitable(slot).first != NodeRef::NONE
    }

    // ---- waiter lists -----------------------------------------------------------------------

    pub(super) fn node(&self, at: NodeRef) -> &Node {
        &self.wait(at.wait()).members.as_slice()[at.member()]
    }

    pub(super) fn node_mut(&mut self, at: NodeRef) -> &mut Node {
        &mut self.wait_mut(at.wait()).members.as_mut_slice()[at.member()]
    }

    pub(super) fn count(&mut self, waitable: u32, interest: Readiness, by: i32) {
        let asked = &mut self.waitable_mut(waitable).asked;
        for (bit, count) in COUNTED.into_iter().zip(asked) {
            if interest.intersects(bit) {
                *count = count.wrapping_add_signed(by);
            }
        }
    }

    pub(super) fn link(&mut self, at: NodeRef) {
        let Node { waitable, interest, .. } = *self.node(at);
        let first = std::mem::replace(&mut self.waitable_mut(waitable).first, at);
        self.node_mut(at).after = first;
        if first != NodeRef::NONE {
            self.node_mut(first).before = at;
        }
        self.count(waitable, interest.get(), 1);
    }

    pub(super) fn unlink(&mut self, at: NodeRef) {
        let Node { waitable, interest, before, after, .. } = *self.node(at);
        if waitable == NIL {
            return;
        }
        if before == NodeRef::NONE {
            self.waitable_mut(waitable).first = after;
        } else {
            self.node_mut(before).after = after;
        }
        if after != NodeRef::NONE {
            self.node_mut(after).before = before;
        }
        let node = self.node_mut(at);
        node.before = NodeRef::NONE;
        node.after = NodeRef::NONE;
        self.count(waitable, interest.get(), -1);
    }
}
