//! The core on a simulated clock.

use super::*;
use crate::core::wait::Watch;

fn core() -> Core {
    let slots: &'static Slots = Box::leak(Box::new(Slots::new()));
    Core::new(slots, 0, Limits { waitables: 1000, waits: 1000 })
}

fn event(core: &mut Core) -> Token {
    core.open(New::Event { counter: false }, None).unwrap()
}

fn watch(waitable: Token) -> Watch {
    Watch { waitable, interest: Readiness::READABLE }
}

fn start(core: &mut Core, set: &[Watch], deadline: Deadline, user_data: u64) -> Token {
    let spec = WaitSpec::any(set).until(deadline).user_data(user_data);
    let plan = core.prepare(&spec, Owner::Host).unwrap();
    core.commit(plan, 0).unwrap()
}

fn refused(core: &Core, set: &[Watch], deadline: Deadline) -> Status {
    let spec = WaitSpec::any(set).until(deadline);
    core.prepare(&spec, Owner::Host).err().expect("a refusal").status()
}

#[test]
fn a_wait_completes_exactly_once_with_its_user_data() {
    let mut core = core();
    let waitable = event(&mut core);
    let wait = start(&mut core, &[watch(waitable)], Deadline::FOREVER, 77);
    core.ready(waitable.slot(), Readiness::READABLE);
    core.ready(waitable.slot(), Readiness::READABLE);
    let done = core.next_host_completion().unwrap();
    assert_eq!((done.user_data, done.wait, done.outcome), (77, wait, Outcome::Ready));
    assert_eq!((done.members, done.index, done.ready), (1, 0, Readiness::READABLE));
    assert_eq!(core.next_host_completion(), None);
    assert_eq!(core.find(wait, Kind::Wait).unwrap_err().status(), Status::Stale);
}

#[test]
fn a_plan_that_is_dropped_changes_nothing() {
    let mut core = core();
    let waitable = event(&mut core);
    let set = [watch(waitable)];
    drop(core.prepare(&WaitSpec::any(&set).until(Deadline::at(5)), Owner::Host).unwrap());
    assert_eq!(core.waits(), 0);
    assert!(core.interest(waitable.slot()).is_empty());
    assert_eq!(core.next_deadline(), Deadline::FOREVER);
    assert_eq!(core.interest(waitable.slot()), Readiness::NONE);
}

#[test]
fn a_deadline_never_fires_early() {
    let mut core = core();
    start(&mut core, &[], Deadline::at(1000), 1);
    core.expire(999, usize::MAX);
    assert!(!core.has_host_completion());
    assert_eq!(core.next_deadline(), Deadline::at(1000));
    core.expire(1000, usize::MAX);
    assert_eq!(core.next_host_completion().unwrap().outcome, Outcome::TimedOut);
    assert_eq!(core.next_deadline(), Deadline::FOREVER);
}

#[test]
fn ready_before_the_deadline_in_one_turn_stays_ready() {
    let mut core = core();
    let waitable = event(&mut core);
    start(&mut core, &[watch(waitable)], Deadline::at(10), 1);
    core.ready(waitable.slot(), Readiness::READABLE);
    core.expire(10, usize::MAX);
    assert_eq!(core.next_host_completion().unwrap().outcome, Outcome::Ready);
    assert_eq!(core.next_host_completion(), None);
}

#[test]
fn a_set_tells_how_many_were_ready_and_which_came_first() {
    let mut core = core();
    let waitables: Vec<Token> = (0..4).map(|_| event(&mut core)).collect();
    let set: Vec<Watch> = waitables.iter().copied().map(watch).collect();
    start(&mut core, &set, Deadline::FOREVER, 1);
    core.ready(waitables[3].slot(), Readiness::READABLE);
    core.ready(waitables[1].slot(), Readiness::READABLE | Readiness::HANGUP);
    let done = core.next_host_completion().unwrap();
    assert_eq!((done.members, done.index), (2, 1));
    assert_eq!(done.ready, Readiness::READABLE | Readiness::HANGUP);
    for waitable in waitables {
        assert!(core.interest(waitable.slot()).is_empty());
    }
}

