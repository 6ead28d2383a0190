//! The page a second time, as a browser sees its links: decoded and resolved.
//!
//! Nearly all pages write their links plainly, and for them this must cost next to nothing. So the text is only
//! looked through for marks of another spelling ([`SPELLINGS`]), by vector instructions. Only the segments with such a
//! mark, a tag and what stands behind it, are decoded and searched.

use std::sync::LazyLock;

use memchr::{memchr, memrchr};
use regex_automata::util::prefilter::Prefilter;
use regex_automata::{MatchKind, Span};
use url::Url;

use super::finder::Finder;
use super::found::Found;
use super::segment::{self, Segment, cut, followed};
use super::{spelling, tag};

/// What shows that a link may be spelled otherwise: escapes of scripts, character references of what URLs consist
/// of, percent-encoded marks of a URL, base64 of `http` and `//`.
const SPELLINGS: [&str; 16] = [
    "\\/", "\\u", "\\x", "&#", "&amp", "&quot", "&sol", "&colon", "&period", "&quest", "&equals", "%2", "%3",
    "aHR0c", "Ly9", "SFRUU",
];
/// The same: links without a scheme, with a port that goes without saying, and parameters that jump pages use.
const LINKS: [&str; 13] = [
    "\"//", "'//", "=//", "`//", ":\\\\", ":443", ":80/", "?u=", "?go=", "?to=", "?url=", "?link=",
    "?target=",
];
/// Links of one tag that are searched together with the text around them.
const WITH_CONTEXT: usize = 8;
/// Bytes of that text on either side.
const CONTEXT: usize = 200;

/// Finds the marks. They are sorted by their shortest length: the longer it is, the fewer places look like a mark,
/// and only up to 16 short ones are found by vector instructions.
static MARKS: LazyLock<[Option<Prefilter>; 3]> = LazyLock::new(|| {
    let bytes = |mark: &&str| mark.as_bytes().to_vec();
    [
        finder(&SPELLINGS.iter().map(bytes).collect::<Vec<_>>()),
        finder(&LINKS.iter().map(bytes).collect::<Vec<_>>()),
        finder(&hosts()),
    ]
});

fn finder(marks: &[Vec<u8>]) -> Option<Prefilter> {
    Prefilter::new(MatchKind::LeftmostFirst, marks)
}

/// The beginnings of hosts and schemes in upper case, and of hosts in Chinese characters.
fn hosts() -> Vec<Vec<u8>> {
    let starts = (b'A'..=b'Z').chain(0xe4..=0xe7).map(|first| [b"://", &[first][..]].concat());
    starts.chain([b"TP:/".to_vec(), b"PS:/".to_vec()]).collect()
}

/// One search in one page.
#[derive(Debug)]
pub(super) struct Links {
    page: Url,
    /// What relative links are resolved against, where it is another site than the page's own.
    base: Option<Url>,
}

impl Links {
    /// `page`: the URL that the page came from.
    pub(super) fn new(page: &Url) -> Self {
        Self { page: page.clone(), base: None }
    }

    /// The page's `<base href>`. Without one, relative links stay on the page's own site, which is not the one
    /// that is searched.
    pub(super) fn set_base(&mut self, href: &str) {
        let base = self.page.join(href).ok();
        self.base = base.filter(|base| base.origin() != self.page.origin());
    }

    /// Searches in `piece`, which goes on where `open` ends, but not in the segment that is open at its end.
    pub(super) fn push(&self, finder: &mut Finder, open: &Segment, piece: &str) -> Option<Found> {
        let bytes = piece.as_bytes();
        let Some(last) = memrchr(b'<', bytes) else {
            let too_long = open.text().len() + piece.len() > segment::MAX;
            return if too_long { self.in_segment(finder, &[open.text(), piece].concat()) } else { None };
        };
        let first = memchr(b'<', bytes).unwrap_or(last);
        let mut found = None;
        if !open.text().is_empty() || first > 0 {
            found = self.in_segment(finder, &[open.text(), &piece[..first]].concat());
        }
        if self.base.is_some() {
            return found.max(self.in_all(finder, &piece[first..last]));
        }
        for marks in MARKS.iter().flatten() {
            found = found.max(self.in_marked_segments(finder, &piece[first..last], marks));
        }
        found
    }

    /// Searches in what is left at the end of the page.
    pub(super) fn finish(&self, finder: &mut Finder, open: &Segment) -> Option<Found> {
        self.in_segment(finder, open.text())
    }

