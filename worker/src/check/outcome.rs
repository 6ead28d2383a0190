//! What one check comes to.

use linkbeat_shared::CheckResult;

use crate::fault::OwnFault;

/// What one check came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The link was judged.
    Judged(CheckResult),
    /// The link could not be judged, and that is not its fault.
    OwnFault(OwnFault),
}
