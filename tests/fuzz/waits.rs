//! Waits, and what is known of how they end.

use awsgi::ffi::*;

use super::check::{self, POISON, Sized, name, perhaps_null, poisoned};
use super::exchanges;
use super::reactors::{Standing, standing, stands};
use super::world::{
    Life, Source, Wait, WaitState, byte, deadline, one_of, pick, reactor_pointer, token,
    waitable_token, word, world,
};

/// Marks the host's half of an exchange in what comes back with a completion.
pub const EXCHANGE: u64 = 1 << 63;

/// Waits of one sequence at most.
const MANY: usize = 300;

/// What the header says a wait may be refused with.
const REFUSALS: &[awsgi_status] = &[
    AWSGI_E_INVALID,
    AWSGI_E_STALE,
    AWSGI_E_OS,
    AWSGI_E_NESTING,
    AWSGI_E_LIMIT,
    AWSGI_E_UNSUPPORTED,
    AWSGI_E_CLOSED,
    AWSGI_E_THREAD,
    AWSGI_E_NULL,
];

struct Question {
    set: Vec<awsgi_watch>,
    spec: Sized<awsgi_wait_spec>,
    at: usize,
}

fn question(reactor: *mut awsgi_reactor) -> (Question, bool) {
    let count = one_of(&[1, 1, 1, 1, 2, 3, 0, 4, 9, 40]);
    let set: Vec<awsgi_watch> = (0..count)
        .map(|_| awsgi_watch {
            waitable: waitable_token(),
            interest: one_of(&[1, 1, 2, 3, 4, 8, 16, 32, 63, 1, 0, 64]),
            pad: 0,
        })
        .collect();
    let at = world(|world| world.waits.len());
    let (spec, taken) = Sized::new(awsgi_wait_spec {
        size: 0,
        set: if set.is_empty() { std::ptr::null() } else { perhaps_null(set.as_ptr().cast_mut()) },
        count: if byte() == 0xff { usize::MAX >> 8 } else { set.len() },
        at_least: one_of(&[0, 0, 1, count as u32, 2, u32::MAX]),
        flags: one_of(&[0, 0, 0, AWSGI_MULTISHOT, AWSGI_MULTISHOT, AWSGI_OFF_LOOP, 3, 4]),
        deadline: deadline(reactor),
        user_data: at as u64,
    });
    // A count that is longer than memory is refused; another that is too long would be believed.
    let mut question = Question { set, spec, at };
    if question.spec.value.count > 1 << 20 {
        question.spec.value.count = usize::MAX;
    }
    (question, taken)
}

/// Starts a wait of the host's.
pub fn start() {
    begin(None, 0);
}

/// Starts one, or has an exchange start it.
pub fn begin(exchange: Option<usize>, exchange_token: u64) {
    if world(|world| world.waits.len()) >= MANY {
        return;
    }
    let pointer = match exchange {
        Some(exchange) => world(|world| {
            let at = world.gateways[world.exchanges[exchange].gateway].reactor;
            world.reactors[at].pointer as *mut awsgi_reactor
        }),
        None => reactor_pointer(),
    };
    let ours = standing(pointer);
    let (mut question, taken) = question(pointer);
    let mut wait = poisoned::<u64>();
    let place = perhaps_null(&raw mut wait);
    let spec = perhaps_null(question.spec.pointer());
    check::trace(|| {
        let spec = question.spec.value;
        let (at_least, flags, deadline) = (spec.at_least, spec.flags, spec.deadline);
        format!(
            "wait {} of {} for {:x?}, {at_least}, {flags}, until {deadline}",
            question.at,
            exchange.map_or("the host's".to_owned(), |at| format!("exchange {at}'s")),
            question.set
        )
    });
    // SAFETY: the structure is as large as it says, its set as long, or they are NULL.
    let status = unsafe {
        match exchange {
            Some(_) => awsgi_exchange_wait(exchange_token, spec, place),
            None => awsgi_wait_start(pointer, spec, place),
        }
    };
    let ok = check::status(status, REFUSALS);
    if exchange.is_none() {
        stands(status, ours);
    }
    if !place.is_null() {
        check::zeroed(ok, wait, 0);
    }
    if !ok {
        return;
    }
    let Standing::Ours(reactor) = ours else { panic!("a wait began elsewhere") };
    assert!(taken && !spec.is_null());
    let spec = question.spec.value;
    world(|world| {
        assert!(!world.reactors[reactor].closing, "a reactor that closes took a wait");
        let closed = exchange.is_some_and(|at| world.exchanges[at].closed);
        assert!(!closed, "an application waits after its close");
        for (at, member) in question.set.iter().enumerate() {
            assert!(member.interest & !63 == 0 && member.interest != 0);
            let waitable = world.waitable(member.waitable).expect("a wait for what never was");
            assert_ne!(waitable.life, Life::Gone, "a wait for what was closed");
            let before = &question.set[..at];
            assert!(before.iter().all(|other| other.waitable != member.waitable));
        }
        assert!(!question.set.is_empty() || spec.deadline != AWSGI_FOREVER);
        assert!(spec.at_least as usize <= question.set.len().max(1));
        assert!(spec.flags & AWSGI_MULTISHOT == 0 || question.set.len() == 1);
        assert!(spec.flags & !3 == 0);
        let token = if place.is_null() { 0 } else { wait };
        if token != 0 {
            let fresh = world.wait_of.insert(token, question.at).is_none();
            assert!(fresh, "the token {token:#x} was given twice");
            world.tokens.push(token);
        }
        world.waits.push(Wait {
            token,
            reactor,
            exchange,
            set: question.set,
            at_least: spec.at_least.max(1),
            multishot: spec.flags & AWSGI_MULTISHOT != 0,
            deadline: spec.deadline,
            cancelled: false,
            resumes: false,
            state: WaitState::UnderWay,
        });
    });
}

