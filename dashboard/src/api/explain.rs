//! A check that is told step by step.

use std::convert::Infallible;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use linkbeat_shared::{Lang, LinkId};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::asked::{Asked, Named, NoBody};
use super::links::find;
use super::problem::Problem;
use crate::serve::App;

/// What is sent as it comes.
pub(super) fn streams() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(explain_link))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ExplainParams {
    /// The language of the steps.
    #[param(inline)]
    lang: Option<LangWord>,
}

/// A language.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum LangWord {
    #[default]
    En,
    Zh,
}

/// Explain a link
///
/// Checks it now and tells each step as it is taken, in lines: addresses, phases, redirects, the certificate, where the
/// backlink stands, the verdict and its rule. Nothing is stored.
#[utoipa::path(post, path = "/links/{id}/explain", tag = "links",
    params(("id" = Uuid, Path, description = "The link"), ExplainParams),
    responses((status = 200, description = "The steps", content((String = "text/plain")))))]
async fn explain_link(
    State(app): State<App>,
    Named(id): Named,
    Asked(asked): Asked<ExplainParams>,
    _: NoBody,
) -> Result<Response, Problem> {
    let listed = find(&app, LinkId(id)).await?;
    let lang = match asked.lang.unwrap_or_default() {
        LangWord::En => Lang::En,
        LangWord::Zh => Lang::Zh,
    };
    let steps = app.ports.desk.explain(&listed.link, lang).map(|line| Ok::<_, Infallible>(line + "\n"));
    let steps = steps.take_until(app.stop.clone().cancelled_owned());
    // Proxies send on what has come.
    let headers = [(CONTENT_TYPE.as_str(), "text/plain; charset=utf-8"), ("x-accel-buffering", "no")];
    Ok((headers, Body::from_stream(steps)).into_response())
}
