//! How a command ends: the exit status and the one message for people.

use std::process::ExitCode;

use linkbeat_broker::{BadBrokerUrl, BrokerClosed, PublishError};
use linkbeat_producer::ProducerError;
use linkbeat_store::StoreError;

use crate::logging;

/// An end without an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// 0: done, and every link passed.
    Passed,
    /// 1: some link did not pass, or has no result, because the run goes on or was cancelled.
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

/// An end with an error: what happened, where, and what to do, in whole sentences.
#[derive(Debug)]
pub(crate) enum Failure {
    /// 2: usage, configuration or input.
    Usage(String),
    /// 3: broker, database or other infrastructure.
    Infrastructure(String),
}

impl Failure {
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::Usage(message.into())
    }

    pub(crate) fn infrastructure(message: impl Into<String>) -> Self {
        Self::Infrastructure(message.into())
    }
}

/// Writes the failure on standard error and gives its exit status.
pub(crate) fn report(failure: &Failure) -> ExitCode {
    let (message, code) = match failure {
        Failure::Usage(message) => (message, 2),
        Failure::Infrastructure(message) => (message, 3),
    };
    logging::say_error(message);
    ExitCode::from(code)
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::BadUrl { .. } => Self::usage(error.to_string()),
            _ => Self::infrastructure(error.to_string()),
        }
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

impl From<BadBrokerUrl> for Failure {
    fn from(error: BadBrokerUrl) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::infrastructure(error.to_string())
    }
}
