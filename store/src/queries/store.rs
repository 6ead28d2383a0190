//! The traits of [`crate::traits`]: each method is one transaction.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use linkbeat_shared::history::{ShownTime, Zone};
use linkbeat_shared::{
    Asker, Decision, GivenLinks, JobId, Link, LinkId, LinkReport, LinkSelection, RequestId, Run, RunId,
    RunSummary, ScheduleId,
};
use uuid::Uuid;

use super::{
    Connection, Database, access, askers, celery_tasks, dialect, history, holds, jobs, kept_requests, leases,
    links, listing, parkings, progress, reports, results, runs, schedules,
};
use crate::account::Account;
use crate::error::StoreError;
use crate::importing::PART;
use crate::reporting::Tallies;
use crate::traits::{
    Access, CeleryTask, CeleryTasks, CleanUp, Decided, Filed, FiledTask, Filing, Hash, History, HistoryRules,
    HistoryStatus, Holds, Imported, JobResults, Judge, KeptRequest, Leases, Ledger, LinkChanges, LinkDay,
    LinkHour, LinkQuery, LinkSet, Links, NewRun, NewSchedule, NewTask, OpenJobs, Outbox, ParkingNotice,
    Partitions, Planner, Readings, Recorded, ReportLinks, Reports, Runs, ScheduleChange, Schedules, Scope,
    Settled, StillSo, StoredJob, StoredSchedule, StoredToken, TaskChange, TaskState, Tick, TickRun, TickStep,
    TokenName, Unannounced, Unpublished, UnpublishedRun, Untold,
};
use crate::{Result, Work};

/// How often results are recorded anew when others were changing the same rows, and the longest pause
/// before it: enough for whoever holds them to be done.
const RECORD_ATTEMPTS: u32 = 5;
const RECORD_PAUSE: Duration = Duration::from_millis(50);

#[async_trait]
impl Links for Database {
    async fn import(&self, links: GivenLinks) -> Result<Imported> {
        let import = async move |connection: &mut Connection| {
            links::import(connection, &links).await.map(|import| import.imported())
        };
        self.transaction(Work::WriteMany, import).await
    }

    async fn links(&self, after: Option<LinkId>, limit: u32) -> Result<Vec<Link>> {
        self.transaction(Work::Read, async move |connection| links::page(connection, after, limit).await)
            .await
    }

    async fn link_ids(&self, query: &LinkQuery) -> Result<Vec<LinkId>> {
        let query = query.clone();
        self.transaction(Work::Read, async move |connection| listing::ids(connection, &query).await).await
    }

    async fn links_of(&self, ids: &[LinkId]) -> Result<Vec<Link>> {
        let ids = ids.to_vec();
        self.transaction(Work::Read, async move |connection| listing::of_ids(connection, &ids).await).await
    }

    async fn find_links(&self, wanted: &str) -> Result<Vec<Link>> {
        let wanted = wanted.to_owned();
        self.transaction(Work::Read, async move |connection| links::find(connection, &wanted).await).await
    }

    async fn set_link(&self, id: LinkId, changes: &LinkChanges) -> Result<Option<Link>> {
        let changes = changes.clone();
        self.transaction(Work::Write, async move |connection| links::set(connection, id, &changes).await)
            .await
    }

    async fn set_link_if(&self, id: LinkId, changes: &LinkChanges, still: StillSo) -> Result<LinkSet> {
        let changes = changes.clone();
        let set =
            async move |connection: &mut Connection| links::set_if(connection, id, &changes, &still).await;
        self.transaction(Work::Write, set).await
    }

    async fn set_links(&self, ids: &[LinkId], changes: &LinkChanges) -> Result<u64> {
        let (ids, changes) = (ids.to_vec(), changes.clone());
        let set = async move |connection: &mut Connection| links::set_all(connection, &ids, &changes).await;
        self.transaction(Work::WriteMany, set).await
    }

    async fn remove_links(&self, ids: &[LinkId]) -> Result<u64> {
        let ids = ids.to_vec();
        self.transaction(Work::WriteMany, async move |connection| links::remove(connection, &ids).await).await
    }
}