/// Cancels, forgets, has report again.
pub fn verb() {
    let token = token();
    let verb = pick(3);
    let known = world(|world| {
        let at = world.wait_of.get(&token).copied()?;
        let wait = &world.waits[at];
        let mine = world.owned(wait.reactor) && !world.reactors[wait.reactor].freed;
        // An exchange that is over loses its waits before its close runs. For another, a turn may
        // take what completed, and leave the step that it resumes for the next.
        let resumes = world.reactors[wait.reactor].more || world.turning.contains(&wait.reactor);
        let void = wait.exchange.is_some_and(|at| resumes || exchanges::may_be_over(world, at));
        Some((wait.state, mine, void))
    });
    if verb == 0 {
        // Before the call: a hook may turn.
        if let Some((_, true, _)) = known {
            world(|world| world.wait(token).unwrap().cancelled = true);
        }
    }
    check::trace(|| format!("{} {token:#x}", ["cancel", "forget", "rearm"][verb]));
    // SAFETY: takes no pointers.
    let status = unsafe {
        match verb {
            0 => awsgi_wait_cancel(token),
            1 => awsgi_wait_forget(token),
            _ => awsgi_wait_rearm(token),
        }
    };
    let mut said = vec![AWSGI_E_STALE, AWSGI_E_THREAD, AWSGI_E_INVALID];
    if verb == 2 {
        said.extend([AWSGI_E_STATE, AWSGI_E_OS]);
    }
    let ok = check::status(status, &said);
    match known {
        // Stale before wrong thread.
        Some((WaitState::UnderWay, _, true)) if status == AWSGI_E_STALE => {
            world(|world| world.wait(token).unwrap().resumes = true);
        }
        Some((WaitState::UnderWay, true, _)) => {
            let resumes = world(|world| world.wait(token).unwrap().resumes);
            assert!(!resumes, "{} for one that was stale", name(status));
            let refused = verb == 2 && matches!(status, AWSGI_E_STATE | AWSGI_E_OS);
            assert!(ok || refused, "{} for a wait that is under way", name(status));
        }
        Some((WaitState::UnderWay, false, _)) => assert_eq!(status, AWSGI_E_THREAD),
        Some(_) => assert_eq!(status, AWSGI_E_STALE, "{} for one that ended", name(status)),
        None if ok => world(|world| world.guessed = true),
        None => {}
    }
    if ok && verb == 1 {
        world(|world| {
            if let Some(wait) = world.wait(token) {
                wait.state = WaitState::Forgotten;
            }
        });
    }
}

/// What a waiter sees of a readiness.
fn seen(interest: u32) -> u32 {
    let ends =
        if interest & (AWSGI_READABLE | AWSGI_READ_CLOSED) != 0 { AWSGI_READ_CLOSED } else { 0 };
    interest | ends | AWSGI_HANGUP | AWSGI_ERROR
}

