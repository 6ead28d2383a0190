//! Calls that take no query refuse one: whoever writes it means something by it. The others refuse what is not theirs when
//! they read it (`asked`).

use std::collections::HashSet;
use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::problem::Problem;

/// The calls that take no query, as the document says: their methods and paths.
#[derive(Debug, Clone)]
pub(super) struct WithoutQuery(Arc<HashSet<(String, String)>>);

impl WithoutQuery {
    pub(super) fn of(document: &Value) -> Self {
        let paths = document["paths"].as_object().into_iter().flatten();
        let calls = paths.flat_map(|(path, calls)| {
            let calls = calls.as_object().into_iter().flatten();
            calls.map(move |(method, call)| ((method.to_ascii_uppercase(), format!("/api/v1{path}")), call))
        });
        Self(Arc::new(calls.filter(|(_, call)| !takes_query(call)).map(|(name, _)| name).collect()))
    }

    fn has(&self, method: &Method, path: &str) -> bool {
        // HEAD is answered as GET is.
        let method = if method == Method::HEAD { &Method::GET } else { method };
        self.0.contains(&(method.to_string(), path.to_owned()))
    }
}

fn takes_query(call: &Value) -> bool {
    let parameters = call["parameters"].as_array();
    parameters.into_iter().flatten().any(|parameter| parameter["in"] == "query")
}

pub(super) async fn refused(
    State(calls): State<WithoutQuery>,
    path: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    let says_more = request.uri().query().is_some_and(|query| !query.is_empty());
    if says_more && path.is_some_and(|path| calls.has(request.method(), path.as_str())) {
        return Problem::malformed("this call takes no query parameters").into_response();
    }
    next.run(request).await
}
