//! What the owner keeps of gateways and exchanges, and the host's half of an exchange.

mod host;

use std::collections::VecDeque;
use std::sync::Arc;

use slab::Slab;

use super::application::{Application, Run, Style, Worker};
use super::environ::Environ;
use super::exchange::Exchange;
use super::flow::{Flow, Shared, gone};
use super::input::Input;
use super::output::Output;
use super::pool::Pool;
use super::{GatewayOptions, Request};
use crate::core::{Completion, New, Owner, Readiness, Token, WaitSpec, more};
use crate::error::{Error, Result, Status};
use crate::reactor::State;

/// What a gateway has of its application on this worker. Dropping it ends both.
pub(crate) struct GatewayState {
    pub(super) pool: Option<Pool>,
    worker: Box<dyn Worker>,
    name: String,
    base: Arc<Environ>,
    style: Style,
    options: GatewayOptions,
    exchanges: u32,
    pub(super) draining: bool,
    /// When what is left is ended.
    drain_deadline: u64,
}

/// Where an exchange stands with its application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Queued to run.
    Runnable,
    /// A step of it runs.
    Running,
    /// It waits.
    Suspended,
    /// A pool thread has it, or will.
    Pooled,
    /// Queued to be closed without running again.
    Closing,
    /// Its application has ended.
    Closed,
}

/// What completed since the last step: mostly nothing, and then a word in place of three.
pub(super) type Done = Option<Box<Vec<Completion>>>;

/// The owner's part of an exchange.
pub(super) struct Record {
    pub(super) token: Token,
    gateway: u32,
    pub(super) phase: Phase,
    /// The application has run.
    pub(super) ran: bool,
    /// Yields in a row without output or wait.
    pub(super) yields: u8,
    /// How much it had written at the last of them.
    pub(super) written: u32,
    /// What the host was not told yet.
    bits: Readiness,
    announced: bool,
    /// The host let go.
    ended: bool,
    user_data: u64,
    pub(super) run: Option<Box<dyn Run>>,
    /// What completed since the last step.
    pub(super) done: Done,
    /// The exchange as a waitable, once somebody asked.
    waitable: Token,
    /// Its one wait is the pause of an application that only yields.
    pub(super) pausing: bool,
    pub(super) shared: Arc<Shared>,
}

/// All gateways and exchanges of a reactor.
#[derive(Default)]
pub(crate) struct Exchanges {
    gateways: Slab<GatewayState>,
    records: Slab<Record>,
    /// Exchanges to run or to close.
    pub(super) runnable: VecDeque<u32>,
    /// Exchanges of which the host has to be told something.
    announcements: VecDeque<u32>,
    pub(super) yields_logged: bool,
    /// What hosts that borrow have borrowed, by exchange.
    #[cfg(feature = "ffi")]
    lent: std::collections::HashMap<u32, Box<dyn std::any::Any + Send>>,
}

impl Record {
    /// Wakes the pool thread that may wait in place. Only there: it is a system call.
    fn wake(&self) {
        if self.phase == Phase::Pooled {
            self.shared.wake();
        }
    }

    /// The exchange as a waitable, if somebody asked for it.
    fn waitable(&self) -> Option<Token> {
        (self.waitable != Token::NONE).then_some(self.waitable)
    }
}

impl Exchanges {
    pub(super) fn record(&mut self, key: u32) -> &mut Record {
        &mut self.records[key as usize]
    }

    pub(super) fn gateway_of(&self, key: u32) -> &GatewayState {
        &self.gateways[self.records[key as usize].gateway as usize]
    }

    /// Whether something is to be run or told.
    pub(crate) fn has_work(&self) -> bool {
        !self.runnable.is_empty() || !self.announcements.is_empty()
    }

    pub(crate) fn runnable(&self) -> usize {
        self.runnable.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.gateways.is_empty() && self.records.is_empty()
    }

    pub(crate) fn has_exchanges(&self) -> bool {
        !self.records.is_empty()
    }

    /// The earliest end of a drain.
    pub(crate) fn next_deadline(&self) -> u64 {
        self.gateways
            .iter()
            .filter(|(_, gateway)| gateway.draining && gateway.exchanges > 0)
            .map(|(_, gateway)| gateway.drain_deadline)
            .min()
            .unwrap_or(u64::MAX)
    }

    fn queue(&mut self, key: u32) {
        self.runnable.push_back(key);
    }

