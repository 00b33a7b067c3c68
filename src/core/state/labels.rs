//! Names of waitables, for people who look.

use std::fmt::Write;

use super::*;

impl Core {
    /// Names a waitable; an empty name takes the old one away.
    pub(crate) fn label(&mut self, slot: u32, label: &str) {
        if label.is_empty() {
            self.labels.remove(&slot);
        } else {
            self.labels.insert(slot, label.into());
        }
    }

    /// The waitable in a slot, as people should read of it.
    pub(crate) fn describe(&self, slot: u32) -> String {
        let waitable = self.waitable(slot);
        let mut text = format!("{:?}", self.token_of(Kind::Waitable, slot));
        match waitable.source {
            Source::Descriptor { fd, .. } => write!(text, ", descriptor {fd}"),
            Source::Event => write!(text, ", event"),
            Source::Counter(counter) => {
                write!(text, ", counter at {}", self.counters[counter as usize])
            }
            Source::Timer(_) => write!(text, ", timer"),
            Source::Foreign(foreign) => self.foreign[foreign as usize].describe(&mut text),
            Source::Exchange(exchange) => {
                write!(text, ", {:?}", self.token_of(Kind::Exchange, exchange))
            }
        }
        .expect("a string takes all");
        if let Some(label) = self.labels.get(&slot) {
            let _ = write!(text, ", {label:?}");
        }
        let wanted = self.interest(slot);
        if !wanted.is_empty() {
            let _ = write!(text, ", waited for: {wanted:?}");
        }
        text
    }
}
