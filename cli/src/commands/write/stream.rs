//! Reads a page from the database, writes it, and reads the next one: memory holds one page.

use std::io::{self, Write};

use linkbeat_shared::{LinkId, RunSummary};
use linkbeat_store::{LinkQuery, Reports, SharedStore, StoreError};

use crate::output::Format;

/// Links read at once.
const PAGE: u32 = 2_000;

/// Why a result was not written whole.
#[derive(Debug, thiserror::Error)]
pub(super) enum StreamError {
    #[error(transparent)]
    Read(#[from] StoreError),
    #[error(transparent)]
    Write(#[from] io::Error),
}

/// Writes the report of a run.
pub(super) async fn report(
    format: &dyn Format,
    reports: &dyn Reports,
    run: &RunSummary,
    out: &mut dyn Write,
) -> Result<(), StreamError> {
    let mut pages = format.report(run, out)?;
    for which in format.selections(run) {
        let mut after = None;
        loop {
            let page = reports.report_links(run.run_id, which, after, PAGE).await?;
            pages.page(&page)?;
            after = last(&page, |link| link.id);
            if after.is_none() {
                break;
            }
        }
    }
    Ok(pages.end()?)
}

/// Writes the stored links that are `wanted`.
pub(super) async fn links(
    format: &dyn Format,
    store: &SharedStore,
    wanted: &LinkQuery,
    out: &mut dyn Write,
) -> Result<(), StreamError> {
    let mut pages = format.links(out)?;
    if *wanted == LinkQuery::default() {
        let mut after = None;
        loop {
            let page = store.links(after, PAGE).await?;
            after = last(&page, |link| link.id);
            pages.page(&page)?;
            if after.is_none() {
                return Ok(pages.end()?);
            }
        }
    }
    // The database chooses and sorts their ids, 16 bytes for each link.
    for some in store.link_ids(wanted).await?.chunks(PAGE as usize) {
        pages.page(&store.links_of(some).await?)?;
    }
    Ok(pages.end()?)
}

/// The last link of a page that is full. After any other there is none.
fn last<T>(page: &[T], id: impl Fn(&T) -> LinkId) -> Option<LinkId> {
    page.last().filter(|_| page.len() == PAGE as usize).map(id)
}
