//! How a command ends: with an exit status, or with an error that says what to do about it.

use std::fmt;
use std::process::ExitCode;

use linkbeat_broker::{BadBrokerTls, BrokerClosed, ConnectError, PublishError};
use linkbeat_dashboard::Unprotected;
use linkbeat_producer::ProducerError;
use linkbeat_store::StoreError;
use linkbeat_worker::SetupError;

use crate::input::InputError;

/// An end without an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// 0: done, and every link passed.
    Passed,
    /// 1: some link did not pass, or has no result because the run goes on or was cancelled.
    SomeFailed,
    /// 130: interrupted by a signal.
    Interrupted,
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        match status {
            Status::Passed => Self::SUCCESS,
            Status::SomeFailed => Self::from(1),
            Status::Interrupted => Self::from(130),
        }
    }
}

/// Where the fault lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// In the command line, a setting, or the input.
    Usage,
    /// In the broker, the database, or this machine.
    Infrastructure,
}

/// An end with an error. As text: the problem, then the advice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Where the fault lies; it decides the exit status.
    pub(crate) fault: Fault,
    /// What happened, and where.
    pub(crate) problem: String,
    /// What to do about it.
    pub(crate) advice: Option<String>,
    /// The path of the setting at fault, such as `check.timeout`.
    pub(crate) setting: Option<String>,
}

impl Failure {
    pub(crate) fn usage(problem: impl Into<String>) -> Self {
        Self { fault: Fault::Usage, problem: problem.into(), advice: None, setting: None }
    }

    pub(crate) fn infrastructure(problem: impl Into<String>) -> Self {
        Self { fault: Fault::Infrastructure, ..Self::usage(problem) }
    }

    /// The same with advice.
    pub(crate) fn advise(self, advice: impl Into<String>) -> Self {
        Self { advice: Some(advice.into()), ..self }
    }

    /// The same with advice, where there is any.
    fn advised(self, advice: Option<impl Into<String>>) -> Self {
        Self { advice: advice.map(Into::into), ..self }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.advice {
            None => f.write_str(&self.problem),
            Some(advice) if self.problem.contains('\n') => write!(f, "{}\n{advice}", self.problem),
            Some(advice) => write!(f, "{}; {advice}", self.problem),
        }
    }
}

impl From<&Failure> for ExitCode {
    /// 2 or 3.
    fn from(failure: &Failure) -> Self {
        match failure.fault {
            Fault::Usage => Self::from(2),
            Fault::Infrastructure => Self::from(3),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let failure = match error {
            StoreError::BadUrl(_) | StoreError::BadFile { .. } => Self::usage(error.to_string()),
            _ => Self::infrastructure(error.to_string()),
        };
        failure.advise(error.advice())
    }
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        Self::infrastructure(error.to_string()).advised(error.advice())
    }
}

impl From<BadBrokerTls> for Failure {
    fn from(error: BadBrokerTls) -> Self {
        Self::usage(error.to_string()).advised(error.advice())
    }
}

impl From<SetupError> for Failure {
    fn from(error: SetupError) -> Self {
        Self::usage(error.to_string()).advised(error.advice())
    }
}

impl From<Unprotected> for Failure {
    fn from(error: Unprotected) -> Self {
        match error {
            Unprotected::Open(_) => Self::usage(error.to_string()).advise(error.advice()),
            Unprotected::Store(error) => error.into(),
        }
    }
}

impl From<InputError> for Failure {
    fn from(error: InputError) -> Self {
        Self::usage(error.to_string()).advised(error.advice())
    }
}

impl From<ProducerError> for Failure {
    fn from(error: ProducerError) -> Self {
        match error {
            ProducerError::Store(error) => error.into(),
            ProducerError::Publish(error) => error.into(),
        }
    }
}

impl From<PublishError> for Failure {
    fn from(error: PublishError) -> Self {
        Self::infrastructure(error.to_string())
    }
}

impl From<BrokerClosed> for Failure {
    fn from(error: BrokerClosed) -> Self {
        Self::infrastructure(error.to_string())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::infrastructure(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_shows_the_problem_and_the_advice() {
        let failure = Failure::usage("there is no run 7").advise("see `linkbeat runs list`");
        assert_eq!(failure.to_string(), "there is no run 7; see `linkbeat runs list`");
        let listed = Failure::usage("2 bad rows:\n  a:1\n  a:2").advise("Correct them");
        assert_eq!(listed.to_string(), "2 bad rows:\n  a:1\n  a:2\nCorrect them");
    }

    #[test]
    fn the_advice_of_an_error_is_kept() {
        let failure = Failure::from(StoreError::Conflict { database: "sqlite://a.db".to_owned() });
        assert_eq!((failure.fault, failure.advice.as_deref()), (Fault::Infrastructure, Some("try again")));
        let failure = Failure::from("mysql://me".parse::<linkbeat_store::DatabaseUrl>().unwrap_err());
        assert!(failure.fault == Fault::Usage && failure.advice.unwrap().contains("postgres://"));
    }
}
