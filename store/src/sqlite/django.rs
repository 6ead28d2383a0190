//! The table of django-celery-results in SQLite.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::Text;

use super::connect::connect_to_theirs;
use crate::Result;
use crate::database_url::DatabaseUrl;
use crate::django::{DjangoResult, Spelling, TABLE, statement};
use crate::error::Fault;

const SPELLING: Spelling = Spelling {
    values: |columns| {
        let values: Vec<_> = columns.iter().map(|name| format!("json_extract($1, '$.{name}')")).collect();
        // Without the condition, SQLite takes ON CONFLICT for a join's.
        format!("SELECT {} WHERE true", values.join(", "))
    },
    moment: as_django_writes_it,
};

#[derive(QueryableByName)]
struct Column {
    #[diesel(sql_type = Text)]
    name: String,
}

/// Django's database.
#[derive(Debug)]
pub(crate) struct Django {
    url: DatabaseUrl,
    file: PathBuf,
}

impl Django {
    pub(crate) fn new(url: &DatabaseUrl, file: &Path) -> Self {
        Self { url: url.clone(), file: file.to_owned() }
    }

    /// The file is opened for each result: the app may replace it.
    pub(crate) async fn write(&self, result: &DjangoResult) -> Result<()> {
        let (file, result) = (self.file.clone(), result.clone());
        let written = tokio::task::spawn_blocking(move || write(&file, &result)).await;
        let written = written.unwrap_or_else(|error| Err(Fault::Unavailable(error.to_string())));
        written.map_err(|fault| fault.at(&self.url))
    }
}

fn write(file: &Path, result: &DjangoResult) -> Result<(), Fault> {
    let mut connection = connect_to_theirs(file)?;
    connection.immediate_transaction(|connection| {
        let columns = sql_query("SELECT name FROM pragma_table_info($1)").bind::<Text, _>(TABLE);
        let columns: Vec<String> =
            columns.load::<Column>(connection)?.into_iter().map(|column| column.name).collect();
        let (statement, row) = statement(result, &columns, &SPELLING)?;
        sql_query(statement).bind::<Text, _>(row).execute(connection)?;
        Ok(())
    })
}

/// In UTC, without a zone.
fn as_django_writes_it(moment: DateTime<Utc>) -> String {
    moment.format("%Y-%m-%d %H:%M:%S%.6f").to_string()
}
