//! Links: the list with its filter, what people do with many of them, one of them, and lists on their way in.

mod actions;
mod add;
mod edit;
mod explain;
mod filter;
mod groups;
mod list;
mod one;
mod period;
mod row;
mod why;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};

pub(crate) use filter::Filter;
pub(crate) use row::LinkRow;

use crate::serve::App;

/// The largest list that is taken, in bytes.
const LARGEST_LIST: usize = 32 << 20;

pub(super) fn routes() -> Router<App> {
    let adding = get(add::show).post(add::take).layer(DefaultBodyLimit::max(LARGEST_LIST));
    Router::new()
        .route("/links", get(list::show))
        .route("/links/actions", post(actions::act))
        .route("/links/add", adding)
        .route("/links/export", get(super::export::links))
        .route("/links/{id}", get(one::show))
        .route("/links/{id}/edit", get(edit::show).post(edit::take))
        .route("/links/{id}/explain", get(explain::ask).post(explain::carry_out))
}
