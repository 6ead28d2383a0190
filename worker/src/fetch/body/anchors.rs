//! Looks for the backlink in real links only: in the `href` of `<a>` and `<area>`. Comments, scripts and text do not
//! count.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lol_html::send::{Element, HtmlRewriter, Settings};
use lol_html::{HandlerResult, MemorySettings, element};
use url::Url;

use super::finder::Finder;
use super::found::Found;
use super::{spelling, tag};

/// The most memory that the parser may take, in bytes. It needs room for the longest tag, and about 130 bytes for each
/// open element. Old pages never close their elements, so there must be room for thousands.
pub(super) const MAX_PARSER: usize = 2 << 20;

/// One search in one page. Its memory is bounded by [`MAX_PARSER`].
pub(super) struct Anchors {
    /// `None` once it has ended. Then the backlink is found, or the page needs more memory than it may have.
    parser: Option<Parser>,
    seen: Arc<Mutex<Seen>>,
    /// Bytes.
    read: usize,
}

/// A parser. Nobody wants its output.
type Parser = HtmlRewriter<'static, fn(&[u8])>;

#[derive(Debug)]
struct Seen {
    finder: Finder,
    base: Url,
    base_is_set: bool,
    found: Option<Found>,
}

/// Stops the parser, because everything is known.
#[derive(Debug, thiserror::Error)]
#[error("the backlink is found, or the search is given up")]
struct Enough;

impl Anchors {
    /// `page`: the URL that the page came from.
    pub(super) fn new(finder: Finder, page: &Url) -> Self {
        let seen = Seen { finder, base: page.clone(), base_is_set: false, found: None };
        let seen = Arc::new(Mutex::new(seen));
        let (for_base, for_links) = (Arc::clone(&seen), Arc::clone(&seen));
        let settings =
            Settings::new_send()
                .with_memory_settings(MemorySettings::new().with_max_allowed_memory_usage(MAX_PARSER))
                .with_strict(false)
                .append_element_content_handler(element!("base[href]", move |base: &mut Element<'_, '_>| {
                    locked(&for_base).note_base(base);
                    Ok(())
                }))
                .append_element_content_handler(element!(
                    "a[href], area[href]",
                    move |link: &mut Element<'_, '_>| locked(&for_links).note_link(link)
                ));
        let nowhere: fn(&[u8]) = |_| {};
        Self { parser: Some(HtmlRewriter::new(settings, nowhere)), seen, read: 0 }
    }

    /// Reads more of the text.
    pub(super) fn push(&mut self, more: &str) {
        let Some(parser) = &mut self.parser else { return };
        self.read += more.len();
        if parser.write(more.as_bytes()).is_err() {
            // It must not be used again.
            self.parser = None;
        }
    }

    /// How much of the page was read, in bytes.
    pub(super) fn read(&self) -> usize {
        self.read
    }

    /// Whether more of the page can change the result.
    pub(super) fn is_over(&self) -> bool {
        self.parser.is_none()
    }

    pub(super) fn found(&self) -> Option<Found> {
        locked(&self.seen).found
    }

    /// Whether it has given up.
    pub(super) fn is_exhausted(&self) -> bool {
        locked(&self.seen).finder.is_exhausted()
    }
}

impl Seen {
    /// The first `<base href>` counts (HTML Standard §4.2.3).
    fn note_base(&mut self, base: &Element<'_, '_>) {
        if self.base_is_set {
            return;
        }
        self.base_is_set = true;
        if let Some(resolved) = attribute(base, "href").and_then(|href| self.base.join(&href).ok()) {
            self.base = resolved;
        }
    }

    fn note_link(&mut self, link: &Element<'_, '_>) -> HandlerResult {
        let Some(href) = attribute(link, "href") else { return Ok(()) };
        if !self.matches(href.trim_ascii()) {
            return if self.finder.is_exhausted() { Err(Enough.into()) } else { Ok(()) };
        }
        if tag::is_not_counted(&attribute(link, "rel").unwrap_or_default()) {
            // A link without `nofollow` may still come.
            self.found = Some(Found::Nofollow);
            return Ok(());
        }
        self.found = Some(Found::Followed);
        Err(Enough.into())
    }

    /// Whether the pattern matches this address: as it is written, as a browser resolves it, or the address to which the
    /// jump page that it names leads.
    fn matches(&mut self, href: &str) -> bool {
        self.matches_resolved(href)
            || spelling::destinations(href).iter().any(|destination| self.matches_resolved(destination))
    }

    fn matches_resolved(&mut self, href: &str) -> bool {
        self.finder.is_match(href)
            || self
                .base
                .join(href)
                .is_ok_and(|url| spelling::plain(url).iter().flatten().any(|url| self.finder.is_match(url)))
    }
}

fn attribute(element: &Element<'_, '_>, name: &str) -> Option<String> {
    let value = element.get_attribute(name)?;
    Some(htmlize::unescape_attribute(&value).into_owned())
}

