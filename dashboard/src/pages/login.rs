//! The login. It works without script.

use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{AppendHeaders, Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use serde::Deserialize;

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
    caller: Caller,
    way: Result<Query<Way>, QueryRejection>,
) -> Html<String> {
    let back = way.map(|Query(way)| way.back).unwrap_or_default();
    let problem = caller.has_session().then_some("You are logged in already.");
    Html(page(&app, &back, problem))
}

async fn log_in(
    State(app): State<App>,
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
        LoginRefused::Wrong => (StatusCode::FORBIDDEN, "That is not the password.", None),
        LoginRefused::TooOften(wait) => {
            (StatusCode::TOO_MANY_REQUESTS, "Too many tries. Wait a minute.", Some(wait.as_secs() + 1))
        }
        LoginRefused::Store(error) => {
            tracing::warn!(%error, "nobody can log in");
            (StatusCode::SERVICE_UNAVAILABLE, "The database does not answer.", None)
        }
    };
    let wait = wait.map(|seconds| (header::RETRY_AFTER, HeaderValue::from(seconds)));
    (status, AppendHeaders(wait), Html(page(&app, &tried.back, Some(text)))).into_response()
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

fn page(app: &App, back: &str, problem: Option<&str>) -> String {
    let action = app.settings.base_path.join("/login");
    let problem = problem.map(|text| format!("<p role=\"alert\">{text}</p>")).unwrap_or_default();
    let back = local(back).replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;");
    let what = if app.has_password() { "Password or token" } else { "Token" };
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Log in</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><main><h1>linkbeat</h1>{problem}\
         <form method=\"post\" action=\"{action}\"><input type=\"hidden\" name=\"back\" value=\"{back}\">\
         <p><label>{what} <input type=\"password\" name=\"password\" autocomplete=\"current-password\" required autofocus>\
         </label> <button>Log in</button></p></form></main></html>"
    )
}
