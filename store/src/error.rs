//! What can go wrong with a database, and whether trying again may help.

use diesel::result::{DatabaseErrorKind, Error};
use linkbeat_vitals::UnderWay;

use crate::account::OverLimit;
use crate::cursor::BadCursor;
use crate::meaning::{Meaning, Obstacle};

/// Why the database did not do what it was asked. URLs in it never carry passwords.
///
/// The text says what happened. [`StoreError::advice`] says what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Not a database URL.
    #[error("the database URL is not usable: {0}")]
    BadUrl(String),
    /// It cannot be reached, does not let us in, does not answer in time, is locked, or has no room left.
    #[error("the database {database} cannot be used now: {problem}")]
    Unavailable {
        /// Its URL.
        database: String,
        /// What happened.
        problem: String,
        /// What keeps it from being used.
        obstacle: Obstacle,
    },
    /// Its file cannot be a database, whatever time passes.
    #[error("the database {database} cannot be opened: {problem}")]
    BadFile {
        /// Its URL.
        database: String,
        /// What is wrong.
        problem: String,
        /// What to do about it.
        advice: &'static str,
    },
    /// A newer linkbeat has migrated it.
    #[error("the database {database} has the schema {found}, but this linkbeat knows none after {known}")]
    NewerSchema {
        /// Its URL.
        database: String,
        /// The newest migration that was applied to it.
        found: String,
        /// The newest migration that this linkbeat knows.
        known: String,
    },
    /// Migrations are pending.
    #[error("the database {database} lacks the schema {missing}")]
    OlderSchema {
        /// Its URL.
        database: String,
        /// The first migration that was not applied to it.
        missing: String,
    },
    /// Others kept changing the same rows.
    #[error("others were changing the same rows of the database {database}")]
    Conflict {
        /// Its URL.
        database: String,
    },
    /// An app asked for more than it may.
    #[error(transparent)]
    OverLimit(#[from] OverLimit),
    /// The page that is asked for is none of this list.
    #[error(transparent)]
    BadCursor(#[from] BadCursor),
    /// A stored value that this linkbeat cannot read.
    #[error("the database {database} holds something unreadable: {what}")]
    Corrupt {
        /// Its URL.
        database: String,
        /// Which value.
        what: String,
    },
    /// The database refused a statement. A fault of linkbeat, or of the database's set-up.
    #[error("the database {database} refused a statement: {problem}")]
    Query {
        /// Its URL.
        database: String,
        /// What it said.
        problem: String,
    },
}

impl StoreError {
    /// Whether the same call may succeed later, with nothing changed by anybody but time.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Conflict { .. })
    }

    /// What to do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::BadUrl(_) => {
                "write sqlite://PATH, sqlite::memory: or postgres://USER:PASSWORD@HOST:PORT/DATABASE"
            }
            Self::Unavailable { obstacle, .. } => obstacle.advice(),
            Self::BadFile { advice, .. } => advice,
            Self::NewerSchema { .. } => "use a newer linkbeat",
            Self::OlderSchema { .. } => "run `linkbeat migrate`",
            Self::Conflict { .. } => "try again",
            Self::OverLimit(_) => "ask for less, or later",
            Self::BadCursor(_) => "begin with the first page",
            Self::Corrupt { .. } => "was it changed by hand?",
            Self::Query { .. } => "this should not happen, please report it",
        }
    }
}

/// Counts a call as succeeded unless the database could not be used.
pub(crate) fn counted<T>(under_way: UnderWay, done: Result<T, StoreError>) -> Result<T, StoreError> {
    match &done {
        Err(StoreError::Unavailable { problem, .. }) => under_way.fail(problem),
        _ => under_way.succeed(),
    }
    done
}

