//! What every role tells about itself: counts of its work, and its health at `/live` and `/ready`.
//!
//! A role counts its work with an [`Activity`]. It registers its parts with [`Vitals`]: each part has a name, something
//! to watch, and a limit. [`Vitals::serve`] watches them from a thread of its own and answers for them.
//!
//! This crate knows no broker, no database and no check. It sees counts and closures only.

mod activity;
mod part;
mod serve;
mod trace;
mod vitals;

pub use activity::{Activity, Tally, UnderWay};
pub use part::{Calls, Part, Unanswered};
pub use serve::Served;
pub use vitals::{Counts, Ready, Vitals};
