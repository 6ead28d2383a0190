//! PostgreSQL: a pool of connections, each call one transaction on one of them.
//!
//! Rows that several processes may change are locked in the order of their ids, so nobody waits in a
//! circle. A call that is dropped in the middle closes its connection, and with it its transaction.

mod checks_of_link;
mod dial;
mod dialect;
mod django;
mod inspect;
mod migrate;
mod overheard;
mod pool;
#[path = "../queries/mod.rs"]
mod queries;
mod rollup;
mod session;
mod sqlstate;
mod tls;

use async_trait::async_trait;
use diesel::pg::Pg as Backend;
use diesel_async::AsyncPgConnection as Connection;
use linkbeat_vitals::Activity;

pub(crate) use django::Django;
pub(crate) use inspect::inspect;

use crate::database_url::DatabaseUrl;
use crate::error::{Fault, counted};
use crate::migrations::{Migrated, OpenMode};
use crate::server::Server;
use crate::traits::Session;
use crate::{Result, Work};
use pool::Pool;

/// A PostgreSQL database.
#[derive(Debug)]
pub(crate) struct Database {
    url: DatabaseUrl,
    pool: Pool,
    activity: Activity,
}

impl Database {
    /// Reaches the database and brings its schema up to date, or only looks whether it is.
    pub(crate) async fn open(url: &DatabaseUrl, server: &Server, mode: OpenMode) -> Result<(Self, Migrated)> {
        let migrated = migrate::migrate(server, mode).await.map_err(|fault| fault.at(url))?;
        let pool = Pool::new(server.clone()).map_err(|fault| fault.at(url))?;
        Ok((Self { url: url.clone(), pool, activity: Activity::default() }, migrated))
    }

    /// Has `work` done in one transaction.
    async fn transaction<T>(
        &self,
        kind: Work,
        work: impl AsyncFnOnce(&mut Connection) -> Result<T, Fault>,
    ) -> Result<T> {
        let under_way = self.activity.begin();
        counted(under_way, self.pool.transaction(kind, work).await.map_err(|fault| fault.at(&self.url)))
    }
}

#[async_trait]
impl Session for Database {
    fn activity(&self) -> &Activity {
        &self.activity
    }

    async fn close(&self) {
        self.pool.close();
    }
}

/// A server that takes too long.
fn silent() -> Fault {
    Fault::Unavailable("it stopped answering".to_owned())
}

/// tokio-postgres says "error connecting to server" and keeps the rest in the source.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    // rustls says "certificate", and so does a server that misses ours.
    if text.to_lowercase().contains("certificate") {
        text.push_str(" (sslrootcert, sslcert and sslkey in the URL say whom to trust and who we are)");
    }
    text
}
