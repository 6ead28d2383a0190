//! How many checks came to what.

use serde::{Deserialize, Serialize};

use super::Share;

/// Checks by what they found. Those from `blocked` on say nothing about whether the site can be reached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckCounts {
    /// The page answered, with the backlink where one was asked for.
    pub up: u64,
    /// No answer, or one that is not accepted.
    pub down: u64,
    /// The page answered without the backlink.
    pub no_backlink: u64,
    /// A wall answered, not the site.
    pub blocked: u64,
    /// Nothing was sent: an unsafe address or a bad URL.
    pub refused: u64,
    /// Counted as good without a check.
    pub white_listed: u64,
    /// It would have hidden or shown its link, in a run that was held back and not applied.
    pub held_back: u64,
}

impl CheckCounts {
    /// Adds those of another part.
    pub fn merge(&mut self, other: &Self) {
        self.up += other.up;
        self.down += other.down;
        self.no_backlink += other.no_backlink;
        self.blocked += other.blocked;
        self.refused += other.refused;
        self.white_listed += other.white_listed;
        self.held_back += other.held_back;
    }

    /// The share of checks that reached the site, of those that could tell. `None`: none could.
    pub fn reachable(&self) -> Option<Share> {
        Share::of(self.up + self.no_backlink, self.judged())
    }

    /// How many checks can tell whether the site is reachable.
    pub fn judged(&self) -> u64 {
        self.up + self.down + self.no_backlink
    }

    /// How many checks cannot.
    pub fn left_out(&self) -> u64 {
        self.blocked + self.refused + self.white_listed + self.held_back
    }

    /// How many checks there are.
    pub fn all(&self) -> u64 {
        self.judged() + self.left_out()
    }
}
