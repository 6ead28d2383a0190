//! Keeps cookies during one chain of redirects. Some sites set a cookie and let in only those who send it back.
//!
//! A cookie goes back to the host that set it. With a `Domain`, it also goes to the other hosts of that domain, if it is
//! not a public suffix (RFC 6265 §5.3).

use std::net::Ipv4Addr;
use std::time::SystemTime;

use cookie::Cookie;
use linkbeat_shared::LinkUrl;
use reqwest::header::{HeaderMap, HeaderValue, SET_COOKIE};

/// How many cookies are kept. RFC 6265 §6.1 asks for 50 for each domain.
const MAX_COOKIES: usize = 50;
/// How many bytes of one `Set-Cookie` are read. RFC 6265 §6.1 asks for 4,096 at least.
const MAX_BYTES: usize = 4_096;

/// The cookies of one chain.
#[derive(Debug, Default)]
pub(super) struct Jar {
    kept: Vec<Kept>,
    changes: usize,
}

struct Kept {
    /// The host that set it, or the domain that it set it for.
    host: String,
    /// It also goes to the hosts below.
    is_for_all: bool,
    path: String,
    secure: bool,
    name: String,
    value: String,
}

impl Jar {
    /// How often its cookies have changed. The same URL with other cookies may be another page.
    pub(super) fn changes(&self) -> usize {
        self.changes
    }

    /// Takes the cookies of an answer that came from `from`. One that cannot be read is left out. So are those beyond the
    /// limits.
    pub(super) fn take(&mut self, from: &LinkUrl, headers: &HeaderMap) {
        for header in headers.get_all(SET_COOKIE) {
            let text = std::str::from_utf8(header.as_bytes()).ok().filter(|text| text.len() <= MAX_BYTES);
            if let Some(cookie) = text.and_then(|text| Cookie::parse(text).ok()) {
                self.set(from, &cookie);
            }
        }
    }

    /// The header `Cookie` for a request to this URL, if any cookie belongs to it.
    pub(super) fn header(&self, to: &LinkUrl) -> Option<HeaderValue> {
        let pairs: Vec<_> = self
            .kept
            .iter()
            .filter(|kept| kept.belongs_to(to))
            .map(|kept| format!("{}={}", kept.name, kept.value))
            .collect();
        if pairs.is_empty() { None } else { HeaderValue::from_str(&pairs.join("; ")).ok() }
    }

    fn set(&mut self, from: &LinkUrl, cookie: &Cookie<'_>) {
        let secure = cookie.secure().unwrap_or(false);
        if cookie.name().is_empty() || (secure && !from.is_https()) {
            return;
        }
        let path = cookie.path().filter(|path| path.starts_with('/')).unwrap_or(default_path(from));
        let domain = cookie.domain().and_then(|domain| shared(domain, from.host()));
        let (host, is_for_all) = (domain.as_deref().unwrap_or(from.host()), domain.is_some());
        let place = self.kept.iter().position(|kept| {
            kept.host == host
                && kept.is_for_all == is_for_all
                && kept.path == path
                && kept.name == cookie.name()
        });
        if is_over(cookie) {
            if let Some(place) = place {
                self.kept.remove(place);
                self.changes += 1;
            }
            return;
        }
        let kept = Kept {
            host: host.to_owned(),
            is_for_all,
            path: path.to_owned(),
            secure,
            name: cookie.name().to_owned(),
            value: cookie.value().to_owned(),
        };
        match place {
            Some(place) if self.kept[place].value == kept.value => return,
            Some(place) => self.kept[place] = kept,
            None if self.kept.len() < MAX_COOKIES => self.kept.push(kept),
            None => return,
        }
        self.changes += 1;
    }
}

impl Kept {
    fn belongs_to(&self, url: &LinkUrl) -> bool {
        let is_its = self.host == url.host() || (self.is_for_all && is_below(url.host(), &self.host));
        is_its && (!self.secure || url.is_https()) && within(url.as_url().path(), &self.path)
    }
}

/// Shows no values. They may be secrets, although nobody logged in.
impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {}{}", self.name, self.host, self.path)
    }
}

/// The domain that a `Domain` names, where this host may set cookies for it: it is the host or above it, and not a public
/// suffix. Addresses have none.
fn shared(domain: &str, host: &str) -> Option<String> {
    let domain = domain.trim_start_matches('.').to_ascii_lowercase();
    let is_above = domain == host || is_below(host, &domain);
    let is_name = host.parse::<Ipv4Addr>().is_err() && !host.starts_with('[');
    (is_above && is_name && psl::domain_str(&domain).is_some()).then_some(domain)
}

