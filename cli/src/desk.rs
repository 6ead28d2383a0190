//! Files the requests of the dashboard.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use linkbeat_dashboard::{BadList, CannotFile, Desk, ScheduleRun};
use linkbeat_producer::{CannotRepeat, CannotRun, Outbox, RunNow};
use linkbeat_shared::{GivenLinks, Lang, Link, Request, RequestId, RequestOptions, RunId};
use linkbeat_store::{Filed, SharedStore, StoredSchedule};

use crate::explainer::Explainer;
use crate::input::{self, InputError};
use crate::lang::said_in;

/// Files in the database. An outbox of this process publishes the jobs; without one a producer finds the run.
pub(crate) struct OwnDesk {
    pub(crate) store: SharedStore,
    pub(crate) outbox: Option<Arc<Outbox>>,
    /// What is asked of links if nobody says otherwise.
    pub(crate) options: RequestOptions,
    pub(crate) explainer: Explainer,
}

impl OwnDesk {
    fn publish(&self, filed: &Filed) {
        if let Some(outbox) = &self.outbox {
            outbox.add(filed);
        }
    }
}

impl fmt::Debug for OwnDesk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnDesk").finish_non_exhaustive()
    }
}

#[async_trait]
impl Desk for OwnDesk {
    async fn file(&self, request: Request) -> Result<Filed, CannotFile> {
        let filed = linkbeat_producer::file(&self.store, request).await?;
        self.publish(&filed);
        Ok(filed)
    }

    fn options(&self) -> RequestOptions {
        self.options.clone()
    }

    async fn repeat_run(&self, run: RunId, request: RequestId) -> Result<Filed, CannotFile> {
        let filed =
            linkbeat_producer::repeat(&self.store, run, request).await.map_err(|error| match error {
                CannotRepeat::Store(error) => CannotFile::Store(error),
                error => CannotFile::Unreadable(error.to_string()),
            })?;
        self.publish(&filed);
        Ok(filed)
    }

    async fn run_schedule(
        &self,
        schedule: &StoredSchedule,
        request: RequestId,
    ) -> Result<ScheduleRun, CannotFile> {
        let run = linkbeat_producer::run_now(&*self.store, schedule, request).await;
        let run = run.map_err(|error| match error {
            CannotRun::Store(error) => CannotFile::Store(error),
            error => CannotFile::Unreadable(error.to_string()),
        })?;
        Ok(match run {
            RunNow::Filed(filed) => {
                self.publish(&filed);
                ScheduleRun::Filed(filed)
            }
            RunNow::Overlap(run) => ScheduleRun::Overlap(run),
            RunNow::Gone => ScheduleRun::Gone,
        })
    }

    fn explain(&self, link: &Link, lang: Lang) -> BoxStream<'static, String> {
        self.explainer.explain(link, lang)
    }

    fn read_list(&self, name: &str, list: Vec<u8>, lang: Lang) -> Result<GivenLinks, BadList> {
        match input::read_sent(name, list) {
            Ok(input) => Ok(input.links),
            Err(error) => {
                // What to do about bad rows names a flag of the command line.
                let advice = error.advice().filter(|_| !matches!(error, InputError::BadRows(_)));
                let advice = advice.map(|advice| format!("; {advice}")).unwrap_or_default();
                Err(BadList(said_in(lang, &format!("{error}{advice}"))))
            }
        }
    }
}
