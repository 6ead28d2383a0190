//! What carrying out one job comes to, as one value.

use linkbeat_shared::Job;

use crate::fault::OwnFault;

/// What one job came to. It decides what happens to the job's message (`settlement`).
#[derive(Debug)]
pub(crate) enum JobOutcome {
    /// Every link has its result, and the broker has confirmed the results.
    Done,
    /// The run was cancelled. Links without a result need none any more.
    Cancelled,
    /// Some links still lack a result.
    Unfinished {
        /// The same job with those links alone.
        rest: Job,
        /// Why they lack one.
        why: Unfinished,
    },
    /// The message is no job that this version can read; the text says why.
    Unreadable(String),
    /// An earlier holder died, or lost its connection, with this job in hand.
    Lost,
}

/// Why links of a job were not judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfinished {
    /// The worker stops, or it has held the job for long enough.
    Stopped,
    /// A check panicked: a bug of ours.
    Panicked,
    /// We lacked something. The job may well succeed later, so this counts before a panic.
    Fault(OwnFault),
}

/// What a settled job says about this worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JobEnd {
    /// The worker did it: all is well here.
    Done,
    /// The job went back because of this fault: the worker should pause.
    Fault(OwnFault),
    /// Nothing: the job was cancelled, parked, sent on or given back.
    Elsewhere,
}
