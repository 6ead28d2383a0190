//! Who lives in the street, how each behaves in both acts, and what linkbeat must make of it.

use linkbeat_shared::{Change, Verdict};

use super::site::Play;

/// What every good neighbour's page contains.
pub(crate) const BACKLINK: &str = r"https?://my\.blog\.example";
/// The neighbour that is never fetched.
pub(crate) const WHITE_LISTED: &str = "Old friend";

/// The two states of the street.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    First,
    Second,
}

/// One neighbour.
#[derive(Debug)]
pub(crate) struct Role {
    pub(crate) name: &'static str,
    /// How it answers in either act.
    pub(crate) plays: [Play; 2],
    pub(crate) active: bool,
    /// Whether the list says that it is shown at first.
    pub(crate) shown: bool,
    expected: [Expected; 2],
}

/// What linkbeat must make of one neighbour in one act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) verdict: Option<Verdict>,
    pub(crate) shown: bool,
    pub(crate) change: Option<Change>,
}

impl Role {
    /// What a report must say about it. `None`: it is not in the report.
    pub(crate) fn expected(&self, act: Act) -> Option<Expected> {
        self.active.then_some(match act {
            Act::First => self.expected[0],
            Act::Second => self.expected[1],
        })
    }
}

/// The whole street.
pub(crate) fn cast() -> Vec<Role> {
    use Play::{Breaks, Dead, Ending, Expired, Fine, Hangs, Moved, NoBacklink, Slow, Status, ToRouter, Wall};
    let up = Some(Verdict::Up);
    let down = Some(Verdict::Down);
    vec![
        role("Always up", [Fine, Fine], [stays_shown(up), stays_shown(up)]),
        role("Slow but fine", [Slow, Slow], [stays_shown(up), stays_shown(up)]),
        role("Moved house", [Moved, Moved], [stays_shown(up), stays_shown(up)]),
        role("Back from holiday", [Status(503), Fine], [hidden_now(down), shown_now(up)]),
        role("Forgot about us", [Fine, NoBacklink], [stays_shown(up), hidden_now(Some(Verdict::NoBacklink))]),
        role("Page removed", [Fine, Status(404)], [stays_shown(up), hidden_now(down)]),
        role("Dead", [Dead, Dead], [hidden_now(down), stays_hidden(down)]),
        role("Hangs", [Hangs, Hangs], [hidden_now(down), stays_hidden(down)]),
        role("Talks nonsense", [Breaks, Fine], [hidden_now(down), shown_now(up)]),
        role(
            "Behind a wall",
            [Wall, Wall],
            [hidden_now(Some(Verdict::Blocked)), stays_hidden(Some(Verdict::Blocked))],
        ),
        role("Certificate about to expire", [Ending, Ending], [stays_shown(up), stays_shown(up)]),
        role("Certificate expired", [Expired, Expired], [hidden_now(down), stays_hidden(down)]),
        role(
            "Points at your router",
            [ToRouter, ToRouter],
            [hidden_now(Some(Verdict::Refused)), stays_hidden(Some(Verdict::Refused))],
        ),
        Role { shown: false, ..role(WHITE_LISTED, [Dead, Dead], [shown_now(None), stays_shown(None)]) },
        Role { active: false, ..role("Not watched", [Fine, Fine], [stays_shown(None), stays_shown(None)]) },
    ]
}

fn role(name: &'static str, plays: [Play; 2], expected: [Expected; 2]) -> Role {
    Role { name, plays, active: true, shown: true, expected }
}

fn stays_shown(verdict: Option<Verdict>) -> Expected {
    Expected { verdict, shown: true, change: None }
}

fn stays_hidden(verdict: Option<Verdict>) -> Expected {
    Expected { verdict, shown: false, change: None }
}

fn hidden_now(verdict: Option<Verdict>) -> Expected {
    Expected { verdict, shown: false, change: Some(Change::Hidden) }
}

fn shown_now(verdict: Option<Verdict>) -> Expected {
    Expected { verdict, shown: true, change: Some(Change::Shown) }
}
