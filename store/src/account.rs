//! Who asks for runs, and how much they may ask for.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

/// Who asks for a run, and how much they may ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// What they are called. Whoever has the same name shares one account.
    pub name: String,
    /// Runs that may go on at once; `None`: any number.
    pub runs_at_once: Option<NonZeroU32>,
    /// Links of all their runs within 24 hours; `None`: any number.
    pub links_a_day: Option<u64>,
}

/// Which limit a request went beyond. The text is for whoever asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OverLimit {
    /// As many runs go on as may.
    Runs {
        /// How many may.
        limit: NonZeroU32,
    },
    /// Within 24 hours, fewer links are left than the run has.
    Links {
        /// How many there are.
        limit: u64,
        /// How many are left.
        left: u64,
        /// How many the run has, or 1 where none are left at all.
        asked: u64,
        /// When the first of the former runs no longer counts; `None`: there is none.
        room_in: Option<Duration>,
    },
}

/// Many runs end within this time.
const RUNS_END: Duration = Duration::from_secs(30);

impl OverLimit {
    /// When it is worth the while to ask again; `None`: only with fewer links.
    pub fn ask_again_in(&self) -> Option<Duration> {
        match self {
            Self::Runs { .. } => Some(RUNS_END),
            Self::Links { room_in, .. } => *room_in,
        }
    }
}

impl fmt::Display for OverLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Runs { limit } => {
                write!(f, "{limit} of your runs go on, and no more may at once: ask again when one has ended")
            }
            Self::Links { limit, left, asked, room_in } => {
                write!(
                    f,
                    "the run has {asked} links or more. You may ask for {limit} within 24 hours, and only {left} are left"
                )?;
                match room_in {
                    Some(room_in) => write!(f, ". Some more are in {} s", room_in.as_secs() + 1),
                    None => Ok(()),
                }
            }
        }
    }
}

impl std::error::Error for OverLimit {}
