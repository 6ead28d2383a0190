//! Why a request is not carried out.

use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Why a request is not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("the path or the query holds bytes that are no text")]
    Odd,
    #[error(
        "this dashboard is not served under that name. The setting dashboard.hosts lists the names that it takes"
    )]
    WrongHost,
    #[error(
        "the request was made by a page of another site. If it was this dashboard's own page, behind a proxy, add its \
         origin to the setting dashboard.trusted_origins"
    )]
    OtherSite,
    #[error("a token is needed: Authorization: Bearer lb_…")]
    NoToken,
    #[error("there is no such token")]
    WrongToken,
    #[error("you may look, and change nothing")]
    ReadOnly,
    #[error("too many requests are under way")]
    Busy,
    #[error("the request took too long")]
    Slow,
    #[error("the body of the request came too slowly")]
    SlowBody,
    #[error("the database does not answer")]
    NoDatabase,
}

/// When a request that met a want of ours may be sent again.
const AGAIN: Duration = Duration::from_secs(2);

impl Refusal {
    fn status(self) -> StatusCode {
        match self {
            Self::Odd => StatusCode::BAD_REQUEST,
            Self::NoToken | Self::WrongToken => StatusCode::UNAUTHORIZED,
            Self::WrongHost | Self::OtherSite | Self::ReadOnly => StatusCode::FORBIDDEN,
            Self::SlowBody => StatusCode::REQUEST_TIMEOUT,
            Self::Busy | Self::Slow | Self::NoDatabase => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// As RFC 9457 has it.
    pub(super) fn as_problem(self) -> Response {
        let status = self.status();
        let title = status.canonical_reason().unwrap_or_default();
        let body = json!({
            "type": "about:blank", "title": title, "status": status.as_u16(), "detail": self.to_string(),
        });
        let kind = [(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"))];
        self.with_headers((status, kind, Json(body)).into_response())
    }

    pub(super) fn as_text(self) -> Response {
        self.with_headers((self.status(), format!("{self}\n")).into_response())
    }

    fn with_headers(self, mut response: Response) -> Response {
        let headers = response.headers_mut();
        if self.status() == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if self == Self::SlowBody {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if self.status() == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, AGAIN.as_secs().into());
        }
        response
    }
}
