//! What the core holds: waitables with their waiters, waits with their members, and the queues of
//! those that ended.

use std::collections::VecDeque;

use super::growth::room_for_one;
use super::readiness::Readiness;
use super::slots::{NIL, Slots, stale};
use super::timers::Timers;
use super::token::{Kind, Token};
use super::wait::{Completion, Deadline, Outcome, WaitSpec};
use crate::error::{Error, Result, Status};

/// Whose wait it is, and so where its completion goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// The host's: it completes in the turn's array.
    Host,
    /// An exchange's, by its slot: it resumes the exchange.
    Exchange(u32),
}

/// What stands behind a waitable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A descriptor; closed with its waitable if owned.
    Descriptor { fd: i32, own: bool },
    /// A flag that `notify` sets.
    Event,
    /// An exchange, by its slot.
    Exchange(u32),
}

/// How much a reactor may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) waitables: u32,
    pub(crate) waits: u32,
}

/// One end of a waiter list: the wait's slot (24 bits) and the member's position in its set (16),
/// packed, because there are two in every member.
#[derive(Clone, Copy, PartialEq, Eq)]
struct NodeRef([u8; 5]);

impl NodeRef {
    const NONE: NodeRef = NodeRef([0xff; 5]);

    fn new(wait: u32, member: u32) -> NodeRef {
        let ([a, b, c, _], [d, e, ..]) = (wait.to_le_bytes(), member.to_le_bytes());
        NodeRef([a, b, c, d, e])
    }

    fn wait(self) -> u32 {
        u32::from_le_bytes([self.0[0], self.0[1], self.0[2], 0])
    }

    fn member(self) -> usize {
        usize::from(u16::from_le_bytes([self.0[3], self.0[4]]))
    }
}

/// Readiness of a waitable, which needs no more than a byte.
#[derive(Clone, Copy)]
struct Bits(u8);

impl Bits {
    fn of(readiness: Readiness) -> Bits {
        debug_assert!(Readiness::INTERESTS.contains(readiness));
        Bits((readiness & Readiness::INTERESTS).bits() as u8)
    }

    fn get(self) -> Readiness {
        Readiness::from_bits_truncate(self.0.into())
    }
}

/// A member of a wait's set, linked into its waitable's list of waiters.
#[derive(Clone, Copy)]
struct Node {
    waitable: u32,
    interest: Bits,
    ready: Bits,
    before: NodeRef,
    after: NodeRef,
}

enum Members {
    None,
    One(Node),
    Many(Box<[Node]>),
}

impl Members {
    fn as_slice(&self) -> &[Node] {
        match self {
            Members::None => &[],
            Members::One(node) => std::slice::from_ref(node),
            Members::Many(nodes) => nodes,
        }
    }

    fn as_mut_slice(&mut self) -> &mut [Node] {
        match self {
            Members::None => &mut [],
            Members::One(node) => std::slice::from_mut(node),
            Members::Many(nodes) => nodes,
        }
    }
}

struct Wait {
    /// The slot of the exchange whose wait it is; NIL: the host's.
    exchange: u32,
    user_data: u64,
    /// None while it is armed.
    outcome: Option<Outcome>,
    members: Members,
    /// The other waits of the same exchange.
    before: u32,
    after: u32,
}

impl Wait {
    fn owner(&self) -> Owner {
        if self.exchange == NIL { Owner::Host } else { Owner::Exchange(self.exchange) }
    }
}

struct Waitable {
    source: Source,
    /// What an event was notified of and nobody took.
    notified: Bits,
    first: NodeRef,
    /// How many waiters ask for READABLE, WRITABLE, PRIORITY, READ_CLOSED.
    asked: [u32; 4],
    /// The exchange that made it, and its other waitables.
    maker: u32,
    before: u32,
    after: u32,
}

struct ExchangeEntry {
    /// The gateway's own name for it.
    key: u32,
    waits: u32,
    first_wait: u32,
    first_waitable: u32,
}

