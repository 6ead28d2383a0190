//! How a worker is doing, from real progress.

use chrono::{DateTime, Utc};

use crate::fault::OwnFault;

/// How a worker is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// No job has ended yet.
    Starting,
    /// The latest job was done.
    Working,
    /// An own fault sent the latest job back. The worker takes no jobs for a while, then it tries again.
    Paused {
        /// The fault.
        fault: OwnFault,
        /// When it began. No job was done since.
        since: DateTime<Utc>,
    },
}
