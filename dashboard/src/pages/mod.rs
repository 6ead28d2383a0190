//! Pages for people: made on the server, usable without script, in English and Chinese.
//!
//! Each page is one file: it reads what it needs, at most a page of rows, and fills a template of `templates/`. Forms send
//! POST and come back by a redirect. What takes something away asks first, on a page of its own.

mod answer;
mod assets;
mod changes;
mod compressed;
mod confirm;
mod export;
mod form;
mod links;
mod login;
mod now;
mod once;
mod overview;
mod parked;
mod parts;
mod preferences;
mod reference;
mod runs;
mod schedules;
mod settings;
mod told;
mod visit;
mod wording;
mod workers;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

pub(crate) use answer::Problem;
pub(crate) use compressed::layer as compressed;
pub(crate) use form::Form;
pub(crate) use links::Filter;
pub(crate) use now::{ChangesPart, CountsPart, DownPart, FleetPart, RunningPart};
pub(crate) use parts::Made;
pub(crate) use reference::reference;
pub(crate) use runs::Progress;
pub(crate) use visit::Visit;

use crate::live;
use crate::serve::App;

/// The version in the footer.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Rows on a page of a list.
const ROWS: u32 = 50;

pub(crate) fn routes(app: &App) -> Router<App> {
    Router::new()
        .route("/", get(overview::show))
        .route("/assets/{version}/{name}", get(assets::get))
        .route("/preferences", post(preferences::choose))
        .route("/live", get(live::stream))
        .route("/changes", get(changes::show))
        .merge(login::routes())
        .merge(links::routes())
        .merge(runs::routes())
        .merge(schedules::routes())
        .merge(parked::routes())
        .route("/settings", get(settings::show))
        .route("/workers", get(workers::show))
        .fallback(async || Problem::NotFound)
        .layer(from_fn_with_state(app.clone(), answer::finish))
        .layer(compressed::layer())
}
