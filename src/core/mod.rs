//! The sans-I/O core: events and the time go in; completions and the next deadline come out.
//!
//! It makes no system call, reads no clock and starts no thread. A wait is armed in two halves:
//! [`Core::prepare`] checks and plans, the reactor executes the plan on the sources, then
//! [`Core::commit`] makes it so; a plan that is dropped instead has changed nothing.

mod growth;
mod readiness;
pub(crate) mod slots;
mod state;
pub(crate) mod sync;
mod timers;
mod token;
mod wait;

pub(crate) use growth::more;
pub use readiness::Readiness;
pub(crate) use state::{Core, Direct, How, Limits, New, Owner, Source};
pub use token::{Kind, MAX_REACTORS, Token};
pub(crate) use wait::Question;
pub use wait::{Completion, Deadline, Member, Outcome, WaitSpec, Watch};
