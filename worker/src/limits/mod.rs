//! How much may happen at once: at one host, in the whole worker, and on this machine.

mod descriptors;
mod pace;
mod starts;
mod turns;

pub(crate) use self::descriptors::affordable;
pub(crate) use self::pace::Pace;
pub(crate) use self::starts::{Start, Starts};
pub(crate) use self::turns::{Limits, Turn};
