//! A link's URL as people see it.

use std::fmt;

use crate::LinkUrl;

/// A canonical URL without userinfo, as [`LinkUrl::key`] gives it. It holds no password.
///
/// It keeps the text alone, so a stored URL becomes one without being parsed again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl(String);

impl PublicUrl {
    /// A stored [`LinkUrl::key`]. `None` if it is no http or https URL. Userinfo is removed if there is any.
    pub fn from_key(mut key: String) -> Option<Self> {
        let start = host_start(&key)?;
        if let Some(at) = authority(&key, start).rfind('@') {
            key.replace_range(start..=start + at, "");
        }
        Some(Self(key))
    }

    /// The URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The host, as [`LinkUrl::host`] gives it: without the port, an IPv6 address in brackets.
    pub fn host(&self) -> &str {
        let authority = authority(&self.0, host_start(&self.0).unwrap_or_default());
        let end = match authority.find(']') {
            Some(bracket) => bracket + 1,
            None => authority.find(':').unwrap_or(authority.len()),
        };
        &authority[..end]
    }
}

/// Where the scheme ends.
fn host_start(url: &str) -> Option<usize> {
    ["http://", "https://"].into_iter().find(|scheme| url.starts_with(scheme)).map(str::len)
}

/// What stands between the scheme and the path (RFC 3986 §3.2).
fn authority(url: &str, start: usize) -> &str {
    url[start..].split(['/', '?', '#']).next().unwrap_or_default()
}

impl From<&LinkUrl> for PublicUrl {
    fn from(url: &LinkUrl) -> Self {
        Self(url.key())
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_host_are_those_of_the_parsed_url() {
        let texts = [
            "https://example.com",
            "http://example.com:8080/a?b@c:d",
            "http://[2001:db8::1]:81/x]",
            "http://127.0.0.1:1/@",
            "https://me:secret@example.com/x",
            "https://m@e:s@bücher.example/e@x?x",
        ];
        for text in texts {
            let url: LinkUrl = text.parse().unwrap();
            let stored = PublicUrl::from_key(url.key()).unwrap();
            assert_eq!(stored, PublicUrl::from(&url));
            assert_eq!((stored.as_str(), stored.host()), (url.key().as_str(), url.host()), "{text}");
        }
    }

    #[test]
    fn a_password_is_never_shown_even_if_it_was_stored() {
        let url = PublicUrl::from_key("https://me:sec:ret@[::1]:8/x@y".to_owned()).unwrap();
        assert_eq!((url.as_str(), url.host()), ("https://[::1]:8/x@y", "[::1]"));
        assert_eq!(format!("{url} {url:?}").matches("ret").count(), 0);
        assert_eq!(PublicUrl::from_key("ftp://a/".to_owned()), None);
    }
}
