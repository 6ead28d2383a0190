//! What browsers may do with our answers.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use super::area::Area;

/// Nothing from elsewhere, and no script or style inside a page.
const POLICY: &str =
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";

/// `same-origin` and not `no-referrer`: with that browsers send no `Origin` with forms, by which we know our own.
const REFERRER: &str = "same-origin";

/// What an answer says holds for a moment, and for whoever asked.
const CACHE: &str = "private, no-cache";
/// The same of a page. Whoever goes back to one gets it anew: its forms have ids that were used.
const CACHE_OF_PAGES: &str = "private, no-store";

/// Adds what every answer has. What an answer says itself stays.
pub(super) fn add(headers: &mut HeaderMap, area: Area) {
    let resources = match area {
        // Badges stand on pages of other sites.
        Area::Feed => "cross-origin",
        Area::Api | Area::Public | Area::Page => "same-origin",
    };
    let cache = if area == Area::Page { CACHE_OF_PAGES } else { CACHE };
    let all: [(HeaderName, &'static str); 7] = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, REFERRER),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), resources),
        (header::CACHE_CONTROL, cache),
    ];
    for (name, value) in all {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}