enum Entry {
    Free { next: u32 },
    Waitable(Waitable),
    Wait(Wait),
    Exchange(ExchangeEntry),
}

const COUNTED: [Readiness; 4] =
    [Readiness::READABLE, Readiness::WRITABLE, Readiness::PRIORITY, Readiness::READ_CLOSED];

/// A wait that was checked but does not exist yet.
pub(crate) struct Plan {
    owner: Owner,
    user_data: u64,
    deadline: Deadline,
    members: Members,
}

impl Plan {
    /// The waitables to arm, by slot, with what this wait asks of each.
    pub(crate) fn arms(&self) -> impl Iterator<Item = (u32, Readiness)> + '_ {
        self.members.as_slice().iter().map(|node| (node.waitable, node.interest.get()))
    }
}

/// The core of one reactor.
pub(crate) struct Core {
    slots: &'static Slots,
    number: u16,
    limits: Limits,
    entries: Vec<Entry>,
    oldest_free: u32,
    newest_free: u32,
    timers: Timers,
    waits: u32,
    waitables: u32,
    closed: bool,
    host_done: VecDeque<Token>,
    exchange_done: VecDeque<Token>,
}

impl Core {
    /// A core over the slots of reactor `number`, which it alone changes from here on.
    pub(crate) fn new(slots: &'static Slots, number: u16, limits: Limits) -> Core {
        let mut core = Core {
            slots,
            number,
            limits,
            entries: Vec::new(),
            oldest_free: NIL,
            newest_free: NIL,
            timers: Timers::default(),
            waits: 0,
            waitables: 0,
            closed: false,
            host_done: VecDeque::new(),
            exchange_done: VecDeque::new(),
        };
        for slot in 0..slots.len() {
            room_for_one(&mut core.entries);
            core.entries.push(Entry::Free { next: NIL });
            if slots.is_free(slot) {
                core.queue_free(slot);
            }
        }
        core
    }

    // ---- slots ------------------------------------------------------------------------------

    fn queue_free(&mut self, slot: u32) {
        if let Some(Entry::Free { next }) = self.entries.get_mut(self.newest_free as usize) {
            *next = slot;
        } else {
            self.oldest_free = slot;
        }
        self.newest_free = slot;
    }

    /// Puts an object into the slot that has been free for longest.
    fn occupy(&mut self, kind: Kind, entry: Entry) -> Result<Token> {
        let listens = match &entry {
            Entry::Waitable(waitable) => waitable.source == Source::Event,
            // A pool thread tells its exchange so.
            Entry::Exchange(_) => true,
            Entry::Wait(_) | Entry::Free { .. } => false,
        };
        let slot = if self.oldest_free == NIL {
            let slot = self.slots.grow().ok_or_else(|| {
                Error::new(Status::Limit, "a reactor holds at most 16,777,216 objects: end some")
            })?;
            debug_assert_eq!(slot as usize, self.entries.len());
            room_for_one(&mut self.entries);
            self.entries.push(entry);
            slot
        } else {
            let slot = self.oldest_free;
            let before = std::mem::replace(&mut self.entries[slot as usize], entry);
            let Entry::Free { next } = before else { unreachable!("a queued slot is free") };
            self.oldest_free = next;
            if next == NIL {
                self.newest_free = NIL;
            }
            slot
        };
        let generation = self.slots.occupy(slot, kind, listens);
        Ok(Token::new(kind, self.number, generation, slot))
    }

    fn vacate(&mut self, slot: u32) -> Entry {
        let entry = std::mem::replace(&mut self.entries[slot as usize], Entry::Free { next: NIL });
        if self.slots.vacate(slot) {
            self.queue_free(slot);
        }
        entry
    }

    /// The slot of a living object of this reactor and kind.
    pub(crate) fn find(&self, token: Token, kind: Kind) -> Result<u32> {
        if token.reactor() != self.number || !self.slots.is_live(token) {
            return Err(stale());
        }
        if token.kind() != Some(kind) {
            return Err(Error::new(
                Status::Invalid,
                format!("{token:?} is not a {kind:?}: give the token of one"),
            ));
        }
        Ok(token.slot())
    }