    fn in_segment(&self, finder: &mut Finder, segment: &str) -> Option<Found> {
        let all = Span::from(0..segment.len());
        let is_marked = || MARKS.iter().flatten().any(|marks| marks.find(segment.as_bytes(), all).is_some());
        if self.base.is_some() || is_marked() { self.in_marked(finder, segment) } else { None }
    }

    /// Searches in the segments with one of these marks. Each segment begins with a `<`.
    fn in_marked_segments(&self, finder: &mut Finder, segments: &str, marks: &Prefilter) -> Option<Found> {
        let bytes = segments.as_bytes();
        let (mut found, mut at) = (None, 0);
        while found != Some(Found::Followed)
            && !finder.is_exhausted()
            && let Some(mark) = marks.find(bytes, Span::from(at..bytes.len()))
        {
            let start = memrchr(b'<', &bytes[..mark.start]).unwrap_or(0);
            let end = memchr(b'<', &bytes[mark.start..]).map_or(bytes.len(), |length| mark.start + length);
            found = found.max(self.in_marked(finder, &segments[start..end]));
            at = end;
        }
        found
    }

    /// Searches in all segments: with a base on another site, every relative link may be the one.
    fn in_all(&self, finder: &mut Finder, segments: &str) -> Option<Found> {
        segments.split_inclusive('<').fold(None, |found, behind| {
            let segment = ["<", behind.trim_end_matches('<')].concat();
            found.max(self.in_marked(finder, &segment))
        })
    }

    fn in_marked(&self, finder: &mut Finder, segment: &str) -> Option<Found> {
        let decoded = spelling::unescaped(segment);
        let is_decoded = *decoded != *segment;
        let mut views = String::new();
        if is_decoded {
            add(&mut views, "", &decoded, "");
        }
        self.add_destinations(&mut views, &decoded);
        (!views.is_empty() && finder.is_match(&views)).then(|| followed(segment).unwrap_or(Found::Followed))
    }

    /// Adds where each link of the segment leads, with some of the text around it.
    fn add_destinations(&self, views: &mut String, segment: &str) {
        if let Some(resolved) = self.relative(segment) {
            add(views, "<a href=\"", &resolved, "\"");
        }
        let mut with_context = 0;
        for (start, end) in tokens(segment) {
            for destination in self.leads_to(&segment[start..end]) {
                if with_context < WITH_CONTEXT {
                    with_context += 1;
                    let from = segment::boundary(segment, start.saturating_sub(CONTEXT));
                    add(views, &segment[from..start], &destination, cut(&segment[end..], CONTEXT));
                } else {
                    add(views, "\"", &destination, "\"");
                }
            }
        }
    }

    /// What a link in a page of another `<base>` leads to.
    fn relative(&self, segment: &str) -> Option<String> {
        let base = self.base.as_ref().filter(|_| tag::is_link(segment))?;
        base.join(tag::attribute(segment, "href")?.trim()).ok().map(String::from)
    }

    fn leads_to(&self, token: &str) -> Vec<String> {
        let mut found = Vec::new();
        if has_host(token) {
            found.extend(self.page.join(token).ok().map(String::from).filter(|url| url != token));
        }
        for destination in spelling::destinations(token) {
            if has_host(&destination) {
                found.extend(self.page.join(&destination).ok().map(String::from));
            }
            found.push(destination);
        }
        found
    }
}

/// Adds a view of a segment. Blanks keep apart what does not stand together in the page.
fn add(views: &mut String, before: &str, link: &str, behind: &str) {
    for part in [" ", before, link, behind, " "] {
        views.push_str(part);
    }
}

/// Whether the text names a host of its own, with a scheme or without.
fn has_host(text: &str) -> bool {
    let start = text.as_bytes().get(..8).unwrap_or(text.as_bytes()).to_ascii_lowercase();
    [&b"//"[..], b"\\\\", b"http:", b"https:"].iter().any(|known| start.starts_with(known))
}

/// Where the words of a segment that may be links begin and end.
fn tokens(segment: &str) -> impl Iterator<Item = (usize, usize)> {
    let is_delimiter = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '<' | '>' | '(' | ')');
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + segment[at..].find(|c| !is_delimiter(c))?;
        let end = segment[start..].find(is_delimiter).map_or(segment.len(), |length| start + length);
        at = end;
        Some((start + name_length(&segment[start..end]), end))
    })
}

/// The length of an attribute's name and `=` before an unquoted value.
fn name_length(token: &str) -> usize {
    let name = token.find(|c: char| !(c.is_ascii_alphabetic() || c == '-')).unwrap_or(0);
    if name > 0 && token[name..].starts_with('=') { name + 1 } else { 0 }
}
