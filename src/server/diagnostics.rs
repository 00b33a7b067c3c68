//! What the server has to say to the people who run it: to the hook that it was given, or to
//! `tracing`.

use std::fmt;

use crate::reactor::{Log, level};

/// Where it says it.
#[derive(Clone)]
pub(super) struct Diagnostics {
    hook: Option<Log>,
}

impl Diagnostics {
    pub(super) fn new(hook: Option<Log>) -> Diagnostics {
        Diagnostics { hook }
    }

    /// Something failed that somebody must look at.
    pub(super) fn error(&self, text: fmt::Arguments<'_>) {
        self.say(level::ERROR, text);
    }

    /// Something is wrong, and was coped with.
    pub(super) fn warn(&self, text: fmt::Arguments<'_>) {
        self.say(level::WARN, text);
    }

    pub(super) fn say(&self, level: i32, text: fmt::Arguments<'_>) {
        match &self.hook {
            Some(hook) => hook(level, &text.to_string()),
            None => match level {
                ..=level::ERROR => tracing::error!("{text}"),
                level::WARN => tracing::warn!("{text}"),
                level::INFO => tracing::info!("{text}"),
                _ => tracing::debug!("{text}"),
            },
        }
    }
}
