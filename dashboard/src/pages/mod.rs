//! Pages for people.

mod login;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;

use crate::serve::App;

pub(crate) fn routes() -> Router<App> {
    Router::new().route("/", get(overview)).merge(login::routes())
}

async fn overview(State(app): State<App>) -> Result<String, StatusCode> {
    let links = app.ports.store.links(None, 1).await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    Ok(format!("{} {}\n", app.settings.base_path.join("/"), links.len()))
}
