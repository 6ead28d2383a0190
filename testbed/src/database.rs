//! A database of a test's own, seen from outside: over the wire, in SQL.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_postgres::{Client, NoTls};
use url::Url;
use uuid::Uuid;

use crate::{PATIENCE, eventually, shared_server};

/// How long removing a database may take.
const REMOVAL: Duration = Duration::from_secs(20);

/// A database. It is removed when the last of its clones is dropped.
#[derive(Debug, Clone)]
pub struct Database {
    /// Where it is, with user and password.
    pub url: String,
    /// What it is called on its server.
    pub name: String,
    _removal: Arc<Removal>,
}

impl Database {
    /// A new, empty one on the PostgreSQL that all tests share. Its name begins with `prefix`.
    pub async fn create(prefix: &str) -> Self {
        let name = format!("{prefix}_{}", Uuid::now_v7().simple());
        Self::create_on(&shared_server("LINKBEAT_TEST_DATABASE_URL"), &name).await
    }

    /// A new, empty one of this name, on the server that has the database `server`.
    pub async fn create_on(server: &str, name: &str) -> Self {
        client(server).await.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
        let mut url: Url = server.parse().unwrap();
        url.set_path(name);
        let removal = Removal { server: server.to_owned(), name: name.to_owned() };
        Self { url: url.to_string(), name: name.to_owned(), _removal: Arc::new(removal) }
    }

    /// A connection of its own. Waits while the server is away.
    pub async fn client(&self) -> Client {
        client(&self.url).await
    }

    /// Runs statements.
    pub async fn execute(&self, statements: &str) {
        self.client().await.batch_execute(statements).await.unwrap();
    }

    /// One number, asked for until it is given.
    pub async fn number(&self, query: &str) -> i64 {
        eventually(query, async || self.try_number(query).await).await
    }

    /// One number; `None` while the server is away.
    pub async fn try_number(&self, query: &str) -> Option<i64> {
        connect(&self.url).await.ok()?.query_one(query, &[]).await.ok()?.try_get(0).ok()
    }

    /// Results stored so far.
    pub async fn stored(&self) -> i64 {
        self.number("SELECT count(*) FROM checks").await
    }
}

async fn client(url: &str) -> Client {
    let deadline = Instant::now() + PATIENCE;
    // Not by `eventually`: a future with an asynchronous closure inside is not `Send` for all its callers.
    loop {
        match connect(url).await {
            Ok(client) => return client,
            Err(error) => assert!(Instant::now() < deadline, "no connection with PostgreSQL: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn connect(url: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

#[derive(Debug)]
struct Removal {
    server: String,
    name: String,
}

impl Drop for Removal {
    fn drop(&mut self) {
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let removing = async || connect(&self.server).await?.batch_execute(&drop).await;
        let removed = std::thread::scope(|scope| {
            // A runtime cannot be entered from within another.
            let on_its_own = scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async { tokio::time::timeout(REMOVAL, removing()).await })
            });
            on_its_own.join()
        });
        if !matches!(removed, Ok(Ok(Ok(())))) {
            eprintln!("the database {} is left behind: {removed:?}", self.name);
        }
    }
}
