//! Checks links for people at the dashboard, and tells each step.

use std::fmt;
use std::sync::{Arc, OnceLock};

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use linkbeat_shared::{CheckSpec, JobLink, Lang, Link};
use linkbeat_worker::{Engine, Outcome, WorkerSettings};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::task::AbortOnDropHandle;

use crate::output::explained;
use crate::plain::plain;
use crate::proxies;
use crate::settings::Settings;

/// Links that are explained at once.
const AT_ONCE: usize = 4;

/// Steps, and lines of steps, that wait to be sent.
const WAITING: usize = 256;

/// Checks as a worker of this machine would.
pub(crate) struct Explainer {
    worker: WorkerSettings,
    check: CheckSpec,
    engine: OnceLock<Result<Arc<Engine>, String>>,
    places: Arc<Semaphore>,
}

impl fmt::Debug for Explainer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Explainer").finish_non_exhaustive()
    }
}

impl Explainer {
    pub(crate) fn new(settings: &Settings) -> Self {
        let mut worker = settings.worker.clone();
        proxies::of_environment(&mut worker);
        let check = settings.check.clone().resolve().check;
        Self { worker, check, engine: OnceLock::new(), places: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// The steps in words, and at last the verdict. The check ends when nobody reads on.
    pub(crate) fn explain(&self, link: &Link, lang: Lang) -> BoxStream<'static, String> {
        let engine = self
            .engine
            .get_or_init(|| Engine::new(&self.worker).map(Arc::new).map_err(|error| error.to_string()));
        let (engine, place) = match (engine, Arc::clone(&self.places).try_acquire_owned()) {
            (Ok(engine), Ok(place)) => (Arc::clone(engine), place),
            (Err(error), _) => return alone(error.clone()),
            (_, Err(_)) => return alone(explained::busy(lang).to_owned()),
        };
        let (url, page_url) = (link.url.clone(), link.page_url.clone());
        let link = JobLink { id: link.id, url, page_url, backlink: link.backlink };
        let (to, lines) = mpsc::channel(WAITING);
        let check = self.check.clone();
        let task = tokio::spawn(async move {
            let _place = place;
            tell(&engine, &link, &check, lang, &to).await;
        });
        let state = (lines, AbortOnDropHandle::new(task));
        let next = async |(mut lines, task): (mpsc::Receiver<String>, AbortOnDropHandle<()>)| {
            lines.recv().await.map(|line| (line, (lines, task)))
        };
        stream::unfold(state, next).boxed()
    }
}

fn alone(line: String) -> BoxStream<'static, String> {
    stream::iter([line]).boxed()
}

async fn tell(engine: &Engine, link: &JobLink, check: &CheckSpec, lang: Lang, to: &mpsc::Sender<String>) {
    let (steps_to, mut steps) = mpsc::channel(WAITING);
    let telling = async {
        while let Some(step) = steps.recv().await {
            say(to, explained::lines(&step, lang)).await;
        }
    };
    let checking = Box::pin(engine.explain(link, check, steps_to));
    let (outcome, ()) = tokio::join!(checking, telling);
    let verdict = match outcome {
        Outcome::Judged(result) => explained::verdict(&result, check, lang),
        Outcome::OwnFault(fault) => vec![explained::own_fault(fault, lang)],
    };
    say(to, verdict).await;
}

/// Nobody may read on.
async fn say(to: &mpsc::Sender<String>, lines: Vec<String>) {
    for line in lines {
        let _ = to.send(plain(&line)).await;
    }
}
