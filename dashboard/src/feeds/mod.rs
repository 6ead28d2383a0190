//! What blogs and their themes read, `/feed/`.

use axum::Router;

use crate::serve::App;

pub(crate) fn routes() -> Router<App> {
    Router::new()
}
