//! One check: a link becomes an outcome.
//!
//! [`Engine`] waits for the host's turn and fetches the page. `retry` says whether a failure is tried again,
//! `connectivity` whether a failure may be our own, `gaps` whether this process ran all the time, and `judge` makes the
//! verdict. `signs` notes what a page shows
//! besides.

mod blocked;
mod connectivity;
mod engine;
mod gaps;
mod judge;
mod outcome;
mod retry;
mod signs;

pub use self::engine::Engine;
pub use self::outcome::Outcome;

pub(crate) use self::engine::Begun;
