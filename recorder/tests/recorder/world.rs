//! What the cases stand on.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use linkbeat_broker::{Broadcasts, MemoryBroker, Message, Queue, SharedBroker, Target};
use linkbeat_recorder::{HistoryPace, Recorder, RecorderSettings, Rules};
use linkbeat_shared::wire::{JobLinkMessage, ResultsMessage};
use linkbeat_shared::{
    CheckResult, CheckSpec, Details, JobId, LinkId, LinkSelection, LinkUrl, NewLink, Reason, ReplyTo,
    RequestId, RunId, ShowRules, TraceContext, Verdict,
};
use linkbeat_store::{
    HistoryRules, JobKind, JobResults, NewRun, OpenMode, PlannedJob, Planner, SharedStore, open,
};
use linkbeat_testbed::broker::{Fate, Watched};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How long anything may take before a case gives up on it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A recorder at work.
pub(crate) struct World {
    pub(crate) store: SharedStore,
    pub(crate) broker: SharedBroker,
    stop: CancellationToken,
    recorder: Option<JoinHandle<()>>,
}

impl World {
    /// A database, and no recorder yet.
    pub(crate) async fn open() -> Self {
        Self::over("sqlite::memory:").await
    }

    /// The same, in this database.
    pub(crate) async fn over(url: &str) -> Self {
        Self::on(MemoryBroker::new(100), url).await
    }

    /// The same over this broker.
    pub(crate) async fn on(broker: SharedBroker, url: &str) -> Self {
        let store = open(&url.parse().unwrap(), OpenMode::Migrate).await.unwrap();
        Self { store, broker, stop: CancellationToken::new(), recorder: None }
    }

    /// Starts a recorder whose announcements never get through: whoever publishes one waits.
    pub(crate) fn start_stuck(&mut self) -> Arc<Watched> {
        let broker = Watched::over(self.broker.clone());
        broker.treats(|target| match target {
            Target::Event(_) | Target::Broadcast => Fate::Stuck,
            _ => Fate::Through,
        });
        self.start(Recorder::new(RecorderSettings::default(), broker.clone(), self.store.clone()));
        broker
    }

    /// Starts a recorder. `fate` decides what becomes of what it publishes.
    pub(crate) fn start_treated(&mut self, fate: fn(&Target) -> Fate) -> Arc<Watched> {
        let broker = self.start_watched();
        broker.treats(fate);
        broker
    }

    /// Starts a recorder for one run.
    pub(crate) fn start_only(&mut self, run: RunId) {
        let recorder =
            Recorder::new(RecorderSettings::default(), self.broker.clone(), self.store.clone()).only(run);
        self.start(recorder);
    }

    /// Starts a recorder, and shows what it publishes.
    pub(crate) fn start_watched(&mut self) -> Arc<Watched> {
        let broker = Watched::over(self.broker.clone());
        self.start(Recorder::new(RecorderSettings::default(), broker.clone(), self.store.clone()));
        broker
    }

    /// Starts a recorder that rolls up and cleans up.
    pub(crate) fn start_keeping(&mut self, pace: HistoryPace, rules: HistoryRules) {
        let recorder = Recorder::new(RecorderSettings::default(), self.broker.clone(), self.store.clone());
        self.start(recorder.keeping_at(pace, rules));
    }

    /// Ends the recorder in the middle of whatever it does.
    pub(crate) async fn abort(&mut self) {
        let recorder = self.recorder.take().unwrap();
        recorder.abort();
        assert!(recorder.await.unwrap_err().is_cancelled());
    }

    fn start(&mut self, recorder: Recorder) {
        let stop = self.stop.clone();
        self.recorder = Some(tokio::spawn(async move { recorder.run(stop).await }));
    }

    /// Stops the recorder in an orderly manner.
    pub(crate) async fn stop(&mut self) {
        self.stop.cancel();
        tokio::time::timeout(PATIENCE, self.recorder.take().unwrap()).await.unwrap().unwrap();
        self.stop = CancellationToken::new();
    }

    /// Files a run of so many links, always the same, in a job each.
    pub(crate) async fn file_links(&self, count: usize) -> (RunId, Vec<PlannedJob>) {
        let link = |n| NewLink::from_url(LinkUrl::parse(&format!("http://link-{n}.example/")).unwrap());
        let id = RunId::new();
        (id, self.plan(id, (0..count).map(link).collect(), None).await)
    }

    /// Has these links checked once, all of them up; that run is over and told.
    pub(crate) async fn know_links(&self, count: usize) {
        let (run_id, jobs) = self.file_links(count).await;
        let results = |job: &PlannedJob| JobResults {
            run_id,
            job_id: job.id,
            results: job.links.iter().map(|link| up(*link)).collect(),
        };
        let results: Vec<_> = jobs.iter().map(results).collect();
        self.store.record(&results, Arc::new(Rules)).await.unwrap();
        self.store.close_runs(10).await.unwrap();
        for told in self.store.unannounced_runs(None, 10, PATIENCE).await.unwrap() {
            self.store.mark_announced(&told).await.unwrap();
        }
    }

