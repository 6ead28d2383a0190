//! RESULTS -> STORED.
//!
//! Results come from the queues `linkbeat.results` and `linkbeat.results.large` in batches ([`gather`]). Each batch is one
//! transaction, in which the rules decide what is shown ([`Rules`]). Only after the commit are changes published and the
//! messages acknowledged. The queues are served beside each other, so a small run does not wait for the results of a
//! large one.
//!
//! Besides, the recorder carries out what results only proposed ([`settle`]), closes and announces the runs that ended
//! ([`announce`]), makes the partitions of the table of checks ahead ([`partitions`]), and rolls up and removes old checks
//! ([`history`]).

mod announce;
mod gather;
mod history;
mod identity;
mod in_hand;
mod outage;
mod partitions;
mod places;
mod progress;
mod record;
mod rules;
mod settings;
mod settle;
mod signs;

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{FusedFuture, OptionFuture};
use linkbeat_broker::SharedBroker;
use linkbeat_shared::{RunId, RunSize};
use linkbeat_store::{HistoryRules, RecorderStore};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use history::{DUE_AFTER, HistoryPace};
pub use rules::Rules;
pub use settings::{HistorySettings, RecorderSettings};

use crate::announce::{AnnounceError, Announcer};
use crate::gather::{Gatherer, Storing};
use crate::history::Historian;
use crate::in_hand::InHand;
use crate::partitions::PartitionMaker;
use crate::progress::Progress;
use crate::record::Recording;
use crate::signs::Signs;

/// How often runs that ended are looked for without a sign of them, and how often a database that failed is tried
/// again.
const TICK: Duration = Duration::from_millis(500);

/// The role `recorder`.
#[derive(Debug)]
pub struct Recorder {
    settings: RecorderSettings,
    broker: SharedBroker,
    store: Arc<dyn RecorderStore>,
    /// One for each queue of results.
    recordings: [Arc<Recording>; 2],
    announcer: Announcer,
    partitions: PartitionMaker,
    /// Nobody, unless rules are given.
    historian: Option<Historian>,
    /// `None`: nobody listens to it.
    progress: Option<Progress>,
}

impl Recorder {
    /// A recorder on these servers.
    pub fn new(settings: RecorderSettings, broker: SharedBroker, store: Arc<dyn RecorderStore>) -> Self {
        let in_hand = Arc::<InHand>::default();
        let recording = |size| {
            let in_hand = Arc::clone(&in_hand);
            Arc::new(Recording::new(size, broker.clone(), store.clone(), in_hand))
        };
        Self {
            recordings: [RunSize::Small, RunSize::Large].map(recording),
            announcer: Announcer::new(broker.clone(), store.clone(), in_hand),
            progress: Some(Progress::new(broker.clone(), store.clone())),
            partitions: PartitionMaker::new(store.clone()),
            historian: None,
            store,
            settings,
            broker,
        }
    }

    /// The same, but it also rolls up and removes old checks by these rules.
    #[must_use]
    pub fn keeping(self, rules: HistoryRules) -> Self {
        self.keeping_at(HistoryPace::default(), rules)
    }

    /// The same at another pace.
    #[must_use]
    pub fn keeping_at(self, pace: HistoryPace, rules: HistoryRules) -> Self {
        Self { historian: Some(Historian::new(self.store.clone(), rules, pace)), ..self }
    }

    /// The same, but it announces the end of this run alone. That is for a process whose broker nobody else listens to:
    /// the end of another run would reach neither that run's workers nor whoever asked for it.
    #[must_use]
    pub fn only(self, run: RunId) -> Self {
        Self { announcer: self.announcer.only(run), progress: None, ..self }
    }

    /// Why the results of runs of this size cannot be stored, while they cannot.
    pub fn outage(&self, size: RunSize) -> watch::Receiver<Option<String>> {
        self.recordings[usize::from(size == RunSize::Large)].outage.watch()
    }

    /// Records until `shutdown`; a batch at hand is stored and acknowledged first, and what it ended is announced.
    pub async fn run(&self, shutdown: CancellationToken) {
        let (signs, recorded_all) = (Arc::<Signs>::default(), CancellationToken::new());
        let recording = async {
            let _ended = recorded_all.clone().drop_guard();
            self.record_all(&signs, &shutdown).await;
        };
        // Where one panics, all end, and whoever runs the recorder notices.
        tokio::join!(
            recording,
            // Boxed: together they would make a large future.
            Box::pin(self.announcer.run(&signs, &recorded_all)),
            Box::pin(self.partitions.run(&recorded_all)),
            Box::pin(OptionFuture::from(
                self.historian.as_ref().map(|historian| historian.run(&recorded_all))
            )),
            Box::pin(self.tell_progress(&recorded_all))
        );
    }

    async fn tell_progress(&self, recorded_all: &CancellationToken) {
        if let Some(progress) = &self.progress {
            progress.run(recorded_all).await;
        }
    }

    /// Each queue has a task of its own: to judge a batch of a large run takes many milliseconds, and a small run need not
    /// wait for that.
    async fn record_all(&self, signs: &Arc<Signs>, shutdown: &CancellationToken) {
        let mut tasks = JoinSet::new();
        for recording in &self.recordings {
            let (recording, signs, shutdown) = (Arc::clone(recording), Arc::clone(signs), shutdown.clone());
            tasks.spawn(record(recording, self.broker.clone(), self.settings.clone(), signs, shutdown));
        }
        while let Some(ended) = tasks.join_next().await {
            if let Err(error) = ended
                && let Ok(panic) = error.try_into_panic()
            {
                std::panic::resume_unwind(panic);
            }
        }
    }
}

/// Records what comes from one queue.
async fn record(
    recording: Arc<Recording>,
    broker: SharedBroker,
    settings: RecorderSettings,
    signs: Arc<Signs>,
    shutdown: CancellationToken,
) {
    let Ok(results) = broker.subscribe(&recording.queue, settings.batch_messages).await else { return };
    let mut gatherer = Gatherer { recording: &recording, results, settings: &settings };
    let mut storing = Storing::terminated();
    while let Some(batch) = gatherer.next(&mut storing, &shutdown).await {
        storing = recording.store(batch, &signs, &shutdown).boxed().fuse();
    }
    if !storing.is_terminated() {
        storing.await;
    }
    gatherer.results.stop().await;
}
