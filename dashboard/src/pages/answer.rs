//! What handlers give: a page, a way to another page, or a problem that is told on a page.

use std::sync::Arc;

use askama::Template;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use linkbeat_store::StoreError;

use super::visit::Visit;
use super::wording::Texts;
use crate::ports::{CannotAsk, CannotFile};

/// A page that is made from a template.
pub(super) struct Page<T>(pub(super) T);

impl<T: Template> IntoResponse for Page<T> {
    fn into_response(self) -> Response {
        match self.0.render() {
            Ok(text) => Html(text).into_response(),
            Err(error) => {
                tracing::error!(%error, "a page cannot be made");
                Problem::Broken.into_response()
            }
        }
    }
}

/// Sends the browser to another page after a form.
pub(super) fn see(address: &str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, address)]).into_response()
}

/// Why there is no such page, or why nothing was done.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Problem {
    #[error("there is no such page")]
    NotFound,
    #[error("the page takes no such request")]
    BadMethod,
    /// What was sent cannot be read. The text is for people.
    #[error("{0}")]
    BadInput(String),
    /// The same, in the words of the visitor's language.
    #[error("what was sent cannot be read")]
    Unreadable(fn(&Texts) -> &'static str),
    #[error("what was sent is too large")]
    TooLarge,
    /// It cannot be done as things stand. The text is for people.
    #[error("{0}")]
    Conflict(String),
    /// Something that is needed does not answer.
    #[error("something that is needed does not answer")]
    Away,
    #[error("the page cannot be made")]
    Broken,
}

impl Problem {
    fn status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::BadMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::BadInput(_) | Self::Unreadable(_) => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::Away => StatusCode::SERVICE_UNAVAILABLE,
            Self::Broken => StatusCode::INTERNAL_SERVER_ERROR,
        }
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
            StoreError::BadCursor(_) => Self::Unreadable(|t| t.no_such_cursor),
            error if error.is_transient() => {
                tracing::warn!(%error, "the database did not answer a page");
                Self::Away
            }
            error => {
                tracing::error!(%error, "a page could not be made");
                Self::Broken
            }
        }
    }
}

impl From<CannotFile> for Problem {
    fn from(error: CannotFile) -> Self {
        match error {
            CannotFile::Store(error) => error.into(),
            CannotFile::Unreadable(problem) => Self::Conflict(problem),
            // The run is filed: a producer will publish it.
            error @ CannotFile::Broker(_) => {
                tracing::warn!(%error, "a run waits for its jobs to be published");
                Self::Away
            }
        }
    }
}

impl From<CannotAsk> for Problem {
    fn from(error: CannotAsk) -> Self {
        tracing::warn!(%error, "the broker did not answer a page");
        Self::Away
    }
}

/// The page is made by [`finish`], which knows the language.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage {
    v: Visit,
    status: u16,
    problem: Problem,
}

impl ProblemPage {
    fn title(&self) -> &'static str {
        let t = self.v.t;
        match self.problem {
            Problem::NotFound => t.problem_not_found,
            Problem::BadMethod => t.problem_bad_method,
            Problem::BadInput(_) | Problem::Unreadable(_) => t.problem_bad_input,
            Problem::TooLarge => t.problem_too_large,
            Problem::Conflict(_) => t.problem_conflict,
            Problem::Away => t.problem_away,
            Problem::Broken => t.problem_broken,
        }
    }

    fn detail(&self) -> Option<&str> {
        match &self.problem {
            Problem::BadInput(text) | Problem::Conflict(text) => Some(text),
            Problem::Unreadable(text) => Some(text(self.v.t)),
            _ => None,
        }
    }
}

/// Tells problems on a page, also those that axum found.
pub(super) async fn finish(visit: Visit, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let found = response.extensions_mut().remove::<Problem>();
    if let Some(problem) = found.or_else(|| plain_problem(&response)) {
        response = told(visit, problem, &response);
    }
    response
}

/// A refusal of axum's own, which has plain text or nothing as its body.
fn plain_problem(response: &Response) -> Option<Problem> {
    let status = response.status();
    let has_page = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| !kind.as_bytes().starts_with(b"text/plain"));
    match status {
        _ if has_page || !(status.is_client_error() || status.is_server_error()) => None,
        StatusCode::NOT_FOUND => Some(Problem::NotFound),
        StatusCode::METHOD_NOT_ALLOWED => Some(Problem::BadMethod),
        StatusCode::PAYLOAD_TOO_LARGE => Some(Problem::TooLarge),
        StatusCode::BAD_REQUEST | StatusCode::UNSUPPORTED_MEDIA_TYPE | StatusCode::UNPROCESSABLE_ENTITY => {
            Some(Problem::Unreadable(|t| t.form_unreadable))
        }
        _ if status.is_client_error() => Some(Problem::BadInput(status.to_string())),
        _ => Some(Problem::Broken),
    }
}

fn told(v: Visit, problem: Problem, refused: &Response) -> Response {
    let status = refused.status();
    let mut response = Page(ProblemPage { v, status: status.as_u16(), problem }).into_response();
    *response.status_mut() = status;
    if let Some(allow) = refused.headers().get(header::ALLOW) {
        response.headers_mut().insert(header::ALLOW, allow.clone());
    }
    response
}
