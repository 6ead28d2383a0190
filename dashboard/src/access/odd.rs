//! Requests that nobody makes in good faith.

use axum::http::Uri;
use percent_encoding::percent_decode_str;

/// Whether the path or the query cannot be read as text, or holds what no database takes.
pub(super) fn is_odd(uri: &Uri) -> bool {
    let path = percent_decode_str(uri.path()).decode_utf8();
    let query = percent_decode_str(uri.query().unwrap_or_default()).decode_utf8();
    let odd_path = path.map_or(true, |path| path.chars().any(char::is_control));
    let odd_query = query.map_or(true, |query| query.contains('\0'));
    odd_path || odd_query
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nul_and_broken_text_are_odd() {
        for (uri, odd) in [
            ("/links?q=%E4%B8%AD%0Aa", false),
            ("/links/%E4%B8%AD", false),
            ("/a%00", true),
            ("/a%0a", true),
            ("/a%7F", true),
            ("/a%ff", true),
            ("/a%ED%A0%80", true),
            ("/?q=%00", true),
            ("/?q=%ED%A0%80", true),
            ("/?%00", true),
        ] {
            assert_eq!(is_odd(&uri.parse().unwrap()), odd, "{uri}");
        }
    }
}