#[async_trait]
impl Access for Database {
    async fn token(&self, hash: &Hash) -> Result<Option<StoredToken>> {
        let hash = *hash;
        self.transaction(Work::Read, async move |connection| access::token(connection, &hash).await).await
    }

    async fn tokens(&self) -> Result<Vec<StoredToken>> {
        self.transaction(Work::Read, async move |connection| access::tokens(connection).await).await
    }

    async fn add_token(&self, name: &TokenName, hash: &Hash, scope: Scope) -> Result<bool> {
        let (name, hash) = (name.clone(), *hash);
        let add =
            async move |connection: &mut Connection| access::add_token(connection, &name, &hash, scope).await;
        self.transaction(Work::Write, add).await
    }

    async fn remove_token(&self, name: &str) -> Result<bool> {
        let name = name.to_owned();
        self.transaction(Work::Write, async move |connection| access::remove_token(connection, &name).await)
            .await
    }

    async fn begin_session(&self, session: &Hash, proof: &Hash, length: Duration) -> Result<()> {
        let (session, proof) = (*session, *proof);
        let begin = async move |connection: &mut Connection| {
            access::begin_session(connection, &session, &proof, length).await
        };
        self.transaction(Work::Write, begin).await
    }

    async fn session(&self, session: &Hash) -> Result<Option<Hash>> {
        let session = *session;
        self.transaction(Work::Read, async move |connection| access::session(connection, &session).await)
            .await
    }

    async fn end_session(&self, session: &Hash) -> Result<()> {
        let session = *session;
        self.transaction(Work::Write, async move |connection| access::end_session(connection, &session).await)
            .await
    }
}

#[async_trait]
impl Filing for Database {
    async fn file_run(&self, run: NewRun, planner: Box<dyn Planner>) -> Result<Filed> {
        self.file(run, planner, None).await
    }

    async fn file_asked(&self, run: NewRun, planner: Box<dyn Planner>, account: &Account) -> Result<Filed> {
        self.file(run, planner, Some(account.clone())).await
    }

    async fn file_task(
        &self,
        task: NewTask,
        mut run: NewRun,
        planner: Box<dyn Planner>,
        account: Option<&Account>,
    ) -> Result<FiledTask> {
        let (links, account) = (take_links(&mut run), account.cloned());
        let file = async move |connection: &mut Connection| {
            let id = task.id.clone();
            if !celery_tasks::insert(connection, task).await? {
                return celery_tasks::known(connection, &id).await.map(FiledTask::Known);
            }
            runs::file(connection, &run, links, planner, account.as_ref()).await.map(FiledTask::New)
        };
        self.transaction(Work::WriteMany, file).await
    }
}

impl Database {
    async fn file(
        &self,
        mut run: NewRun,
        planner: Box<dyn Planner>,
        account: Option<Account>,
    ) -> Result<Filed> {
        // A limit is exact only where the transaction sees what others have committed.
        let kind = if account.is_some() { Work::WriteMany } else { work_of(&run.links) };
        let links = take_links(&mut run);
        let run = Arc::new(run);
        if let LinkSelection::Given(given) = &links {
            self.import_ahead(&run, given, account.as_ref()).await?;
        }
        let filing = run.clone();
        let file = async move |connection: &mut Connection| {
            runs::file(connection, &filing, links, planner, account.as_ref()).await
        };
        let filed = self.transaction(kind, file).await;
        let Err(StoreError::Conflict { .. }) = filed else { return filed };
        // Somebody else filed the same request at the same time, and was first, or its run was changed meanwhile.
        // A transaction that sees what others have committed by now, and waits for one row, meets no conflict.
        let find = async move |connection: &mut Connection| runs::filed_before(connection, &run).await;
        match self.transaction(Work::Write, find).await? {
            Some(filed) => Ok(filed),
            None => filed,
        }
    }