/// A completion came: of a wait that was under way, once, and for a reason. Answers which wait.
pub fn completed(
    reactor: usize,
    exchange: Option<usize>,
    completion: &awsgi_completion,
    now: u64,
) -> Option<usize> {
    check::trace(|| format!("at {now}: {completion:?}"));
    if completion.user_data & EXCHANGE != 0 {
        assert!(exchange.is_none());
        exchanges::progressed(reactor, completion);
        return None;
    }
    let at = completion.user_data as usize;
    let more = completion.flags & AWSGI_MORE != 0;
    let token = world(|world| {
        let guessed = world.guessed;
        assert!(at < world.waits.len(), "a completion of no wait: {completion:?}");
        let closing = world.reactors[reactor].closing;
        let closed = world.waits[at].set.clone().iter().any(|member| {
            world.waitable(member.waitable).is_none_or(|waitable| {
                waitable.life != Life::Lives || matches!(waitable.source, Source::Descriptor(_))
            })
        });
        let wait = &mut world.waits[at];
        assert_eq!((wait.reactor, wait.exchange), (reactor, exchange), "at another's");
        assert_eq!(wait.state, WaitState::UnderWay, "{completion:?}");
        assert!(wait.token == 0 || wait.token == completion.wait, "with another token");
        assert_eq!(completion.flags & !AWSGI_MORE, 0);
        assert!(!more || (wait.multishot && completion.outcome == AWSGI_READY));
        assert!(usize::from(completion.members) <= wait.set.len());
        if completion.members > 0 {
            let member = wait.set[completion.index as usize];
            assert!(completion.ready != 0);
            assert_eq!(completion.ready & !seen(member.interest), 0, "{completion:?}, {member:?}");
        } else {
            assert_eq!((completion.ready, completion.index), (0, 0), "{completion:?}");
        }
        assert_eq!(completion.error != 0, completion.outcome == AWSGI_FAILED);
        match completion.outcome {
            AWSGI_READY => assert!(u32::from(completion.members) >= wait.at_least),
            AWSGI_TIMED_OUT => assert!(wait.deadline <= now, "early: {} at {now}", wait.deadline),
            AWSGI_CANCELLED => assert!(wait.cancelled || guessed, "nobody cancelled it"),
            AWSGI_CLOSED => assert!(closing || closed || guessed, "nobody closed it"),
            AWSGI_FAILED => {}
            other => panic!("{other} is no outcome"),
        }
        if !more {
            wait.state = WaitState::Completed;
        }
        completion.wait
    });
    if !more {
        // SAFETY: takes no pointers.
        let status = unsafe { awsgi_wait_cancel(token) };
        assert_eq!(status, AWSGI_E_STALE, "the token of a wait outlived its completion");
    }
    Some(at)
}

/// The members of a completion that has just come.
pub fn check_members(completion: &awsgi_completion) {
    let capacity = one_of(&[64, 1, 0]);
    let mut members = vec![poisoned::<awsgi_member>(); capacity];
    let mut count = poisoned::<usize>();
    // SAFETY: the array has the capacity, and the places live.
    let status = unsafe {
        awsgi_completion_members(completion, members.as_mut_ptr(), capacity, &raw mut count)
    };
    if completion.user_data & EXCHANGE != 0 {
        assert_ne!(status, AWSGI_OK, "an exchange's progress has members");
        return;
    }
    assert_eq!(status, AWSGI_OK, "{} for the members of {completion:?}", name(status));
    assert_eq!(count, usize::from(completion.members), "{completion:?}");
    let written = count.min(capacity);
    for member in &members[written..] {
        assert_eq!(member.index.to_le_bytes(), [POISON; 4], "written beyond the count");
    }
    if let Some(first) = members[..written].first() {
        assert_eq!((first.index, first.ready), (completion.index, completion.ready));
    }
    assert!(members[..written].windows(2).all(|pair| pair[0].index < pair[1].index));
    let set = world(|world| world.waits[completion.user_data as usize].set.clone());
    for member in &members[..written] {
        let asked = set[member.index as usize];
        assert!(member.waitable == asked.waitable || member.waitable == 0);
        assert!(member.ready != 0 && member.ready & !seen(asked.interest) == 0);
    }
}

/// Asks for the members of completions that never were.
pub fn members_of_nothing() {
    let completion = awsgi_completion {
        user_data: word(),
        wait: token(),
        outcome: byte(),
        flags: byte(),
        members: u16::from(byte()),
        ready: u32::from(byte()),
        index: u32::from(byte()),
        error: 0,
    };
    let capacity = pick(4);
    let mut members = vec![poisoned::<awsgi_member>(); capacity];
    let mut count = poisoned::<usize>();
    let place = perhaps_null(&raw mut count);
    let given = perhaps_null((&raw const completion).cast_mut());
    let array = perhaps_null(members.as_mut_ptr());
    // SAFETY: the array has the capacity, and the places live or are NULL.
    let status = unsafe { awsgi_completion_members(given, array, capacity, place) };
    let ok = check::status(status, &[AWSGI_E_STALE, AWSGI_E_THREAD, AWSGI_E_NULL, AWSGI_E_INVALID]);
    if !place.is_null() {
        check::zeroed(ok, count, 0);
    }
}
