//! What one look amounted to.

use std::fmt::Display;

use crate::exit::Failure;

/// One line for people, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// What was looked at, such as `database`: a stable word.
    pub(crate) check: &'static str,
    /// How it is.
    pub(crate) state: State,
    /// What was found.
    pub(crate) text: String,
    /// What to do; of all that is not ok.
    pub(crate) remedy: Option<String>,
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// As it should be.
    Ok,
    /// It works, but will not well or not for long.
    Warning,
    /// It does not work.
    Problem(Fault),
}

/// Where the fault lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// In linkbeat's own settings.
    Configuration,
    /// In a server or this machine.
    Infrastructure,
}

impl State {
    /// The word for it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Problem(_) => "problem",
        }
    }
}

impl Finding {
    pub(super) fn ok(check: &'static str, text: impl Into<String>) -> Self {
        Self { check, state: State::Ok, text: text.into(), remedy: None }
    }

    pub(super) fn warning(check: &'static str, text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check, state: State::Warning, text: text.into(), remedy: Some(remedy.into()) }
    }

    pub(super) fn problem(check: &'static str, text: impl Into<String>, remedy: impl Into<String>) -> Self {
        let state = State::Problem(Fault::Infrastructure);
        Self { check, state, text: text.into(), remedy: Some(remedy.into()) }
    }

    /// Our errors read "what happened; what to do".
    pub(super) fn error(check: &'static str, error: &impl Display) -> Self {
        let text = error.to_string();
        match text.rsplit_once("; ") {
            Some((what, remedy)) => Self::problem(check, what, remedy),
            None => Self::problem(check, text, "see the log of whoever answers there"),
        }
    }

    /// The same where a setting is at fault.
    pub(super) fn misconfigured(check: &'static str, error: &impl Display) -> Self {
        Self { state: State::Problem(Fault::Configuration), ..Self::error(check, error) }
    }

    /// The settings cannot be read at all.
    pub(super) fn bad_setting(failure: &Failure) -> Self {
        let (Failure::Usage(text) | Failure::Infrastructure(text)) = failure;
        let remedy = "correct it where it is set; docs/settings.md tells what each setting takes";
        Self {
            check: "settings",
            state: State::Problem(Fault::Configuration),
            text: text.clone(),
            remedy: Some(remedy.to_owned()),
        }
    }
}