    /// Imports a long list in parts, each in a transaction of its own. Whoever edits links waits for all others who do. So
    /// a short list need not wait for the whole of a long one. Filing the run then finds its links, and edits none.
    async fn import_ahead(
        &self,
        run: &Arc<NewRun>,
        given: &GivenLinks,
        account: Option<&Account>,
    ) -> Result<()> {
        if !dialect::EDITORS_WAIT || given.named() <= PART {
            return Ok(());
        }
        for part in given.pages(PART) {
            let (run, account, part) = (run.clone(), account.cloned(), (given.named(), part));
            let import = async move |connection: &mut Connection| {
                runs::import_ahead(connection, &run, account.as_ref(), part).await
            };
            if !self.transaction(Work::WriteMany, import).await? {
                break;
            }
        }
        Ok(())
    }
}

/// How a run of these links is filed.
fn work_of(links: &LinkSelection) -> Work {
    match links {
        LinkSelection::Stored | LinkSelection::Matching(_) => Work::Plan,
        LinkSelection::Given(_) => Work::WriteMany,
    }
}

/// The links of a run, on their own, so that they can be dropped when they are stored.
fn take_links(run: &mut NewRun) -> LinkSelection {
    std::mem::replace(&mut run.links, LinkSelection::Stored)
}

#[async_trait]
impl Runs for Database {
    async fn run(&self, id: RunId) -> Result<Option<Run>> {
        self.transaction(Work::Read, async move |connection| runs::find(connection, id).await).await
    }

    async fn run_of(&self, request: RequestId) -> Result<Option<Run>> {
        self.transaction(Work::Read, async move |connection| runs::of_request(connection, request).await)
            .await
    }

    async fn kept_request(&self, id: RunId) -> Result<Option<KeptRequest>> {
        self.transaction(Work::Read, async move |connection| kept_requests::of(connection, id).await).await
    }

    async fn links_of_run(&self, id: RunId, most: usize) -> Result<Vec<LinkId>> {
        let read = async move |connection: &mut Connection| kept_requests::links(connection, id, most).await;
        self.transaction(Work::Read, read).await
    }

    async fn runs(&self, limit: u32) -> Result<Vec<Run>> {
        self.transaction(Work::Read, async move |connection| runs::latest(connection, limit).await).await
    }

    async fn cancel_run(&self, id: RunId) -> Result<Option<Run>> {
        self.transaction(Work::Write, async move |connection| runs::cancel(connection, id).await).await
    }

    async fn cancel_request(&self, request: RequestId, asker: Option<Asker>) -> Result<Option<Filed>> {
        let cancel = async move |connection: &mut Connection| {
            askers::cancel(connection, request, asker.as_ref()).await
        };
        self.transaction(Work::Write, cancel).await
    }
}

#[async_trait]
impl Outbox for Database {
    async fn open_jobs(&self, which: OpenJobs, after: Option<JobId>, limit: u32) -> Result<Vec<StoredJob>> {
        let open = async move |connection: &mut Connection| jobs::open(connection, which, after, limit).await;
        self.transaction(Work::Read, open).await
    }

    async fn unpublished_runs(&self, which: Unpublished, limit: u32) -> Result<Vec<UnpublishedRun>> {
        let find =
            async move |connection: &mut Connection| jobs::unpublished_runs(connection, which, limit).await;
        self.transaction(Work::Read, find).await
    }

    async fn mark_published(&self, jobs: &[JobId]) -> Result<()> {
        let ids = jobs.to_vec();
        let kind = if ids.len() == 1 { Work::Statement } else { Work::Write };
        self.transaction(kind, async move |connection| jobs::mark_published(connection, &ids).await).await
    }

    async fn reopen_parked(&self, run: RunId) -> Result<u64> {
        self.transaction(Work::Write, async move |connection| parkings::reopen(connection, run).await).await
    }
}

#[async_trait]
impl Ledger for Database {
    async fn record(&self, batch: &[JobResults], judge: Arc<dyn Judge>) -> Result<Vec<Recorded>> {
        let batch: Arc<[JobResults]> = batch.into();
        let mut attempts = 1;
        loop {
            let (batch, judge) = (batch.clone(), judge.clone());
            let record =
                async move |connection: &mut Connection| results::record(connection, &batch, &*judge).await;
            match self.transaction(Work::Write, record).await {
                Err(StoreError::Conflict { .. }) if attempts < RECORD_ATTEMPTS => attempts += 1,
                recorded => return recorded,
            }
            tokio::time::sleep(RECORD_PAUSE.mul_f64(rand::random())).await;
        }
    }

