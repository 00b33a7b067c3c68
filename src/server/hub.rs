//! What the connections of a worker share: its reactor, its gateways, and who waits for what.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use hyper::HeaderMap;
use slab::Slab;
use tokio::sync::Notify;

use super::admission::{Admission, Permit};
use super::deadlines::{Deadlines, Key};
use super::diagnostics::Diagnostics;
use super::link::{Link, NEVER};
use super::mounts::Mounts;
use super::options::{AccessLog, Limits};
use crate::core::{Completion, Deadline, Readiness, Token, WaitSpec};
use crate::gateway::{Exchange, Gateway, Taken};
use crate::reactor::{Reactor, wait_forget};

/// How many emptied header maps are kept for the next responses.
const SPARE_MAPS: usize = 64;
/// The `user_data` of the wait for deadlines: no key of an exchange has such an index.
const ALARM: u64 = u64::MAX;

/// Limits of time, in nanoseconds.
pub(super) struct Times {
    pub(super) header: u64,
    pub(super) idle: u64,
}

/// One worker's. Everything in it belongs to the worker's thread.
pub(super) struct Hub {
    pub(super) reactor: Reactor,
    pub(super) gateways: Mounts<Gateway>,
    pub(super) limits: Limits,
    pub(super) times: Times,
    pub(super) admission: Arc<Admission>,
    pub(super) access_log: Option<AccessLog>,
    pub(super) diagnostics: Diagnostics,
    /// Set when the worker drains: what cannot be served any more is answered with 503.
    pub(super) draining: Cell<bool>,
    /// Told when the last connection has ended.
    pub(super) quiet: Notify,
    links: RefCell<Slab<Rc<Link>>>,
    exchanges: RefCell<Slab<Entry>>,
    /// Exchanges that go on after their response, in the order of their time limits.
    finishing: RefCell<VecDeque<(u64, Key)>>,
    /// What completed of those in this turn.
    finished: RefCell<Vec<(Key, Readiness)>>,
    deadlines: RefCell<Deadlines>,
    serial: Cell<u32>,
    /// The wait that ends no later than the first of the deadlines here, and when.
    alarm: Cell<(u64, Token)>,
    /// It has ended.
    rang: Cell<bool>,
    spare: RefCell<Vec<HeaderMap>>,
    names: RefCell<HashMap<IpAddr, Rc<str>>>,
    localhost: Rc<str>,
}

struct Entry {
    serial: u32,
    of: Of,
}

enum Of {
    /// The exchange that this connection is busy with.
    Link(Rc<Link>),
    /// One whose response has been delivered while the application goes on.
    Finishing(Box<Finishing>),
}

struct Finishing {
    exchange: Exchange,
    #[expect(dead_code, reason = "held until the exchange ends")]
    permit: Permit,
}

impl Hub {
    pub(super) fn new(
        reactor: Reactor,
        gateways: Mounts<Gateway>,
        limits: Limits,
        admission: Arc<Admission>,
        access_log: Option<AccessLog>,
        diagnostics: Diagnostics,
    ) -> Rc<Hub> {
        let times = Times {
            header: limits.header_time.as_nanos() as u64,
            idle: limits.idle_time.as_nanos() as u64,
        };
        Rc::new(Hub {
            reactor,
            gateways,
            limits,
            times,
            admission,
            access_log,
            diagnostics,
            draining: Cell::new(false),
            quiet: Notify::new(),
            links: RefCell::default(),
            exchanges: RefCell::default(),
            finishing: RefCell::default(),
            finished: RefCell::default(),
            deadlines: RefCell::default(),
            serial: Cell::new(0),
            alarm: Cell::new((NEVER, Token::NONE)),
            rang: Cell::new(false),
            spare: RefCell::default(),
            names: RefCell::default(),
            localhost: "localhost".into(),
        })
    }

    /// The time of the reactor's clock in nanoseconds. A reactor that cannot tell is about to end
    /// this worker, and no deadline is reached until then.
    pub(super) fn now(&self) -> u64 {
        self.reactor.now().unwrap_or(0)
    }

    fn next_serial(&self) -> u32 {
        let serial = self.serial.get().wrapping_add(1);
        self.serial.set(serial);
        serial
    }

    // Connections.

