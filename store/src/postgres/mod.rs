//! PostgreSQL: a pool of connections, each call one transaction on one of them.
//!
//! Rows that several processes may change are locked in the order of their ids, so nobody waits in a
//! circle. A call that is dropped in the middle closes its connection, and with it its transaction.

mod connect;
mod inspect;
mod jobs;
mod leases;
mod links;
mod parkings;
mod pool;
mod reports;
mod results;
mod runs;
mod tls;

use std::time::Duration;

use async_trait::async_trait;
use diesel_async::AsyncPgConnection;
use linkbeat_shared::{JobId, Link, LinkId, LinkSelection, NewLink, Run, RunId};
use linkbeat_vitals::Activity;
use uuid::Uuid;

pub(crate) use inspect::inspect;

use crate::database_url::DatabaseUrl;
use crate::error::{Fault, StoreError, counted};
use crate::migrations::{Migrated, OpenMode};
use crate::server::Server;
use crate::{
    Filed, Imported, JobResults, LinkChanges, NewRun, OpenJobs, ParkingNotice, Planner, Recorded, Result,
    Rule, Store, StoredJob, Unannounced, Unpublished, UnpublishedRun,
};
use pool::{Pool, Work};

/// How often results are recorded anew when others were changing the same rows, and the longest pause
/// before it: enough for whoever holds them to be done.
const RECORD_ATTEMPTS: u32 = 5;
const RECORD_PAUSE: Duration = Duration::from_millis(50);

/// A PostgreSQL database.
#[derive(Debug)]
pub(crate) struct PostgresStore {
    url: DatabaseUrl,
    pool: Pool,
    activity: Activity,
}

impl PostgresStore {
    /// Reaches the database and brings its schema up to date, or only looks whether it is.
    pub(crate) async fn open(url: &DatabaseUrl, server: &Server, mode: OpenMode) -> Result<(Self, Migrated)> {
        let migrated = connect::migrate(server, mode).await.map_err(|fault| fault.at(url))?;
        let pool = Pool::new(server.clone()).map_err(|fault| fault.at(url))?;
        Ok((Self { url: url.clone(), pool, activity: Activity::default() }, migrated))
    }