    /// Files a run of one link, in one job.
    pub(crate) async fn file(&self) -> (RunId, PlannedJob) {
        let id = RunId::new();
        (id, self.file_as(id).await)
    }

    /// The same, under this id.
    pub(crate) async fn file_as(&self, id: RunId) -> PlannedJob {
        self.plan(id, vec![own_link(id)], None).await.remove(0)
    }

    /// Files a run of one link whose report goes to this queue, and sends its result.
    pub(crate) async fn end_a_run_for(&self, asker: &str) -> RunId {
        let id = RunId::new();
        let reply_to = ReplyTo { queue: asker.to_owned(), correlation_id: None };
        let job = self.plan(id, vec![own_link(id)], Some(reply_to)).await.remove(0);
        self.send(id, &job).await;
        id
    }

    async fn plan(&self, id: RunId, links: Vec<NewLink>, reply_to: Option<ReplyTo>) -> Vec<PlannedJob> {
        let run = NewRun {
            id,
            request_id: RequestId::new(),
            kept: None,
            links: LinkSelection::given(links),
            check: CheckSpec::default(),
            rules: ShowRules::default(),
            reuse_within: None,
            reply_to,
            lang: <_>::default(),
            progress: false,
            trace: trace(),
        };
        let (planned, mut jobs) = mpsc::unbounded_channel();
        self.store.file_run(run, Box::new(OneJobEach(planned))).await.unwrap();
        std::iter::from_fn(|| jobs.try_recv().ok()).collect()
    }

    /// Sends the result of a job, as a worker does.
    pub(crate) async fn send(&self, run: RunId, job: &PlannedJob) {
        self.send_results(run, job, up).await;
    }

    /// The same, of a site that is down.
    pub(crate) async fn send_failed(&self, run: RunId, job: &PlannedJob) {
        let down = |link| CheckResult {
            verdict: Some(Verdict::Down),
            reason: Some(Reason::Status { code: 404 }),
            status: Some(404),
            ..up(link)
        };
        self.send_results(run, job, down).await;
    }

    async fn send_results(&self, run: RunId, job: &PlannedJob, result: fn(LinkId) -> CheckResult) {
        let results = job.links.iter().map(|link| result(*link)).collect();
        let message = Message::of(Uuid::now_v7(), &ResultsMessage::new(run, job.id, results));
        self.broker.publish(&Target::Queue(Queue::RESULTS), message).await.unwrap();
    }

    /// What workers are told by broadcast.
    pub(crate) async fn broadcasts(&self) -> Box<dyn Broadcasts> {
        self.broker.broadcasts().await.unwrap()
    }

    /// Waits until the run has a result.
    pub(crate) async fn recorded(&self, run: RunId) {
        let recorded = async {
            while self.store.run(run).await.unwrap().unwrap().done == 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, recorded).await.unwrap();
    }
}

/// A link that no other run has.
fn own_link(run: RunId) -> NewLink {
    NewLink::from_url(LinkUrl::parse(&format!("http://{}.example/", run.0.simple())).unwrap())
}

/// The first announcement that was tried in vain.
pub(crate) async fn first_stuck(broker: &Watched) -> Target {
    let mut held_back = broker.held_back.subscribe();
    let first = tokio::time::timeout(PATIENCE, held_back.wait_for(|targets| !targets.is_empty())).await;
    first.unwrap().unwrap()[0].clone()
}

pub(crate) fn up(link_id: LinkId) -> CheckResult {
    CheckResult {
        link_id,
        verdict: Some(Verdict::Up),
        reason: None,
        status: Some(200),
        elapsed_ms: 7,
        checked_at: Utc::now(),
        details: Details::default(),
        phases: None,
    }
}

/// Plans one job for each link, and tells of it.
struct OneJobEach(mpsc::UnboundedSender<PlannedJob>);

impl Planner for OneJobEach {
    fn begin(&mut self, _run: RunId, _links: u64) {}

    fn add(&mut self, _name: &str, link: JobLinkMessage, _fresh: Option<CheckResult>) -> Vec<PlannedJob> {
        let links = vec![LinkId(link.id)];
        let job = PlannedJob { id: JobId::new(), kind: JobKind::Check, links, body: b"{}".to_vec() };
        self.0.send(job.clone()).unwrap();
        vec![job]
    }

    fn is_white_listed(&self, _name: &str) -> bool {
        false
    }

    fn finish(&mut self) -> Vec<PlannedJob> {
        Vec::new()
    }
}

/// The trace that each run is part of.
pub(crate) fn trace() -> Option<TraceContext> {
    TraceContext::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", None)
}
