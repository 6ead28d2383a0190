use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Text;

use super::connect::pending;
use super::explained;
use crate::OpenMode;
use crate::error::Fault;
use crate::inspection::{DatabaseInspection, Schema, schema};

/// How long a look waits for whoever writes, in milliseconds.
const BUSY_TIMEOUT: u32 = 2_000;

/// Looks at the file, if there is one. Blocks.
pub(crate) fn inspect(file: &Path) -> Result<DatabaseInspection, Fault> {
    look(file).map_err(explained)
}

fn look(file: &Path) -> Result<DatabaseInspection, Fault> {
    // A file that is not there would be made.
    let exists = file.exists();
    let path = if exists { file.to_str() } else { Some(":memory:") };
    let path = path.ok_or_else(|| Fault::Unavailable("its path is not UTF-8".to_owned()))?;
    let mut connection =
        SqliteConnection::establish(path).map_err(|error| Fault::Unavailable(error.to_string()))?;
    connection.batch_execute(&format!("PRAGMA busy_timeout = {BUSY_TIMEOUT}"))?;
    let version: String = diesel::select(sql::<Text>("sqlite_version()")).get_result(&mut connection)?;
    let schema = if exists { schema(pending(&mut connection, OpenMode::Migrate)) } else { Schema::NoFile };
    Ok(DatabaseInspection { version: format!("SQLite {version}"), schema, server: None })
}
