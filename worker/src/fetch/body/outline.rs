//! What a page is, apart from the backlink: its title, its language, where it refreshes to, and how much of it
//! stands there without script.
//!
//! The page is walked from tag to tag, and only until enough is known: the head and the first words of the body.
//! After that only scripts are looked for, because those that load a list of links stand at the end.

use std::collections::BTreeSet;

use memchr::{memchr, memmem, memrchr};
use reqwest::header::{HeaderMap, REFRESH};

use super::letters::{Letters, MAX_REFERENCE};
use super::refresh::Refresh;
use super::segment::{boundary, cut};
use super::tag;
use crate::fetch::redirect::text as in_header;

/// Letters after which the text needs no more reading: by them its script is known, and the page is no empty shell.
const ENOUGH_LETTERS: u32 = 400;
/// Bytes of the page that are walked at most, and links that are counted, before only scripts are looked for.
const MAX_WALKED: usize = 32 << 10;
const ENOUGH_LINKS: u32 = 8;
/// Longest tag that is read, and longest title, in bytes. What is longer is cut.
const MAX_TAG: usize = 4 << 10;
const MAX_TITLE: usize = 1 << 10;
/// Bytes of one script that are kept, and of all.
const MAX_SCRIPT: usize = 8 << 10;
const MAX_SCRIPTS: usize = 32 << 10;
/// Addresses of scripts and frames that are kept, and the longest.
const MAX_SOURCES: usize = 40;
const MAX_SOURCE: usize = 300;
/// Elements whose content is no text of the page. The content of `svg` has titles and links of its own.
const SKIPPED: [&str; 6] = ["style", "noscript", "textarea", "template", "svg", "iframe"];

/// What was seen of a page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Outline {
    /// Its `<title>`, as it is written.
    pub(crate) title: Option<String>,
    /// The language that `<html lang>` or a `<meta>` declares.
    pub(crate) declared_language: Option<String>,
    /// The letters of its text.
    pub(crate) letters: Letters,
    /// Links outside of scripts, as far as they were counted.
    pub(crate) links: u32,
    /// Scripts that stand in the page itself: the beginning of each.
    pub(crate) scripts: Vec<String>,
    /// Addresses of scripts and frames.
    pub(crate) sources: BTreeSet<String>,
    /// `<html>` carries the key by which ads of parking pages pass ad blockers.
    pub(crate) ad_key: bool,
    /// Where the page sends its visitors after a while.
    pub(crate) refresh: Option<Refresh>,
    /// The `href` of its first `<base>`.
    pub(crate) base: Option<String>,
}

/// Reads the outline of one page.
#[derive(Debug)]
pub(super) struct Outliner {
    outline: Outline,
    state: State,
    /// What cannot be read before more has come: a tag without its end, or the end of an element.
    open: String,
    walked: usize,
    scripts: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Text,
    Comment,
    /// Within a tag that is too long to be read.
    LongTag,
    /// Within an element that is read or skipped up to its end tag.
    Within(&'static str),
    /// All but scripts is known.
    ScriptsOnly,
}

impl Outliner {
    /// The header `Refresh` goes before what the page says (HTML Standard, §4.2.5.3).
    pub(super) fn new(headers: &HeaderMap) -> Self {
        let refresh = headers.get(REFRESH).map(in_header).and_then(|value| Refresh::parse(&value));
        Self {
            outline: Outline { refresh, ..Outline::default() },
            state: State::Text,
            open: String::new(),
            walked: 0,
            scripts: 0,
        }
    }

    /// What is known so far.
    pub(super) fn outline(&self) -> &Outline {
        &self.outline
    }

    /// Whether all is known but scripts.
    pub(super) fn is_enough(&self) -> bool {
        let letters = self.outline.letters.total() >= ENOUGH_LETTERS;
        letters || (self.walked >= MAX_WALKED && self.outline.links >= ENOUGH_LINKS)
    }

