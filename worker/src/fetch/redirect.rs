//! Redirects: where an answer sends us, and when to stop following.

use linkbeat_shared::{BadUrl, Details, LinkUrl, Note, RedirectKind};
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderValue, LOCATION};

use super::cookies::Jar;

/// Redirects followed.
pub(crate) const MAX_HOPS: usize = 10;
/// Characters kept of each URL.
const MAX_URL: usize = 1_000;

/// The URLs visited so far, the current one last, and the cookies handed out on the way.
#[derive(Debug)]
pub(crate) struct Trail {
    earlier: Vec<Stop>,
    here: LinkUrl,
    cookies: Jar,
    /// A page sent us on by itself.
    refreshed: bool,
}

/// A URL that was visited.
#[derive(Debug)]
struct Stop {
    url: LinkUrl,
    /// [`Jar::changes`] when it was asked for.
    cookies: usize,
}

impl Trail {
    /// Begins at this URL.
    pub(crate) fn from(url: &LinkUrl) -> Self {
        Self { earlier: Vec::new(), here: url.clone(), cookies: Jar::default(), refreshed: false }
    }

    /// The URL to fetch now.
    pub(crate) fn here(&self) -> &LinkUrl {
        &self.here
    }

    /// The header `Cookie` to fetch it with.
    pub(crate) fn cookies(&self) -> Option<HeaderValue> {
        self.cookies.header(&self.here)
    }

    /// Goes where an answer's headers point. To come back to a URL is a loop, unless with other cookies:
    /// walls set one and send the visitor to the same page again.
    pub(crate) fn follow(&mut self, headers: &HeaderMap) -> Result<(), RedirectKind> {
        // As browsers and curl do, the first that says something.
        let location = headers.get_all(LOCATION).iter().map(text).find(|location| !location.is_empty());
        let next = self.here.join(&location.ok_or(RedirectKind::NoLocation)?);
        let next = next.map_err(|_: BadUrl| RedirectKind::BadLocation)?.with_user_of(&self.here);
        self.go(next, headers);
        let now = self.cookies.changes();
        if self.earlier.iter().any(|stop| stop.url == self.here && stop.cookies == now) {
            Err(RedirectKind::Loop)
        } else if self.earlier.len() > MAX_HOPS {
            Err(RedirectKind::TooMany)
        } else {
            Ok(())
        }
    }

    /// Goes where a page sends its visitors by itself. `false`, and stays here, where that is no URL to fetch, was
    /// visited already, or is one hop too many: then the page itself is the answer.
    pub(crate) fn refresh(&mut self, headers: &HeaderMap, url: &str) -> bool {
        let Ok(next) = self.here.join(url).map(|next| next.with_user_of(&self.here)) else { return false };
        let asked_with = self.cookies.changes();
        self.cookies.take(&self.here, headers);
        let now = self.cookies.changes();
        // With another cookie, the same URL may be another page. Once: some sites hand out a new one every time.
        let visited =
            (next == self.here && asked_with == now) || self.earlier.iter().any(|stop| stop.url == next);
        if visited || self.earlier.len() >= MAX_HOPS {
            return false;
        }
        self.leave(next, asked_with);
        self.refreshed = true;
        true
    }

    fn go(&mut self, next: LinkUrl, headers: &HeaderMap) {
        let asked_with = self.cookies.changes();
        self.cookies.take(&self.here, headers);
        self.leave(next, asked_with);
    }

    fn leave(&mut self, next: LinkUrl, asked_with: usize) {
        let here = Stop { url: std::mem::replace(&mut self.here, next), cookies: asked_with };
        self.earlier.push(here);
    }

