//! The core as a subject of the simulation.

use std::collections::HashMap;

use crate::core::slots::Slots;
use crate::core::{
    Completion, Core, Deadline, Direct, How as CoreHow, Kind, Limits as CoreLimits, New, Outcome,
    Owner, Readiness, Token, WaitSpec, Watch,
};
use crate::error::{Error, Status};
use crate::model::words::{Behind, End};
use crate::subject::*;

const NUMBER: u16 = 7;

pub struct CoreSubject {
    slots: &'static Slots,
    limits: Limits,
    core: Core,
    /// What a reactor remembers of descriptors.
    remembered: HashMap<u64, Direct>,
}

fn refusal(error: Error) -> Refusal {
    match error.status() {
        Status::Invalid => Refusal::Invalid,
        Status::Stale => Refusal::Stale,
        Status::State => Refusal::State,
        Status::Limit => Refusal::Limit,
        Status::Closed => Refusal::Closed,
        other => Refusal::Other(other as i32),
    }
}

fn bits(bits: u32) -> Readiness {
    Readiness::from_bits(bits).expect("known bits")
}

/// Wrong bits, too, as a caller of the crate could make them.
fn any_bits(wrong: u32) -> Readiness {
    Readiness::from_bits(wrong).unwrap_or(Readiness::HEAD)
}

fn slot(token: u64) -> u32 {
    crate::tokens::slot(token) as u32
}

fn delivered((key, completion): (u32, Completion)) -> Delivered {
    Delivered {
        key,
        user_data: completion.user_data,
        wait: completion.wait.to_bits(),
        outcome: match completion.outcome {
            Outcome::Ready => End::Ready,
            Outcome::TimedOut => End::TimedOut,
            Outcome::Cancelled => End::Cancelled,
            Outcome::Closed => End::Closed,
            Outcome::Failed => End::Failed,
        },
        more: completion.more,
        members: completion.members,
        ready: completion.ready.bits(),
        index: completion.index,
        error: completion.error,
    }
}

impl CoreSubject {
    fn make(slots: &'static Slots, limits: Limits) -> Core {
        Core::new(slots, NUMBER, CoreLimits { waitables: limits.waitables, waits: limits.waits })
    }

    fn arm_straight(
        &mut self,
        ask: &Ask,
        spec: &WaitSpec<'_>,
        owner: Owner,
        now: u64,
    ) -> Answer<(u64, Vec<(u64, u32)>)> {
        let Some(watch) = spec.set.first() else {
            let token = self.core.sleep(spec, owner).map_err(refusal)?;
            return Ok((token.to_bits(), Vec::new()));
        };
        let (mut node, flags) = self.core.prepare_one(spec, watch, owner).map_err(refusal)?;
        let arm = (self.token(Kind::Waitable, node.slot()), watch.interest.bits());
        for (_, found) in &ask.found {
            node.found(bits(*found));
        }
        let token = self.core.start_one(node, owner, flags, spec.user_data, spec.deadline, now);
        Ok((token.map_err(refusal)?.to_bits(), vec![arm]))
    }

    fn find(&self, token: u64, kind: Kind) -> Answer<u32> {
        self.core.find(Token::from_bits(token), kind).map_err(refusal)
    }

    fn token(&self, kind: Kind, slot: u32) -> u64 {
        self.slots.token(kind, NUMBER, slot).to_bits()
    }
}

impl Subject for CoreSubject {
    fn new(limits: Limits) -> CoreSubject {
        // Tokens are looked at for as long as the process lives, so their slots are never freed.
        let slots: &'static Slots = Box::leak(Box::new(Slots::new()));
        let core = CoreSubject::make(slots, limits);
        CoreSubject { slots, limits, core, remembered: HashMap::new() }
    }

    fn open(&mut self, behind: Behind, handle: u64, maker: Option<u64>) -> Answer<u64> {
        let maker = maker.map(|token| self.find(token, Kind::Exchange)).transpose()?;
        let new = match behind {
            Behind::Descriptor => New::Descriptor { fd: 5, own: false },
            Behind::Exchange(_) => New::Exchange(maker.expect("its exchange makes it")),
            Behind::Flag => New::Event { counter: false },
            Behind::Counter => New::Event { counter: true },
            Behind::Timer { first, period } => New::Timer { first, period },
            Behind::Level => New::Foreign { handle, how: CoreHow::Level },
            Behind::Once => New::Foreign { handle, how: CoreHow::Once },
            Behind::Watched { own, .. } => {
                New::Foreign { handle, how: CoreHow::Descriptor { own } }
            }
        };
        self.core.open(new, maker).map(Token::to_bits).map_err(refusal)
    }

