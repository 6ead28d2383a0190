//! How much may happen at once: at one host, in the whole worker, and on this machine.

mod descriptors;
mod pace;
mod quota;
mod starts;
mod turns;

pub(crate) use self::descriptors::affordable;
pub(crate) use self::pace::Pace;
pub(crate) use self::quota::{ANY, KEPT_FOR_SMALL, Quota, Quotas};
pub(crate) use self::starts::{Start, Starts};
pub(crate) use self::turns::{Limits, Turn};
