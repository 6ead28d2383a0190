//! A database of one's own for each case.

use std::future::Future;
use std::sync::Arc;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{Nullable, Text};
use linkbeat_store::{DatabaseUrl, OpenMode, SharedStore, open};
use linkbeat_testbed::database::Database;
use tempfile::TempDir;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Postgres,
    Sqlite,
}

pub(crate) struct TestDatabase {
    pub(crate) kind: Kind,
    pub(crate) url: DatabaseUrl,
    /// Of SQLite.
    file: String,
    postgres: Option<Database>,
    _directory: TempDir,
}

/// Runs a case on a new, empty database, and removes it, whatever comes.
pub(crate) async fn run<F>(kind: Kind, case: fn(Arc<TestDatabase>) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let database = Arc::new(TestDatabase::create(kind).await);
    let outcome = tokio::spawn(case(database.clone())).await;
    if let Err(failure) = outcome {
        std::panic::resume_unwind(failure.into_panic());
    }
}

impl TestDatabase {
    async fn create(kind: Kind) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("test.db").to_str().unwrap().to_owned();
        let (text, postgres) = match kind {
            Kind::Postgres => {
                let postgres = Database::create("linkbeat_store").await;
                (postgres.url.clone(), Some(postgres))
            }
            Kind::Sqlite => (format!("sqlite://{file}"), None),
        };
        Self { kind, url: text.parse().unwrap(), file, postgres, _directory: directory }
    }

    /// Another set of connections, as another process would have.
    pub(crate) async fn open(&self) -> SharedStore {
        open(&self.url, OpenMode::Migrate).await.unwrap()
    }

    /// Runs statements past the store.
    pub(crate) async fn execute(&self, sql: &str) {
        match &self.postgres {
            Some(postgres) => postgres.execute(sql).await,
            None => self.sqlite().batch_execute(sql).unwrap(),
        }
    }

    /// Begins a transaction with this statement, as another process would have it under way.
    pub(crate) async fn held(&self, statement: &str) -> Held {
        let begin = format!("BEGIN; {statement}");
        if let Some(postgres) = &self.postgres {
            let client = postgres.client().await;
            client.batch_execute(&begin).await.unwrap();
            return Held::Postgres(client);
        }
        let mut connection = self.sqlite();
        connection.batch_execute(&begin).unwrap();
        Held::Sqlite(connection)
    }

    /// The one value that a query gives, as text.
    pub(crate) async fn value(&self, query: &str) -> Option<String> {
        let query = format!("SELECT CAST(({query}) AS text) AS value");
        if let Some(postgres) = &self.postgres {
            return postgres.client().await.query_one(&query, &[]).await.unwrap().get(0);
        }
        let rows: Vec<Value> = diesel::sql_query(query).load(&mut self.sqlite()).unwrap();
        rows.into_iter().next().unwrap().value
    }

    pub(crate) fn file_exists(&self) -> bool {
        std::path::Path::new(&self.file).exists()
    }

    fn sqlite(&self) -> SqliteConnection {
        let mut connection = SqliteConnection::establish(&self.file).unwrap();
        connection.batch_execute("PRAGMA busy_timeout = 10000").unwrap();
        connection
    }
}

/// A transaction under way.
pub(crate) enum Held {
    Postgres(tokio_postgres::Client),
    Sqlite(SqliteConnection),
}

impl Held {
    pub(crate) async fn commit(self) {
        match self {
            Self::Postgres(client) => client.batch_execute("COMMIT").await.unwrap(),
            Self::Sqlite(mut connection) => connection.batch_execute("COMMIT").unwrap(),
        }
    }
}

#[derive(QueryableByName)]
struct Value {
    #[diesel(sql_type = Nullable<Text>)]
    value: Option<String>,
}
