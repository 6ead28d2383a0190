//! Redirects: where an answer sends us, and when to stop following.

use linkbeat_shared::{BadUrl, LinkUrl, RedirectKind};
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderValue, LOCATION};

/// Redirects followed.
pub(crate) const MAX_HOPS: usize = 10;

/// The URLs visited so far, the current one last.
#[derive(Debug)]
pub(crate) struct Trail {
    earlier: Vec<LinkUrl>,
    here: LinkUrl,
}

impl Trail {
    /// Begins at this URL.
    pub(crate) fn from(url: &LinkUrl) -> Self {
        Self { earlier: Vec::new(), here: url.clone() }
    }

    /// The URL to fetch now.
    pub(crate) fn here(&self) -> &LinkUrl {
        &self.here
    }

    /// Goes where an answer's headers point.
    pub(crate) fn follow(&mut self, headers: &HeaderMap) -> Result<(), RedirectKind> {
        let location = headers.get(LOCATION).map(text).filter(|location| !location.is_empty());
        let next = self.here.join(&location.ok_or(RedirectKind::NoLocation)?);
        let next = next.map_err(|_: BadUrl| RedirectKind::BadLocation)?;
        if next == self.here || self.earlier.contains(&next) {
            return Err(RedirectKind::Loop);
        }
        if self.earlier.len() == MAX_HOPS {
            return Err(RedirectKind::TooMany);
        }
        self.earlier.push(std::mem::replace(&mut self.here, next));
        Ok(())
    }
}

/// Whether an answer of this status sends us elsewhere (RFC 9110 §15.4).
pub(crate) fn redirects(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// A `Location` as text. Bytes beyond ASCII are not allowed there but common; percent-encoded they mean
/// the same, whatever their charset.
fn text(location: &HeaderValue) -> String {
    let mut text = String::with_capacity(location.len());
    for &byte in location.as_bytes() {
        if byte.is_ascii() {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trail(url: &str) -> Trail {
        Trail::from(&LinkUrl::parse(url).unwrap())
    }

    fn to(location: &[u8]) -> HeaderMap {
        HeaderMap::from_iter([(LOCATION, HeaderValue::from_bytes(location).unwrap())])
    }

    #[test]
    fn a_location_is_read_as_browsers_read_it() {
        for (location, expected) in [
            (&b"/b"[..], "http://a.example/b"),
            (b"c?d#e", "http://a.example/dir/c?d"),
            (b"//b.example/", "http://b.example/"),
            (b"https://c.example", "https://c.example/"),
            ("/日".as_bytes(), "http://a.example/%E6%97%A5"),
            (b"/\xc8\xd5", "http://a.example/%C8%D5"),
            ("http://bücher.example/".as_bytes(), "http://xn--bcher-kva.example/"),
        ] {
            let mut trail = trail("http://a.example/dir/a");
            trail.follow(&to(location)).unwrap();
            assert_eq!(trail.here().to_string(), expected);
        }
    }

    #[test]
    fn a_trail_that_leads_nowhere_says_why() {
        let mut start = trail("http://a.example/");
        assert_eq!(start.follow(&HeaderMap::new()), Err(RedirectKind::NoLocation));
        assert_eq!(start.follow(&to(b"")), Err(RedirectKind::NoLocation));
        assert_eq!(start.follow(&to(b"ftp://a.example/")), Err(RedirectKind::BadLocation));
        assert_eq!(start.follow(&to(b"http://[::1")), Err(RedirectKind::BadLocation));
        assert_eq!(start.follow(&to(b"/")), Err(RedirectKind::Loop));
        start.follow(&to(b"/b")).unwrap();
        assert_eq!(start.follow(&to(b"/")), Err(RedirectKind::Loop));
    }

    #[test]
    fn ten_hops_are_followed_and_no_more() {
        let mut trail = trail("http://a.example/");
        for hop in 0..MAX_HOPS {
            trail.follow(&to(format!("/{hop}").as_bytes())).unwrap();
        }
        assert_eq!(trail.follow(&to(b"/one-more")), Err(RedirectKind::TooMany));
    }
}