    async fn transaction<T>(
        &self,
        kind: Work,
        work: impl AsyncFnOnce(&mut AsyncPgConnection) -> Result<T, Fault>,
    ) -> Result<T> {
        let under_way = self.activity.begin();
        counted(under_way, self.pool.transaction(kind, work).await.map_err(|fault| fault.at(&self.url)))
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn import_links(&self, links: &[NewLink]) -> Result<Imported> {
        self.transaction(Work::WriteMany, async |connection| links::import(connection, links).await).await
    }

    async fn links(&self, after: Option<LinkId>, limit: u32) -> Result<Vec<Link>> {
        self.transaction(Work::Read, async |connection| links::page(connection, after, limit).await).await
    }

    async fn find_links(&self, wanted: &str) -> Result<Vec<Link>> {
        self.transaction(Work::Read, async |connection| links::find(connection, wanted).await).await
    }

    async fn set_link(&self, id: LinkId, changes: &LinkChanges) -> Result<Option<Link>> {
        self.transaction(Work::Write, async |connection| links::set(connection, id, changes).await).await
    }

    async fn remove_links(&self, ids: &[LinkId]) -> Result<u64> {
        self.transaction(Work::WriteMany, async |connection| links::remove(connection, ids).await).await
    }

    async fn file_run(&self, run: NewRun, planner: Box<dyn Planner>) -> Result<Filed> {
        let kind = match run.links {
            LinkSelection::Stored => Work::Plan,
            LinkSelection::Given(_) => Work::WriteMany,
        };
        let filed =
            self.transaction(kind, async |connection| runs::file(connection, &run, planner).await).await;
        let Err(StoreError::Conflict { .. }) = filed else { return filed };
        // Somebody else filed the same request at the same time, and was first, or its run was changed meanwhile.
        // A transaction that sees what others have committed by now, and waits for one row, meets no conflict.
        let again =
            self.transaction(Work::Write, async |connection| runs::filed_before(connection, &run).await);
        match again.await? {
            Some(run) => Ok(Filed { run, existed: true }),
            None => filed,
        }
    }

    async fn run(&self, id: RunId) -> Result<Option<Run>> {
        self.transaction(Work::Read, async |connection| runs::find(connection, id).await).await
    }

    async fn runs(&self, limit: u32) -> Result<Vec<Run>> {
        self.transaction(Work::Read, async |connection| runs::latest(connection, limit).await).await
    }

    async fn cancel_run(&self, id: RunId) -> Result<Option<Run>> {
        self.transaction(Work::Write, async |connection| runs::cancel(connection, id).await).await
    }

    async fn open_jobs(&self, which: OpenJobs, after: Option<JobId>, limit: u32) -> Result<Vec<StoredJob>> {
        self.transaction(Work::Read, async |connection| jobs::open(connection, which, after, limit).await)
            .await
    }

    async fn unpublished_runs(&self, which: Unpublished, limit: u32) -> Result<Vec<UnpublishedRun>> {
        let find =
            async |connection: &mut AsyncPgConnection| jobs::unpublished_runs(connection, which, limit).await;
        self.transaction(Work::Read, find).await
    }

    async fn mark_published(&self, jobs: &[JobId]) -> Result<()> {
        self.transaction(Work::Write, async |connection| jobs::mark_published(connection, jobs).await).await
    }

    async fn close_jobs(&self, run: RunId, after: Option<JobId>, limit: u32) -> Result<Option<JobId>> {
        let close =
            async |connection: &mut AsyncPgConnection| jobs::close(connection, run, after, limit).await;
        self.transaction(Work::Write, close).await
    }

    async fn note_parkings(&self, notices: &[ParkingNotice]) -> Result<Vec<JobId>> {
        self.transaction(Work::Write, async |connection| parkings::note(connection, notices).await).await
    }

    async fn reopen_parked(&self, run: RunId) -> Result<u64> {
        self.transaction(Work::Write, async |connection| parkings::reopen(connection, run).await).await
    }

    async fn record(&self, batch: &[JobResults], rule: Rule) -> Result<Vec<Recorded>> {
        let mut attempts = 1;
        loop {
            let record =
                async |connection: &mut AsyncPgConnection| results::record(connection, batch, rule).await;
            match self.transaction(Work::Write, record).await {
                Err(StoreError::Conflict { .. }) if attempts < RECORD_ATTEMPTS => attempts += 1,
                recorded => return recorded,
            }
            tokio::time::sleep(RECORD_PAUSE.mul_f64(rand::random())).await;
        }
    }

    async fn close_runs(&self, limit: u32) -> Result<Vec<Run>> {
        self.transaction(Work::Write, async |connection| runs::close(connection, limit).await).await
    }

    async fn unannounced_runs(
        &self,
        only: Option<RunId>,
        limit: u32,
        hold: Duration,
    ) -> Result<Vec<Unannounced>> {
        let claim =
            async |connection: &mut AsyncPgConnection| runs::claim(connection, only, limit, hold).await;
        self.transaction(Work::Write, claim).await
    }

    async fn mark_announced(&self, told: &Unannounced) -> Result<()> {
        self.transaction(Work::Write, async |connection| runs::mark_announced(connection, told).await).await
    }

    async fn lease(&self, name: &str, holder: Uuid, length: Duration) -> Result<bool> {
        let take =
            async |connection: &mut AsyncPgConnection| leases::take(connection, name, holder, length).await;
        self.transaction(Work::Write, take).await
    }

    fn activity(&self) -> &Activity {
        &self.activity
    }

    async fn close(&self) {
        self.pool.close();
    }
}
