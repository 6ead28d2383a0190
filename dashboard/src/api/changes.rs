//! What became of links.

use axum::extract::State;
use linkbeat_shared::{LinkId, RunId};
use linkbeat_store::{ChangeKind, ChangeQuery};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::asked::Asked;
use super::check_item::ChangeItem;
use super::paging::{Listed, page_of};
use super::problem::Problem;
use super::value::{After, Limit, Time, VerdictWord};
use crate::serve::App;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list_changes))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ChangesParams {
    /// What became of the link.
    #[param(inline)]
    kind: Option<KindWord>,
    /// Of this link.
    link: Option<Uuid>,
    /// Found by this run.
    run: Option<Uuid>,
    /// The verdict after it.
    #[param(inline)]
    verdict: Option<VerdictWord>,
    /// No earlier than this.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<Time>,
    /// Before this.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<Time>,
    /// Where the page before ended: its `next`.
    #[param(value_type = Option<String>, max_length = 2000)]
    after: Option<After>,
    /// How much is on a page.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200, default = 50)]
    limit: Option<Limit>,
}

/// What became of a link.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum KindWord {
    /// It was hidden.
    Hidden,
    /// It was shown.
    Shown,
    /// Only its verdict became another.
    Verdict,
}

impl From<KindWord> for ChangeKind {
    fn from(word: KindWord) -> Self {
        match word {
            KindWord::Hidden => Self::Hidden,
            KindWord::Shown => Self::Shown,
            KindWord::Verdict => Self::Verdict,
        }
    }
}

/// List changes
///
/// Newest first. The first verdict of a link counts as a change.
#[utoipa::path(get, path = "/changes", tag = "changes", params(ChangesParams),
    responses((status = 200, description = "A page of changes", body = Listed<ChangeItem>)))]
async fn list_changes(
    State(app): State<App>,
    Asked(asked): Asked<ChangesParams>,
) -> Result<Listed<ChangeItem>, Problem> {
    let page = page_of(asked.after, asked.limit)?;
    let query = ChangeQuery {
        kind: asked.kind.map(ChangeKind::from),
        link: asked.link.map(LinkId),
        run: asked.run.map(RunId),
        verdict: asked.verdict.map(Into::into),
        since: asked.since.map(|time| time.0),
        until: asked.until.map(|time| time.0),
    };
    Ok(Listed::of(app.ports.store.browse_changes(&query, &page).await?, ChangeItem::from))
}
