//! The page a second time, as a browser sees its links: decoded and resolved.
//!
//! Nearly all pages write their links plainly, and for them this must cost next to nothing. So the text is only
//! looked through for [`Marks`] of another spelling, by vector instructions. Only the segments with such a mark, a tag
//! and what stands behind it, are decoded and searched.

use std::sync::LazyLock;

use memchr::{memchr, memchr_iter, memchr3_iter, memrchr};
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
/// Links without a scheme, those with a port that goes without saying, hosts in punycode (RFC 5890 §2.3.2.1), parameters
/// that jump pages use, base64 of `http`, `HTTP`, `Http` and `//`. Up to 16 are found by vector instructions.
const LINKS: [&str; 16] = [
    "\"//", "'//", "=//", "`//", "(//", ":\\\\", ":443", ":80/", "xn--", "?u=", "?url=", "?link=", "aHR0c",
    "SFRUU", "SHR0c", "Ly9",
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
    /// Schemes and hosts that browsers spell otherwise, such as those in upper case.
    Hosts,
}

impl Marks {
    const ALL: [Self; 3] = [Self::Escapes, Self::Links, Self::Hosts];

    /// Where the first mark from `at` on is.
    fn find(self, text: &[u8], at: usize) -> Option<usize> {
        static LINK: LazyLock<Option<Prefilter>> =
            LazyLock::new(|| Prefilter::new(MatchKind::LeftmostFirst, &LINKS));

        let rest = text.get(at..)?;
        match self {
            Self::Escapes => memchr3_iter(b'\\', b'&', b'%', rest)
                .map(|found| at + found)
                .find(|at| is_escape(&text[*at..])),
            Self::Links => LINK.as_ref()?.find(text, Span::from(at..text.len())).map(|mark| mark.start),
            // Nearly each stands behind a scheme: to look for that one byte costs less than to look for `:/`.
            Self::Hosts => memchr_iter(b':', rest)
                .map(|found| at + found)
                .find(|at| text.get(at + 1) == Some(&b'/') && is_odd(&text[..*at], &text[*at..])),
        }
    }
}

fn is_escape(text: &[u8]) -> bool {
    ESCAPES.iter().any(|escape| text.starts_with(escape.as_bytes()))
}

/// Whether the scheme before a `:/`, or the host behind it, is spelled otherwise than browsers spell it.
fn is_odd(before: &[u8], behind: &[u8]) -> bool {
    match (before, behind) {
        (
            [.., b'h', b't', b't', b'p'] | [.., b'h', b't', b't', b'p', b's'],
            [b':', b'/', b'/', host @ ..],
        ) => is_odd_host(host),
        _ => ["http", "https"].iter().any(|scheme| ends_with_scheme(before, scheme)),
    }
}

fn ends_with_scheme(before: &[u8], scheme: &str) -> bool {
    let start = before.len().checked_sub(scheme.len());
    start.is_some_and(|start| before[start..].eq_ignore_ascii_case(scheme.as_bytes()))
}

/// Whether a host has capital letters, letters beyond ASCII, a user before it or a port behind it.
fn is_odd_host(text: &[u8]) -> bool {
    if text.first_chunk().is_some_and(|start| is_plain_to_a_slash(u128::from_le_bytes(*start))) {
        return false;
    }
    let is_plain = |byte: &&u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.');
    let length = text.iter().take_while(is_plain).count();
    matches!(text.get(length), Some(b'A'..=b'Z' | b':' | b'@' | b'\\' | 0x80..))
}

/// Whether there is a slash among 16 bytes, and no capital letter, `@`, or byte beyond ASCII. Nearly all hosts are like
/// that, and looking at all bytes at once costs next to nothing.
fn is_plain_to_a_slash(bytes: u128) -> bool {
    const EACH: u128 = u128::MAX / 0xff;
    // Of ASCII, capital letters and `@` lack this bit. Small letters, digits and marks of URLs have it.
    let odd = (!bytes & (0x20 * EACH)) | (bytes & (0x80 * EACH));
    // No bits where there is a slash. Such a byte borrows its highest bit.
    let others = bytes ^ (u128::from(b'/') * EACH);
    odd == 0 && others.wrapping_sub(EACH) & !others & (0x80 * EACH) != 0
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
        if piece.len() - last > segment::MAX {
            // Not all of it is kept.
            found = self.in_segment(finder, &piece[last..]);
        }
        if !open.text().is_empty() || first > 0 {
            found = found.max(self.in_segment(finder, &[open.text(), &piece[..first]].concat()));
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
        let mut found: Vec<_> = self.resolved(token).filter(|url| url != token).collect();
        for destination in spelling::destinations(token) {
            found.extend(self.resolved(&destination));
            found.push(destination);
        }
        found
    }

    /// A link with a host of its own, as browsers resolve and show it.
    fn resolved(&self, link: &str) -> impl Iterator<Item = String> + use<> {
        let url = if has_host(link) { self.page.join(link).ok() } else { None };
        url.into_iter().flat_map(spelling::plain).flatten()
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
    let is_delimiter = |c: char| {
        c.is_whitespace()
            || matches!(c, '"' | '\'' | '`' | '<' | '>' | '(' | ')' | '，' | '、' | '；' | '：' | '（' | '）')
    };
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