/// What goes wrong inside; where it did is added at the crate's edge.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error(transparent)]
    Database(#[from] Error),
    /// What the database itself reported, with what its code means.
    #[error("{problem}")]
    Failed { meaning: Meaning, problem: String },
    #[error("{0}")]
    Unavailable(String),
    #[error("{0}")]
    BadUrl(String),
    #[error("{problem}")]
    BadFile { problem: String, advice: &'static str },
    #[error("others were changing the same rows")]
    Conflict,
    #[error(transparent)]
    OverLimit(OverLimit),
    #[error(transparent)]
    BadCursor(#[from] BadCursor),
    #[error("{0}")]
    Corrupt(String),
    #[error("{0}")]
    Refused(String),
    /// A migration failed. diesel's text names it, and ends with what the database said.
    #[error("{0}")]
    Migration(String),
    #[error("schema {found} is newer than {known}")]
    NewerSchema { found: String, known: String },
    #[error("schema {missing} is missing")]
    OlderSchema { missing: String },
}

impl Fault {
    /// The same, with what the database's code means. `meaning` gets the text that the database reported. Faults that it
    /// did not report stay as they are.
    pub(crate) fn explained(self, meaning: impl FnOnce(&str) -> Meaning) -> Self {
        match self {
            Self::Database(error) => match reported(&error) {
                Some(problem) => Self::Failed { meaning: meaning(problem), problem: problem.to_owned() },
                None => Self::Database(error),
            },
            Self::Migration(problem) => {
                let said = problem.split_once(" with: ").map_or(problem.as_str(), |(_, said)| said);
                Self::Failed { meaning: meaning(said), problem }
            }
            other => other,
        }
    }

    /// The same as an error of this database.
    pub(crate) fn at(self, database: &impl ToString) -> StoreError {
        let database = database.to_string();
        match self {
            Self::Database(error) => unexplained(error, database),
            Self::Failed { meaning, problem } => failed(meaning, problem, database),
            Self::BadUrl(problem) => StoreError::BadUrl(problem),
            Self::BadFile { problem, advice } => StoreError::BadFile { database, problem, advice },
            Self::Unavailable(problem) => {
                StoreError::Unavailable { database, problem, obstacle: Obstacle::Other }
            }
            Self::Conflict => StoreError::Conflict { database },
            Self::OverLimit(limit) => StoreError::OverLimit(limit),
            Self::BadCursor(bad) => StoreError::BadCursor(bad),
            Self::Corrupt(what) => StoreError::Corrupt { database, what },
            Self::Refused(problem) | Self::Migration(problem) => StoreError::Query { database, problem },
            Self::NewerSchema { found, known } => StoreError::NewerSchema { database, found, known },
            Self::OlderSchema { missing } => StoreError::OlderSchema { database, missing },
        }
    }
}

/// What the database reported. `None` if it said nothing, as when the connection is lost.
fn reported(error: &Error) -> Option<&str> {
    match error {
        Error::DatabaseError(
            DatabaseErrorKind::UnableToSendCommand | DatabaseErrorKind::ClosedConnection,
            _,
        ) => None,
        Error::DatabaseError(_, info) => Some(info.message()),
        Error::RollbackErrorOnCommit { commit_error, .. } => reported(commit_error),
        _ => None,
    }
}

fn failed(meaning: Meaning, problem: String, database: String) -> StoreError {
    match meaning {
        Meaning::Conflict => StoreError::Conflict { database },
        Meaning::Unavailable(obstacle) => StoreError::Unavailable { database, problem, obstacle },
        Meaning::Refused => StoreError::Query { database, problem },
        Meaning::Corrupt => StoreError::Corrupt { database, what: problem },
    }
}

/// An error that the database did not report.
fn unexplained(error: Error, database: String) -> StoreError {
    let lost = |problem: &str| {
        let problem = problem.to_owned();
        failed(Meaning::Unavailable(Obstacle::Other), problem, database.clone())
    };
    match error {
        Error::DatabaseError(_, info) => lost(info.message()),
        Error::BrokenTransactionManager => lost("the connection was lost"),
        Error::RollbackErrorOnCommit { commit_error, .. } => unexplained(*commit_error, database),
        Error::DeserializationError(error) => StoreError::Corrupt { database, what: error.to_string() },
        other => StoreError::Query { database, problem: other.to_string() },
    }
}