    fn waitable(&self, slot: u32) -> &Waitable {
        match &self.entries[slot as usize] {
            Entry::Waitable(waitable) => waitable,
            _ => unreachable!("slot {slot} is a waitable"),
        }
    }

    fn waitable_mut(&mut self, slot: u32) -> &mut Waitable {
        match &mut self.entries[slot as usize] {
            Entry::Waitable(waitable) => waitable,
            _ => unreachable!("slot {slot} is a waitable"),
        }
    }

    fn wait(&self, slot: u32) -> &Wait {
        match &self.entries[slot as usize] {
            Entry::Wait(wait) => wait,
            _ => unreachable!("slot {slot} is a wait"),
        }
    }

    fn wait_mut(&mut self, slot: u32) -> &mut Wait {
        match &mut self.entries[slot as usize] {
            Entry::Wait(wait) => wait,
            _ => unreachable!("slot {slot} is a wait"),
        }
    }

    fn exchange(&self, slot: u32) -> &ExchangeEntry {
        match &self.entries[slot as usize] {
            Entry::Exchange(exchange) => exchange,
            _ => unreachable!("slot {slot} is an exchange"),
        }
    }

    fn exchange_mut(&mut self, slot: u32) -> &mut ExchangeEntry {
        match &mut self.entries[slot as usize] {
            Entry::Exchange(exchange) => exchange,
            _ => unreachable!("slot {slot} is an exchange"),
        }
    }

    // ---- waitables --------------------------------------------------------------------------

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

    fn node(&self, at: NodeRef) -> &Node {
        &self.wait(at.wait()).members.as_slice()[at.member()]
    }

    fn node_mut(&mut self, at: NodeRef) -> &mut Node {
        &mut self.wait_mut(at.wait()).members.as_mut_slice()[at.member()]
    }

    fn count(&mut self, waitable: u32, interest: Readiness, by: i32) {
        let asked = &mut self.waitable_mut(waitable).asked;
        for (bit, count) in COUNTED.into_iter().zip(asked) {
            if interest.intersects(bit) {
                *count = count.wrapping_add_signed(by);
            }
        }
    }

    fn link(&mut self, at: NodeRef) {
        let Node { waitable, interest, .. } = *self.node(at);
        let first = std::mem::replace(&mut self.waitable_mut(waitable).first, at);
        self.node_mut(at).after = first;
        if first != NodeRef::NONE {
            self.node_mut(first).before = at;
        }
        self.count(waitable, interest.get(), 1);
    }

