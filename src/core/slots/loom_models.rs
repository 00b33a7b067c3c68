use loom::model::Builder;
use loom::sync::Arc;
use loom::thread;

use super::*;

const R: Readiness = Readiness::READABLE;
const W: Readiness = Readiness::WRITABLE;

/// Tries every order in which threads give way to others this often without having to.
fn model(preemptions: usize, body: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(body);
}

fn occupied(slots: &Slots, listens: Listens) -> Token {
    let slot = slots.grow().unwrap();
    occupied_again(slots, slot, listens)
}

fn occupied_again(slots: &Slots, slot: u32, listens: Listens) -> Token {
    Token::new(Kind::Waitable, 0, slots.occupy(slot, Kind::Waitable, listens), slot)
}

/// What came of a slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Taken {
    bits: Readiness,
    times: u64,
}

fn drain<const SLOTS: usize>(slots: &Slots, taken: &mut [Taken; SLOTS]) {
    slots.drain(|slot, bits, times| {
        taken[slot as usize].bits |= bits;
        taken[slot as usize].times += times;
    });
}

#[test]
fn what_was_written_before_a_notify_is_seen_where_its_bits_are_taken() {
    model(3, || {
        let slots = Arc::new(Slots::new());
        let written = Arc::new([AtomicU32::new(0), AtomicU32::new(0)]);
        let flag = occupied(&slots, Listens::Flag);
        let threads = [(0, R), (1, W)].map(|(index, bits)| {
            let (slots, written) = (Arc::clone(&slots), Arc::clone(&written));
            thread::spawn(move || {
                written[index].store(1, Ordering::Relaxed);
                slots.notify(flag, bits).unwrap();
            })
        });
        let mut taken = [Taken::default()];
        drain(&slots, &mut taken);
        for (index, bits) in [(0, R), (1, W)] {
            if taken[0].bits.intersects(bits) {
                assert_eq!(written[index].load(Ordering::Relaxed), 1);
            }
        }
        for thread in threads {
            thread.join().unwrap();
        }
        drain(&slots, &mut taken);
        assert_eq!(taken[0].bits, R | W);
    });
}

/// The same bits twice: the second notify changes no bit of the word, and still hands over.
#[test]
fn what_was_written_before_a_notify_of_bits_that_are_pending_is_seen_too() {
    model(3, || {
        let slots = Arc::new(Slots::new());
        let written = Arc::new(AtomicU32::new(0));
        let flag = occupied(&slots, Listens::Flag);
        slots.notify(flag, R).unwrap();
        let thread = {
            let (slots, written) = (Arc::clone(&slots), Arc::clone(&written));
            thread::spawn(move || {
                written.store(1, Ordering::Relaxed);
                slots.notify(flag, R).unwrap()
            })
        };
        let mut taken = [Taken::default()];
        drain(&slots, &mut taken);
        let seen = written.load(Ordering::Relaxed);
        let pushed = thread.join().unwrap();
        // Merged with what was drained, or drained by the next turn.
        assert!(seen == 1 || pushed);
        assert_eq!(pushed, slots.has_notices());
    });
}

#[test]
fn a_counter_tells_of_every_notify_once() {
    model(3, || {
        let slots = Arc::new(Slots::new());
        let counter = occupied(&slots, Listens::Counter);
        let threads = [1, 2].map(|times| {
            let slots = Arc::clone(&slots);
            thread::spawn(move || {
                for _ in 0..times {
                    slots.notify(counter, R).unwrap();
                }
            })
        });
        let mut taken = [Taken::default()];
        drain(&slots, &mut taken);
        for thread in threads {
            thread.join().unwrap();
        }
        drain(&slots, &mut taken);
        assert_eq!(taken, [Taken { bits: R, times: 3 }]);
        assert!(!slots.has_notices());
    });
}

/// While a drain goes through the stack, what it has passed is pushed again.
#[test]
fn the_inbox_keeps_what_lies_below_a_slot_that_is_notified_again() {
    model(3, || {
        let slots = Arc::new(Slots::new());
        let (a, b) = (occupied(&slots, Listens::Counter), occupied(&slots, Listens::Counter));
        let other = {
            let slots = Arc::clone(&slots);
            thread::spawn(move || {
                for token in [a, b, a] {
                    slots.notify(token, R).unwrap();
                }
            })
        };
        let mut taken = [Taken::default(); 2];
        drain(&slots, &mut taken);
        drain(&slots, &mut taken);
        other.join().unwrap();
        drain(&slots, &mut taken);
        assert_eq!(taken, [Taken { bits: R, times: 2 }, Taken { bits: R, times: 1 }]);
        // Nothing is linked that is not in the inbox.
        for token in [a, b] {
            assert!(slots.notify(token, R).unwrap());
        }
    });
}

#[test]
fn two_threads_push_at_once() {
    model(3, || {
        let slots = Arc::new(Slots::new());
        let tokens = [occupied(&slots, Listens::Flag), occupied(&slots, Listens::Flag)];
        let threads = tokens.map(|token| {
            let slots = Arc::clone(&slots);
            thread::spawn(move || slots.notify(token, R).unwrap())
        });
        let mut taken = [Taken::default(); 2];
        drain(&slots, &mut taken);
        for thread in threads {
            assert!(thread.join().unwrap());
        }
        drain(&slots, &mut taken);
        assert_eq!(taken, [Taken { bits: R, times: 1 }; 2]);
    });
}

/// A slot goes to a wait, which is no business of other threads, and on to another counter, while
/// threads with old and new tokens notify.
#[test]
fn a_notify_reaches_the_object_that_its_token_names_or_none() {
    model(3, || {
        let slots = Arc::new(Slots::new());
        let old = occupied(&slots, Listens::Counter);
        let next =
            |generations| Token::new(Kind::Waitable, 0, old.generation() + generations, old.slot());
        let threads = [(old, R), (next(2), W)].map(|(token, bits)| {
            let slots = Arc::clone(&slots);
            thread::spawn(move || slots.notify(token, bits).is_ok())
        });

        let mut of_old = [Taken::default()];
        drain(&slots, &mut of_old);
        assert!(slots.vacate(old.slot()));
        assert_eq!(slots.occupy(old.slot(), Kind::Wait, Listens::No), old.generation() + 1);
        let mut of_wait = [Taken::default()];
        drain(&slots, &mut of_wait);
        assert!(slots.vacate(old.slot()));
        let new = occupied_again(&slots, old.slot(), Listens::Counter);
        assert_eq!(new, next(2));
        let mut of_new = [Taken::default()];
        drain(&slots, &mut of_new);

        let [old_took, new_took] = threads.map(|thread| thread.join().unwrap());
        drain(&slots, &mut of_new);
        assert_eq!(of_wait, [Taken::default()]);
        // What was taken in before the end need not have been drained before it.
        assert!(of_old == [Taken::default()] || of_old == [Taken { bits: R, times: 1 }]);
        assert!(old_took || of_old == [Taken::default()]);
        let expected = if new_took { Taken { bits: W, times: 1 } } else { Taken::default() };
        assert_eq!(of_new, [expected]);

        // Whatever happened, the slot is pushed again.
        assert!(slots.notify(new, R).unwrap());
        let mut again = [Taken::default()];
        drain(&slots, &mut again);
        assert_eq!(again, [Taken { bits: R, times: 1 }]);
    });
}
