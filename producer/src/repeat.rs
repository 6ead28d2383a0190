use std::sync::Arc;

use linkbeat_shared::schedule::{BadStoredRequest, read_request};
use linkbeat_shared::{LinkSelection, NewLink, Request, RequestId, RunId};
use linkbeat_store::{Filed, Filing, KeptRequest, Links, Runs, StoreError};

use crate::file::file;

/// The longest list that is asked for again: its links lie in memory meanwhile.
const MOST: usize = 100_000;
/// Links that are read at once.
const PAGE: usize = 1_000;

/// Why a run cannot be repeated.
#[derive(Debug, thiserror::Error)]
pub enum CannotRepeat {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no such run.
    #[error("there is no run {0}")]
    Unknown(RunId),
    /// It is older than what repeating needs, or its white list was too long to be kept.
    #[error("what run {0} was asked is not kept")]
    NotKept(RunId),
    /// Another linkbeat has kept it.
    #[error(transparent)]
    Unreadable(#[from] BadStoredRequest),
    /// Its list is too long.
    #[error("run {0} had a list of more than {MOST} links: file a run of all links, or of their group")]
    TooLong(RunId),
    /// Its jobs were removed with its checks, or its links were.
    #[error("the links of run {0} are not kept any more")]
    NoLinks(RunId),
}

/// Files a run that is asked the same as this one, under the id of a new request. The stored links are those of today: a
/// run of a group covers those that are in it by now, and a list those of its links that are still stored.
///
/// Nothing is published: see [`crate::Outbox::add`]. The same request id again gives the run that exists.
pub async fn repeat<S>(store: &Arc<S>, run: RunId, id: RequestId) -> Result<Filed, CannotRepeat>
where
    S: Filing + Runs + Links + ?Sized,
{
    // What the run needs may be gone by now. The run that was filed then is not.
    if let Some(run) = store.run_of(id).await? {
        return Ok(Filed { run, existed: true, heard: true });
    }
    let Some(KeptRequest { request, listed }) = store.kept_request(run).await? else {
        let is_known = store.run(run).await?.is_some();
        return Err(if is_known { CannotRepeat::NotKept(run) } else { CannotRepeat::Unknown(run) });
    };
    let request = read_request(&request, id)?;
    let links = if listed { list_of(store, run).await? } else { request.links };
    Ok(file(store, Request { links, ..request }).await?)
}

/// The links of a run's list that are still stored.
async fn list_of<S>(store: &Arc<S>, run: RunId) -> Result<LinkSelection, CannotRepeat>
where
    S: Runs + Links + ?Sized,
{
    let ids = store.links_of_run(run, MOST).await?;
    if ids.len() > MOST {
        return Err(CannotRepeat::TooLong(run));
    }
    let mut links = Vec::with_capacity(ids.len());
    for page in ids.chunks(PAGE) {
        links.extend(store.links_of(page).await?.into_iter().map(|link| NewLink::from_url(link.url)));
    }
    if links.is_empty() { Err(CannotRepeat::NoLinks(run)) } else { Ok(LinkSelection::given(links)) }
}
