//! Foreign text, made harmless for where it goes.

use url::Url;

/// Text for HTML: between tags, and in quoted attributes.
pub(crate) fn html(text: &str) -> String {
    escaped(text, "&#39;")
}

/// Text for XML 1.0, without the characters that it cannot hold (§2.2).
pub(super) fn xml(text: &str) -> String {
    let can_be_held = |c: &char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    escaped(&text.chars().filter(can_be_held).collect::<String>(), "&apos;")
}

fn escaped(text: &str, apostrophe: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str(apostrophe),
            c => safe.push(c),
        }
    }
    safe
}

/// A name among other words, where nothing sets it apart: without the characters that turn the direction of what follows
/// (UAX #9 §2).
pub(crate) fn among_words(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')).collect()
}

/// Where a picture or a feed is, if a page may use it: over http or https, or a path of the blog's own. Without user and
/// password.
pub(super) fn usable(place: &str) -> Option<String> {
    let url = Url::parse("https://blog.invalid/").ok()?.join(place).ok()?;
    matches!(url.scheme(), "http" | "https").then(|| without_user(place))
}

/// Where a picture or a feed is, without user and password.
pub(crate) fn without_user(place: &str) -> String {
    let stripped = || {
        let mut url = Url::parse("https://blog.invalid/").ok()?.join(place).ok()?;
        if url.username().is_empty() && url.password().is_none() {
            return None;
        }
        url.set_username("").ok()?;
        url.set_password(None).ok()?;
        Some(url.into())
    };
    stripped().unwrap_or_else(|| place.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_page_may_load_is_used() {
        for (place, used) in [
            ("https://a.example/a.png?x=1&y", Some("https://a.example/a.png?x=1&y")),
            ("/img/a.png", Some("/img/a.png")),
            ("img/a.png", Some("img/a.png")),
            ("//cdn.example/a.png", Some("//cdn.example/a.png")),
            ("https://me:s3cret@a.example/a.png", Some("https://a.example/a.png")),
            ("//me:s3cret@a.example/a.png", Some("https://a.example/a.png")),
            ("javascript:alert(1)", None),
            ("JaVa\tScRiPt:alert(1)", None),
            (" javascript:alert(1)", None),
            ("data:image/svg+xml,<svg onload=alert(1)>", None),
            ("vbscript:x", None),
            ("file:///etc/passwd", None),
        ] {
            assert_eq!(usable(place).as_deref(), used, "{place}");
        }
    }

    #[test]
    fn nothing_foreign_is_markup() {
        assert_eq!(html("<b a='\"'>&amp;"), "&lt;b a=&#39;&quot;&#39;&gt;&amp;amp;");
        assert_eq!(xml("a\u{0}\u{8}\u{b}\u{fffe}\u{ffff}<中\u{1f600}"), "a&lt;中\u{1f600}");
    }
}