    /// Where the redirects led, whether one of them gave up https, and whether one was a page's refresh.
    pub(crate) fn details(self) -> Details {
        let urls: Vec<_> = self.earlier.iter().map(|stop| &stop.url).chain([&self.here]).collect();
        let downgraded = urls.windows(2).any(|hop| hop[0].is_https() && !hop[1].is_https());
        Details {
            redirects: urls[1..].iter().map(|url| shortened(url)).collect(),
            notes: [(downgraded, Note::Downgraded), (self.refreshed, Note::MetaRefresh)]
                .into_iter()
                .filter_map(|(seen, note)| seen.then_some(note))
                .collect(),
            ..Details::default()
        }
    }
}

/// A URL without userinfo, cut where it is very long: a site must not be able to make a job's results too
/// large for one message.
fn shortened(url: &LinkUrl) -> String {
    let text = url.to_string();
    match text.char_indices().nth(MAX_URL) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Whether an answer of this status sends us elsewhere (RFC 9110 §15.4).
pub(crate) fn redirects(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// A URL in a header as text. Bytes beyond ASCII are not allowed there but common; percent-encoded they mean
/// the same, whatever their charset.
pub(super) fn text(location: &HeaderValue) -> String {
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
    use reqwest::header::SET_COOKIE;

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
        let mut start = trail("http://a.example/");
        start.follow(&to(b"/b")).unwrap();
        assert_eq!(start.follow(&to(b"/")), Err(RedirectKind::Loop));
    }

    #[test]
    fn the_same_page_with_another_cookie_is_no_loop() {
        let mut trail = trail("http://a.example/");
        let mut answer = to(b"/");
        answer.insert(SET_COOKIE, HeaderValue::from_static("seen=yes"));
        trail.follow(&answer).unwrap();
        assert_eq!(trail.cookies(), Some(HeaderValue::from_static("seen=yes")));
        assert_eq!(trail.follow(&answer), Err(RedirectKind::Loop), "the same cookie again");
    }

    #[test]
    fn the_details_name_each_hop_without_userinfo_and_a_lost_https() {
        let mut start = trail("https://a.example/");
        assert_eq!(start.details(), Details::default());
        start = trail("https://a.example/");
        start.follow(&to(b"https://me:secret@b.example/")).unwrap();
        start.follow(&to(b"http://b.example/x")).unwrap();
        start.follow(&to(b"https://b.example/x")).unwrap();
        let details = start.details();
        assert_eq!(details.redirects, ["https://b.example/", "http://b.example/x", "https://b.example/x"]);
        assert_eq!(details.notes.into_iter().collect::<Vec<_>>(), [Note::Downgraded]);
        start = trail("http://a.example/");
        start.follow(&to(format!("/{}", "x".repeat(7_000)).as_bytes())).unwrap();
        assert_eq!(start.details().redirects[0].chars().count(), MAX_URL + 1);
        start = trail("http://a.example/");
        start.follow(&to(b"https://a.example/")).unwrap();
        assert!(start.details().notes.is_empty());
    }

    #[test]
    fn a_refresh_is_a_hop_and_never_a_failure() {
        let mut trail = trail("http://a.example/");
        let none = HeaderMap::new();
        for stays in ["", "#top", "http://a.example/", "javascript:alert(1)", "mailto:me@a.example"] {
            assert!(!trail.refresh(&none, stays), "{stays}");
        }
        for hop in 0..MAX_HOPS {
            assert!(trail.refresh(&none, &format!("/{hop}")));
            assert!(!trail.refresh(&none, "http://a.example/"), "visited");
        }
        assert!(!trail.refresh(&none, "/one-more"));
        assert!(trail.details().notes.contains(&Note::MetaRefresh));
    }

    #[test]
    fn a_refresh_to_itself_is_followed_once_for_a_new_cookie() {
        let mut trail = trail("http://a.example/");
        let cookie = |value| HeaderMap::from_iter([(SET_COOKIE, HeaderValue::from_static(value))]);
        assert!(trail.refresh(&cookie("number=1"), "/"));
        assert_eq!(trail.cookies(), Some(HeaderValue::from_static("number=1")));
        assert!(!trail.refresh(&cookie("number=2"), "/"));
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
