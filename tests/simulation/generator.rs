//! Where operations come from: a seed.

use crate::operation::Op;

/// The numbers of a seed (splitmix64).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `end`.
    pub fn below(&mut self, end: u32) -> u32 {
        (((self.next() >> 32) * u64::from(end)) >> 32) as u32
    }

    pub fn one_in(&mut self, times: u32) -> bool {
        self.below(times) == 0
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u32) as usize]
    }
}

/// How often each operation comes, out of all; the next ones from the same seed differ in it, because
/// what happens rarely beside everything else may happen often beside little.
const WEIGHTS: [u32; 28] = [
    14, // Open
    3,  // OpenExchange
    2,  // EndExchange
    60, // Arm
    9,  // Cancel
    7,  // Forget
    9,  // Rearm
    4,  // Close
    2,  // CloseWaits
    2,  // FailWaits
    40, // Notify
    14, // Elsewhere
    9,  // Drain
    16, // Level
    5,  // Spurious
    10, // Harvest
    14, // Take
    24, // Advance
    9,  // Expire
    4,  // BeginTurn
    18, // Deliver
    10, // Changes
    26, // Turn
    8,  // Members
    10, // Stale
    1,  // CloseAll
    1,  // Restart
    1,  // Check
];
const OPEN: usize = 0;
const END_EXCHANGE: usize = 2;
const ARM: usize = 3;
const CLOSE: usize = 7;
const CLOSE_WAITS: usize = 8;
const FAIL_WAITS: usize = 9;
const ADVANCE: usize = 17;
const CLOSE_ALL: usize = 25;
const RESTART: usize = 26;

/// Where operations come from.
pub struct Generator {
    random: Random,
    weights: [u32; WEIGHTS.len()],
    sum: u32,
    /// Out of eight, how many waitables are of the kinds that this list prefers.
    preferred: [u32; 3],
    interests: [u32; 4],
    /// How far deadlines lie ahead.
    reach: u32,
}

impl Generator {
    /// One that `hoards` lets many waits live at once.
    pub fn new(seed: u64, hoards: bool) -> Generator {
        let mut random = Random::new(seed);
        let mut weights = WEIGHTS.map(|weight| weight * random.pick(&[1, 4, 4, 4, 16]));
        weights[OPEN] = weights[OPEN].max(4 * WEIGHTS[OPEN]);
        weights[ARM] = weights[ARM].max(4 * WEIGHTS[ARM]);
        weights[CLOSE_ALL] = 2;
        weights[RESTART] = 1;
        if hoards {
            weights[ARM] *= 3;
            weights[ADVANCE] /= 4;
            for rare in [END_EXCHANGE, CLOSE, CLOSE_WAITS, FAIL_WAITS, CLOSE_ALL, RESTART] {
                weights[rare] = 0;
            }
            weights[CLOSE] = 1;
        }
        let preferred = [random.below(9), random.below(9), random.below(9)];
        let interests = [1, random.pick(&[1, 2, 3]), random.below(15) + 1, random.below(63) + 1];
        let reach = if hoards { random.pick(&[1 << 8, 1 << 12, 1 << 20]) } else { 24 };
        Generator { random, weights, sum: weights.iter().sum(), preferred, interests, reach }
    }

    fn bits(&mut self) -> u32 {
        match self.random.below(6) {
            0 => 1 + self.random.below(63),
            1 => 16 << self.random.below(2),
            at => self.interests[at as usize - 2],
        }
    }

    fn interest(&mut self) -> u32 {
        let at = self.random.below(4) as usize;
        self.interests[at]
    }

    fn member(&mut self) -> u32 {
        64 * self.random.below(64) + self.interest()
    }

    fn arm(&mut self) -> Op {
        let multishot = self.random.one_in(4);
        let count = match self.random.below(8) {
            _ if multishot => 1,
            0 => 0,
            1 | 2 => 2 + self.random.below(3),
            3 if self.random.one_in(4) => self.random.below(16),
            _ => 1,
        };
        let random = &mut self.random;
        let deadline = match random.below(8) {
            0..=3 if count > 0 => 0,
            4 if random.one_in(4) => 1,
            4 if random.one_in(8) => 2,
            _ => 3 + random.below(self.reach),
        };
        let at_least = if random.one_in(3) { random.below(count + 1) } else { random.below(2) };
        let flags = u32::from(multishot)
            + if random.one_in(4) { 2 } else { 0 }
            + if random.one_in(24) { 4 } else { 0 }
            + if random.one_in(3) { 8 } else { 0 }
            + if random.one_in(2) { 16 } else { 0 };
        let bad = if random.one_in(16) { 1 + random.below(10) } else { 0 };
        let owner = random.pick(&[0, 0, 0, 0, 1, 2]) + 3 * random.below(8);
        let set = (0..count).map(|_| self.member()).collect();
        Op::Arm { owner, set, at_least, flags, deadline, bad }
    }

    /// The next operation; `closed` if nothing new is accepted any more.
    pub fn next(&mut self, closed: bool) -> Op {
        if closed && self.random.one_in(24) {
            return Op::Restart {};
        }
        let mut at = self.random.below(self.sum);
        let mut which = 0;
        while at >= self.weights[which] {
            at -= self.weights[which];
            which += 1;
        }
        let any = self.random.below(64);
        let random = &mut self.random;
        match which {
            0 => {
                let behind = if random.one_in(3) {
                    random.below(9)
                } else {
                    let at = random.below(3) as usize;
                    self.preferred[at]
                };
                let (first, period) = (random.below(16), random.below(5));
                let maker = if random.one_in(4) { 1 + random.below(4) } else { 0 };
                Op::Open { behind, first, period, maker }
            }
            1 => Op::OpenExchange { key: any },
            2 => Op::EndExchange { exchange: any },
            3 => self.arm(),
            4 => Op::Cancel { wait: any },
            5 => Op::Forget { wait: any },
            6 => Op::Rearm { wait: any },
            7 => Op::Close { waitable: any },
            8 => Op::CloseWaits { waitable: any },
            9 => Op::FailWaits { waitable: any, errno: 1 + random.below(100) },
            10 => {
                let times = 1 + random.below(3);
                Op::Notify { waitable: any, bits: self.bits(), times }
            }
            11 => Op::Elsewhere { waitable: any, bits: self.bits() },
            12 => Op::Drain {},
            13 => {
                let bits = if random.one_in(3) { 0 } else { self.bits() };
                Op::Level { waitable: any, bits }
            }
            14 => Op::Spurious { waitable: any, bits: self.bits(), at_once: any % 2 },
            15 => Op::Harvest { at_once: any % 2 },
            16 => Op::Take { waitable: any },
            17 => Op::Advance {
                by: match random.below(8) {
                    0 | 1 => 0,
                    2 => 1,
                    3 => 2 + random.below(2000),
                    _ => 2 + random.below(150),
                },
            },
            18 => Op::Expire { limit: random.pick(&[1, 2, 100]) },
            19 => Op::BeginTurn {},
            20 => Op::Deliver { class: random.below(3), limit: 1 + random.below(4) },
            21 => Op::Changes { limit: random.pick(&[0, 1, 100]) },
            22 => Op::Turn {
                expire: random.pick(&[1, 100, 100]),
                deliver: random.pick(&[0, 1, 2, 100, 100]),
                changes: random.pick(&[0, 1, 100, 100]),
            },
            23 => Op::Members { completion: any },
            24 => Op::Stale { token: random.below(4096), call: random.below(16) },
            25 => Op::CloseAll {},
            26 => Op::Restart {},
            _ => Op::Check {},
        }
    }
}
