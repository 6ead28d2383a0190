//! What inspecting a database finds.

use chrono::TimeDelta;

use crate::error::Fault;

/// What inspecting a database found.
#[derive(Debug, Clone, PartialEq)]
pub struct DatabaseInspection {
    /// What it is, such as `PostgreSQL 15.18`.
    pub version: String,
    /// Which migrations it has.
    pub schema: Schema,
    /// What only a server has; `None` for SQLite.
    pub server: Option<ServerInspection>,
}

/// Whether this linkbeat can work with a database's tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Schema {
    /// There is no file yet. Whoever needs it makes it.
    NoFile,
    /// It has every migration.
    Current,
    /// It lacks these migrations, oldest first.
    Pending(Vec<String>),
    /// A newer linkbeat has migrated it.
    Newer {
        /// The newest migration that it has.
        found: String,
        /// The newest migration that this linkbeat knows.
        known: String,
    },
    /// It could not be read. This is what the database said.
    Unclear(String),
}

/// What is known of a server.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerInspection {
    /// As whom we are logged in.
    pub user: String,
    /// The version of TLS that is spoken; `None`: in the clear.
    pub tls: Option<String>,
    /// It takes no writes, as a standby does.
    pub read_only: bool,
    /// How far its clock is ahead of this machine's. Half the round trip is not known of it.
    pub clock_ahead: TimeDelta,
    /// How long the question about its clock took.
    pub round_trip: TimeDelta,
    /// What the user may do with each table and view.
    pub rights: Vec<TableRights>,
}

/// What a user may do with a table, a view or a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableRights {
    /// Its name; that of a function ends with `()`.
    pub table: String,
    /// `SELECT`, `INSERT`, `UPDATE`, `DELETE`, `EXECUTE`: those granted.
    pub granted: Vec<&'static str>,
}

/// What the search for pending migrations amounts to.
pub(crate) fn schema(pending: std::result::Result<Vec<String>, Fault>) -> Schema {
    match pending {
        Ok(pending) if pending.is_empty() => Schema::Current,
        Ok(pending) => Schema::Pending(pending),
        Err(Fault::NewerSchema { found, known }) => Schema::Newer { found, known },
        Err(fault) => Schema::Unclear(fault.to_string()),
    }
}
