//! What a check of the doctor's amounted to.

use crate::exit::{Failure, Fault};

/// One line for people, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// What was checked, such as `database`: a stable word.
    pub(crate) check: &'static str,
    /// How it is.
    pub(crate) state: State,
    /// What was found.
    pub(crate) text: String,
    /// What to do. Everything that is not ok has a remedy.
    pub(crate) remedy: Option<String>,
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// As it should be.
    Ok,
    /// It works, but not well, or not for long.
    Warning,
    /// It does not work.
    Problem(Fault),
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
    pub(crate) fn ok(check: &'static str, text: impl Into<String>) -> Self {
        Self { check, state: State::Ok, text: text.into(), remedy: None }
    }

    pub(crate) fn warning(check: &'static str, text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check, state: State::Warning, text: text.into(), remedy: Some(remedy.into()) }
    }

    /// A server or this machine does not work.
    pub(crate) fn problem(check: &'static str, text: impl Into<String>, remedy: impl Into<String>) -> Self {
        let state = State::Problem(Fault::Infrastructure);
        Self { check, state, text: text.into(), remedy: Some(remedy.into()) }
    }

    /// What a command would have ended with.
    pub(crate) fn failure(check: &'static str, failure: Failure) -> Self {
        let remedy = failure.advice.unwrap_or_else(|| "see the log of whoever answers there".to_owned());
        let state = State::Problem(failure.fault);
        Self { check, state, text: failure.problem, remedy: Some(remedy) }
    }
}
