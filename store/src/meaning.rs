//! What an error of a database means for the call that met it.
//!
//! Each database has a table of its own codes: `postgres/sqlstate.rs` and `sqlite/result_code.rs`.

/// What an error means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// Others were changing the same rows. The same call may succeed at once.
    Conflict,
    /// The database cannot do it now. The same call may succeed later.
    Unavailable(Obstacle),
    /// The statement or its data are at fault. The same call never succeeds.
    Refused,
    /// What is stored is damaged.
    Corrupt,
}

/// What keeps a database from being used now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// It is away, busy or ill, or its code is not in the table.
    Other,
    /// The server has no database of this name.
    NoDatabase,
    /// The server does not let this user in.
    Login,
    /// The user may not do this.
    Rights,
    /// The server takes no more connections.
    Crowded,
    /// It has no room left.
    Room,
    /// It takes no writes.
    ReadOnly,
}

impl Obstacle {
    /// What to do about it.
    pub(crate) fn advice(self) -> &'static str {
        match self {
            Self::Other => "see that it runs and has room, then try again",
            Self::NoDatabase => "create it, or correct its name in the database URL",
            Self::Login => "check user and password in the database URL, and whom the server lets in",
            Self::Rights => "grant its user what docs/database-roles.md lists",
            Self::Crowded => "end what need not be connected, or raise its max_connections",
            Self::Room => "give it room on its disk",
            Self::ReadOnly => {
                "see why it takes no writes; a standby or default_transaction_read_only do that"
            }
        }
    }
}