    /// Makes a connection known; the link learns its key.
    pub(super) fn add_link(&self, make: impl FnOnce(Key) -> Rc<Link>) -> Rc<Link> {
        let mut links = self.links.borrow_mut();
        let vacant = links.vacant_entry();
        let link = make(Key { index: vacant.key() as u32, serial: self.next_serial() });
        vacant.insert(Rc::clone(&link));
        link
    }

    pub(super) fn remove_link(&self, key: Key) {
        let removed = self.links.borrow_mut().try_remove(key.index as usize);
        drop(removed);
        self.tell_if_quiet();
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.links.borrow().is_empty() && self.finishing.borrow().is_empty()
    }

    fn tell_if_quiet(&self) {
        if self.draining.get() && self.is_quiet() {
            self.quiet.notify_one();
        }
    }

    /// Begins to drain: every connection is told to close as soon as it has answered.
    pub(super) fn drain(&self) {
        self.draining.set(true);
        for (_, link) in &*self.links.borrow() {
            link.ask_to_close();
        }
        self.tell_if_quiet();
    }

    // Deadlines.

    /// Has the connection looked at no later than `at`.
    pub(super) fn arm(&self, at: u64, key: Key) {
        self.deadlines.borrow_mut().push(at, key);
        self.wake_by(at);
    }

    /// Has the reactor end a wait no later than `at`.
    fn wake_by(&self, at: u64) {
        let (before, wait) = self.alarm.get();
        // What rang is set anew when everything that is due has been seen to.
        if at >= before || self.rang.get() {
            return;
        }
        match self.reactor.wait_start(&WaitSpec::sleep(Deadline::at(at)).user_data(ALARM)) {
            Ok(next) => self.alarm.set((at, next)),
            // The next deadline tries again.
            Err(error) => return tracing::debug!(%error, "could not wait for a deadline"),
        }
        if wait != Token::NONE {
            report(wait_forget(wait), "forget a later deadline of");
        }
    }

    /// Does after a turn what could not be done inside of it.
    pub(super) fn settle(&self) {
        self.settle_finished();
        if self.rang.get() {
            self.expire(self.now());
            self.rang.set(false);
            self.alarm.set((NEVER, Token::NONE));
            let finishing = self.finishing.borrow().front().map_or(NEVER, |(at, _)| *at);
            let next = self.deadlines.borrow().next().min(finishing);
            self.wake_by(next);
        }
    }

    /// Wakes the connections whose time has come, and ends what went on for too long.
    fn expire(&self, now: u64) {
        while let Some((at, key)) = self.pop_deadline(now) {
            let link = self.links.borrow().get(key.index as usize).cloned();
            if let Some(link) = link.filter(|link| link.key == key) {
                link.expire(at, now);
            }
        }
        loop {
            let Some(&(at, key)) = self.finishing.borrow().front() else { break };
            if at > now && self.is_finishing(key) {
                break;
            }
            self.finishing.borrow_mut().pop_front();
            self.abandon(key);
        }
    }

    fn pop_deadline(&self, now: u64) -> Option<(u64, Key)> {
        self.deadlines.borrow_mut().pop(now)
    }

    // Exchanges.

    /// A name for the next exchange of `link`, under which its completions come.
    pub(super) fn add_exchange(&self, link: &Rc<Link>) -> Key {
        let serial = self.next_serial();
        let entry = Entry { serial, of: Of::Link(Rc::clone(link)) };
        Key { index: self.exchanges.borrow_mut().insert(entry) as u32, serial }
    }

    pub(super) fn remove_exchange(&self, key: Key) {
        // Dropped after the borrow: what it holds may call back into the hub.
        let removed = self.exchanges.borrow_mut().try_remove(key.index as usize);
        drop(removed);
    }

    /// Keeps an exchange whose response has been delivered until the application is done, or for
    /// as long as a connection may idle.
    pub(super) fn finish_later(&self, key: Key, exchange: Exchange, permit: Permit) {
        let replaced = match self.exchanges.borrow_mut().get_mut(key.index as usize) {
            Some(entry) => {
                let finishing = Box::new(Finishing { exchange, permit });
                std::mem::replace(&mut entry.of, Of::Finishing(finishing))
            }
            None => return,
        };
        drop(replaced);
        let at = self.now().saturating_add(self.times.idle);
        self.finishing.borrow_mut().push_back((at, key));
        self.wake_by(at);
        // Nobody takes its output any more; it must not wait for room.
        discard(exchange);
    }