    fn open_exchange(&mut self, key: u32) -> Answer<u64> {
        self.core.open_exchange(key).map(Token::to_bits).map_err(refusal)
    }

    fn end_exchange(&mut self, exchange: u64) -> Vec<u64> {
        let slot = self.find(exchange, Kind::Exchange).expect("it lives");
        self.core.forget_exchange_waits(slot);
        let mut closed = Vec::new();
        while let Some(waitable) = self.core.exchange_waitable(slot) {
            closed.push(self.token(Kind::Waitable, waitable));
            self.core.close(waitable);
        }
        self.core.close_exchange(slot);
        closed
    }

    fn close(&mut self, waitable: u64) -> Answer<()> {
        let slot = self.find(waitable, Kind::Waitable)?;
        self.core.close(slot);
        Ok(())
    }

    fn close_waits(&mut self, waitable: u64) {
        self.core.close_waits(slot(waitable));
    }

    fn fail_waits(&mut self, waitable: u64, errno: i32) {
        self.core.fail_waits(slot(waitable), errno);
    }

    fn arm(&mut self, ask: &Ask, now: u64, drop_plan: bool) -> Answer<(u64, Vec<(u64, u32)>)> {
        let watch = |(token, asks): &(u64, u32)| Watch {
            waitable: Token::from_bits(*token),
            interest: any_bits(*asks),
        };
        let set: Vec<Watch> = ask.set.iter().map(watch).collect();
        let spec = WaitSpec {
            set: &set,
            at_least: ask.at_least,
            multishot: ask.multishot,
            off_loop: ask.off_loop,
            deadline: Deadline::at(ask.deadline),
            user_data: ask.user_data,
        };
        let owner = match ask.whose {
            Whose::Host => Owner::Host,
            Whose::Exchange(token) => Owner::Exchange(slot(token)),
            Whose::Task(key) => Owner::Task(key),
        };
        if ask.straight && set.len() < 2 && !drop_plan {
            return self.arm_straight(ask, &spec, owner, now);
        }
        let mut plan = self.core.prepare(&spec, owner).map_err(refusal)?;
        let arms: Vec<(u64, u32)> = (0..plan.len())
            .map(|member| plan.arm(member))
            .map(|(slot, asks)| (self.token(Kind::Waitable, slot), asks.bits()))
            .collect();
        if drop_plan {
            return Ok((0, arms));
        }
        for (member, found) in &ask.found {
            plan.found(*member, bits(*found));
        }
        let token = self.core.commit(plan, now).map_err(refusal)?;
        Ok((token.to_bits(), arms))
    }

    fn cancel(&mut self, wait: u64) -> Answer<()> {
        let slot = self.find(wait, Kind::Wait)?;
        self.core.cancel(slot);
        Ok(())
    }

    fn forget(&mut self, wait: u64) -> Answer<()> {
        let slot = self.find(wait, Kind::Wait)?;
        self.core.forget(slot);
        Ok(())
    }

    fn rearm(&mut self, wait: u64, now: u64) -> Answer<Option<(u64, u32)>> {
        let slot = self.find(wait, Kind::Wait)?;
        let arm = self.core.rearm(slot, now).map_err(refusal)?;
        Ok(arm.map(|(slot, asks)| (self.token(Kind::Waitable, slot), asks.bits())))
    }

    fn notify(&mut self, waitable: u64, what: u32, times: u64) -> Answer<bool> {
        let slot = self.find(waitable, Kind::Waitable)?;
        Ok(self.core.notify(slot, bits(what), times))
    }

    fn notify_elsewhere(&mut self, waitable: u64, what: u32) -> Answer<bool> {
        self.slots.notify(Token::from_bits(waitable), bits(what)).map_err(refusal)
    }

    fn drain(&mut self) {
        let slots = self.slots;
        slots.drain(|slot, bits, times| {
            self.core.notify(slot, bits, times);
        });
    }

    fn ready(&mut self, waitable: u64, what: u32) -> bool {
        self.core.ready(slot(waitable), bits(what))
    }