#[test]
fn every_matching_waiter_wakes_and_removing_one_disturbs_no_other() {
    let mut core = core();
    let waitable = event(&mut core);
    let reader = start(&mut core, &[watch(waitable)], Deadline::FOREVER, 1);
    let writer = [Watch { waitable, interest: Readiness::WRITABLE }];
    start(&mut core, &writer, Deadline::FOREVER, 2);
    let other = start(&mut core, &[watch(waitable)], Deadline::FOREVER, 3);
    assert!(core.interest(waitable.slot()).contains(Readiness::READABLE | Readiness::WRITABLE));
    core.forget(other.slot());
    core.forget(reader.slot());
    assert!(!core.interest(waitable.slot()).intersects(Readiness::READABLE));
    start(&mut core, &[watch(waitable)], Deadline::FOREVER, 4);
    core.ready(waitable.slot(), Readiness::READABLE);
    assert_eq!(core.next_host_completion().unwrap().user_data, 4);
    assert_eq!(core.next_host_completion(), None);
    core.ready(waitable.slot(), Readiness::WRITABLE);
    assert_eq!(core.next_host_completion().unwrap().user_data, 2);
}

#[test]
fn the_first_decision_stands() {
    let mut core = core();
    let waitable = event(&mut core);
    let wait = start(&mut core, &[watch(waitable)], Deadline::FOREVER, 1);
    core.ready(waitable.slot(), Readiness::READABLE);
    core.cancel(wait.slot());
    assert_eq!(core.next_host_completion().unwrap().outcome, Outcome::Ready);
    let wait = start(&mut core, &[watch(waitable)], Deadline::FOREVER, 1);
    core.cancel(wait.slot());
    core.ready(waitable.slot(), Readiness::READABLE);
    assert_eq!(core.next_host_completion().unwrap().outcome, Outcome::Cancelled);
}

#[test]
fn nothing_comes_of_a_forgotten_wait_not_even_what_was_queued() {
    let mut core = core();
    let waitable = event(&mut core);
    let wait = start(&mut core, &[watch(waitable)], Deadline::FOREVER, 1);
    core.ready(waitable.slot(), Readiness::READABLE);
    core.forget(wait.slot());
    let next = start(&mut core, &[watch(waitable)], Deadline::FOREVER, 2);
    assert_eq!(core.next_host_completion(), None);
    assert_ne!(wait, next);
}

#[test]
fn closing_a_waitable_completes_its_waits_as_closed() {
    let mut core = core();
    let (a, b) = (event(&mut core), event(&mut core));
    start(&mut core, &[watch(a), watch(b)], Deadline::at(9), 1);
    start(&mut core, &[watch(b)], Deadline::FOREVER, 2);
    core.close(a.slot());
    let done = core.next_host_completion().unwrap();
    assert_eq!((done.user_data, done.outcome, done.members), (1, Outcome::Closed, 0));
    assert_eq!(core.next_host_completion(), None);
    assert_eq!(core.find(a, Kind::Waitable).unwrap_err().status(), Status::Stale);
    core.ready(b.slot(), Readiness::READABLE);
    assert_eq!(core.next_host_completion().unwrap().user_data, 2);
}

#[test]
fn a_waitable_closed_between_ready_and_delivery_leaves_the_decision() {
    let mut core = core();
    let waitable = event(&mut core);
    start(&mut core, &[watch(waitable)], Deadline::FOREVER, 1);
    core.ready(waitable.slot(), Readiness::READABLE);
    core.close(waitable.slot());
    let done = core.next_host_completion().unwrap();
    assert_eq!((done.outcome, done.ready), (Outcome::Ready, Readiness::READABLE));
}

#[test]
fn the_members_of_a_completion_stay_when_the_last_one_is_delivered_in_the_same_turn() {
    let mut core = core();
    let waitable = event(&mut core);
    let set = [watch(waitable)];
    let plan = core.prepare(&WaitSpec::any(&set).multishot(), Owner::Host).unwrap();
    let wait = core.commit(plan, 0).unwrap();
    core.ready(waitable.slot(), Readiness::READABLE);
    let first = core.next_host_completion().unwrap();
    core.cancel(wait.slot());
    let last = core.next_host_completion().unwrap();
    assert_eq!((first.more, last.more), (true, false));
    let ready = Readiness::READABLE;
    assert_eq!(core.members(&first).unwrap(), [Member { waitable, index: 0, ready }]);
    assert_eq!(core.members(&last).unwrap(), []);
    core.begin_turn();
    assert_eq!(core.members(&first).unwrap_err().status(), Status::Stale);
}

