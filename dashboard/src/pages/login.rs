//! The login. It works without script.

use askama::Template;
use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use serde::Deserialize;

use super::answer::Page;
use super::visit::Visit;
use crate::access::{Caller, Client, LoginRefused, forgetting_cookie};
use crate::serve::App;

/// Bytes of the form.
const MOST: usize = 8 << 10;

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/login", get(show).post(log_in))
        .route("/logout", post(log_out))
        .layer(DefaultBodyLimit::max(MOST))
}

/// Where to go after the login.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Way {
    back: String,
}

/// What the form sends.
#[derive(Deserialize)]
struct Tried {
    password: String,
    #[serde(default)]
    back: String,
}

async fn show(
    State(app): State<App>,
    v: Visit,
    caller: Caller,
    way: Result<Query<Way>, QueryRejection>,
) -> Page<LoginPage> {
    let back = way.map(|Query(way)| way.back).unwrap_or_default();
    let problem = caller.has_session().then_some(v.t.logged_in_already);
    page(&app, v, &back, problem)
}

async fn log_in(
    State(app): State<App>,
    v: Visit,
    Extension(client): Extension<Client>,
    headers: HeaderMap,
    Form(tried): Form<Tried>,
) -> Response {
    let refused = match app.log_in(client, &headers, &tried.password).await {
        Ok(cookie) => {
            let to = app.settings.base_path.join(local(&tried.back));
            return (AppendHeaders([(header::SET_COOKIE, cookie)]), Redirect::to(&to)).into_response();
        }
        Err(refused) => refused,
    };
    let (status, text, wait) = match refused {
        LoginRefused::Wrong => (StatusCode::FORBIDDEN, v.t.wrong_password, None),
        LoginRefused::TooOften(wait) => {
            (StatusCode::TOO_MANY_REQUESTS, v.t.too_many_tries, Some(wait.as_secs() + 1))
        }
        LoginRefused::Store(error) => {
            tracing::warn!(%error, "nobody can log in");
            (StatusCode::SERVICE_UNAVAILABLE, v.t.problem_away, None)
        }
    };
    let wait = wait.map(|seconds| (header::RETRY_AFTER, HeaderValue::from(seconds)));
    (status, AppendHeaders(wait), page(&app, v, &tried.back, Some(text))).into_response()
}

/// Browsers forget the pages that they keep, too.
async fn log_out(State(app): State<App>, headers: HeaderMap) -> Response {
    if let Err(error) = app.log_out(&headers).await {
        tracing::warn!(%error, "a session could not be ended");
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let forget = (HeaderName::from_static("clear-site-data"), HeaderValue::from_static("\"cache\""));
    let headers = AppendHeaders([(header::SET_COOKIE, forgetting_cookie(&app)), forget]);
    (headers, Redirect::to(&app.settings.base_path.join("/login"))).into_response()
}

/// A path of this dashboard, as browsers read it.
fn local(path: &str) -> &str {
    let is_local = path.starts_with('/')
        && !path.starts_with("//")
        && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if is_local { path } else { "/" }
}

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    v: Visit,
    back: String,
    problem: Option<&'static str>,
    /// What is to be typed in.
    what: &'static str,
}

fn page(app: &App, v: Visit, back: &str, problem: Option<&'static str>) -> Page<LoginPage> {
    let what = if app.has_password() { v.t.password_or_token } else { v.t.token };
    Page(LoginPage { back: local(back).to_owned(), problem, what, v })
}