    async fn note_parkings(&self, notices: &[ParkingNotice]) -> Result<Vec<JobId>> {
        let notices = notices.to_vec();
        self.transaction(Work::Write, async move |connection| parkings::note(connection, &notices).await)
            .await
    }

    async fn close_runs(&self, limit: u32) -> Result<Vec<Run>> {
        self.transaction(Work::Write, async move |connection| runs::close(connection, limit).await).await
    }

    async fn end_runs(&self, runs: &[RunId], hold: Duration) -> Result<Vec<Unannounced>> {
        let ids = runs.to_vec();
        let end = async move |connection: &mut Connection| runs::end(connection, &ids, hold).await;
        self.transaction(Work::Statement, end).await
    }

    async fn unannounced_runs(
        &self,
        only: Option<RunId>,
        limit: u32,
        hold: Duration,
    ) -> Result<Vec<Unannounced>> {
        let claim = async move |connection: &mut Connection| runs::claim(connection, only, limit, hold).await;
        self.transaction(Work::Write, claim).await
    }

    async fn runs_further(&self, limit: u32, gap: Duration) -> Result<Vec<RunId>> {
        let further = async move |connection: &mut Connection| {
            progress::forget_ended(connection, limit).await?;
            progress::further(connection, limit, gap).await
        };
        self.transaction(Work::Write, further).await
    }

    async fn mark_announced(&self, announced: &Unannounced) -> Result<()> {
        let announced = announced.clone();
        let mark =
            async move |connection: &mut Connection| runs::mark_announced(connection, &announced).await;
        self.transaction(Work::Statement, mark).await
    }

    async fn close_jobs(&self, run: RunId, after: Option<JobId>, limit: u32) -> Result<Option<JobId>> {
        let close = async move |connection: &mut Connection| jobs::close(connection, run, after, limit).await;
        self.transaction(Work::Write, close).await
    }
}

#[async_trait]
impl Holds for Database {
    async fn decide_run(&self, run: RunId, decision: Decision) -> Result<Option<Decided>> {
        let decide = async move |connection: &mut Connection| holds::decide(connection, run, decision).await;
        self.transaction(Work::Write, decide).await
    }

    async fn settle(&self, only: Option<RunId>, limit: u32, judge: Arc<dyn Judge>) -> Result<bool> {
        let settle =
            async move |connection: &mut Connection| holds::settle(connection, only, limit, &*judge).await;
        self.transaction(Work::Write, settle).await
    }

    async fn untold_changes(&self, only: Option<RunId>, limit: u32) -> Result<Option<Untold>> {
        let untold = async move |connection: &mut Connection| holds::untold(connection, only, limit).await;
        self.transaction(Work::Write, untold).await
    }

    async fn mark_told(&self, run: RunId, links: &[LinkId]) -> Result<()> {
        let links = links.to_vec();
        self.transaction(Work::Write, async move |connection| holds::mark_told(connection, run, &links).await)
            .await
    }
}

#[async_trait]
impl Reports for Database {
    async fn summary(&self, run: RunId) -> Result<Option<RunSummary>> {
        let at_once = async move |connection: &mut Connection| {
            reports::tallies_at_once(connection, run).await?.map(Tallies::summary).transpose()
        };
        if let Some(summary) = self.transaction(Work::Glance, at_once).await? {
            return Ok(Some(summary));
        }
        let summary = async move |connection: &mut Connection| {
            reports::tallies(connection, run).await?.map(Tallies::summary).transpose()
        };
        self.transaction(Work::Read, summary).await
    }

    async fn report_links(
        &self,
        run: RunId,
        which: ReportLinks,
        after: Option<LinkId>,
        limit: u32,
    ) -> Result<Vec<LinkReport>> {
        let links = async move |connection: &mut Connection| {
            reports::links(connection, run, which, after, limit).await
        };
        self.transaction(Work::Read, links).await
    }
}

