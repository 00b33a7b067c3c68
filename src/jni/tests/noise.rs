//! Whatever stands in the block, a crossing answers, and the reactor comes to its end.

use super::*;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// Something that could be in a record: of what there is, or anything.
    fn word(&mut self, tokens: &[u64]) -> u64 {
        match self.below(8) {
            0..4 => tokens[self.below(tokens.len() as u64) as usize],
            4..6 => self.below(40) | self.below(3) << 32,
            6 => self.below(3_000_000),
            _ => loop {
                // Slots up to the highest that is allowed cost the memory of all below them.
                let wild = self.next();
                if wild as u32 >= 1 << 24 || (wild as u32) < 1 << 16 {
                    return wild;
                }
            },
        }
    }
}

fn play(seed: u64, rounds: usize) {
    let mut random = Random(seed | 1);
    let mut java = Java::with(0, 400, 100);
    let mut tokens = vec![0];
    for _ in 0..rounds {
        if tokens.len() < 50 {
            for (operation, arguments) in
                [(EVENT, [random.below(2) as i64, 0]), (TIMER, [5, 9]), (FOREIGN, [3, 1])]
            {
                tokens.extend(java.submit(operation, &arguments).map(|token| token as u64));
            }
        }
        let written = random.below(60) as usize;
        for _ in 0..written {
            let (a, b) = (random.word(&tokens), random.next());
            match random.below(20) {
                // Bytes that mean nothing, and a shut so seldom that something happens before.
                0 => java.put_raw(a, b as i64),
                1 if random.below(2_000) == 0 => java.put(0, layout::SHUT, 0, 0),
                _ => {
                    let kind = random.below(9) as u16;
                    java.put(a, kind, b as u16 & 0x43, (b >> 32) as i32 & 3);
                }
            }
        }
        java.written = 0;
        let (records, now) = match random.below(40) {
            0 => (random.next() as i32, random.next() as i64),
            1 => (1_024, random.below(1 << 40) as i64),
            _ => (written as i32, random.below(1_000) as i64),
        };
        java.memory.set(8, (random.below(30) as i32 - 5).to_ne_bytes());
        java.memory.set(12, (random.below(2_000) as i32 - 500).to_ne_bytes());
        match java.cross(records, now) {
            Ok(turned) => {
                assert!((0..=1_024).contains(&records), "{seed}: {records}");
                assert!(turned.completions.len() <= 1_024 && turned.changes.len() <= 1_024);
                for done in turned.completions {
                    assert!((1..=5).contains(&(done.kind & 0xff)), "{seed}: {done:?}");
                }
            }
            Err(status) => assert!((-15..0).contains(&status), "{seed}: {status}"),
        }
        if random.below(4) == 0 {
            let operation = random.below(20) as i32 - 2;
            let arguments = [random.word(&tokens) as i64, random.word(&tokens) as i64];
            match operation {
                // Numbers of descriptors could be somebody's, and the end comes below.
                DESCRIPTOR | FREE => {}
                _ => drop(java.submit(operation, &arguments)),
            }
            let _ = cold::result(java.context, random.next() as i32 % 100);
        }
    }
    java.memory.set(12, [0; 4]);
}

#[test]
fn any_bytes_in_the_block_are_answered() {
    for seed in 0..40 {
        play(0x9e37_79b9_7f4a_7c15 ^ seed << 17, 300);
    }
}
