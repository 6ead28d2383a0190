//! Opening the file.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::result::Error;
use diesel::sql_types::{Bool, Text};
use diesel::sqlite::Sqlite;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::result_code::is_held;
use crate::error::Fault;
use crate::migrations::{self, Migrated, OpenMode};
use crate::schema::__diesel_schema_migrations::dsl::{__diesel_schema_migrations, version};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../migrations/sqlite");

/// How long a write waits for other processes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// How much of the file is kept in memory. What a batch of results changes should have room in it: SQLite writes what has none
/// to the disk in the middle of a transaction, and reads it again.
const CACHE_KIB: u32 = 8 << 10;

/// Opens the database in `file` and brings its schema up to date, or only looks whether it is.
pub(super) fn open(file: &Path, mode: OpenMode) -> Result<(SqliteConnection, Migrated), Fault> {
    look_at(file)?;
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

/// How each file of a SQLite database begins (<https://www.sqlite.org/fileformat.html> §1.3).
const BEGINNING: &[u8] = b"SQLite format 3\0";

/// Finds what SQLite has no clear words for.
fn look_at(file: &Path) -> Result<(), Fault> {
    let bad = |problem: String, advice| Err(Fault::BadFile { problem, advice });
    match file.metadata() {
        Ok(found) if found.is_dir() => {
            bad("it is a folder".to_owned(), "name a file in it, such as sqlite://FOLDER/linkbeat.db")
        }
        Ok(found) if found.is_file() && !begins_as_database(file) => bad(
            "the file is no SQLite database".to_owned(),
            "name another file, or a new one: linkbeat makes it. Lists are read with `linkbeat links import`",
        ),
        Err(error) if error.kind() == ErrorKind::NotFound => match file.parent() {
            Some(folder) if !folder.as_os_str().is_empty() && !folder.exists() => bad(
                format!("there is no folder {}", folder.display()),
                "make the folder, or correct the path in --database-url",
            ),
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

/// Whether the file is empty or begins as a database does. A file that cannot be read is left to SQLite.
fn begins_as_database(file: &Path) -> bool {
    let mut beginning = Vec::new();
    let read =
        File::open(file).and_then(|file| file.take(BEGINNING.len() as u64).read_to_end(&mut beginning));
    read.is_err() || beginning.is_empty() || beginning == BEGINNING
}

fn connect(file: &Path) -> Result<SqliteConnection, Fault> {
    let file = file.to_str().ok_or_else(|| Fault::Unavailable("its path is not UTF-8".to_owned()))?;
    let mut connection =
        SqliteConnection::establish(file).map_err(|error| Fault::Unavailable(error.to_string()))?;
    connection.batch_execute(&format!("PRAGMA busy_timeout = {}", BUSY_TIMEOUT.as_millis()))?;
    // Of effect in a file that is new. So clean-up can give room back to the disk.
    connection.batch_execute("PRAGMA auto_vacuum = INCREMENTAL")?;
    turn_wal_on(&mut connection)?;
    connection.batch_execute(&format!("PRAGMA cache_size = -{CACHE_KIB}"))?;
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

/// Writes a copy of the database in `file` to `copy`, as it is at one moment, while others may go on writing.
pub(super) fn backup(file: &Path, copy: &Path) -> Result<(), Fault> {
    look_at(file)?;
    let copied =
        copy.to_str().ok_or_else(|| Fault::Unavailable("the copy's path is not UTF-8".to_owned()))?;
    if copy.exists() {
        return Err(Fault::BadFile {
            problem: format!("{copied} exists already"),
            advice: "name a file that does not exist yet",
        });
    }
    let mut connection = connect_to_theirs(file)?;
    // Unlike a copy of the file, this has what the write-ahead log holds (https://www.sqlite.org/lang_vacuum.html).
    diesel::sql_query("VACUUM INTO ?").bind::<Text, _>(copied).execute(&mut connection)?;
    Ok(())
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
