//! Opening the file.

use std::path::Path;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::result::Error;
use diesel::sql_types::Bool;
use diesel::sqlite::Sqlite;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::result_code::is_held;
use crate::error::Fault;
use crate::migrations::{self, Migrated, OpenMode};
use crate::schema::__diesel_schema_migrations::dsl::{__diesel_schema_migrations, version};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../migrations/sqlite");

/// How long a write waits for other processes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Opens the database in `file` and brings its schema up to date, or only looks whether it is.
pub(super) fn open(file: &Path, mode: OpenMode) -> Result<(SqliteConnection, Migrated), Fault> {
    if mode == OpenMode::Check && !file.exists() {
        // SQLite would make the file; what it lacks is known.
        migrations::pending::<Sqlite>(&MIGRATIONS, &[], mode)?;
    }
    let mut connection = connect(file)?;
    let mut applied = pending(&mut connection, mode)?;
    if !applied.is_empty() {
        // Looked at again, as another process may have come first.
        applied = connection.immediate_transaction(|connection| {
            let pending = pending(connection, mode)?;
            connection.run_pending_migrations(MIGRATIONS).map_err(migrations::failed)?;
            Ok::<_, Fault>(pending)
        })?;
    }
    Ok((connection, Migrated { applied }))
}

fn connect(file: &Path) -> Result<SqliteConnection, Fault> {
    let file = file.to_str().ok_or_else(|| Fault::Unavailable("its path is not UTF-8".to_owned()))?;
    let mut connection =
        SqliteConnection::establish(file).map_err(|error| Fault::Unavailable(error.to_string()))?;
    connection.batch_execute(&format!("PRAGMA busy_timeout = {}", BUSY_TIMEOUT.as_millis()))?;
    // Of effect in a file that is new. So clean-up can give room back to the disk.
    connection.batch_execute("PRAGMA auto_vacuum = INCREMENTAL")?;
    turn_wal_on(&mut connection)?;
    // `FULL` keeps what was committed through a power cut.
    connection.batch_execute("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON")?;
    Ok(connection)
}

/// Opens somebody else's database, and leaves everything about it as it is. It is not made if it is missing.
pub(super) fn connect_to_theirs(file: &Path) -> Result<SqliteConnection, Fault> {
    if !file.exists() {
        return Err(Fault::Unavailable("there is no such file".to_owned()));
    }
    let file = file.to_str().ok_or_else(|| Fault::Unavailable("its path is not UTF-8".to_owned()))?;
    let mut connection =
        SqliteConnection::establish(file).map_err(|error| Fault::Unavailable(error.to_string()))?;
    connection.batch_execute(&format!("PRAGMA busy_timeout = {}", BUSY_TIMEOUT.as_millis()))?;
    Ok(connection)
}

/// WAL lets others read while one writes. Turning it on in a new file is the one step for which SQLite does
/// not wait by itself until another process, which does the same, is through.
fn turn_wal_on(connection: &mut SqliteConnection) -> QueryResult<()> {
    let end = Instant::now() + BUSY_TIMEOUT;
    loop {
        match connection.batch_execute("PRAGMA journal_mode = WAL") {
            Err(Error::DatabaseError(_, info)) if is_held(info.message()) && Instant::now() < end => {
                std::thread::sleep(Duration::from_millis(10));
            }
            done => return done,
        }
    }
}

/// The migrations that the database lacks.
pub(super) fn pending(connection: &mut SqliteConnection, mode: OpenMode) -> Result<Vec<String>, Fault> {
    let noted = "EXISTS (SELECT 1 FROM sqlite_schema WHERE name = '__diesel_schema_migrations')";
    let applied = if diesel::select(sql::<Bool>(noted)).get_result(connection)? {
        __diesel_schema_migrations.select(version).load(connection)?
    } else {
        Vec::new()
    };
    migrations::pending::<Sqlite>(&MIGRATIONS, &applied, mode)
}
