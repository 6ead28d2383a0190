//! The JSON API, `/api/v1`: everything that the pages do, for programs.
//!
//! Each file has the calls of one resource. `routes!` takes path and method from the annotation of a handler, so the routes
//! and the document cannot part. Calls by GET read, all others write.

mod about;
mod asked;
mod bulk;
mod changes;
mod check_item;
mod document;
mod etag;
mod explain;
mod filter;
mod idempotency;
mod import;
mod link_history;
mod link_item;
mod links;
mod page;
mod paging;
mod pause;
mod problem;
mod request;
mod runs;
mod schedules;
mod servers;
mod value;
mod without_query;

use std::sync::Arc;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::response::IntoResponse;
use axum::routing::get;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

pub(crate) use problem::{Problem, told_as_problem};

use crate::pages::{self, Made, Visit};
use crate::serve::App;
use without_query::WithoutQuery;

/// The routes. The gate of the dashboard sees to it that who calls may do so.
pub(crate) fn routes(app: &App) -> Router<App> {
    let (tagged, mut api) = OpenApiRouter::with_openapi(document::About::openapi())
        .merge(links::routes())
        .merge(bulk::routes())
        .merge(import::routes())
        .merge(link_history::routes())
        .merge(runs::routes())
        .merge(changes::routes())
        .merge(schedules::routes())
        .merge(servers::routes())
        .merge(about::routes())
        .split_for_parts();
    let (streams, of_streams) = bulk::streams().merge(explain::streams()).split_for_parts();
    api.merge(of_streams);
    let document = document::whole(&api, app);
    let page = Made::html(page::page(&document));
    let without_query = WithoutQuery::of(&document);
    let document: Arc<str> = document.to_string().into();
    let json = async move || ([(CONTENT_TYPE, "application/json")], document.to_string());
    let html = async move |v: Visit| pages::reference(v, page);
    let calls = tagged
        .route("/openapi.json", get(json))
        .layer(from_fn(etag::tagged))
        .merge(streams)
        .layer(from_fn_with_state(without_query, without_query::refused))
        .fallback(async || Problem::not_found("call of this path").into_response())
        .layer(map_response(told_as_problem));
    // A nested router takes no path that is its own with a slash behind it.
    Router::new().nest("/api/v1", calls).route("/api/v1/", get(html).layer(pages::compressed()))
}