#[test]
fn a_wider_watch_that_the_host_did_not_fetch_ends_with_its_waiter() {
    let mut core = core();
    let new = New::Foreign { handle: 9, how: How::Level };
    let waitable = core.open(new, None).unwrap();
    start(&mut core, &[watch(waitable)], Deadline::FOREVER, 1);
    core.plan_changes();
    assert_eq!(core.next_change().unwrap().interest, Readiness::READABLE);
    let writer = [Watch { waitable, interest: Readiness::WRITABLE }];
    let wait = start(&mut core, &writer, Deadline::FOREVER, 2);
    core.plan_changes();
    assert!(core.has_changes());
    core.forget(wait.slot());
    core.plan_changes();
    assert_eq!(core.next_change(), None);
}

#[test]
fn bad_questions_are_refused_and_change_nothing() {
    let mut core = core();
    let waitable = event(&mut core);
    let gone = event(&mut core);
    core.close(gone.slot());
    assert_eq!(refused(&core, &[], Deadline::FOREVER), Status::Invalid);
    assert_eq!(refused(&core, &[watch(waitable); 2], Deadline::FOREVER), Status::Invalid);
    assert_eq!(refused(&core, &[watch(gone)], Deadline::FOREVER), Status::Stale);
    assert_eq!(refused(&core, &[watch(Token::NONE)], Deadline::FOREVER), Status::Stale);
    let nothing = Watch { waitable, interest: Readiness::NONE };
    assert_eq!(refused(&core, &[nothing], Deadline::FOREVER), Status::Invalid);
    let unknown = Watch { waitable, interest: Readiness::HEAD };
    assert_eq!(refused(&core, &[unknown], Deadline::FOREVER), Status::Invalid);
    let wait = start(&mut core, &[], Deadline::at(1), 0);
    assert_eq!(refused(&core, &[watch(wait)], Deadline::FOREVER), Status::Invalid);
    assert_eq!(core.waits(), 1);
}

#[test]
fn limits_are_told_with_their_number() {
    let slots: &'static Slots = Box::leak(Box::new(Slots::new()));
    let mut core = Core::new(slots, 0, Limits { waitables: 1, waits: 1 });
    let waitable = event(&mut core);
    let error = core.open(New::Event { counter: false }, None).unwrap_err();
    assert_eq!(error.status(), Status::Limit);
    assert!(error.message().contains("max_waitables"));
    start(&mut core, &[watch(waitable)], Deadline::FOREVER, 1);
    assert_eq!(refused(&core, &[watch(waitable)], Deadline::FOREVER), Status::Limit);
}

#[test]
fn a_closed_core_completes_everything_and_takes_nothing_new() {
    let mut core = core();
    let waitable = event(&mut core);
    start(&mut core, &[watch(waitable)], Deadline::FOREVER, 1);
    start(&mut core, &[], Deadline::at(5), 2);
    core.close_all();
    assert_eq!(core.next_host_completion().unwrap().outcome, Outcome::Closed);
    assert_eq!(core.next_host_completion().unwrap().outcome, Outcome::Closed);
    assert_eq!(core.waits(), 0);
    assert_eq!(refused(&core, &[], Deadline::at(9)), Status::Closed);
}

#[test]
fn an_exchange_owns_its_waits_and_waitables() {
    let mut core = core();
    let exchange = core.open_exchange(42).unwrap();
    let waitable = core.open(New::Event { counter: false }, Some(exchange.slot())).unwrap();
    let second = core.open(New::Event { counter: false }, Some(exchange.slot())).unwrap();
    let spec = [watch(waitable)];
    for deadline in [Deadline::FOREVER, Deadline::at(3)] {
        let plan = core
            .prepare(&WaitSpec::any(&spec).until(deadline), Owner::Exchange(exchange.slot()))
            .unwrap();
        core.commit(plan, 0).unwrap();
    }
    assert_eq!(core.exchange_waits(exchange.slot()), 2);
    core.expire(3, usize::MAX);
    let (key, done) = core.next_exchange_completion().unwrap();
    assert_eq!((key, done.outcome), (42, Outcome::TimedOut));
    assert_eq!(core.next_host_completion(), None);
    core.forget_exchange_waits(exchange.slot());
    assert_eq!(core.exchange_waits(exchange.slot()), 0);
    assert_eq!(core.exchange_waitable(exchange.slot()), Some(second.slot()));
    core.close(waitable.slot());
    core.close(second.slot());
    assert_eq!(core.exchange_waitable(exchange.slot()), None);
    core.close_exchange(exchange.slot());
    assert_eq!(core.find(exchange, Kind::Exchange).unwrap_err().status(), Status::Stale);
}

