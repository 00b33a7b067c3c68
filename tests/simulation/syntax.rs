//! What operations are made of, and their text, so that a list of them can be replayed.
//!
//! An operation names an object by a number that is taken modulo the number of those that live, so
//! that every sublist of a list of operations means something, too.

use std::fmt;
use std::str::FromStr;

/// An operation, with its text.
pub trait Operation:
    Clone + Send + PartialEq + fmt::Debug + fmt::Display + FromStr<Err = String>
{
    /// The same with one simpler argument.
    fn simpler(&self) -> Vec<Self>;
}

/// What an operation is made of.
pub trait Argument: Sized {
    fn text(&self) -> String;
    fn parse(text: &str) -> Option<Self>;
    /// Simpler ones, to try when a failure is made small.
    fn simpler(&self) -> Vec<Self>;
}

impl Argument for u32 {
    fn text(&self) -> String {
        self.to_string()
    }

    fn parse(text: &str) -> Option<u32> {
        text.parse().ok()
    }

    fn simpler(&self) -> Vec<u32> {
        let mut all = vec![0, 1, *self / 2, self.saturating_sub(1)];
        all.retain(|simpler| simpler < self);
        all.dedup();
        all
    }
}

impl Argument for Vec<u32> {
    fn text(&self) -> String {
        self.iter().map(u32::to_string).collect::<Vec<_>>().join(",")
    }

    fn parse(text: &str) -> Option<Vec<u32>> {
        text.split(',').filter(|item| !item.is_empty()).map(|item| item.parse().ok()).collect()
    }

    fn simpler(&self) -> Vec<Vec<u32>> {
        let mut all = Vec::new();
        for at in 0..self.len() {
            let mut shorter = self.clone();
            shorter.remove(at);
            all.push(shorter);
            for item in self[at].simpler() {
                let mut simpler = self.clone();
                simpler[at] = item;
                all.push(simpler);
            }
        }
        all
    }
}

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty),* })*) => {
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Op { $($(#[$doc])* $name { $($field: $type),* }),* }

        impl fmt::Display for Op {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Op::$name { $($field),* } => {
                        f.write_str(stringify!($name))?;
                        $(write!(f, " {}={}", stringify!($field), $field.text())?;)*
                    })*
                }
                Ok(())
            }
        }

        impl FromStr for Op {
            type Err = String;

            fn from_str(line: &str) -> Result<Op, String> {
                let mut words = line.split_whitespace();
                let name = words.next().unwrap_or_default();
                let arguments: Vec<_> = words.filter_map(|word| word.split_once('=')).collect();
                match name {
                    $(stringify!($name) => Ok(Op::$name { $($field: {
                        let wanted = |(field, _): &&(&str, &str)| *field == stringify!($field);
                        let (_, text) = arguments.iter().find(wanted)
                            .ok_or(format!("no {} in '{line}'", stringify!($field)))?;
                        <$type>::parse(text).ok_or(format!("'{text}' in '{line}'"))?
                    }),* }),)*
                    _ => Err(format!("no operation is called '{name}'")),
                }
            }
        }

        impl Operation for Op {
            fn simpler(&self) -> Vec<Op> {
                let mut all = Vec::new();
                match self {
                    $(Op::$name { $($field),* } => {
                        let _ = &mut all;
                        $(for simpler in $field.simpler() {
                            let mut op = self.clone();
                            #[allow(irrefutable_let_patterns)]
                            if let Op::$name { $field, .. } = &mut op {
                                *$field = simpler;
                            }
                            all.push(op);
                        })*
                    })*
                }
                all
            }
        }
    };
}

pub(crate) use operations;
