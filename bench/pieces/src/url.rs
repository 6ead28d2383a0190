//! A URL: parsed, and shown without its password.

use linkbeat_shared::LinkUrl;

use crate::Piece;

const URL: &str = "https://me:secret@www.friend.example:8443/links/2026/index.html?from=blog&lang=en#friends";

pub(crate) fn pieces() -> anyhow::Result<Vec<Piece>> {
    let url = LinkUrl::parse(URL)?;
    Ok(vec![
        Piece::new("parse a URL", 1_000, || LinkUrl::parse(std::hint::black_box(URL))),
        Piece::new("redact a URL", 1_000, move || url.to_string()),
    ])
}
