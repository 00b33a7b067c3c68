//! Plays bytes as a sequence of calls of the C ABI, and checks each answer against what the header
//! promises. The fuzzer invents the bytes; `tests/fuzz_corpus.rs` plays those that were kept.
//!
//! Any bytes are a sequence: each choice takes one, and when none are left every choice is 0. What
//! was called so far is kept in a `World`, which knows what may be expected: whether a token lives,
//! which waits are under way, which descriptors were lent. A broken promise is a panic.

mod bad;
mod check;
mod descriptors;
mod elsewhere;
mod exchanges;
// Of each call in it the same holds: what its pointers point to is its caller's, in bad.rs.
#[allow(clippy::undocumented_unsafe_blocks)]
mod list;
mod reactors;
mod waitables;
mod waits;
mod world;

use world::{byte, pick, world};

/// Calls of one sequence at most, so that each takes milliseconds.
const CALLS: usize = 400;

/// Plays a sequence, and ends everything that it left.
#[allow(dead_code, reason = "as below")]
pub fn run(bytes: &[u8]) {
    play(bytes, call);
}

/// The same, with calls in between that have to be refused: nothing that follows may notice them.
#[allow(dead_code, reason = "each target of the fuzzer takes one")]
pub fn run_among_bad(bytes: &[u8]) {
    play(bytes, || if byte() & 1 == 0 { bad::call() } else { call() });
}

fn play(bytes: &[u8], step: impl Fn()) {
    elsewhere::start();
    let before = descriptors::lowest_free();
    world::begin(bytes);
    // Without one there is little to call.
    reactors::make();
    for _ in 0..CALLS {
        if world(|world| world.exhausted()) {
            break;
        }
        step();
    }
    world::silence();
    reactors::end_all();
    descriptors::end_all();
    world::end();
    descriptors::check_none_left(before);
}

/// One call, or something that a host does between two.
fn call() {
    match byte() % 32 {
        0 => reactors::make(),
        1..=4 => reactors::turn(),
        5 => waitables::descriptor(),
        6 => waitables::event(),
        7 => waitables::timer(),
        8 => waitables::foreign(),
        9..=11 => waits::start(),
        12 => waits::verb(),
        13 => waitables::notify(),
        14 => waitables::notify_many(),
        15 => waitables::ask(),
        16 => waitables::close(),
        17 => descriptors::make(),
        18..=19 => descriptors::use_one(),
        20 => descriptors::close(),
        21 => waits::members_of_nothing(),
        22 => reactors::ask(),
        23 => match pick(3) {
            0 => reactors::close(),
            1 => reactors::free(),
            _ => reactors::release_or_adopt(),
        },
        24 => elsewhere::adopt_and_call(),
        25 => elsewhere::notify_during_a_turn(),
        26 => exchanges::gateway(),
        27 => exchanges::open(),
        28..=29 => exchanges::hosts_half(),
        30 => exchanges::applications_half(None),
        _ => check::errors_and_versions(),
    }
}
