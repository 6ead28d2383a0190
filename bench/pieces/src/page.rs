//! A page of 10 KB, searched for a backlink that stands at its end.

use std::fmt::Write;

use linkbeat_shared::{BacklinkIn, BacklinkPattern};
use linkbeat_worker::PageSearch;
use tokio::runtime::{Builder, Runtime};

use crate::Piece;

/// How long the page is.
pub const PAGE_BYTES: usize = 10 << 10;
/// The pattern that is searched.
pub const BACKLINK: &str = r"https://my\.blog\.example/";
const TAIL: &str = "<a href=\"https://my.blog.example/\">my friend</a></body></html>";

pub(crate) fn pieces() -> anyhow::Result<Vec<Piece>> {
    Ok(vec![
        matching("match a page of 10 KB", BACKLINK, BacklinkIn::Text)?,
        matching("match the links of a page of 10 KB", BACKLINK, BacklinkIn::Anchor)?,
        // No automaton is made for it.
        matching("match a page of 10 KB that is kept", r"\bmy\.blog\.example\b", BacklinkIn::Text)?,
    ])
}

fn matching(name: &'static str, pattern: &str, place: BacklinkIn) -> anyhow::Result<Piece> {
    let (runtime, pattern, page) = (runtime()?, BacklinkPattern::parse(pattern)?, page());
    let search = PageSearch::default();
    anyhow::ensure!(runtime.block_on(search.finds(&pattern, place, page.clone())), "{name}: it is not found");
    Ok(Piece::new(name, 20, move || runtime.block_on(search.finds(&pattern, place, page.clone()))))
}

/// The page.
pub fn page() -> String {
    let mut page = "<!doctype html><html lang=en><title>A friend</title><body>\n".to_owned();
    for number in 0.. {
        let before = page.len();
        // Writing to a string cannot fail.
        let _ = writeln!(
            page,
            "<p>Paragraph {number}, with <a href=\"https://example.org/{number}\">a link</a> in it.</p>"
        );
        if page.len() + TAIL.len() > PAGE_BYTES {
            page.truncate(before);
            break;
        }
    }
    page + TAIL
}

/// One thread, so that every count is of the same steps.
pub(crate) fn runtime() -> anyhow::Result<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}