    pub(super) fn announce(&mut self, key: u32, bits: Readiness) {
        let record = &mut self.records[key as usize];
        if bits.is_empty() || record.ended {
            return;
        }
        // Who reads on after its application ended may make room, but the end was the last word.
        let last = bits.intersects(Readiness::END | Readiness::ABORT);
        if record.phase == Phase::Closed && !last {
            return;
        }
        record.bits |= bits;
        if !record.announced {
            record.announced = true;
            self.announcements.push_back(key);
        }
    }
}

impl State {
    // ---- gateways ---------------------------------------------------------------------------

    pub(super) fn add_gateway(
        &mut self,
        application: &dyn Application,
        worker: Box<dyn Worker>,
        options: &GatewayOptions,
    ) -> u32 {
        let style = application.style();
        let multithread = options.multithread || style == Style::Blocking;
        let pool = (style == Style::Blocking)
            .then(|| Pool::new("awsgi-pool".into(), options.pool_threads, self.spawn()));
        let key = self.exchanges.gateways.insert(GatewayState {
            pool,
            worker,
            name: application.name().to_owned(),
            base: Environ::base(&options.script_name, multithread),
            style,
            options: options.clone(),
            exchanges: 0,
            draining: false,
            drain_deadline: u64::MAX,
        });
        key as u32
    }

    fn gateway(&mut self, key: u32) -> Result<&mut GatewayState> {
        self.exchanges
            .gateways
            .get_mut(key as usize)
            .ok_or_else(|| Error::new(Status::Stale, "the gateway was freed: drop it"))
    }

    pub(super) fn gateway_exchanges(&mut self, key: u32) -> Result<usize> {
        Ok(self.gateway(key)?.exchanges as usize)
    }

    pub(super) fn drain_gateway(&mut self, key: u32, within: u64) -> Result<()> {
        let deadline = self.now().saturating_add(within);
        let gateway = self.gateway(key)?;
        gateway.draining = true;
        gateway.drain_deadline = gateway.drain_deadline.min(deadline);
        let waitables: Vec<Token> = self
            .exchanges
            .records
            .iter()
            .filter(|(_, record)| record.gateway == key)
            .filter_map(|(_, record)| record.waitable())
            .collect();
        for waitable in waitables {
            self.core.ready(waitable.slot(), Readiness::PRIORITY);
        }
        self.work_outside();
        Ok(())
    }

    /// Ends what is left of gateways whose drain is over.
    pub(crate) fn expire_drains(&mut self, now: u64) {
        if self.exchanges.next_deadline() > now {
            return;
        }
        let over: Vec<u32> = self
            .exchanges
            .records
            .iter()
            .filter(|(_, record)| record.phase != Phase::Closed || !record.ended)
            .filter(|(_, record)| {
                let gateway = &self.exchanges.gateways[record.gateway as usize];
                gateway.draining && gateway.drain_deadline <= now
            })
            .map(|(key, _)| key as u32)
            .collect();
        for key in over {
            if self.exchanges.record(key).phase != Phase::Closed {
                self.cut(key, 503);
            }
        }
        for (_, gateway) in &mut self.exchanges.gateways {
            if gateway.drain_deadline <= now {
                // Once is enough: what was cut ends by itself.
                gateway.drain_deadline = u64::MAX;
            }
        }
    }

    /// Ends every exchange: the reactor is being closed.
    pub(crate) fn cut_all(&mut self) {
        let keys: Vec<u32> = self.exchanges.records.iter().map(|(key, _)| key as u32).collect();
        for key in keys {
            if self.exchanges.record(key).phase != Phase::Closed {
                self.cut(key, 503);
            }
        }
    }

    pub(super) fn remove_gateway(&mut self, key: u32) -> Result<GatewayState> {
        let gateway = self.gateway(key)?;
        if gateway.exchanges > 0 {
            return Err(Error::new(
                Status::Busy,
                format!(
                    "{} exchanges are open: close the gateway, turn, and end each exchange",
                    gateway.exchanges
                ),
            ));
        }
        Ok(self.exchanges.gateways.remove(key as usize))
    }

    // ---- exchanges --------------------------------------------------------------------------

