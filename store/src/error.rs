//! What can go wrong with a database, and whether trying again may help.

use diesel::result::{DatabaseErrorKind, Error};
use linkbeat_vitals::UnderWay;

use crate::asker::OverLimit;

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
            Self::Unavailable { problem, .. } => advice_on(problem),
            Self::NewerSchema { .. } => "use a newer linkbeat",
            Self::OlderSchema { .. } => "run `linkbeat migrate`",
            Self::Conflict { .. } => "try again",
            Self::OverLimit(_) => "ask for less, or later",
            Self::Corrupt { .. } => "was it changed by hand?",
            Self::Query { .. } => "this should not happen, please report it",
        }
    }
}

/// What to do about a database that cannot be used. Only the server's own words tell the cases apart.
fn advice_on(problem: &str) -> &'static str {
    let has = |words: &str| problem.contains(words);
    if has("database \"") && has("does not exist") {
        "create it, or correct its name in the database URL"
    } else if has("authentication failed") || has("pg_hba.conf") || (has("role \"") && has("does not exist"))
    {
        "check user and password in the database URL, and whom the server lets in"
    } else if has("permission denied") {
        "grant its user what docs/database-roles.md lists"
    } else {
        "see that it runs and has room, then try again"
    }
}

/// Counts a call as succeeded unless the database could not be used.
pub(crate) fn counted<T>(under_way: UnderWay, done: Result<T, StoreError>) -> Result<T, StoreError> {
    if !matches!(done, Err(StoreError::Unavailable { .. })) {
        under_way.succeed();
    }
    done
}

/// What goes wrong inside; where it did is added at the crate's edge.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error(transparent)]
    Database(#[from] Error),
    #[error("{0}")]
    Unavailable(String),
    #[error("{0}")]
    BadTls(String),
    #[error("others were changing the same rows")]
    Conflict,
    #[error(transparent)]
    OverLimit(OverLimit),
    #[error("{0}")]
    Corrupt(String),
    #[error("{0}")]
    Refused(String),
    #[error("schema {found} is newer than {known}")]
    NewerSchema { found: String, known: String },
    #[error("schema {missing} is missing")]
    OlderSchema { missing: String },
}

impl Fault {
    /// The same as an error of this database.
    pub(crate) fn at(self, database: &impl ToString) -> StoreError {
        let database = database.to_string();
        match self {
            Self::Database(error) => classify(error, database),
            Self::BadTls(problem) => StoreError::BadUrl(problem),
            Self::Unavailable(problem) => StoreError::Unavailable { database, problem },
            Self::Conflict => StoreError::Conflict { database },
            Self::OverLimit(limit) => StoreError::OverLimit(limit),
            Self::Corrupt(what) => StoreError::Corrupt { database, what },
            Self::Refused(problem) => StoreError::Query { database, problem },
            Self::NewerSchema { found, known } => StoreError::NewerSchema { database, found, known },
            Self::OlderSchema { missing } => StoreError::OlderSchema { database, missing },
        }
    }
}

/// What the databases say when it is neither the statement's nor the data's fault, so that the same may succeed once
/// time has passed or somebody has acted: diesel gives no
/// SQLSTATE, so their words must do. In another language they read as [`StoreError::Query`].
const TRANSIENT: [&str; 19] = [
    "permission denied",
    "terminating connection",
    "shutting down",
    "starting up",
    "recovery",
    "statement timeout",
    "lock timeout",
    "idle-in-transaction timeout",
    "too many",
    "connection slots",
    "no space left",
    "out of memory",
    "could not extend",
    "could not write",
    "is locked",
    "disk i/o error",
    "disk is full",
    "unable to open",
    "readonly database",
];

fn classify(error: Error, database: String) -> StoreError {
    let (kind, problem) = match error {
        Error::DatabaseError(kind, info) => (kind, info.message().to_owned()),
        Error::DeserializationError(error) => {
            return StoreError::Corrupt { database, what: error.to_string() };
        }
        Error::RollbackErrorOnCommit { commit_error, .. } => return classify(*commit_error, database),
        Error::BrokenTransactionManager => {
            (DatabaseErrorKind::ClosedConnection, "the connection was lost".to_owned())
        }
        other => return StoreError::Query { database, problem: other.to_string() },
    };
    let words = problem.to_lowercase();
    match kind {
        DatabaseErrorKind::SerializationFailure => StoreError::Conflict { database },
        _ if words.contains("deadlock detected") => StoreError::Conflict { database },
        DatabaseErrorKind::UnableToSendCommand
        | DatabaseErrorKind::ClosedConnection
        | DatabaseErrorKind::ReadOnlyTransaction => StoreError::Unavailable { database, problem },
        DatabaseErrorKind::Unknown if TRANSIENT.iter().any(|word| words.contains(word)) => {
            StoreError::Unavailable { database, problem }
        }
        _ => StoreError::Query { database, problem },
    }
}

#[cfg(test)]
mod tests {
    use diesel::connection::SimpleConnection;
    use diesel::prelude::*;

    use super::*;

    fn refusal(connection: &mut SqliteConnection, statements: &str) -> StoreError {
        let error = connection.batch_execute(statements).unwrap_err();
        Fault::from(error).at(&"sqlite://test.db")
    }

    #[test]
    fn a_full_database_is_a_matter_of_time() {
        let mut connection = SqliteConnection::establish(":memory:").unwrap();
        let fill = "PRAGMA max_page_count = 10; CREATE TABLE t (x); INSERT INTO t VALUES (zeroblob(1000000))";
        let error = refusal(&mut connection, fill);
        assert!(error.is_transient() && error.to_string().contains("full"), "{error}");
    }

    #[test]
    fn a_locked_database_is_a_matter_of_time() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        let (mut one, mut other) =
            (SqliteConnection::establish(path).unwrap(), SqliteConnection::establish(path).unwrap());
        one.batch_execute("BEGIN IMMEDIATE").unwrap();
        let error = refusal(&mut other, "BEGIN IMMEDIATE");
        assert!(error.is_transient() && error.to_string().contains("locked"), "{error}");
    }

    #[test]
    fn each_cause_of_an_unusable_database_has_its_own_advice() {
        let advice = |problem: &str| {
            let (database, problem) = ("postgres://db/links".to_owned(), problem.to_owned());
            StoreError::Unavailable { database, problem }.advice()
        };
        assert!(advice("database \"links\" does not exist").starts_with("create it"));
        assert!(advice("password authentication failed for user \"me\"").starts_with("check user"));
        assert!(advice("role \"me\" does not exist").starts_with("check user"));
        assert!(advice("permission denied for table links").starts_with("grant"));
        assert!(advice("Connection refused").starts_with("see that it runs"));
    }

    #[test]
    fn a_bad_statement_is_nothing_that_time_heals() {
        let mut connection = SqliteConnection::establish(":memory:").unwrap();
        let error = refusal(&mut connection, "SELECT * FROM nothing");
        assert!(matches!(error, StoreError::Query { .. }) && !error.is_transient(), "{error}");
        let broken = "CREATE TABLE t (x UNIQUE); INSERT INTO t VALUES (1), (1)";
        assert!(matches!(refusal(&mut connection, broken), StoreError::Query { .. }));
    }
}
