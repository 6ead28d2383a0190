//! The links of a run.

use axum::extract::State;
use linkbeat_shared::RunId;
use linkbeat_store::{ReportLinks, RunLinkSort};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::api::asked::{Asked, Named};
use crate::api::check_item::RunLinkItem;
use crate::api::paging::{Listed, page_of};
use crate::api::problem::Problem;
use crate::api::value::{After, Limit, VerdictWord};
use crate::serve::App;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RunLinksParams {
    /// Which links.
    #[param(inline)]
    which: Option<WhichWord>,
    /// Only those of this verdict that the run did not hide or show.
    #[param(inline)]
    verdict: Option<VerdictWord>,
    /// The order of the list.
    #[param(inline)]
    sort: Option<RunSortWord>,
    /// Where the page before ended: its `next`.
    #[param(value_type = Option<String>, max_length = 2000)]
    after: Option<After>,
    /// How much is on a page.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200, default = 50)]
    limit: Option<Limit>,
}

/// Which links of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum WhichWord {
    /// All that have a result.
    All,
    /// Those that did not pass, or that the run hid or showed or would.
    ChangedOrFailed,
}

/// The order of the links of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum RunSortWord {
    /// As they were added.
    Added,
    /// Those that did not pass first, and of each kind the slowest first.
    WorstFirst,
}

/// List the links of a run
///
/// Those that have a result.
#[utoipa::path(get, path = "/runs/{id}/links", tag = "runs", params(("id" = Uuid, Path, description = "The run"), RunLinksParams),
    responses((status = 200, description = "A page of links", body = Listed<RunLinkItem>)))]
pub(super) async fn list_run_links(
    State(app): State<App>,
    Named(id): Named,
    Asked(asked): Asked<RunLinksParams>,
) -> Result<Listed<RunLinkItem>, Problem> {
    let page = page_of(asked.after, asked.limit)?;
    let run = RunId(id);
    let store = &app.ports.store;
    store.run(run).await?.ok_or_else(|| Problem::not_found(format!("run {id}")))?;
    let which = match (asked.verdict, asked.which) {
        (Some(verdict), _) => ReportLinks::Of { change: None, verdict: Some(verdict.into()) },
        (None, Some(WhichWord::ChangedOrFailed)) => ReportLinks::ChangedOrFailed,
        (None, Some(WhichWord::All) | None) => ReportLinks::All,
    };
    let sort = match asked.sort {
        Some(RunSortWord::WorstFirst) => RunLinkSort::WorstFirst,
        Some(RunSortWord::Added) | None => RunLinkSort::Added,
    };
    Ok(Listed::of(store.browse_run_links(run, which, sort, &page).await?, RunLinkItem::from))
}
