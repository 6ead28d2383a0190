//! Runs: the list, one of them, and what people do about one.

mod actions;
mod list;
mod one;
mod row;

use axum::Router;
use axum::routing::{get, post};

pub(super) use actions::filed;
pub(crate) use one::Progress;
pub(crate) use row::RunRow;

use crate::serve::App;

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/runs", get(list::show).post(actions::check_all))
        .route("/runs/{id}", get(one::show))
        .route("/runs/{id}/{action}", post(actions::act))
}