    pub(super) fn finish(self) -> Outline {
        self.outline
    }

    /// Reads more of the text.
    pub(super) fn push(&mut self, piece: &str) {
        if self.open.is_empty() {
            self.walk(piece);
        } else {
            let mut text = std::mem::take(&mut self.open);
            text.push_str(piece);
            self.walk(&text);
        }
    }

    fn walk(&mut self, mut text: &str) {
        self.walked += text.len();
        while let Some(rest) = self.step(text) {
            text = rest;
        }
        self.walked -= self.open.len();
    }

    /// One step: what is left behind it; `None` where more must come first.
    fn step<'a>(&mut self, text: &'a str) -> Option<&'a str> {
        match self.state {
            State::Text if self.is_enough() => {
                self.state = State::ScriptsOnly;
                Some(text)
            }
            State::Text => self.text(text),
            State::Comment => {
                let end = self.find_or_keep(text, "-->")?;
                self.state = State::Text;
                Some(&text[end + 3..])
            }
            State::LongTag => {
                let end = self.find_or_keep(text, ">")?;
                self.state = State::Text;
                Some(&text[end + 1..])
            }
            State::Within(name) => self.within(name, text),
            State::ScriptsOnly => {
                let start = self.find_or_keep(text, "<script")?;
                self.tag(&text[start..])
            }
        }
    }

    fn text<'a>(&mut self, text: &'a str) -> Option<&'a str> {
        let Some(start) = memchr(b'<', text.as_bytes()) else {
            // A character reference may go on.
            let certain = open_reference(text).unwrap_or(text.len());
            self.outline.letters.count(&text[..certain]);
            return self.keep(&text[certain..]);
        };
        self.outline.letters.count(&text[..start]);
        self.tag(&text[start..])
    }

    fn tag<'a>(&mut self, text: &'a str) -> Option<&'a str> {
        if text.starts_with("<!--") {
            self.state = State::Comment;
            // The dashes of `<!-->` are both its beginning and its end.
            return Some(&text[2..]);
        }
        if text.len() < 4 && "<!--".starts_with(text) {
            return self.keep(text);
        }
        let Some(end) = tag::end(cut(text, MAX_TAG)) else {
            if text.len() < MAX_TAG {
                return self.keep(text);
            }
            self.state = State::LongTag;
            return Some(&text[1..]);
        };
        let (tag, rest) = text.split_at(end);
        self.read(tag);
        Some(rest)
    }

    fn read(&mut self, tag: &str) {
        match tag.as_bytes().get(1).map(u8::to_ascii_lowercase) {
            Some(b'a') if self.outline.links < ENOUGH_LINKS && tag::is_link(tag) => {
                let href = tag::attribute(tag, "href");
                self.outline.links += u32::from(href.is_some_and(|href| !href.starts_with('#')));
            }
            Some(b'b') if tag::is(tag, "base") && self.outline.base.is_none() => {
                self.outline.base = tag::attribute(tag, "href").map(|href| href.trim().to_owned());
            }
            Some(b'h') if tag::is(tag, "html") => {
                self.outline.declared_language = language(tag::attribute(tag, "lang"));
                self.outline.ad_key = tag::attribute(tag, "data-adblockkey").is_some();
            }
            Some(b'm') if tag::is(tag, "meta") => self.read_meta(tag),
            Some(b't') if tag::is(tag, "title") && self.outline.title.is_none() => {
                self.state = State::Within("title");
            }
            Some(b's') if tag::is(tag, "script") => {
                self.add_source(tag);
                self.begin_script();
                self.state = State::Within("script");
            }
            Some(b'f') if tag::is(tag, "frame") => self.add_source(tag),
            Some(b's' | b'n' | b't' | b'i') => self.read_skipped(tag),
            _ => {}
        }
    }

    fn read_skipped(&mut self, tag: &str) {
        if tag::is(tag, "iframe") {
            self.add_source(tag);
        }
        if let Some(name) = SKIPPED.into_iter().find(|name| tag::is(tag, name))
            && !tag.ends_with("/>")
        {
            self.state = State::Within(name);
        }
    }

    fn read_meta(&mut self, tag: &str) {
        let Some(kind) = tag::attribute(tag, "http-equiv") else { return };
        let content = tag::attribute(tag, "content").unwrap_or_default();
        if kind.trim().eq_ignore_ascii_case("refresh") && self.outline.refresh.is_none() {
            self.outline.refresh = Refresh::parse(&content);
        } else if kind.trim().eq_ignore_ascii_case("content-language")
            && self.outline.declared_language.is_none()
        {
            self.outline.declared_language = language(Some(content));
        }
    }

    fn add_source(&mut self, tag: &str) {
        if let Some(source) = tag::attribute(tag, "src").filter(|source| !source.is_empty())
            && self.outline.sources.len() < MAX_SOURCES
        {
            self.outline.sources.insert(cut(&source, MAX_SOURCE).to_owned());
        }
    }

    fn within<'a>(&mut self, name: &'static str, text: &'a str) -> Option<&'a str> {
        let (content, rest) = match end_tag(text, name) {
            Some(end) => (&text[..end], Some(&text[end..])),
            None => {
                // The end tag itself may be cut.
                let certain = boundary(text, text.len().saturating_sub(name.len() + 2));
                self.open = text[certain..].to_owned();
                (&text[..certain], None)
            }
        };
        match name {
            "title" => self.set_title(content),
            "script" => self.add_script(content),
            _ => {}
        }
        if rest.is_some() {
            self.state = if self.is_enough() { State::ScriptsOnly } else { State::Text };
        }
        rest
    }

    /// Takes more of the title.
    fn set_title(&mut self, more: &str) {
        let title = self.outline.title.get_or_insert_default();
        title.push_str(cut(more, MAX_TITLE.saturating_sub(title.len())));
    }

    /// A page may have any number of scripts, so those behind the limit go on with the last one.
    fn begin_script(&mut self) {
        if self.outline.scripts.len() < MAX_SOURCES {
            self.outline.scripts.push(String::new());
        }
    }

    /// Takes more of the latest script.
    fn add_script(&mut self, more: &str) {
        let Some(script) = self.outline.scripts.last_mut() else { return };
        let room = MAX_SCRIPT.saturating_sub(script.len()).min(MAX_SCRIPTS.saturating_sub(self.scripts));
        let more = cut(more, room);
        script.push_str(more);
        self.scripts += more.len();
    }

    fn keep<'a>(&mut self, text: &str) -> Option<&'a str> {
        self.open = text.to_owned();
        None
    }

    /// Where `needle` begins. If it is not there, keeps the end of the text, where it may begin.
    fn find_or_keep(&mut self, text: &str, needle: &str) -> Option<usize> {
        let found = memmem::find(text.as_bytes(), needle.as_bytes());
        if found.is_none() {
            self.open = text[boundary(text, text.len().saturating_sub(needle.len() - 1))..].to_owned();
        }
        found
    }
}

