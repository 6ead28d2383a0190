use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use linkbeat_shared::{Lang, RunId};

use super::look::{Look, Parts};
use crate::pages::{Made, Problem, Progress, Visit};
use crate::serve::App;

/// How often the poller looks.
const EVERY: Duration = Duration::from_secs(1);
/// How long it waits after a look that failed.
const AFTER_A_FAULT: Duration = Duration::from_secs(5);
/// The end of a run is told for so long, to views that come late.
const TOLD_FOR: Duration = Duration::from_secs(60);

/// Looks again and again while somebody watches, until the dashboard stops.
pub(crate) async fn poll(app: App) {
    let mut poller = Poller { running: BTreeSet::new(), ended: BTreeMap::new() };
    let looking = async {
        loop {
            app.live.until_watched().await;
            let wait = match poller.look(&app).await {
                Ok(()) => EVERY,
                Err(_) => AFTER_A_FAULT,
            };
            tokio::time::sleep(wait).await;
        }
    };
    tokio::select! {
        () = app.stop.cancelled() => {}
        () = looking => {}
    }
}

/// What is remembered from look to look.
struct Poller {
    running: BTreeSet<RunId>,
    ended: BTreeMap<RunId, (Instant, [Made; 2])>,
}

impl Poller {
    async fn look(&mut self, app: &App) -> Result<(), Problem> {
        let look = Look::now(app).await?;
        let running: BTreeSet<RunId> = look.runs.iter().map(|listed| listed.run.id).collect();
        self.ended.retain(|_, (at, _)| at.elapsed() < TOLD_FOR);
        for id in std::mem::replace(&mut self.running, running.clone()).difference(&running) {
            self.note_end(app, *id).await?;
        }
        let [english, chinese] = visits(app);
        let mut parts = Parts { english: look.parts(&english)?, chinese: look.parts(&chinese)? };
        for (id, (_, [english, chinese])) in &self.ended {
            parts.english.insert(format!("run-{id}"), english.clone());
            parts.chinese.insert(format!("run-{id}"), chinese.clone());
        }
        app.live.latest.send_if_modified(|latest| {
            let is_new = **latest != parts;
            if is_new {
                *latest = Arc::new(parts);
            }
            is_new
        });
        Ok(())
    }

    /// A run that went on at the look before does so no longer.
    async fn note_end(&mut self, app: &App, id: RunId) -> Result<(), Problem> {
        let store = &app.ports.store;
        let (Some(run), Some(summary)) = (store.run(id).await?, store.summary(id).await?) else {
            return Ok(());
        };
        let made = |v: &Visit| Made::of(&Progress::new(v, &run, summary.counts, summary.to_recheck));
        let [english, chinese] = visits(app);
        self.ended.insert(id, (Instant::now(), [made(&english)?, made(&chinese)?]));
        Ok(())
    }
}

fn visits(app: &App) -> [Visit; 2] {
    [Lang::En, Lang::Zh].map(|lang| Visit::in_language(&app.settings.base_path, lang))
}
