//! Opening the file.

use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use diesel::sqlite::Sqlite;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::error::Fault;
use crate::migrations::{self, Migrated, OpenMode};
use crate::schema::__diesel_schema_migrations::dsl::{__diesel_schema_migrations, version};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../migrations/sqlite");

/// WAL lets other processes read while one writes; `FULL` keeps what was committed through a power cut.
/// A write waits up to 10 s for other processes.
const PRAGMAS: &str = "
    PRAGMA busy_timeout = 10000;
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA foreign_keys = ON;
";

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
    connection.batch_execute(PRAGMAS)?;
    Ok(connection)
}

fn pending(connection: &mut SqliteConnection, mode: OpenMode) -> Result<Vec<String>, Fault> {
    let noted = "EXISTS (SELECT 1 FROM sqlite_schema WHERE name = '__diesel_schema_migrations')";
    let applied = if diesel::select(sql::<Bool>(noted)).get_result(connection)? {
        __diesel_schema_migrations.select(version).load(connection)?
    } else {
        Vec::new()
    };
    migrations::pending::<Sqlite>(&MIGRATIONS, &applied, mode)
}