    pub(super) fn open_exchange(
        &mut self,
        gateway_key: u32,
        request: &Request<'_>,
    ) -> Result<Exchange> {
        let gateway = self.gateway(gateway_key)?;
        if gateway.draining {
            return Err(Error::new(
                Status::Closed,
                "the gateway is draining: send requests elsewhere",
            ));
        }
        if gateway.exchanges >= gateway.options.max_exchanges {
            return Err(Error::new(
                Status::Limit,
                format!(
                    "{} exchanges are open, the gateway's max_exchanges: answer 503, or raise it",
                    gateway.exchanges
                ),
            ));
        }
        let environ = Environ::new(request, &gateway.base)?;
        let shared = Shared::new(
            environ,
            Input::new(gateway.options.input_buffer, request.body),
            Output::new(gateway.options.output_buffer, request.method == b"HEAD"),
        );
        let records = &mut self.exchanges.records;
        if records.len() == records.capacity() {
            records.reserve_exact(more(records.len()));
        }
        let key = records.vacant_key() as u32;
        let token = self.core.open_exchange(key)?;
        let gateway = &mut self.exchanges.gateways[gateway_key as usize];
        gateway.exchanges += 1;
        let run = gateway.worker.open();
        self.exchanges.records.insert(Record {
            token,
            gateway: gateway_key,
            phase: Phase::Runnable,
            ran: false,
            yields: 0,
            written: 0,
            bits: Readiness::NONE,
            announced: false,
            ended: false,
            user_data: request.user_data,
            run: Some(run),
            done: None,
            waitable: Token::NONE,
            pausing: false,
            shared,
        });
        self.exchanges.queue(key);
        self.work_outside();
        Ok(Exchange::from_token(token))
    }

    pub(super) fn exchange_key(&self, token: Token) -> Result<u32> {
        let slot = self.core.find(token, crate::core::Kind::Exchange)?;
        self.core.exchange_key(slot).ok_or_else(crate::core::slots::stale)
    }

    pub(super) fn shared(&self, key: u32) -> &Shared {
        &self.exchanges.records[key as usize].shared
    }

    /// After `end` the token lives for the application alone.
    pub(super) fn check_host(&mut self, key: u32) -> Result<()> {
        if self.exchanges.record(key).ended {
            return Err(crate::core::slots::stale());
        }
        Ok(())
    }

    /// Does something under the lock, and sees to it that the host is told what it has to be.
    pub(super) fn act<R>(&mut self, key: u32, f: impl FnOnce(&mut Flow) -> R) -> R {
        let record = self.exchanges.record(key);
        let (result, tell) = {
            let mut flow = record.shared.lock();
            let result = f(&mut flow);
            (result, std::mem::take(&mut flow.tell))
        };
        if !tell.is_empty() {
            self.exchanges.announce(key, tell);
            self.work_outside();
        }
        result
    }

    /// The exchange as a waitable.
    pub(super) fn exchange_waitable(&mut self, key: u32) -> Result<Token> {
        let record = self.exchanges.record(key);
        if let Some(waitable) = record.waitable() {
            return Ok(waitable);
        }
        if record.phase == Phase::Closed {
            // It would outlive the exchange: what that made has ended already.
            return Err(Error::new(
                Status::Closed,
                "the application of this exchange has ended: there is nothing to wait for",
            ));
        }
        let slot = record.token.slot();
        let waitable = self.core.open(New::Exchange(slot), Some(slot))?;
        self.exchanges.record(key).waitable = waitable;
        Ok(waitable)
    }

    /// What an exchange, as a waitable, is ready for; told to the input that it is waited for.
    pub(crate) fn exchange_readiness(&mut self, slot: u32, interest: Readiness) -> Readiness {
        let Some(key) = self.core.exchange_key(slot) else { return Readiness::NONE };
        let mut readiness = self.act(key, |flow| {
            if interest.intersects(Readiness::READABLE) {
                flow.want_input();
            }
            flow.readiness()
        });
        if self.exchanges.gateway_of(key).draining {
            readiness |= Readiness::PRIORITY;
        }
        readiness
    }

    pub(super) fn start_exchange_wait(&mut self, key: u32, spec: &WaitSpec<'_>) -> Result<Token> {
        let slot = self.exchanges.record(key).token.slot();
        if matches!(self.exchanges.record(key).phase, Phase::Closing | Phase::Closed) {
            return Err(gone());
        }
        let limit = self.exchanges.gateway_of(key).options.max_waits_per_exchange;
        if self.core.exchange_waits(slot) >= limit {
            return Err(Error::new(
                Status::Limit,
                format!(
                    "the exchange has {limit} waits, its max_waits_per_exchange: wait for a set, \
                     or forget some"
                ),
            ));
        }
        self.start_wait(spec, Owner::Exchange(slot))
    }
}

impl GatewayState {
    /// Its application, for people who look.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn style(&self) -> Style {
        self.style
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// There is one of each for every suspended exchange, beside its head and two entries of the
    /// core; together they are to stay below 512 bytes.
    #[test]
    fn an_exchange_stays_small() {
        assert!(size_of::<Record>() <= 80, "{}", size_of::<Record>());
        assert!(size_of::<Shared>() <= 152, "{}", size_of::<Shared>());
    }
}