#[async_trait]
impl Leases for Database {
    async fn lease(&self, name: &str, holder: Uuid, length: Duration) -> Result<bool> {
        let name = name.to_owned();
        let take =
            async move |connection: &mut Connection| leases::take(connection, &name, holder, length).await;
        self.transaction(Work::Write, take).await
    }

    async fn has_run_out(&self, name: &str) -> Result<bool> {
        let name = name.to_owned();
        let look = async move |connection: &mut Connection| leases::has_run_out(connection, &name).await;
        self.transaction(Work::Read, look).await
    }
}

#[async_trait]
impl CeleryTasks for Database {
    async fn take_task(&self, task: NewTask) -> Result<Option<CeleryTask>> {
        let id = task.id.clone();
        let insert =
            async move |connection: &mut Connection| Ok(celery_tasks::insert(connection, task).await?);
        if self.transaction(Work::Statement, insert).await? {
            return Ok(None);
        }
        let known = async move |connection: &mut Connection| celery_tasks::known(connection, &id).await;
        self.transaction(Work::Write, known).await.map(Some)
    }

    async fn change_task(&self, id: &str, from: &[TaskState], change: TaskChange) -> Result<bool> {
        let (id, from) = (id.to_owned(), from.to_vec());
        let change = async move |connection: &mut Connection| {
            celery_tasks::change(connection, &id, &from, change).await
        };
        self.transaction(Work::Write, change).await
    }

    async fn due_tasks(&self, limit: u32, hold: Duration) -> Result<Vec<CeleryTask>> {
        let due = async move |connection: &mut Connection| celery_tasks::due(connection, limit, hold).await;
        self.transaction(Work::Write, due).await
    }

    async fn ended_tasks(&self, limit: u32, hold: Duration) -> Result<Vec<CeleryTask>> {
        let ended =
            async move |connection: &mut Connection| celery_tasks::ended(connection, limit, hold).await;
        self.transaction(Work::Statement, ended).await
    }

    async fn next_task(&self) -> Result<Option<Duration>> {
        self.transaction(Work::Read, async move |connection| celery_tasks::next(connection).await).await
    }

    async fn find_tasks(&self, ids: &[String]) -> Result<Vec<CeleryTask>> {
        let ids = ids.to_vec();
        self.transaction(Work::Read, async move |connection| celery_tasks::found(connection, ids).await).await
    }

    async fn tasks_in(&self, state: TaskState, limit: u32) -> Result<Vec<CeleryTask>> {
        let tasks =
            async move |connection: &mut Connection| celery_tasks::in_state(connection, state, limit).await;
        self.transaction(Work::Read, tasks).await
    }

    async fn count_tasks(&self, state: TaskState) -> Result<u64> {
        self.transaction(Work::Read, async move |connection| celery_tasks::count(connection, state).await)
            .await
    }

    async fn forget_tasks(&self, state: TaskState, unchanged_for: Duration, limit: u32) -> Result<u64> {
        let forget = async move |connection: &mut Connection| {
            celery_tasks::forget(connection, state, unchanged_for, limit).await
        };
        self.transaction(Work::Write, forget).await
    }
}

#[async_trait]
impl Schedules for Database {
    async fn clock(&self) -> Result<DateTime<Utc>> {
        let now = async move |connection: &mut Connection| Ok(dialect::now(connection).await?.0);
        self.transaction(Work::Read, now).await
    }

    async fn add_schedule(&self, schedule: NewSchedule) -> Result<bool> {
        self.transaction(Work::Write, async move |connection| schedules::add(connection, schedule).await)
            .await
    }

    async fn schedules(&self, after: Option<&str>, limit: u32) -> Result<Vec<StoredSchedule>> {
        let after = after.unwrap_or_default().to_owned();
        let page = async move |connection: &mut Connection| schedules::page(connection, &after, limit).await;
        self.transaction(Work::Read, page).await
    }

