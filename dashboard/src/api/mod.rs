//! The JSON API, `/api/v1`.

use axum::Router;

use crate::serve::App;

pub(crate) fn routes() -> Router<App> {
    Router::new()
}
