//! How a feed is answered: readable from anywhere, and told apart from what the reader has already.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use linkbeat_store::StoreError;
use sha2::{Digest, Sha256};

use crate::serve::App;

/// How long a reader may use what it has, in seconds.
pub(super) const MAX_AGE: u32 = 300;

/// What a feed is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Json,
    Html,
    Atom,
    Svg,
}

impl Kind {
    fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Html => "text/html; charset=utf-8",
            Self::Atom => "application/atom+xml; charset=utf-8",
            Self::Svg => "image/svg+xml",
        }
    }

    /// An SVG that is opened by itself, and a piece of a page, load nothing.
    fn policy(self) -> HeaderValue {
        HeaderValue::from_static(
            "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        )
    }
}

/// A feed. A clone shares its body.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    kind: Kind,
    body: Bytes,
    tag: String,
    is_public: bool,
}

impl Answer {
    pub(super) fn of(app: &App, kind: Kind, body: String) -> Self {
        // `<` in JSON stands in texts only. Escaped, it harms no page into which somebody writes the whole.
        let body = if kind == Kind::Json { body.replace('<', "\\u003c") } else { body };
        let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(body.as_bytes())[..16]);
        let tag = format!("\"{digest}\"");
        Self { kind, body: body.into(), tag, is_public: app.access.gives_feeds_to_all() }
    }

    /// About how many bytes of memory it takes.
    pub(super) fn weight(&self) -> usize {
        self.body.len() + size_of::<Self>()
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let who = if self.is_public { "public" } else { "private" };
        let mut response = Response::new(Body::from(self.body));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.kind.media_type()));
        headers.insert(header::CONTENT_SECURITY_POLICY, self.kind.policy());
        for (name, value) in
            [(header::CACHE_CONTROL, format!("{who}, max-age={MAX_AGE}")), (header::ETAG, self.tag)]
        {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        response
    }
}

/// Why there is no feed.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum NoFeed {
    #[error("there is no such link")]
    NoLink,
    #[error("{0}")]
    BadQuery(&'static str),
    #[error("the database does not answer")]
    Store(#[from] Arc<StoreError>),
}

impl From<StoreError> for NoFeed {
    fn from(error: StoreError) -> Self {
        Self::Store(Arc::new(error))
    }
}

impl IntoResponse for NoFeed {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::NoLink => StatusCode::NOT_FOUND,
            Self::BadQuery(_) => StatusCode::BAD_REQUEST,
            Self::Store(error) => {
                tracing::warn!(%error, "the database did not answer a feed");
                StatusCode::SERVICE_UNAVAILABLE
            }
        };
        (status, [(header::CACHE_CONTROL, "no-store")], format!("{self}\n")).into_response()
    }
}

/// Answers 304 if the reader has this already, and lets every page read the answer. What is hidden and why is for pages only
/// where the feeds are public: a page anywhere can reach a dashboard on this machine.
pub(super) async fn finish(State(app): State<App>, request: Request, next: Next) -> Response {
    let known = request.headers().get_all(header::IF_NONE_MATCH).iter().cloned().collect::<Vec<_>>();
    let asked = request.uri().query().unwrap_or_default();
    let asks_for_hidden = url::form_urlencoded::parse(asked.as_bytes()).any(|(name, _)| name == "hidden");
    let mut response = next.run(request).await;
    let tag = response.headers().get(header::ETAG).cloned();
    if tag.is_some_and(|tag| known.iter().any(|known| has(known, &tag))) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = Body::empty();
        response.headers_mut().remove(header::CONTENT_LENGTH);
    }
    if app.access.has_public_feeds() || !asks_for_hidden {
        allow_all(response.headers_mut());
    }
    response
}

/// Whether a list of tags has this one. Weak tags match too (RFC 9110 §13.1.2).
fn has(known: &HeaderValue, tag: &HeaderValue) -> bool {
    let (Ok(known), Ok(tag)) = (known.to_str(), tag.to_str()) else { return false };
    known.split(',').map(str::trim).any(|known| known == "*" || known.trim_start_matches("W/") == tag)
}

fn allow_all(headers: &mut HeaderMap) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("etag"));
}
