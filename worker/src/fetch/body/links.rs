//! The page a second time, as a browser sees its links: decoded and resolved.
//!
//! Nearly all pages write their links plainly, and for them this must cost next to nothing. So the text is only
//! looked through for [`Marks`] of another spelling, by vector instructions. Only the segments with such a mark, a tag
//! and what stands behind it, are decoded and searched.

use std::sync::LazyLock;

use memchr::memmem::Finder as BytesFinder;
use memchr::{memchr, memchr3_iter, memrchr};
use regex_automata::util::prefilter::Prefilter;
use regex_automata::{MatchKind, Span};
use url::Url;

use super::finder::Finder;
use super::found::Found;
use super::segment::{self, Segment, cut, followed};
use super::{spelling, tag};

/// Escapes of scripts, character references of what URLs consist of, percent-encoded marks of a URL. Each begins with
/// one of three bytes.
const ESCAPES: [&str; 13] = [
    "\\/", "\\u", "\\x", "&#", "&amp", "&quot", "&sol", "&colon", "&period", "&quest", "&equals", "%2", "%3",
];
/// Links without a scheme, those with a port that goes without saying, parameters that jump pages use, base64 of `http`
/// and `//`. Up to 16 are found by vector instructions.
const LINKS: [&str; 16] = [
    "\"//", "'//", "=//", "`//", ":\\\\", ":443", ":80/", "?u=", "?go=", "?to=", "?url=", "?link=",
    "?target=", "aHR0c", "Ly9", "SFRUU",
];
/// Links of one tag that are searched together with the text around them.
const WITH_CONTEXT: usize = 8;
/// Bytes of that text on either side.
const CONTEXT: usize = 200;

/// What shows that a link may be spelled otherwise. Each kind is found in its own way.
#[derive(Clone, Copy)]
enum Marks {
    /// [`ESCAPES`].
    Escapes,
    /// [`LINKS`].
    Links,
    /// Schemes and hosts in upper case, and hosts in Chinese characters.
    Hosts,
}

impl Marks {
    const ALL: [Self; 3] = [Self::Escapes, Self::Links, Self::Hosts];

    /// Where the first mark from `at` on is.
    fn find(self, text: &[u8], at: usize) -> Option<usize> {
        static LINK: LazyLock<Option<Prefilter>> =
            LazyLock::new(|| Prefilter::new(MatchKind::LeftmostFirst, &LINKS));
        static BEHIND_SCHEME: LazyLock<BytesFinder<'_>> = LazyLock::new(|| BytesFinder::new(":/"));

        let rest = text.get(at..)?;
        match self {
            Self::Escapes => memchr3_iter(b'\\', b'&', b'%', rest)
                .map(|found| at + found)
                .find(|at| is_escape(&text[*at..])),
            Self::Links => LINK.as_ref()?.find(text, Span::from(at..text.len())).map(|mark| mark.start),
            Self::Hosts => BEHIND_SCHEME
                .find_iter(rest)
                .map(|found| at + found)
                .find(|at| is_odd(&text[..*at], &text[*at..])),
        }
    }
}

fn is_escape(text: &[u8]) -> bool {
    ESCAPES.iter().any(|escape| text.starts_with(escape.as_bytes()))
}

/// Whether the scheme before a `:/`, or the host behind it, is spelled otherwise.
fn is_odd(before: &[u8], behind: &[u8]) -> bool {
    let odd_host = matches!(behind, [b':', b'/', b'/', b'A'..=b'Z' | 0xe4..=0xe7, ..]);
    odd_host || before.ends_with(b"TP") || before.ends_with(b"PS")
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
        for marks in Marks::ALL {
            found = found.max(self.in_marked_segments(finder, &piece[first..last], marks));
        }
        found
    }

    /// Searches in what is left at the end of the page.
    pub(super) fn finish(&self, finder: &mut Finder, open: &Segment) -> Option<Found> {
        self.in_segment(finder, open.text())
    }

    fn in_segment(&self, finder: &mut Finder, segment: &str) -> Option<Found> {
        let is_marked = || Marks::ALL.iter().any(|marks| marks.find(segment.as_bytes(), 0).is_some());
        if self.base.is_some() || is_marked() { self.in_marked(finder, segment) } else { None }
    }

    /// Searches in the segments with one of these marks. Each segment begins with a `<`.
    fn in_marked_segments(&self, finder: &mut Finder, segments: &str, marks: Marks) -> Option<Found> {
        let bytes = segments.as_bytes();
        let (mut found, mut at) = (None, 0);
        while found != Some(Found::Followed)
            && !finder.is_exhausted()
            && let Some(mark) = marks.find(bytes, at)
        {
            let start = memrchr(b'<', &bytes[..mark]).unwrap_or(0);
            let end = memchr(b'<', &bytes[mark..]).map_or(bytes.len(), |length| mark + length);
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
