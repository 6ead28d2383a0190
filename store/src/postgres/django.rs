//! The table of django-celery-results in PostgreSQL.

use diesel::QueryableByName;
use diesel::sql_query;
use diesel::sql_types::Text;
use diesel_async::RunQueryDsl;

use super::pool::Pool;
use crate::database_url::DatabaseUrl;
use crate::django::{DjangoResult, Spelling, TABLE, iso, statement};
use crate::server::Server;
use crate::{Result, Work};

const SPELLING: Spelling = Spelling {
    values: |columns| {
        format!("SELECT {} FROM jsonb_populate_record(NULL::{TABLE}, $1::jsonb)", columns.join(", "))
    },
    moment: iso,
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
    pool: Pool,
}

impl Django {
    pub(crate) fn new(url: &DatabaseUrl, server: &Server) -> Result<Self> {
        let pool = Pool::new(server.clone()).map_err(|fault| fault.at(url))?;
        Ok(Self { url: url.clone(), pool })
    }

    pub(crate) async fn write(&self, result: &DjangoResult) -> Result<()> {
        let write = async |connection: &mut super::Connection| {
            let columns = sql_query(
                "SELECT column_name::text AS name FROM information_schema.columns
                 WHERE table_name = $1 AND table_schema = ANY (current_schemas(false)::text[])",
            );
            let columns: Vec<Column> = columns.bind::<Text, _>(TABLE).load(connection).await?;
            let columns: Vec<String> = columns.into_iter().map(|column| column.name).collect();
            let (statement, row) = statement(result, &columns, &SPELLING)?;
            sql_query(statement).bind::<Text, _>(row).execute(connection).await?;
            Ok(())
        };
        self.pool.transaction(Work::Write, write).await.map_err(|fault| fault.at(&self.url))
    }
}
