//! Language and theme, kept in cookies.

use axum::http::header;
use axum::response::{AppendHeaders, IntoResponse, Response};

use super::answer::see;
use super::form::Form;
use super::visit::{LANG, THEME, Theme, Visit};

/// Keeps what was chosen, and goes back to where the visitor was.
pub(super) async fn choose(visit: Visit, form: Form) -> Response {
    let lang = form.get("lang").filter(|lang| matches!(*lang, "en" | "zh")).map(|lang| (LANG, lang));
    let theme = form.get("theme").and_then(|theme| theme.parse::<Theme>().ok());
    let theme = theme.map(|theme| (THEME, theme.as_str()));
    let cookies = [lang, theme].into_iter().flatten().map(|(name, value)| {
        let path = visit.to("/");
        let cookie = format!("{name}={value}; Path={path}; Max-Age=31536000; SameSite=Lax; HttpOnly");
        (header::SET_COOKIE, cookie)
    });
    let cookies: Vec<_> = cookies.collect();
    (AppendHeaders(cookies), see(&visit.to(form.back("/")))).into_response()
}
