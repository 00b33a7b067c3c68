//! Inputs that are the same in every run: the n-th is made of the files that are kept, and of n.
//!
//! libFuzzer goes on from whatever reached something new, which depends on how threads met and how
//! fast the machine was. So it finds more, but what it has not found decides nothing.

use std::path::Path;

/// What the inputs are made of, and how many were made.
pub struct Fixed {
    kept: Vec<Vec<u8>>,
    made: usize,
}

impl Fixed {
    /// With AWSGI_FUZZ_FIXED set; else libFuzzer invents the inputs.
    pub fn new() -> Option<Fixed> {
        std::env::var_os("AWSGI_FUZZ_FIXED")?;
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut files = Vec::new();
        for folder in ["corpus/calls", "regressions"] {
            let folder = std::fs::read_dir(root.join(folder)).unwrap();
            files.extend(folder.map(|entry| entry.unwrap().path()));
        }
        files.sort();
        let kept: Vec<Vec<u8>> = files.iter().map(|file| std::fs::read(file).unwrap()).collect();
        assert!(!kept.is_empty(), "there is nothing to make inputs of");
        Some(Fixed { kept, made: 0 })
    }

    /// Writes the next input to a place for the longest; answers how long it is. First come the
    /// files that are kept.
    pub fn next(&mut self, input: &mut [u8]) -> usize {
        let number = self.made;
        self.made += 1;
        let mut bytes = match self.kept.get(number) {
            Some(kept) => kept.clone(),
            None => self.changed(&mut Random(number as u64)),
        };
        if bytes.is_empty() {
            bytes.push(0);
        }
        bytes.truncate(input.len());
        input[..bytes.len()].copy_from_slice(&bytes);
        bytes.len()
    }

    fn changed(&self, random: &mut Random) -> Vec<u8> {
        let mut bytes = random.one_of(&self.kept).clone();
        for _ in 0..1 << random.below(5) {
            let at = random.below(bytes.len() + 1);
            let left = bytes.len() - at;
            match random.below(8) {
                kind @ 0..=2 => {
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte = match kind {
                            0 => random.byte(),
                            1 => *byte ^ (1 << random.below(8)),
                            _ => *random.one_of(&[0, 1, 0xf0, 0xff]),
                        };
                    }
                }
                3 => {
                    let more: Vec<u8> = (0..=random.below(8)).map(|_| random.byte()).collect();
                    bytes.splice(at..at, more);
                }
                4 => drop(bytes.drain(at..at + left.min(1 + random.below(16)))),
                5 => {
                    let again = bytes[at..at + left.min(1 + random.below(64))].to_vec();
                    bytes.splice(at..at, again);
                }
                kind => {
                    let other = random.one_of(&self.kept);
                    let from = &other[random.below(other.len() + 1)..];
                    if kind == 6 {
                        bytes.splice(at..at, from.iter().copied().take(1 + random.below(64)));
                    } else {
                        bytes.splice(at.., from.iter().copied());
                    }
                }
            }
        }
        bytes
    }
}

/// SplitMix64: the same numbers from the same beginning.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, count: usize) -> usize {
        (self.next() % count as u64) as usize
    }

    fn byte(&mut self) -> u8 {
        self.next() as u8
    }

    fn one_of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }
}
