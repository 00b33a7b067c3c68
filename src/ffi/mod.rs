//! The C ABI: check, convert, call, report.
//!
//! One file per section of `include/awsgi.h`, in the header's order; the comments here are the
//! header's, written for people who do not know Rust. Pointers that C owns are checked against
//! what we handed out before anything is read through them.
#![allow(non_camel_case_types)]
// Every function is unsafe in one way, which the header says of each: its pointers are what it says.
#![allow(clippy::missing_safety_doc)]
// Brackets in the header's comments are brackets, not links.
#![allow(rustdoc::broken_intra_doc_links)]

mod application;
mod completion;
mod exchange;
mod gateway;
mod reactor;
mod server;
mod status;
mod token;
mod wait;
mod waitable;

mod guard;
mod load;
mod owned;

#[cfg(feature = "jni")]
pub(crate) use reactor::pointer;

pub use application::*;
pub use completion::*;
pub use exchange::*;
pub use gateway::*;
pub use load::{abi, load};
pub use reactor::*;
pub use server::*;
pub use status::*;
pub use token::*;
pub use wait::*;
pub use waitable::*;