fn is_below(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|before| before.ends_with('.'))
}

/// The path up to its last slash (RFC 6265 §5.1.4).
fn default_path(url: &LinkUrl) -> &str {
    match url.as_url().path().rsplit_once('/') {
        Some((directory, _)) if !directory.is_empty() => directory,
        _ => "/",
    }
}

/// Whether `path` is `of` or lies below it (RFC 6265 §5.1.4).
fn within(path: &str, of: &str) -> bool {
    path.strip_prefix(of).is_some_and(|rest| rest.is_empty() || of.ends_with('/') || rest.starts_with('/'))
}

/// A site removes a cookie by a `Max-Age` of zero or by a date that is past. `Max-Age` goes before the date
/// (RFC 6265 §5.3).
fn is_over(cookie: &Cookie<'_>) -> bool {
    match (cookie.max_age(), cookie.expires_datetime()) {
        (Some(age), _) => !age.is_positive(),
        (None, Some(date)) => SystemTime::from(date) <= SystemTime::now(),
        (None, None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> LinkUrl {
        LinkUrl::parse(text).unwrap()
    }

    /// The cookies that are sent to `to` after `from` has set these.
    fn sent(from: &str, cookies: &[&str], to: &str) -> Option<String> {
        let mut jar = Jar::default();
        for cookie in cookies {
            let value = HeaderValue::from_bytes(cookie.as_bytes()).unwrap();
            jar.take(&url(from), &HeaderMap::from_iter([(SET_COOKIE, value)]));
        }
        jar.header(&url(to)).map(|header| header.to_str().unwrap().to_owned())
    }

    #[test]
    fn a_cookie_goes_back_where_it_came_from_and_nowhere_else() {
        let a = "http://a.example/";
        for (from, cookie, to, expected) in [
            (a, "k=v; Max-Age=60; HttpOnly", a, Some("k=v")),
            (a, "k=v", "http://a.example:8080/deep/er?x", Some("k=v")),
            (a, "k=v; Domain=example", "http://b.example/", None),
            (a, "k=v; Domain=example", a, Some("k=v")),
            (a, "k=v; Domain=.A.example", "http://www.a.example/", Some("k=v")),
            (a, "k=v; Domain=a.example", a, Some("k=v")),
            ("http://www.a.example/", "k=v; Domain=a.example", a, Some("k=v")),
            ("http://www.a.example/", "k=v; Domain=b.example", "http://b.example/", None),
            ("http://a.github.io/", "k=v; Domain=github.io", "http://b.github.io/", None),
            ("http://127.0.0.1/", "k=v; Domain=0.0.1", "http://9.0.0.1/", None),
            (a, "k=v", "http://www.a.example/", None),
            ("http://a.example/in/side", "k=v", "http://a.example/in/x", Some("k=v")),
            ("http://a.example/in/side", "k=v", "http://a.example/inner", None),
            ("http://a.example/in/side", "k=v; Path=/", a, Some("k=v")),
            ("https://a.example/", "k=v; Secure", a, None),
            ("https://a.example/", "k=v; Secure", "https://a.example/", Some("k=v")),
            (a, "k=v; Secure", "https://a.example/", None),
            (a, "k=v; Max-Age=0", a, None),
            (a, "k=v; Expires=Thu, 01 Jan 1970 00:00:00 GMT", a, None),
            (a, "no pair", a, None),
            (a, "=v", a, None),
        ] {
            assert_eq!(sent(from, &[cookie], to).as_deref(), expected, "{cookie} from {from} to {to}");
        }
        assert_eq!(sent(a, &["k=1", "l=2", "k=3"], a).as_deref(), Some("k=3; l=2"));
        assert_eq!(sent(a, &["k=1", "k=; Max-Age=-1"], a), None);
    }

    #[test]
    fn only_a_change_counts_and_the_jar_is_bounded() {
        let a = url("http://a.example/");
        let mut jar = Jar::default();
        let mut take = |cookie: &str| {
            jar.take(&a, &HeaderMap::from_iter([(SET_COOKIE, HeaderValue::from_str(cookie).unwrap())]));
            jar.changes()
        };
        assert_eq!((take("k=1"), take("k=1"), take("k=2"), take("gone=; Max-Age=0")), (1, 1, 2, 2));
        assert_eq!(take(&format!("long={}", "x".repeat(MAX_BYTES))), 2);
        for number in 0..200 {
            take(&format!("n{number}=1"));
        }
        assert_eq!(jar.kept.len(), MAX_COOKIES);
        assert!(!format!("{jar:?}").contains("=1"));
    }
}