#[test]
fn the_next_reactor_of_a_number_inherits_generations() {
    let slots: &'static Slots = Box::leak(Box::new(Slots::new()));
    let limits = Limits { waitables: 10, waits: 10 };
    let mut first = Core::new(slots, 0, limits);
    let old = event(&mut first);
    first.end();
    let mut second = Core::new(slots, 0, limits);
    let new = event(&mut second);
    assert_eq!(old.slot(), new.slot());
    assert_eq!(second.find(old, Kind::Waitable).unwrap_err().status(), Status::Stale);
}

#[test]
fn free_slots_are_reused_oldest_first() {
    let mut core = core();
    let tokens: Vec<Token> = (0..3).map(|_| event(&mut core)).collect();
    core.close(tokens[1].slot());
    core.close(tokens[0].slot());
    assert_eq!(event(&mut core).slot(), tokens[1].slot());
    assert_eq!(event(&mut core).slot(), tokens[0].slot());
    assert_eq!(event(&mut core).slot(), 3);
}

#[test]
fn a_member_closed_since_is_nobody_also_when_its_slot_was_used_often() {
    let mut core = core();
    let waitable = event(&mut core);
    start(&mut core, &[watch(waitable)], Deadline::FOREVER, 1);
    core.ready(waitable.slot(), Readiness::READABLE);
    let done = core.next_host_completion().unwrap();
    assert_eq!(core.members(&done).unwrap()[0].waitable, waitable);
    core.close(waitable.slot());
    for _ in 0..600 {
        let next = event(&mut core);
        assert_eq!(next.slot(), waitable.slot());
        assert_eq!(core.members(&done).unwrap()[0].waitable, Token::NONE);
        core.close(next.slot());
    }
}

#[test]
fn the_next_reactor_of_a_number_pays_for_no_more_than_it_uses() {
    let slots: &'static Slots = Box::leak(Box::new(Slots::new()));
    let limits = Limits { waitables: 10_000, waits: 10 };
    let mut first = Core::new(slots, 0, limits);
    for _ in 0..10_000 {
        event(&mut first);
    }
    first.end();
    let mut second = Core::new(slots, 0, limits);
    assert_eq!(second.entries.len(), 0);
    assert_eq!(event(&mut second).slot(), 0);
    assert_eq!(second.entries.len(), 1);
}

/// A foreign waitable of which the host was told that it is to report once, and has reported: this
/// watch, or late an earlier one.
fn reported_late(core: &mut Core) -> Token {
    let once = core.open(New::Foreign { handle: 7, how: How::Once }, None).unwrap();
    start(core, &[watch(once)], Deadline::FOREVER, 1);
    core.plan_changes();
    assert_eq!(core.next_change().unwrap().interest, Readiness::READABLE);
    core.notify(once.slot(), Readiness::READABLE, 1);
    assert_eq!(core.next_host_completion().unwrap().outcome, Outcome::Ready);
    core.plan_changes();
    assert_eq!(core.next_change(), None, "nobody asks, and the watch ended with the report");
    once
}

#[test]
fn a_late_report_leaves_no_watch_behind_when_the_waitable_is_closed() {
    let mut core = core();
    let once = reported_late(&mut core);
    core.close(once.slot());
    let stop = core.next_change().unwrap();
    assert_eq!((stop.waitable, stop.handle, stop.interest), (once, 7, Readiness::NONE));
    assert!(!core.has_changes());
}

#[test]
fn a_late_report_leaves_no_watch_behind_when_the_reactor_is_closed() {
    let mut core = core();
    let once = reported_late(&mut core);
    core.close_all();
    core.plan_changes();
    let stop = core.next_change().unwrap();
    assert_eq!((stop.waitable, stop.handle, stop.interest), (once, 7, Readiness::NONE));
    core.plan_changes();
    assert!(!core.has_changes());
    core.close(once.slot());
    assert!(!core.has_changes(), "it is told once");
}