    fn unlink(&mut self, at: NodeRef) {
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

    // ---- waits ------------------------------------------------------------------------------

    /// Checks a question and plans what has to be armed for it. Nothing changes until `commit`.
    pub(crate) fn prepare(&self, spec: &WaitSpec<'_>, owner: Owner) -> Result<Plan> {
        if self.closed {
            return Err(closing());
        }
        if spec.set.is_empty() && spec.deadline == Deadline::FOREVER {
            return Err(Error::new(
                Status::Invalid,
                "an empty set without a deadline would never end: give it a deadline or a waitable",
            ));
        }
        if spec.set.len() > u16::MAX as usize {
            return Err(Error::new(
                Status::Invalid,
                "a set holds at most 65,535 waitables: split it into several waits",
            ));
        }
        if self.waits >= self.limits.waits {
            return Err(Error::new(
                Status::Limit,
                format!(
                    "the reactor holds {} waits, its max_waits: let some end or raise it",
                    self.waits
                ),
            ));
        }
        let node = |watch: &super::wait::Watch| -> Result<Node> {
            if watch.interest.is_empty() || !Readiness::INTERESTS.contains(watch.interest) {
                return Err(Error::new(
                    Status::Invalid,
                    "an interest is one or more of READABLE, WRITABLE, PRIORITY, READ_CLOSED, \
                     HANGUP and ERROR: ask for at least one, and no other bits",
                ));
            }
            Ok(Node {
                waitable: self.find(watch.waitable, Kind::Waitable)?,
                interest: Bits::of(watch.interest),
                ready: Bits::of(Readiness::NONE),
                before: NodeRef::NONE,
                after: NodeRef::NONE,
            })
        };
        let members = match spec.set {
            [] => Members::None,
            [one] => Members::One(node(one)?),
            many => {
                let nodes: Box<[Node]> = many.iter().map(node).collect::<Result<_>>()?;
                let mut seen: Vec<u32> = nodes.iter().map(|node| node.waitable).collect();
                seen.sort_unstable();
                if seen.windows(2).any(|pair| pair[0] == pair[1]) {
                    return Err(Error::new(
                        Status::Invalid,
                        "the set names a waitable twice: name it once, with both interests",
                    ));
                }
                Members::Many(nodes)
            }
        };
        Ok(Plan { owner, user_data: spec.user_data, deadline: spec.deadline, members })
    }

    /// Makes a planned wait so.
    pub(crate) fn commit(&mut self, plan: Plan) -> Result<Token> {
        let Plan { owner, user_data, deadline, members } = plan;
        let count = members.as_slice().len() as u32;
        let token = self.occupy(
            Kind::Wait,
            Entry::Wait(Wait {
                exchange: match owner {
                    Owner::Host => NIL,
                    Owner::Exchange(slot) => slot,
                },
                user_data,
                outcome: None,
                members,
                before: NIL,
                after: NIL,
            }),
        )?;
        let slot = token.slot();
        self.waits += 1;
        for member in 0..count {
            self.link(NodeRef::new(slot, member));
        }
        if deadline != Deadline::FOREVER {
            self.timers.start(slot, deadline.nanoseconds());
        }
        if let Owner::Exchange(exchange) = owner {
            let entry = self.exchange_mut(exchange);
            entry.waits += 1;
            let first = std::mem::replace(&mut entry.first_wait, slot);
            self.wait_mut(slot).after = first;
            if first != NIL {
                self.wait_mut(first).before = slot;
            }
        }
        Ok(token)
    }

    fn token_of(&self, kind: Kind, slot: u32) -> Token {
        self.slots.token(kind, self.number, slot)
    }

    /// The first decision stands: a wait that has ended already is left as it is.
    fn end_wait(&mut self, slot: u32, outcome: Outcome) {
        let token = self.token_of(Kind::Wait, slot);
        let wait = self.wait_mut(slot);
        if wait.outcome.is_some() {
            return;
        }
        wait.outcome = Some(outcome);
        match wait.owner() {
            Owner::Host => self.host_done.push_back(token),
            Owner::Exchange(_) => self.exchange_done.push_back(token),
        }
        self.timers.forget(slot);
    }

    /// Asks a wait to end; it completes with what happened first.
    pub(crate) fn cancel(&mut self, slot: u32) {
        self.end_wait(slot, Outcome::Cancelled);
    }

    /// Removes a wait, ended or not: nothing more comes of it. Answers whose it was.
    pub(crate) fn forget(&mut self, slot: u32) -> Owner {
        self.remove_wait(slot).owner()
    }

    fn remove_wait(&mut self, slot: u32) -> Wait {
        for member in 0..self.wait(slot).members.as_slice().len() as u32 {
            self.unlink(NodeRef::new(slot, member));
        }
        self.timers.forget(slot);
        let Entry::Wait(wait) = self.vacate(slot) else { unreachable!("a wait") };
        self.waits -= 1;
        if let Owner::Exchange(exchange) = wait.owner() {
            if wait.before == NIL {
                self.exchange_mut(exchange).first_wait = wait.after;
            } else {
                self.wait_mut(wait.before).after = wait.after;
            }
            if wait.after != NIL {
                self.wait_mut(wait.after).before = wait.before;
            }
            self.exchange_mut(exchange).waits -= 1;
        }
        wait
    }

    /// Ends every wait whose deadline has passed at `now`.
    pub(crate) fn expire(&mut self, now: u64) {
        while let Some(slot) = self.timers.expire(now) {
            self.end_wait(slot, Outcome::TimedOut);
        }
    }

    /// The earliest deadline of any wait.
    pub(crate) fn next_deadline(&self) -> Deadline {
        self.timers.next().map_or(Deadline::FOREVER, Deadline::at)
    }

    /// Whether a completion of the host's lies ready.
    pub(crate) fn has_host_completion(&self) -> bool {
        !self.host_done.is_empty()
    }

    /// Whether a completion of an exchange's lies ready.
    pub(crate) fn has_exchange_completion(&self) -> bool {
        !self.exchange_done.is_empty()
    }

    /// Delivers the host's next completion and retires its wait.
    pub(crate) fn next_host_completion(&mut self) -> Option<Completion> {
        loop {
            let token = self.host_done.pop_front()?;
            if self.slots.is_live(token) {
                return Some(self.retire(token).1);
            }
        }
    }

    /// Delivers the next completion of an exchange, named by the gateway's key.
    pub(crate) fn next_exchange_completion(&mut self) -> Option<(u32, Completion)> {
        loop {
            let token = self.exchange_done.pop_front()?;
            if self.slots.is_live(token) {
                let (owner, completion) = self.retire(token);
                let Owner::Exchange(slot) = owner else { unreachable!("queued as an exchange's") };
                return Some((self.exchange(slot).key, completion));
            }
        }
    }

    fn retire(&mut self, token: Token) -> (Owner, Completion) {
        let wait = self.remove_wait(token.slot());
        let mut completion = Completion {
            user_data: wait.user_data,
            wait: token,
            outcome: wait.outcome.expect("a queued wait has ended"),
            more: false,
            members: 0,
            ready: Readiness::NONE,
            index: 0,
            error: 0,
        };
        if completion.outcome == Outcome::Ready {
            for (index, node) in wait.members.as_slice().iter().enumerate() {
                if !node.ready.get().is_empty() {
                    if completion.members == 0 {
                        completion.index = index as u32;
                        completion.ready = node.ready.get();
                    }
                    completion.members += 1;
                }
            }
        }
        (wait.owner(), completion)
    }

    // ---- exchanges --------------------------------------------------------------------------

    /// Makes room for an exchange, whose waits and waitables end with it.
    pub(crate) fn open_exchange(&mut self, key: u32) -> Result<Token> {
        if self.closed {
            return Err(closing());
        }
        self.occupy(
            Kind::Exchange,
            Entry::Exchange(ExchangeEntry { key, waits: 0, first_wait: NIL, first_waitable: NIL }),
        )
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
            self.remove_wait(first);
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
        self.vacate(slot);
    }

    // ---- the end ----------------------------------------------------------------------------

    /// Refuses new waits, and completes every wait as closed.
    pub(crate) fn close_all(&mut self) {
        self.closed = true;
        for slot in 0..self.entries.len() as u32 {
            if matches!(self.entries[slot as usize], Entry::Wait(_)) {
                self.end_wait(slot, Outcome::Closed);
            }
        }
    }

    /// Whether the core was closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// How many waits have not been delivered or forgotten.
    pub(crate) fn waits(&self) -> u32 {
        self.waits
    }

    /// The slots of all waitables.
    pub(crate) fn waitables(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.entries.len() as u32)
            .filter(|slot| matches!(self.entries[*slot as usize], Entry::Waitable(_)))
    }

    /// Makes every token stale. The core is not used after it.
    pub(crate) fn end(&mut self) {
        for slot in 0..self.entries.len() as u32 {
            if !matches!(self.entries[slot as usize], Entry::Free { .. }) {
                self.vacate(slot);
            }
        }
    }
}

fn closing() -> Error {
    Error::new(Status::Closed, "the reactor is being closed: it takes no new waits or waitables")
}

#[cfg(test)]
mod tests;
