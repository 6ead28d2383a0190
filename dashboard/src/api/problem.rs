//! What went wrong, as `application/problem+json` (RFC 9457).

use std::fmt::Display;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use linkbeat_store::StoreError;
use serde::Serialize;
use utoipa::ToSchema;

use crate::ports::CannotFile;

/// The media type of problems.
pub(super) const MEDIA_TYPE: &str = "application/problem+json";
/// An error of somebody else's making is told in so many bytes at most.
const MOST_TOLD: usize = 4_096;
/// After so many seconds it is worth the while to ask again.
const AGAIN: HeaderValue = HeaderValue::from_static("5");

/// What went wrong (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// Names the kind of problem: `urn:linkbeat:problem:` and a word. Programs go by it.
    #[serde(rename = "type")]
    kind: String,
    /// The kind in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What happened this time.
    detail: String,
    /// What is wrong with which part of the request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<PartProblem>,
}

/// What is wrong with a part of the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct PartProblem {
    /// Which part of the body: a JSON Pointer (RFC 6901).
    pointer: String,
    /// What is wrong with it.
    detail: String,
}

/// A kind of problem: its status, its word, and its words.
type Kind = (StatusCode, &'static str, &'static str);

impl Problem {
    fn new((status, word, title): Kind, detail: impl Display) -> Self {
        Self {
            kind: format!("urn:linkbeat:problem:{word}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: detail.to_string(),
            errors: Vec::new(),
        }
    }

    /// The request is not formed as it must be.
    pub(crate) fn malformed(detail: impl Display) -> Self {
        Self::new((StatusCode::BAD_REQUEST, "malformed", "The request is not well formed"), detail)
    }

    /// The request is well formed, but means nothing that can be done.
    pub(crate) fn invalid(detail: impl Display) -> Self {
        Self::new(
            (StatusCode::UNPROCESSABLE_ENTITY, "invalid", "Something in the request cannot be used"),
            detail,
        )
    }

    /// The same of one part of the body.
    pub(crate) fn invalid_at(pointer: impl Into<String>, detail: impl Display) -> Self {
        let part = PartProblem { pointer: pointer.into(), detail: detail.to_string() };
        let told = if part.pointer.is_empty() {
            part.detail.clone()
        } else {
            format!("{}: {}", part.pointer, part.detail)
        };
        Self { errors: vec![part], ..Self::invalid(told) }
    }

    /// The same, of a part inside this one.
    pub(super) fn within(mut self, outer: &str) -> Self {
        for part in &mut self.errors {
            self.detail = format!("{outer}{}: {}", part.pointer, part.detail);
            part.pointer.insert_str(0, outer);
        }
        self
    }

    /// There is no such thing.
    pub(crate) fn not_found(what: impl Display) -> Self {
        Self::new(
            (StatusCode::NOT_FOUND, "not-found", "There is no such thing"),
            format!("there is no {what}"),
        )
    }

    /// The page that is asked for is none of this list.
    pub(crate) fn unknown_cursor() -> Self {
        let detail = "`after` is no cursor of this list; begin with the first page";
        Self::new((StatusCode::NOT_FOUND, "unknown-cursor", "There is no such page"), detail)
    }

    /// Things are not as the request takes them to be.
    pub(crate) fn conflict(detail: impl Display) -> Self {
        Self::new(
            (StatusCode::CONFLICT, "conflict", "Things are not as the request takes them to be"),
            detail,
        )
    }

    /// It was changed since it was read.
    pub(crate) fn changed() -> Self {
        let kind = (StatusCode::PRECONDITION_FAILED, "changed", "It was changed meanwhile");
        Self::new(kind, "the ETag in If-Match is not that of what is stored now; read it again")
    }

    /// The body is of another media type than is read here.
    pub(crate) fn unsupported(expected: &str) -> Self {
        let kind = (
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "media-type",
            "The body is of a media type that is not read here",
        );
        Self::new(kind, format!("send the body as {expected}"))
    }

    /// The body is too large.
    pub(crate) fn too_large(limit: usize) -> Self {
        let kind = (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The request is too large");
        Self::new(kind, format!("the body may have {limit} bytes at most"))
    }

    /// The broker is needed and is away, or there is none.
    pub(crate) fn no_broker(detail: impl Display) -> Self {
        let kind = (StatusCode::SERVICE_UNAVAILABLE, "broker-unavailable", "The broker cannot be used now");
        Self::new(kind, detail)
    }

    /// No broker is set, so nothing is known of its queues.
    pub(crate) fn without_broker() -> Self {
        let kind = (StatusCode::NOT_FOUND, "no-broker", "There is no broker");
        Self::new(kind, "no broker is set; --broker-url names one")
    }

    /// Any other status, in its own words.
    fn of_status(status: StatusCode, told: String) -> Self {
        let title = status.canonical_reason().unwrap_or("The request failed");
        let word = title.to_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "-");
        let detail = if told.is_empty() { title.to_owned() } else { told };
        let mut problem = Self::new((status, "", title), detail);
        problem.kind.push_str(&word);
        problem
    }
}

impl From<Arc<StoreError>> for Problem {
    fn from(error: Arc<StoreError>) -> Self {
        Self::from(&*error)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::from(&error)
    }
}

impl From<&StoreError> for Problem {
    fn from(error: &StoreError) -> Self {
        match error {
            StoreError::BadCursor(_) => Self::unknown_cursor(),
            StoreError::Conflict { .. } => Self::conflict("others were changing the same things; try again"),
            error if error.is_transient() => {
                tracing::warn!(%error, "the API cannot use the database");
                let kind = (
                    StatusCode::SERVICE_UNAVAILABLE,
                    "database-unavailable",
                    "The database cannot be used now",
                );
                Self::new(kind, error.advice())
            }
            error => {
                tracing::error!(%error, "a call of the API failed");
                let kind =
                    (StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something is wrong with linkbeat");
                Self::new(kind, "the log of the dashboard says more")
            }
        }
    }
}

impl From<CannotFile> for Problem {
    fn from(error: CannotFile) -> Self {
        match error {
            CannotFile::Store(error) => error.into(),
            error @ CannotFile::Broker(_) => Self::no_broker(error),
            error @ CannotFile::Unreadable(_) => Self::conflict(error),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (status, [(CONTENT_TYPE, MEDIA_TYPE)], body).into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, AGAIN);
        }
        response
    }
}

/// Makes a problem of each error that axum or a layer tells in another form. Its headers stay: `Allow` is among them.
pub(crate) async fn told_as_problem(response: Response) -> Response {
    let status = response.status();
    let is_told = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == MEDIA_TYPE);
    if is_told || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let told = to_bytes(body, MOST_TOLD).await.unwrap_or_default();
    let problem = Problem::of_status(status, String::from_utf8_lossy(&told).into_owned());
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(serde_json::to_vec(&problem).unwrap_or_default()))
}
