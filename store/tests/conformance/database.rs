//! A database of one's own for each case.

use std::future::Future;
use std::sync::Arc;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{Nullable, Text};
use linkbeat_store::{DatabaseUrl, OpenMode, SharedStore, open};
use tempfile::TempDir;
use tokio_postgres::NoTls;
use uuid::Uuid;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Postgres,
    Sqlite,
}

pub(crate) struct TestDatabase {
    pub(crate) kind: Kind,
    pub(crate) url: DatabaseUrl,
    text: String,
    /// PostgreSQL: the name of the database. SQLite: where its file is.
    name: String,
    _directory: TempDir,
}

/// Runs a case on a new, empty database, and removes it, whatever comes.
pub(crate) async fn run<F>(kind: Kind, case: fn(Arc<TestDatabase>) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let database = Arc::new(TestDatabase::create(kind).await);
    let outcome = tokio::spawn(case(database.clone())).await;
    if kind == Kind::Postgres {
        admin(&format!("DROP DATABASE {} WITH (FORCE)", database.name)).await;
    }
    if let Err(failure) = outcome {
        std::panic::resume_unwind(failure.into_panic());
    }
}

impl TestDatabase {
    async fn create(kind: Kind) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (text, name) = match kind {
            Kind::Postgres => {
                let name = format!("linkbeat_store_{}", Uuid::now_v7().simple());
                admin(&format!("CREATE DATABASE {name}")).await;
                let mut url: url::Url = server().parse().unwrap();
                url.set_path(&name);
                (url.to_string(), name)
            }
            Kind::Sqlite => {
                let file = directory.path().join("test.db").to_str().unwrap().to_owned();
                (format!("sqlite://{file}"), file)
            }
        };
        Self { kind, url: text.parse().unwrap(), text, name, _directory: directory }
    }

    /// Another set of connections, as another process would have.
    pub(crate) async fn open(&self) -> SharedStore {
        open(&self.url, OpenMode::Migrate).await.unwrap()
    }

    /// Runs statements past the store.
    pub(crate) async fn execute(&self, sql: &str) {
        match self.kind {
            Kind::Postgres => connect(&self.text).await.batch_execute(sql).await.unwrap(),
            Kind::Sqlite => self.sqlite().batch_execute(sql).unwrap(),
        }
    }

    /// Begins a transaction with this statement, as another process would have it under way.
    pub(crate) async fn held(&self, statement: &str) -> Held {
        let begin = format!("BEGIN; {statement}");
        match self.kind {
            Kind::Postgres => {
                let client = connect(&self.text).await;
                client.batch_execute(&begin).await.unwrap();
                Held::Postgres(client)
            }
            Kind::Sqlite => {
                let mut connection = self.sqlite();
                connection.batch_execute(&begin).unwrap();
                Held::Sqlite(connection)
            }
        }
    }

    /// The one value that a query gives, as text.
    pub(crate) async fn value(&self, query: &str) -> Option<String> {
        let query = format!("SELECT CAST(({query}) AS text) AS value");
        match self.kind {
            Kind::Postgres => connect(&self.text).await.query_one(&query, &[]).await.unwrap().get(0),
            Kind::Sqlite => {
                let rows: Vec<Value> = diesel::sql_query(query).load(&mut self.sqlite()).unwrap();
                rows.into_iter().next().unwrap().value
            }
        }
    }

    pub(crate) fn file_exists(&self) -> bool {
        std::path::Path::new(&self.name).exists()
    }

    fn sqlite(&self) -> SqliteConnection {
        let mut connection = SqliteConnection::establish(&self.name).unwrap();
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

fn server() -> String {
    std::env::var("LINKBEAT_TEST_DATABASE_URL").expect(
        "LINKBEAT_TEST_DATABASE_URL is not set; run scripts/test, which starts a PostgreSQL for the tests",
    )
}

async fn admin(statement: &str) {
    connect(&server()).await.batch_execute(statement).await.unwrap();
}

async fn connect(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}
