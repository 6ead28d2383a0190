//! What every role tells about itself.
//!
//! Roles count their work with an [`Activity`]. Whoever watches a role reads the counts and judges whether the work
//! goes on.

mod activity;

pub use activity::{Activity, Tally, UnderWay};