    async fn find_schedule(&self, name: &str) -> Result<Option<StoredSchedule>> {
        let name = name.to_owned();
        self.transaction(Work::Read, async move |connection| schedules::find(connection, &name).await).await
    }

    async fn change_schedule(&self, read: &StoredSchedule, change: ScheduleChange) -> Result<bool> {
        let (id, revision) = (read.id, read.revision);
        let change = async move |connection: &mut Connection| {
            schedules::change(connection, id, revision, change).await
        };
        self.transaction(Work::Write, change).await
    }

    async fn remove_schedule(&self, id: ScheduleId) -> Result<bool> {
        self.transaction(Work::Write, async move |connection| schedules::remove(connection, id).await).await
    }

    async fn due_schedules(&self, now: DateTime<Utc>, limit: u32) -> Result<Vec<StoredSchedule>> {
        self.transaction(Work::Read, async move |connection| schedules::due(connection, now, limit).await)
            .await
    }

    async fn settle_ticks(&self, step: TickStep, tick: Option<TickRun>) -> Result<Settled> {
        let kind = tick.as_ref().map_or(Work::Write, |tick| work_of(&tick.run.links));
        let tick = tick.map(|mut tick| {
            let links = take_links(&mut tick.run);
            (tick, links)
        });
        let settle =
            async move |connection: &mut Connection| schedules::settle(connection, &step, tick).await;
        self.transaction(kind, settle).await
    }

    async fn run_schedule(&self, id: ScheduleId, mut tick: TickRun) -> Result<Settled> {
        let kind = work_of(&tick.run.links);
        let links = take_links(&mut tick.run);
        let run =
            async move |connection: &mut Connection| schedules::by_hand(connection, id, tick, links).await;
        self.transaction(kind, run).await
    }

    async fn ticks(&self, id: ScheduleId, limit: u32) -> Result<Vec<Tick>> {
        let ticks =
            async move |connection: &mut Connection| schedules::latest_ticks(connection, id, limit).await;
        self.transaction(Work::Read, ticks).await
    }
}

#[async_trait]
impl Partitions for Database {
    async fn make_partitions(&self) -> Result<u32> {
        self.transaction(Work::Write, async move |connection| dialect::make_partitions(connection).await)
            .await
    }
}

#[async_trait]
impl History for Database {
    async fn roll_up(&self, rules: &HistoryRules, due_after: Duration) -> Result<bool> {
        let rules = *rules;
        let roll_up =
            async move |connection: &mut Connection| history::roll_up(connection, &rules, due_after).await;
        self.transaction(Work::Write, roll_up).await
    }

    async fn clean_up(&self, rules: &HistoryRules) -> Result<bool> {
        let rules = *rules;
        self.transaction(Work::Write, async move |connection| history::clean_up(connection, &rules).await)
            .await
    }
}

#[async_trait]
impl Readings for Database {
    async fn link_days(
        &self,
        link: LinkId,
        zone: Zone,
        from: NaiveDate,
        until: NaiveDate,
        limit: u32,
    ) -> Result<Vec<LinkDay>> {
        let days = async move |connection: &mut Connection| {
            history::days(connection, link, zone, (from, until), limit).await
        };
        self.transaction(Work::Read, days).await
    }

    async fn link_hours(
        &self,
        link: LinkId,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<LinkHour>> {
        let hours = async move |connection: &mut Connection| {
            history::hours(connection, link, (from, until), limit).await
        };
        self.transaction(Work::Read, hours).await
    }

    async fn link_shown(&self, link: LinkId, from: DateTime<Utc>) -> Result<Option<ShownTime>> {
        self.transaction(Work::Read, async move |connection| history::shown(connection, link, from).await)
            .await
    }

    async fn clean_ups(&self) -> Result<(Option<DateTime<Utc>>, Option<CleanUp>)> {
        self.transaction(Work::Read, async |connection| history::clean_ups(connection).await).await
    }

    async fn history_status(&self) -> Result<HistoryStatus> {
        self.transaction(Work::Read, async move |connection| history::status(connection).await).await
    }
}
