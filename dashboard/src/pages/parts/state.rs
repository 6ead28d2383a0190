//! States of links, runs and schedules: a word, a shape and a colour. The colour is never the only sign.

use std::fmt;

use askama::filters::HtmlSafe;
use linkbeat_shared::{Change, RunState, Verdict};
use linkbeat_store::{ScheduleState, TickOutcome};

use crate::pages::wording::Texts;

/// A state. Its word is from the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct State {
    class: &'static str,
    pub(crate) word: &'static str,
}

impl State {
    /// The verdict of a link that was checked; else it never was.
    pub(crate) fn of_link(t: &Texts, verdict: Option<Verdict>) -> Self {
        match verdict {
            Some(verdict) => Self { class: verdict.as_str(), word: verdict_word(t, verdict) },
            None => Self { class: "none", word: t.never_checked },
        }
    }

    /// What a run found; else the link is on the white list.
    pub(crate) fn of_check(t: &Texts, verdict: Option<Verdict>) -> Self {
        match verdict {
            Some(_) => Self::of_link(t, verdict),
            None => Self { class: "white_listed", word: t.white_listed },
        }
    }

    pub(crate) fn of_run(t: &Texts, state: RunState) -> Self {
        let word = match state {
            RunState::Running => t.run_running,
            RunState::Finished => t.run_finished,
            RunState::Incomplete => t.run_incomplete,
            RunState::HeldBack => t.run_held_back,
            RunState::Discarded => t.run_discarded,
            RunState::Cancelled => t.run_cancelled,
        };
        Self { class: state.as_str(), word }
    }

    pub(crate) fn of_schedule(t: &Texts, state: ScheduleState) -> Self {
        let word = match state {
            ScheduleState::Active => t.schedule_active,
            ScheduleState::Paused => t.schedule_paused,
            ScheduleState::Ended => t.schedule_ended,
        };
        Self { class: state.as_str(), word }
    }

    /// What the style sheet calls it.
    pub(crate) fn class(self) -> &'static str {
        self.class
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<span class=\"state {}\">{}</span>", self.class, self.word)
    }
}

impl HtmlSafe for State {}

/// A verdict as people say it.
pub(crate) fn verdict_word(t: &Texts, verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Up => t.verdict_up,
        Verdict::Down => t.verdict_down,
        Verdict::NoBacklink => t.verdict_no_backlink,
        Verdict::Blocked => t.verdict_blocked,
        Verdict::Refused => t.verdict_refused,
    }
}

/// What happened to a link, as people say it.
pub(crate) fn change_word(t: &Texts, change: Change) -> &'static str {
    match change {
        Change::Hidden => t.change_hidden,
        Change::Shown => t.change_shown,
    }
}

/// What became of a tick, as people say it.
pub(crate) fn outcome_word(t: &Texts, outcome: TickOutcome) -> &'static str {
    match outcome {
        TickOutcome::Fired => t.tick_fired,
        TickOutcome::ByHand => t.tick_by_hand,
        TickOutcome::Overlap => t.tick_overlap,
        TickOutcome::Missed => t.tick_missed,
        TickOutcome::Failed => t.tick_failed,
    }
}