    fn ready_at_once(&mut self, waitable: u64, what: u32) -> Option<Delivered> {
        let epoch = self.core.epoch();
        if let Some(direct) = self.remembered.get(&waitable).filter(|d| d.epoch == epoch) {
            let ready = bits(what) & direct.seen;
            return (!ready.is_empty()).then(|| delivered((0, direct.completion(ready, true))));
        }
        let done = self.core.ready_at_once(slot(waitable), bits(what))?;
        if let Some(direct) = self.core.direct(slot(waitable)).filter(|_| done.more) {
            self.remembered.insert(waitable, direct);
        }
        Some(delivered((0, done)))
    }

    fn take(&mut self, waitable: u64, now: u64) -> Answer<u64> {
        let slot = self.find(waitable, Kind::Waitable)?;
        self.core.take(slot, now).map_err(refusal)
    }

    fn expire(&mut self, now: u64, limit: usize) -> usize {
        self.core.expire(now, limit)
    }

    fn begin_turn(&mut self) {
        self.core.begin_turn();
    }

    fn end_step(&mut self, exchange: u64) {
        self.core.forget_members(slot(exchange));
    }

    fn next_completion(&mut self, class: Class) -> Option<Delivered> {
        match class {
            Class::Host => self.core.next_host_completion().map(|done| (0, done)),
            Class::Exchange => self.core.next_exchange_completion(),
            Class::Task => self.core.next_task_completion(),
        }
        .map(delivered)
    }

    fn members(&self, of: &Delivered) -> Answer<Vec<(u64, u32, u32)>> {
        let completion = Completion {
            user_data: of.user_data,
            wait: Token::from_bits(of.wait),
            outcome: match of.outcome {
                End::Ready => Outcome::Ready,
                End::TimedOut => Outcome::TimedOut,
                End::Cancelled => Outcome::Cancelled,
                End::Closed => Outcome::Closed,
                End::Failed => Outcome::Failed,
            },
            more: of.more,
            members: of.members,
            ready: bits(of.ready),
            index: of.index,
            error: of.error,
        };
        let members = self.core.members(&completion).map_err(refusal)?;
        Ok(members.iter().map(|m| (m.waitable.to_bits(), m.index, m.ready.bits())).collect())
    }

    fn plan_changes(&mut self) {
        self.core.plan_changes();
    }

    fn next_change(&mut self) -> Option<Told> {
        let change = self.core.next_change()?;
        let how = match change.how {
            CoreHow::Level => How::Level,
            CoreHow::Once => How::Once,
            CoreHow::Descriptor { .. } => How::Descriptor,
        };
        Some(Told {
            waitable: change.waitable.to_bits(),
            handle: change.handle,
            interest: change.interest.bits(),
            how,
        })
    }

    fn next_closable(&mut self) -> Option<u64> {
        self.core.next_closable().map(|fd| fd as u64)
    }

    fn has_completion(&self, class: Class) -> bool {
        match class {
            Class::Host => self.core.has_host_completion(),
            Class::Exchange => self.core.has_exchange_completion(),
            Class::Task => self.core.has_task_completion(),
        }
    }

    fn has_changes(&self) -> bool {
        self.core.has_changes()
    }

    fn next_deadline(&mut self) -> u64 {
        self.core.next_deadline().nanoseconds()
    }

    fn waits(&self) -> u32 {
        self.core.waits()
    }

    fn waitables(&self) -> u32 {
        self.core.waitable_count()
    }

    fn is_watched_by(&self, waitable: u64, exchange: u64) -> bool {
        self.core.is_watched_by(slot(waitable), slot(exchange))
    }

    fn exchange_waits(&self, exchange: u64) -> u32 {
        self.core.exchange_waits(slot(exchange))
    }

    fn interest(&self, waitable: u64) -> u32 {
        self.core.interest(slot(waitable)).bits()
    }

    fn is_live(&self, token: u64) -> bool {
        self.slots.is_live(Token::from_bits(token))
    }

    fn is_closed(&self) -> bool {
        self.core.is_closed()
    }

    fn close_all(&mut self) {
        self.core.close_all();
    }

    fn restart(&mut self) {
        self.core.end();
        self.remembered.clear();
        self.core = CoreSubject::make(self.slots, self.limits);
    }
}
