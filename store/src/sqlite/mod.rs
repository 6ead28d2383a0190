//! SQLite: one thread owns the connection and carries out one call after the other.
//!
//! The thread is the decision worth knowing. A caller may go away in the middle: the transaction is still done wholly
//! or not at all. And no thread of the runtime waits for the disk. On that thread every future is ready at once: see
//! [`thread::OnThisThread`].

mod connect;
mod dialect;
mod django;
mod inspect;
#[path = "../queries/mod.rs"]
mod queries;
mod result_code;
mod rollup;
mod thread;

use std::path::Path;

use async_trait::async_trait;
use diesel::SqliteConnection;
use diesel::connection::{AnsiTransactionManager, TransactionManager};
use diesel::sqlite::Sqlite as Backend;
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
use linkbeat_vitals::Activity;

use crate::database_url::DatabaseUrl;
use crate::error::{Fault, counted};
use crate::migrations::{Migrated, OpenMode};
use crate::traits::Session;
use crate::{Result, Work};
pub(crate) use django::Django;
pub(crate) use inspect::inspect;
use thread::{DatabaseThread, OnThisThread};

/// As `queries` see it: asynchronous, like a connection to a server.
type Connection = SyncConnectionWrapper<SqliteConnection, OnThisThread>;

/// A SQLite database.
#[derive(Debug)]
pub(crate) struct Database {
    url: DatabaseUrl,
    thread: DatabaseThread,
    activity: Activity,
}

impl Database {
    /// Opens the database in `file` and brings its schema up to date, or only looks whether it is.
    pub(crate) async fn open(url: &DatabaseUrl, file: &Path, mode: OpenMode) -> Result<(Self, Migrated)> {
        let file = file.to_owned();
        let opened = DatabaseThread::start(move || connect::open(&file, mode)).await;
        let (thread, migrated) = opened.map_err(|fault| explained(fault).at(url))?;
        Ok((Self { url: url.clone(), thread, activity: Activity::default() }, migrated))
    }

    /// Has `work` done in one transaction. One that writes is the only one to write, from its first moment on.
    async fn transaction<T: Send + 'static>(
        &self,
        kind: Work,
        work: impl AsyncFnOnce(&mut Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T> {
        let begin = match kind {
            Work::Read | Work::Glance => "BEGIN",
            Work::Statement | Work::Write | Work::WriteMany | Work::Plan => "BEGIN IMMEDIATE",
        };
        let under_way = self.activity.begin();
        let only_reads = matches!(kind, Work::Read | Work::Glance);
        let call =
            self.thread.call(only_reads, async move |connection| transaction(connection, begin, work).await);
        counted(under_way, call.await.map_err(|fault| explained(fault).at(&self.url)))
    }
}

/// Writes a copy of the database in `file` to `copy`.
pub(crate) fn backup(file: &Path, copy: &Path) -> std::result::Result<(), Fault> {
    connect::backup(file, copy).map_err(explained)
}

fn explained(fault: Fault) -> Fault {
    fault.explained(result_code::meaning)
}

async fn transaction<T>(
    connection: &mut Connection,
    begin: &'static str,
    work: impl AsyncFnOnce(&mut Connection) -> Result<T, Fault>,
) -> Result<T, Fault> {
    connection.spawn_blocking(move |c| AnsiTransactionManager::begin_transaction_sql(c, begin)).await?;
    match work(connection).await {
        Ok(value) => {
            connection.spawn_blocking(AnsiTransactionManager::commit_transaction).await?;
            Ok(value)
        }
        Err(fault) => {
            // Where this fails there is nothing to roll back, and what made it fail says more.
            let _ = connection.spawn_blocking(AnsiTransactionManager::rollback_transaction).await;
            Err(fault)
        }
    }
}

#[async_trait]
impl Session for Database {
    fn activity(&self) -> &Activity {
        &self.activity
    }

    async fn close(&self) {
        self.thread.close().await;
    }
}
