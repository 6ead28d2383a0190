//! Schedules: when they tick, what became of their latest ticks, and what people do about them.

mod actions;
mod list;

use axum::Router;
use axum::routing::{get, post};

use crate::serve::App;

pub(super) fn routes() -> Router<App> {
    Router::new().route("/schedules", get(list::show)).route("/schedules/{name}/{action}", post(actions::act))
}
