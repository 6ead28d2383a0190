//! Answers say where the next page is, and what a client has already is not sent again (RFC 9110 §8.8.3, §13.1).

use std::hash::{DefaultHasher, Hasher};

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH, LINK};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::paging::NextPage;
use super::problem::Problem;

/// Answers are no larger: a page has a limit.
const MOST: usize = 64 << 20;

/// Gives each answer to GET an ETag, and answers 304 where the client has it.
pub(super) async fn tagged(request: Request, next: Next) -> Response {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let known = Tags::of(request.headers(), &IF_NONE_MATCH);
    let uri = request.uri().clone();
    let response = next.run(request).await;
    if !is_read || response.status() != StatusCode::OK {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    if let Some(next) = parts.extensions.get::<NextPage>().and_then(|next| next.header(&uri)) {
        parts.headers.insert(LINK, next);
    }
    let Ok(body) = to_bytes(body, MOST).await else {
        return Problem::invalid("the answer is too large").into_response();
    };
    let tag = tag_of(&body);
    parts.headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    if let Ok(value) = tag.parse() {
        parts.headers.insert(ETAG, value);
    }
    if known.name(&tag) {
        parts.status = StatusCode::NOT_MODIFIED;
        parts.headers.remove(CONTENT_TYPE);
        parts.headers.remove(CONTENT_LENGTH);
        return Response::from_parts(parts, Body::empty());
    }
    Response::from_parts(parts, Body::from(body))
}

/// The tag of this body. It is weak: the body may be sent compressed.
pub(super) fn tag_of(body: &[u8]) -> String {
    let mut hash = DefaultHasher::new();
    hash.write(body);
    format!("W/\"{:016x}\"", hash.finish())
}

/// The tags that a client names: one list, which may stand on several lines.
#[derive(Debug, Clone)]
struct Tags(Vec<HeaderValue>);

impl Tags {
    fn of(headers: &HeaderMap, name: &HeaderName) -> Self {
        Self(headers.get_all(name).iter().cloned().collect())
    }

    /// Whether they name this one, or any.
    fn name(&self, tag: &str) -> bool {
        let same = |one: &str| one == "*" || one.trim_start_matches("W/") == tag.trim_start_matches("W/");
        let lines = self.0.iter().filter_map(|line| line.to_str().ok());
        lines.flat_map(|line| line.split(',')).map(str::trim).any(same)
    }
}

/// What a client says that it has read: `If-Match`.
#[derive(Debug, Clone)]
pub(super) struct Expected(Tags);

impl Expected {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        Self(Tags::of(headers, &IF_MATCH))
    }

    /// Whether it says anything.
    pub(super) fn is_said(&self) -> bool {
        !self.0.0.is_empty()
    }

    /// Whether this is what the client has read, if it says what that was.
    pub(super) fn is(&self, item: &impl Serialize) -> bool {
        let body = serde_json::to_vec(item).unwrap_or_default();
        !self.is_said() || self.0.name(&tag_of(&body))
    }
}