fn locked(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use linkbeat_shared::BacklinkPattern;
    use proptest::prelude::*;

    use super::super::matcher::Matchers;
    use super::super::work::Work;
    use super::*;

    fn search(pattern: &str, page: &str) -> Option<Found> {
        let found = in_pieces(pattern, page, page.len().max(1));
        for length in [1, 2, 7, 50] {
            assert_eq!(in_pieces(pattern, page, length), found, "{page} in pieces of {length}");
        }
        found
    }

    fn in_pieces(pattern: &str, page: &str, length: usize) -> Option<Found> {
        let mut anchors = anchors(pattern);
        for piece in page.as_bytes().chunks(length) {
            anchors.push(str::from_utf8(piece).unwrap());
        }
        anchors.found()
    }

    fn anchors(pattern: &str) -> Anchors {
        let matcher = Matchers::default().get(&BacklinkPattern::parse(pattern).unwrap());
        Anchors::new(
            Finder::new(matcher, Work::in_all()),
            &Url::parse("https://friend.example/links/").unwrap(),
        )
    }

    #[test]
    fn a_real_link_counts_and_nothing_else() {
        let pattern = r"^https://me\.example/\?a=1&b=2$";
        for page in [
            "<a href='https://me.example/?a=1&b=2'>me</a>",
            "<A CLASS=x HREF=https://me.example/?a=1&amp;b=2>me",
            "<map><area href=\" https://me.example/?a=1&#38;b=2\n\"></map>",
            "<p><a href='#'>top</a><div><a href=//me.example/?a=1&b=2>",
            "<base href='https://me.example/'><base href='https://you.example/'><a href='?a=1&b=2'>",
            "<script>'<a>'</script><!-- --><a href='https://me.example/?a=1&b=2'>",
            "<a rel=nofollow href='https://me.example/?a=1&b=2'><a href='https://me.example/?a=1&b=2'>",
        ] {
            assert_eq!(search(pattern, page), Some(Found::Followed), "{page}");
        }
        for page in [
            "https://me.example/?a=1&b=2",
            "<!-- <a href='https://me.example/?a=1&b=2'> -->",
            "<script>document.write(\"<a href='https://me.example/?a=1&b=2'>\")</script>",
            "<style><a href='https://me.example/?a=1&b=2'></style>",
            "<textarea><a href='https://me.example/?a=1&b=2'></textarea>",
            "<img href='https://me.example/?a=1&b=2'>",
            "<a title='https://me.example/?a=1&b=2' href=/>",
            "<a data-href='https://me.example/?a=1&b=2'>",
            "<a href='https://me.example/?a=1&b=2'",
        ] {
            assert_eq!(search(pattern, page), None, "{page}");
        }
    }

    #[test]
    fn nofollow_is_told_apart() {
        for rel in ["nofollow", "'noopener NoFollow'", "\"ugc&#x20;nofollow\"", "ugc", "'external sponsored'"]
        {
            let page = format!("<a rel={rel} href=http://me.example/>");
            assert_eq!(search("me.example", &page), Some(Found::Nofollow), "{page}");
        }
        for rel in ["nofollower", "'noopener no-follow'"] {
            let page = format!("<a rel={rel} href=http://me.example/>");
            assert_eq!(search("me.example", &page), Some(Found::Followed), "{page}");
        }
    }

    #[test]
    fn a_page_that_asks_for_too_much_memory_is_given_up() {
        let mut endless_tag = anchors("me.example");
        endless_tag.push("<a href=\"");
        let mut deep = anchors("me.example");
        for page in [&mut endless_tag, &mut deep] {
            while !page.is_over() {
                page.push(&"<b><i>".repeat(1_000));
            }
            assert_eq!(page.found(), None);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        /// No page makes the parser fail. It finds the same, wherever the page is cut.
        #[test]
        fn pieces_are_searched_like_the_whole(pieces in prop::collection::vec(piece(), 0..30)) {
            let mut in_pieces = anchors("me.example");
            pieces.iter().for_each(|piece| in_pieces.push(piece));
            let mut whole = anchors("me.example");
            whole.push(&pieces.concat());
            prop_assert_eq!(in_pieces.found(), whole.found());
            prop_assert_eq!(in_pieces.is_over(), whole.is_over());
        }
    }

    /// Pieces that make links, and pieces that hide them.
    fn piece() -> impl Strategy<Value = String> {
        let part = prop::sample::select(vec![
            "<a href='http://me.example/'>",
            "<a ",
            "href=",
            "http://me.example/",
            "rel=nofollow",
            "</a>",
            "<base href=//me.example>",
            "<area",
            "<",
            ">",
            "/>",
            "/",
            "'",
            "\"",
            " ",
            "=",
            "&amp;",
            "&#",
            "<!--",
            "-->",
            "--!>",
            "<script>",
            "</script>",
            "<title>",
            "</title>",
            "<svg>",
            "<math>",
            "<select>",
            "<template>",
            "<![CDATA[",
            "]]>",
            "<plaintext>",
            "é",
            "\0",
            "x",
        ]);
        prop_oneof![9 => part.prop_map(str::to_owned), 1 => any::<String>()]
    }
}
