//! How much may happen at once, and how much it may take: at one host, in the whole worker, and on this machine.

mod descriptors;
mod memory;
mod pace;
mod quota;
mod ready;
mod scarcity;
mod starts;
mod turns;

pub(crate) use self::descriptors::{Affordable, affordable};
pub(crate) use self::memory::{For, Memory, NoMemory, Share};
pub(crate) use self::pace::Pace;
pub(crate) use self::quota::{ANY, KEPT_FOR_SMALL, Quota, Quotas};
pub(crate) use self::ready::InLine;
pub(crate) use self::scarcity::Scarcity;
pub(crate) use self::starts::{Start, Starts};
pub(crate) use self::turns::{Limits, Turn};
