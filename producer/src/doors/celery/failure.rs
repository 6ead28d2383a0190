//! How a task ends that leads to no run: as an exception in Python.
//!
//! The kinds are few, because exporters make a label of each. A message says what to mend.

use serde_json::{Value, json};

/// The kinds of exceptions that callers meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The arguments do not fit the task.
    Type,
    /// An argument, or the message itself, has a value that cannot be used.
    Value,
    /// linkbeat does not have this task.
    NotRegistered,
    /// The task asks for something that linkbeat does not do.
    NotImplemented,
    /// Our own fault.
    Runtime,
    /// Somebody called it off, or it is out of date.
    Revoked,
}

impl Kind {
    /// The exception's class, and its module. Python finds each of them.
    fn class(self) -> (&'static str, &'static str) {
        match self {
            Self::Type => ("TypeError", "builtins"),
            Self::Value => ("ValueError", "builtins"),
            Self::NotRegistered => ("NotRegistered", "celery.exceptions"),
            Self::NotImplemented => ("NotImplementedError", "builtins"),
            Self::Runtime => ("RuntimeError", "builtins"),
            Self::Revoked => ("TaskRevokedError", "celery.exceptions"),
        }
    }
}

/// An exception in Python.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    kind: Kind,
    message: String,
}

impl Failure {
    pub(super) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    pub(super) fn type_error(message: impl Into<String>) -> Self {
        Self::new(Kind::Type, message)
    }

    pub(super) fn value_error(message: impl Into<String>) -> Self {
        Self::new(Kind::Value, message)
    }

    pub(super) fn is_revoked(&self) -> bool {
        self.kind == Kind::Revoked
    }

    /// As Celery writes exceptions in JSON.
    pub(super) fn to_json(&self) -> Value {
        let (name, module) = self.kind.class();
        json!({ "exc_type": name, "exc_message": [self.message], "exc_module": module })
    }
}
