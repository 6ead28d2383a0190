//! A database, seen from outside: over the wire, in SQL.

use tokio_postgres::{Client, NoTls};

use super::eventually;

/// Where a database is.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    pub(crate) url: String,
}

impl Database {
    /// A new one on the server that `server` is a database of.
    pub(crate) async fn create(server: &str, name: &str) -> Self {
        Self { url: server.to_owned() }.execute(&format!("CREATE DATABASE {name}")).await;
        let (address, _) = server.rsplit_once('/').expect("a database URL");
        Self { url: format!("{address}/{name}") }
    }

    /// Waits while the server is away.
    pub(crate) async fn client(&self) -> Client {
        eventually("a connection with PostgreSQL", async || {
            let (client, connection) = tokio_postgres::connect(&self.url, NoTls).await.ok()?;
            tokio::spawn(connection);
            Some(client)
        })
        .await
    }

    pub(crate) async fn execute(&self, statements: &str) {
        self.client().await.batch_execute(statements).await.unwrap();
    }

    /// One number, asked for until it is given.
    pub(crate) async fn number(&self, query: &str) -> i64 {
        eventually(query, async || self.try_number(query).await).await
    }

    /// One number; `None` while the server is away.
    pub(crate) async fn try_number(&self, query: &str) -> Option<i64> {
        let (client, connection) = tokio_postgres::connect(&self.url, NoTls).await.ok()?;
        tokio::spawn(connection);
        client.query_one(query, &[]).await.ok()?.try_get(0).ok()
    }

    /// Results stored so far.
    pub(crate) async fn stored(&self) -> i64 {
        self.number("SELECT count(*) FROM checks").await
    }
}