    /// Takes a completion out of a turn. Nothing of the reactor may be called here.
    pub(super) fn deliver(&self, completion: Completion) {
        if completion.user_data == ALARM {
            // One that was replaced is of no interest.
            if completion.wait == self.alarm.get().1 {
                self.rang.set(true);
            }
            return;
        }
        let key =
            Key { index: completion.user_data as u32, serial: (completion.user_data >> 32) as u32 };
        let mut ready = completion.ready;
        if !completion.more && !ready.intersects(Readiness::END | Readiness::ABORT) {
            // It ended without saying how: the reactor is being closed.
            ready |= Readiness::ABORT;
        }
        let exchanges = self.exchanges.borrow();
        match exchanges.get(key.index as usize) {
            Some(entry) if entry.serial == key.serial => match &entry.of {
                Of::Link(link) => link.complete(ready),
                Of::Finishing(..) => self.finished.borrow_mut().push((key, ready)),
            },
            // What completed before its connection let go of it.
            _ => {}
        }
    }

    /// Ends the exchanges that went on after their response and are done now.
    fn settle_finished(&self) {
        loop {
            let Some((key, ready)) = self.finished.borrow_mut().pop() else { break };
            if ready.intersects(Readiness::END | Readiness::ABORT) {
                self.abandon(key);
            } else if let Some(exchange) = self.finishing_exchange(key) {
                discard(exchange);
            }
        }
    }

    /// Lets go of everything that still goes on: the worker ends.
    pub(super) fn abandon_all(&self) {
        loop {
            let Some((_, key)) = self.finishing.borrow_mut().pop_front() else { break };
            self.abandon(key);
        }
    }

    fn finishing_exchange(&self, key: Key) -> Option<Exchange> {
        match self.exchanges.borrow().get(key.index as usize) {
            Some(Entry { serial, of: Of::Finishing(finishing) }) if *serial == key.serial => {
                Some(finishing.exchange)
            }
            _ => None,
        }
    }

    fn is_finishing(&self, key: Key) -> bool {
        self.finishing_exchange(key).is_some()
    }

    /// Lets go of an exchange that went on after its response, if it is still there.
    fn abandon(&self, key: Key) {
        if let Some(exchange) = self.finishing_exchange(key) {
            report(exchange.end(), "end");
            self.remove_exchange(key);
        }
        let mut finishing = self.finishing.borrow_mut();
        while finishing.front().is_some_and(|(_, key)| !self.is_finishing(*key)) {
            finishing.pop_front();
        }
        drop(finishing);
        self.tell_if_quiet();
    }

    // What is kept to be used again.

    /// An empty map for the head of a response.
    pub(super) fn header_map(&self) -> HeaderMap {
        self.spare.borrow_mut().pop().unwrap_or_default()
    }

    /// Keeps the memory of a map whose request has been copied.
    pub(super) fn keep_header_map(&self, mut map: HeaderMap) {
        let mut spare = self.spare.borrow_mut();
        if spare.len() < SPARE_MAPS && map.capacity() <= 64 {
            map.clear();
            spare.push(map);
        }
    }

    /// What a connection without an address comes to.
    pub(super) fn local_name(&self) -> Rc<str> {
        Rc::clone(&self.localhost)
    }

    /// The text of one of this machine's addresses. It has few, and many connections come to each.
    pub(super) fn name_of(&self, ip: IpAddr) -> Rc<str> {
        Rc::clone(self.names.borrow_mut().entry(ip).or_insert_with(|| ip.to_string().into()))
    }
}

/// Takes what an exchange puts out for nobody.
fn discard(exchange: Exchange) {
    while let Ok(Taken::Data(bytes)) = exchange.take() {
        report(exchange.sent(bytes.len()), "release output of");
    }
}

/// Says what should not have failed.
pub(super) fn report(result: crate::error::Result<()>, what: &str) {
    if let Err(error) = result {
        tracing::debug!(%error, "could not {what} an exchange");
    }
}
