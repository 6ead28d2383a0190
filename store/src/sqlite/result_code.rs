//! What SQLite's result codes mean: <https://www.sqlite.org/rescode.html>.
//!
//! diesel passes on the text of an error, but not its code, and lets nobody ask SQLite for it. SQLite speaks English
//! only, and each of these texts belongs to one code (`sqlite3ErrStr` in SQLite's `main.c`). The name of a table or of
//! a file may follow. All other texts are of statements and their data, which time does not heal.

use std::ffi::c_int;

use libsqlite3_sys as sqlite;

use crate::meaning::{Meaning, Obstacle};

const OTHER: Meaning = Meaning::Unavailable(Obstacle::Other);

/// How a text begins, whose code it is, and what that means.
const TABLE: [(&str, c_int, Meaning); 14] = [
    ("access permission denied", sqlite::SQLITE_PERM, OTHER),
    ("query aborted", sqlite::SQLITE_ABORT, OTHER),
    ("database is locked", sqlite::SQLITE_BUSY, OTHER),
    ("database table is locked", sqlite::SQLITE_LOCKED, OTHER),
    ("database schema is locked", sqlite::SQLITE_LOCKED, OTHER),
    ("out of memory", sqlite::SQLITE_NOMEM, OTHER),
    (
        "attempt to write a readonly database",
        sqlite::SQLITE_READONLY,
        Meaning::Unavailable(Obstacle::ReadOnly),
    ),
    ("interrupted", sqlite::SQLITE_INTERRUPT, OTHER),
    ("disk I/O error", sqlite::SQLITE_IOERR, OTHER),
    ("database disk image is malformed", sqlite::SQLITE_CORRUPT, Meaning::Corrupt),
    ("database or disk is full", sqlite::SQLITE_FULL, Meaning::Unavailable(Obstacle::Room)),
    ("unable to open database", sqlite::SQLITE_CANTOPEN, OTHER),
    ("locking protocol", sqlite::SQLITE_PROTOCOL, OTHER),
    ("database schema has changed", sqlite::SQLITE_SCHEMA, OTHER),
];

/// What the code of this text means.
pub(super) fn meaning(text: &str) -> Meaning {
    entry(text).map_or(Meaning::Refused, |(_, _, meaning)| *meaning)
}

/// Whether somebody else holds what is wanted.
pub(super) fn is_held(text: &str) -> bool {
    entry(text).is_some_and(|(_, code, _)| [sqlite::SQLITE_BUSY, sqlite::SQLITE_LOCKED].contains(code))
}

fn entry(text: &str) -> Option<&'static (&'static str, c_int, Meaning)> {
    TABLE.iter().find(|(begin, ..)| text.starts_with(begin))
}

#[cfg(test)]
mod tests {
    use diesel::connection::SimpleConnection;
    use diesel::prelude::*;
    use diesel::result::Error;

    use super::*;

    /// What SQLite says of the last of these statements, and what that means.
    fn refusal(connection: &mut SqliteConnection, statements: &str) -> (Meaning, String) {
        let Err(Error::DatabaseError(_, info)) = connection.batch_execute(statements) else {
            panic!("{statements} was not refused")
        };
        (meaning(info.message()), info.message().to_owned())
    }

    fn memory() -> SqliteConnection {
        SqliteConnection::establish(":memory:").unwrap()
    }

    #[test]
    fn a_full_database_is_a_matter_of_time() {
        let fill = "PRAGMA max_page_count = 10; CREATE TABLE t (x); INSERT INTO t VALUES (zeroblob(1000000))";
        assert_eq!(refusal(&mut memory(), fill).0, Meaning::Unavailable(Obstacle::Room));
    }

    #[test]
    fn a_locked_database_is_a_matter_of_time() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        let (mut one, mut other) =
            (SqliteConnection::establish(path).unwrap(), SqliteConnection::establish(path).unwrap());
        one.batch_execute("BEGIN IMMEDIATE").unwrap();
        let (meaning, text) = refusal(&mut other, "BEGIN IMMEDIATE");
        assert!(meaning == OTHER && is_held(&text), "{text}");
    }

    #[test]
    fn a_database_that_takes_no_writes_is_a_matter_of_time() {
        let write = "PRAGMA query_only = ON; CREATE TABLE t (x)";
        assert_eq!(refusal(&mut memory(), write).0, Meaning::Unavailable(Obstacle::ReadOnly));
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_a_matter_of_time() {
        assert_eq!(refusal(&mut memory(), "ATTACH '/no/such/folder/a.db' AS a").0, OTHER);
    }

    #[test]
    fn a_damaged_file_is_damaged() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        let fill = "CREATE TABLE t (x); WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900)
                    INSERT INTO t SELECT hex(randomblob(50)) FROM n";
        SqliteConnection::establish(path).unwrap().batch_execute(fill).unwrap();
        let mut bytes = std::fs::read(path).unwrap();
        bytes[4_096..].fill(0xab);
        std::fs::write(path, bytes).unwrap();
        let read = "SELECT count(x) FROM t WHERE x > 'a'; UPDATE t SET x = 'b'";
        assert_eq!(refusal(&mut SqliteConnection::establish(path).unwrap(), read).0, Meaning::Corrupt);
    }

    #[test]
    fn a_bad_statement_is_nothing_that_time_heals() {
        let broken = "CREATE TABLE t (x UNIQUE); INSERT INTO t VALUES (1), (1)";
        for statements in ["SELECT * FROM nothing", broken, "SELECT FROM WHERE"] {
            assert_eq!(refusal(&mut memory(), statements).0, Meaning::Refused, "{statements}");
        }
    }
}
