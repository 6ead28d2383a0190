//! SQLite: one thread owns the connection and carries out one call after the other.
//!
//! The thread is the decision worth knowing: a caller that goes away in the middle leaves a whole
//! transaction behind, never a half one, and no runtime thread waits for the disk.

mod connect;
mod inspect;
mod jobs;
mod leases;
mod links;
mod parkings;
mod reports;
mod results;
mod runs;
mod thread;

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use diesel::SqliteConnection;
use diesel::connection::Connection;
use linkbeat_shared::{JobId, Link, LinkId, NewLink, Run, RunId};
use linkbeat_vitals::Activity;
use uuid::Uuid;

use crate::database_url::DatabaseUrl;
use crate::error::{Fault, counted};
use crate::migrations::{Migrated, OpenMode};
use crate::{
    Filed, Imported, JobResults, LinkChanges, NewRun, OpenJobs, ParkingNotice, Planner, Recorded, Result,
    Rule, Store, StoredJob, Unannounced, Unpublished, UnpublishedRun,
};
pub(crate) use inspect::inspect;
use thread::DatabaseThread;

/// A SQLite database.
#[derive(Debug)]
pub(crate) struct SqliteStore {
    url: DatabaseUrl,
    thread: DatabaseThread,
    activity: Activity,
}

impl SqliteStore {
    /// Opens the database in `file` and brings its schema up to date, or only looks whether it is.
    pub(crate) async fn open(url: &DatabaseUrl, file: &Path, mode: OpenMode) -> Result<(Self, Migrated)> {
        let file = file.to_owned();
        let opened = DatabaseThread::start(move || connect::open(&file, mode)).await;
        let (thread, migrated) = opened.map_err(|fault| fault.at(url))?;
        Ok((Self { url: url.clone(), thread, activity: Activity::default() }, migrated))
    }

    /// Has `work` done in a transaction that only reads.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut SqliteConnection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T> {
        let under_way = self.activity.begin();
        let call = self.thread.call(|connection| connection.transaction(work));
        counted(under_way, call.await.map_err(|fault| fault.at(&self.url)))
    }

    /// Has `work` done in a transaction that is the only one to write, from its first moment on.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut SqliteConnection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T> {
        let under_way = self.activity.begin();
        let call = self.thread.call(|connection| connection.immediate_transaction(work));
        counted(under_way, call.await.map_err(|fault| fault.at(&self.url)))
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn import_links(&self, links: &[NewLink]) -> Result<Imported> {
        let links = links.to_vec();
        self.write(move |connection| links::import(connection, &links)).await
    }

    async fn links(&self, after: Option<LinkId>, limit: u32) -> Result<Vec<Link>> {
        self.read(move |connection| links::page(connection, after, limit)).await
    }

    async fn find_links(&self, wanted: &str) -> Result<Vec<Link>> {
        let wanted = wanted.to_owned();
        self.read(move |connection| links::find(connection, &wanted)).await
    }

    async fn set_link(&self, id: LinkId, changes: &LinkChanges) -> Result<Option<Link>> {
        let changes = changes.clone();
        self.write(move |connection| links::set(connection, id, &changes)).await
    }

    async fn remove_links(&self, ids: &[LinkId]) -> Result<u64> {
        let ids = ids.to_vec();
        self.write(move |connection| links::remove(connection, &ids)).await
    }

    async fn file_run(&self, run: NewRun, planner: Box<dyn Planner>) -> Result<Filed> {
        self.write(move |connection| runs::file(connection, &run, planner)).await
    }

    async fn run(&self, id: RunId) -> Result<Option<Run>> {
        self.read(move |connection| runs::find(connection, id)).await
    }

    async fn runs(&self, limit: u32) -> Result<Vec<Run>> {
        self.read(move |connection| runs::latest(connection, limit)).await
    }

    async fn cancel_run(&self, id: RunId) -> Result<Option<Run>> {
        self.write(move |connection| runs::cancel(connection, id)).await
    }

    async fn open_jobs(&self, which: OpenJobs, after: Option<JobId>, limit: u32) -> Result<Vec<StoredJob>> {
        self.read(move |connection| jobs::open(connection, which, after, limit)).await
    }

    async fn unpublished_runs(&self, which: Unpublished, limit: u32) -> Result<Vec<UnpublishedRun>> {
        self.read(move |connection| jobs::unpublished_runs(connection, which, limit)).await
    }

    async fn mark_published(&self, jobs: &[JobId]) -> Result<()> {
        let jobs = jobs.to_vec();
        self.write(move |connection| jobs::mark_published(connection, &jobs)).await
    }

    async fn close_jobs(&self, run: RunId, after: Option<JobId>, limit: u32) -> Result<Option<JobId>> {
        self.write(move |connection| jobs::close(connection, run, after, limit)).await
    }

    async fn note_parkings(&self, notices: &[ParkingNotice]) -> Result<Vec<JobId>> {
        let notices = notices.to_vec();
        self.write(move |connection| parkings::note(connection, &notices)).await
    }

    async fn reopen_parked(&self, run: RunId) -> Result<u64> {
        self.write(move |connection| parkings::reopen(connection, run)).await
    }

    async fn record(&self, batch: &[JobResults], rule: Rule) -> Result<Vec<Recorded>> {
        let batch = batch.to_vec();
        self.write(move |connection| results::record(connection, &batch, rule)).await
    }

    async fn close_runs(&self, limit: u32) -> Result<Vec<Run>> {
        self.write(move |connection| runs::close(connection, limit)).await
    }

    async fn unannounced_runs(
        &self,
        only: Option<RunId>,
        limit: u32,
        hold: Duration,
    ) -> Result<Vec<Unannounced>> {
        self.write(move |connection| runs::claim(connection, only, limit, hold)).await
    }

    async fn mark_announced(&self, told: &Unannounced) -> Result<()> {
        let (run, claim) = (told.run.id, told.claimed_until);
        self.write(move |connection| runs::mark_announced(connection, run, claim)).await
    }

    async fn lease(&self, name: &str, holder: Uuid, length: Duration) -> Result<bool> {
        let name = name.to_owned();
        self.write(move |connection| leases::take(connection, &name, holder, length)).await
    }

    fn activity(&self) -> &Activity {
        &self.activity
    }

    async fn close(&self) {
        self.thread.close().await;
    }
}
