//! Text of a setting that may hold a password, before it is parsed.

use std::fmt;

use serde::Serialize;

/// What stands in place of a value that is not shown.
pub(crate) const HIDDEN: &str = "(not shown)";

/// The text of a flag that may hold a password. The settings parse it, so that clap never quotes it in an error.
///
/// `Debug` does not show it.
#[derive(Clone, Serialize)]
#[serde(transparent)]
pub(crate) struct Secret(String);

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

/// Whether a setting's value is secret, or may be.
pub(super) fn is_secret(setting: &str) -> bool {
    [
        "database_url",
        "broker_url",
        "worker.proxy",
        "worker.headers",
        "dashboard.password_hash",
        "celery.broker_url",
        "celery.backend",
        "celery.database_url",
    ]
    .iter()
    .any(|secret| setting.strip_prefix(secret).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
}

/// Text that may quote a value of a setting, without the userinfo and the query of any URL in it: a URL with a
/// password may stand in the wrong setting.
pub(crate) fn without_userinfo(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("//") {
        let (before, after) = rest.split_at(start + "//".len());
        shown.push_str(before);
        // Only white space or a quote ends a URL for certain.
        let end = after.find(|c: char| c.is_whitespace() || matches!(c, '`' | '"')).unwrap_or(after.len());
        let url = &after[..end];
        // No parser vouches for what the userinfo of a broken URL is, so all up to the last @ is left out.
        let (hidden, url) = url.rfind('@').map_or(("", url), |at| ("…", &url[at..]));
        shown.push_str(hidden);
        match url.split_once('?') {
            Some((url, _)) => shown.extend([url, "?…"]),
            None => shown.push_str(url),
        }
        rest = &after[end..];
    }
    shown + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_userinfo_is_left_out() {
        for (text, shown) in [
            ("`amqp://me:secret@a` is no namespace", "`amqp://…@a` is no namespace"),
            (
                "found \"http://me:se/c@ret@a/x\", expected a number",
                "found \"http://…@a/x\", expected a number",
            ),
            ("http://a/b and //me@c", "http://a/b and //…@c"),
            ("'postgres://a/b?password=c'", "'postgres://a/b?…"),
            ("a@b", "a@b"),
            ("//", "//"),
        ] {
            assert_eq!(without_userinfo(text), shown, "{text}");
        }
    }

    #[test]
    fn the_text_of_a_flag_is_not_shown() {
        assert_eq!(format!("{:?}", Some(Secret::from("secret".to_owned()))), "Some((not shown))");
    }

    #[test]
    fn what_belongs_to_a_secret_setting_is_secret_too() {
        assert!(is_secret("worker.headers") && is_secret("worker.headers.0") && is_secret("broker_url"));
        assert!(!is_secret("worker.per_host") && !is_secret("broker_url_of_mine"));
    }
}