/// Where a character reference begins that has not ended.
fn open_reference(text: &str) -> Option<usize> {
    let start = memrchr(b'&', text.as_bytes())?;
    let may_go_on = text.len() - start < MAX_REFERENCE && !text[start..].contains(';');
    may_go_on.then_some(start)
}

/// Where the end tag of an element begins.
fn end_tag(text: &str, name: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    memmem::find_iter(bytes, b"</").find(|start| {
        bytes
            .get(start + 2..start + 2 + name.len())
            .is_some_and(|end| end.eq_ignore_ascii_case(name.as_bytes()))
    })
}

/// The primary language of a tag such as `zh-Hans-CN` (RFC 5646 §2.2.1), in lower case.
fn language(tag: Option<impl AsRef<str>>) -> Option<String> {
    let tag = tag?;
    let primary = tag.as_ref().trim().split(['-', '_', ',']).next()?.to_ascii_lowercase();
    let is_one = (2..=3).contains(&primary.len()) && primary.bytes().all(|byte| byte.is_ascii_lowercase());
    is_one.then_some(primary)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn outline(page: &str) -> Outline {
        let whole = in_pieces(page, page.len().max(1));
        for length in [1, 3, 10] {
            assert_eq!(in_pieces(page, length), whole, "{page} in pieces of {length}");
        }
        whole
    }

    fn in_pieces(page: &str, length: usize) -> Outline {
        let mut outliner = Outliner::new(&HeaderMap::new());
        let mut rest = page;
        while !rest.is_empty() {
            let end = (length..=rest.len()).find(|end| rest.is_char_boundary(*end)).unwrap_or(rest.len());
            outliner.push(&rest[..end]);
            rest = &rest[end..];
        }
        outliner.finish()
    }

    #[test]
    fn the_head_says_what_the_page_is() {
        let seen = outline(
            "<!doctype html><HTML lang=zh-CN><head><!-- <title>no</title> --><TITLE>Tom &amp; I</TITLE>\
             <meta name=x content=y><META HTTP-EQUIV=Refresh content='0;url=/new'><base href=//a.test/>\
             <script src='/a.js'></script><svg><title>icon</title><a href=/x></a></svg>",
        );
        assert_eq!(seen.title.as_deref(), Some("Tom &amp; I"));
        assert_eq!(seen.declared_language.as_deref(), Some("zh"));
        assert_eq!(seen.refresh.map(|refresh| refresh.url).as_deref(), Some("/new"));
        assert_eq!(seen.base.as_deref(), Some("//a.test/"));
        assert_eq!((seen.sources.len(), seen.links), (1, 0));
    }

    #[test]
    fn text_and_links_count_only_where_readers_see_them() {
        let seen = outline(
            "<body><p title='x>y'>ab&nbsp;我</p><script>var a = '<a href=/1>c</a>';</script><style>p{}</style>\
             <noscript>enable <a href=/2>it</a></noscript><a href=#top>d</a><a href=/3>é</a><a name=x>",
        );
        assert_eq!((seen.links, seen.letters.total()), (1, 5));
        assert_eq!(seen.scripts, ["var a = '<a href=/1>c</a>';"]);
    }

    #[test]
    fn scripts_are_found_also_behind_much_text() {
        let text = "<p>words and more words</p>".repeat(2_000);
        let seen = in_pieces(&format!("{text}<title>late</title><script src=/links.js></script>"), 1_000);
        assert_eq!(seen.title, None);
        assert!(seen.sources.contains("/links.js"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        /// Nothing in a page stops the walk, and what is kept is bounded.
        #[test]
        fn any_page_has_an_outline(pieces in prop::collection::vec(piece(), 0..60)) {
            let mut outliner = Outliner::new(&HeaderMap::new());
            for piece in &pieces {
                outliner.push(piece);
                prop_assert!(outliner.open.len() <= MAX_TAG + piece.len());
            }
            outliner.finish();
        }
    }

    fn piece() -> impl Strategy<Value = String> {
        let words = [
            "<",
            ">",
            "/",
            "!",
            "--",
            "<!--",
            "-->",
            "<a href='",
            "'",
            "\"",
            "=",
            "<title",
            "</title>",
            "<script",
            "</script>",
            "<style>",
            "</style>",
            "<svg/>",
            "<base href=x>",
            "<meta http-equiv=refresh content=",
            "é",
            "words",
            "&amp;",
            " ",
        ];
        prop_oneof![
            9 => prop::sample::select(words.map(str::to_owned).to_vec()),
            1 => (prop::sample::select(words.to_vec()), 1..3_000_usize).prop_map(|(word, times)| word.repeat(times)),
        ]
    }
}
