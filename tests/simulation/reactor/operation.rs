//! The operations on a reactor, and where they come from.

use std::fmt;
use std::str::FromStr;

use crate::generator::Random;
use crate::syntax::{Argument, Operation, operations};

operations! {
    /// `what`: descriptor, event, counter, timer, periodic timer, level, once. `first` and `period`
    /// are of a timer; of a descriptor, `first` is its number, and it is given away where `period`
    /// is 3.
    Open { what: u32, first: u32, period: u32 }
    /// `owner`: 1 modulo 3 a future, else the host. A member is 64 * waitable + interest.
    /// `flags`: 1 multishot, 2 off-loop, 4 with a member that ended.
    /// `deadline`: 0 never, 1 now, 2 nearly never, else in 32 ns (20 us of the real clock).
    Arm { owner: u32, set: Vec<u32>, at_least: u32, flags: u32, deadline: u32 }
    Cancel { wait: u32 }
    Forget { wait: u32 }
    Rearm { wait: u32 }
    Close { waitable: u32 }
    /// The owner thread notifies.
    Notify { waitable: u32, bits: u32 }
    /// Another thread notifies.
    Elsewhere { waitable: u32, bits: u32 }
    /// `what`: fed, drained, filled, relieved, its peer half closed or closed.
    Act { number: u32, what: u32 }
    /// Another file takes a number. `kind`: of the file; `how`: the old one is closed, lives on
    /// elsewhere, or nothing takes its place.
    Replace { number: u32, kind: u32, how: u32 }
    /// Files that live on elsewhere become ready, over and over.
    Haunt { times: u32 }
    Take { waitable: u32 }
    /// `by`: 0 to the next deadline, 1 to just before it, else nanoseconds and 2.
    Advance { by: u32 }
    /// `budget`: 0 for all. `sleep`: until there is something.
    Turn { budget: u32, capacity: u32, changes: u32, sleep: u32 }
    /// The host reports what it watches.
    Report { limit: u32 }
    Stop {}
    /// A token whose object has ended, or one of another kind.
    Stale { token: u32, call: u32 }
    CloseAll {}
}

const WEIGHTS: [u32; 18] = [
    16, // Open
    60, // Arm
    7,  // Cancel
    7,  // Forget
    9,  // Rearm
    5,  // Close
    14, // Notify
    10, // Elsewhere
    60, // Act
    6,  // Replace
    3,  // Haunt
    8,  // Take
    14, // Advance
    60, // Turn
    16, // Report
    2,  // Stop
    8,  // Stale
    0,  // CloseAll
];

/// Where operations come from.
pub struct Generator {
    random: Random,
    weights: [u32; WEIGHTS.len()],
    /// Out of eight, how many waitables are of the kinds that this list prefers.
    preferred: [u32; 3],
    interests: [u32; 4],
}

impl Generator {
    pub fn new(seed: u64) -> Generator {
        let mut random = Random::new(seed);
        let mut pick = |of: &[u32]| of[random.below(of.len() as u32) as usize];
        let weights = WEIGHTS.map(|weight| weight * pick(&[1, 4, 4, 4, 16]));
        let preferred = [pick(&[0, 0, 0, 1, 5]), pick(&[0, 1, 2, 3, 4, 5, 6]), 0];
        let interests = [1, pick(&[1, 2, 3]), pick(&[1, 2, 3, 8, 9]), 1 + random.below(63)];
        let mut generator = Generator { random, weights, preferred, interests };
        generator.weights[0] = generator.weights[0].max(64);
        generator.weights[1] = generator.weights[1].max(240);
        generator.weights[13] = generator.weights[13].max(240);
        generator
    }

    fn interest(&mut self) -> u32 {
        self.interests[self.random.below(4) as usize]
    }

    fn arm(&mut self) -> Op {
        let multishot = self.random.one_in(3);
        let count = match self.random.below(8) {
            _ if multishot => 1,
            0 => 0,
            1 | 2 => 2 + self.random.below(3),
            _ => 1,
        };
        let set = (0..count).map(|_| 64 * self.random.below(64) + self.interest()).collect();
        let random = &mut self.random;
        let deadline = match random.below(8) {
            0..=4 if count > 0 => 0,
            5 if random.one_in(4) => 1,
            5 if random.one_in(8) => 2,
            _ => 3 + random.below(24),
        };
        let at_least = if random.one_in(3) { random.below(count + 1) } else { random.below(2) };
        let flags = u32::from(multishot)
            + if random.one_in(4) { 2 } else { 0 }
            + if random.one_in(24) { 4 } else { 0 };
        Op::Arm { owner: random.below(6), set, at_least, flags, deadline }
    }

    pub fn next(&mut self) -> Op {
        let sum: u32 = self.weights.iter().sum();
        let mut at = self.random.below(sum);
        let mut which = 0;
        while at >= self.weights[which] {
            at -= self.weights[which];
            which += 1;
        }
        let any = self.random.below(64);
        let one = 1 + self.random.below(63);
        let bits = if self.random.one_in(4) { one } else { self.interest() };
        let random = &mut self.random;
        match which {
            0 => {
                let what = if random.one_in(3) {
                    random.below(7)
                } else {
                    self.preferred[random.below(3) as usize]
                };
                Op::Open { what, first: random.below(16), period: random.below(5) }
            }
            1 => self.arm(),
            2 => Op::Cancel { wait: any },
            3 => Op::Forget { wait: any },
            4 => Op::Rearm { wait: any },
            5 => Op::Close { waitable: any },
            6 => Op::Notify { waitable: any, bits },
            7 => Op::Elsewhere { waitable: any, bits },
            8 => Op::Act {
                number: any,
                what: [0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 4, 5][random.below(12) as usize],
            },
            9 => Op::Replace { number: any, kind: random.below(10), how: random.below(4) },
            10 => Op::Haunt { times: 1 + random.below(24) },
            11 => Op::Take { waitable: any },
            12 => Op::Advance {
                by: match random.below(8) {
                    0 | 1 => 0,
                    2 => 1,
                    3 => 2 + random.below(2000),
                    _ => 2 + random.below(150),
                },
            },
            13 => {
                let budget = if random.one_in(4) { 1 + random.below(4) } else { 0 };
                let mut few = || [0, 1, 2, 100, 100, 100, 100][random.below(7) as usize];
                Op::Turn { budget, capacity: few(), changes: few(), sleep: any % 4 / 3 }
            }
            14 => Op::Report { limit: 1 + random.below(4) },
            15 => Op::Stop {},
            16 => Op::Stale { token: random.below(4096), call: random.below(16) },
            _ => Op::CloseAll {},
        }
    }
}
