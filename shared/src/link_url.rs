//! A URL that may be fetched, in one canonical spelling.
//!
//! Parsing follows the WHATWG URL Standard (the `url` crate), with what a checker adds: only http and
//! https, no control characters, a bounded length, no fragment (RFC 9110 §7.1: it is never sent).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use url::Url;

/// Longest URL taken, in bytes: RFC 9110 §4.1 asks for at least 8,000 octets of support.
const MAX_BYTES: usize = 8_000;

/// An http or https URL in canonical form.
///
/// `Display` and `Debug` leave the userinfo out, so that a password cannot reach a log;
/// [`LinkUrl::expose`] gives the whole URL to whoever fetches it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LinkUrl(Url);

/// Why a text is not a URL that linkbeat fetches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadUrl {
    /// Nothing but white space.
    #[error("the URL is empty")]
    Empty,
    /// Over the length limit (8,000 bytes).
    #[error("the URL is longer than {MAX_BYTES} bytes")]
    TooLong,
    /// A control character or white space inside.
    #[error("the URL contains a control character or white space")]
    ControlCharacter,
    /// No scheme at all.
    #[error("the URL has no scheme; write it whole, such as https://example.com/")]
    NoScheme,
    /// A scheme other than http and https.
    #[error("only http and https URLs can be checked")]
    Scheme,
    /// No host, or one that no parser accepts.
    #[error("the URL's host is missing or invalid")]
    Host,
    /// Anything else the URL Standard refuses.
    #[error("the URL is malformed")]
    Malformed,
}

impl LinkUrl {
    /// Parses one URL; white space around it is dropped.
    pub fn parse(text: &str) -> Result<Self, BadUrl> {
        let text = text.trim();
        if text.is_empty() {
            return Err(BadUrl::Empty);
        }
        if text.len() > MAX_BYTES {
            return Err(BadUrl::TooLong);
        }
        // The URL Standard silently drops tabs and newlines; in a list they are a damaged row.
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(BadUrl::ControlCharacter);
        }
        let url = Url::parse(text).map_err(|error| match error {
            url::ParseError::RelativeUrlWithoutBase => BadUrl::NoScheme,
            url::ParseError::EmptyHost
            | url::ParseError::IdnaError
            | url::ParseError::InvalidIpv4Address
            | url::ParseError::InvalidIpv6Address
            | url::ParseError::InvalidDomainCharacter => BadUrl::Host,
            _ => BadUrl::Malformed,
        })?;
        Self::from_url(url)
    }

    /// Takes a parsed URL, such as the target of a redirect.
    pub fn from_url(mut url: Url) -> Result<Self, BadUrl> {
        if !matches!(url.scheme(), "http" | "https") {
            // `example.com:8080/` parses as the scheme `example.com`.
            return Err(if url.cannot_be_a_base() && url.scheme().contains('.') {
                BadUrl::NoScheme
            } else {
                BadUrl::Scheme
            });
        }
        if url.as_str().len() > MAX_BYTES {
            return Err(BadUrl::TooLong);
        }
        if url.port() == Some(0) {
            return Err(BadUrl::Host);
        }
        url.set_fragment(None);
        drop_trailing_dot(&mut url)?;
        Ok(Self(url))
    }

    /// One that was a [`LinkUrl`] before.
    pub(crate) fn parsed_before(url: Url) -> Self {
        Self(url)
    }

    /// Resolves a `Location` header against this URL (RFC 9110 §10.2.2).
    pub fn join(&self, location: &str) -> Result<Self, BadUrl> {
        Self::from_url(self.0.join(location).map_err(|_| BadUrl::Malformed)?)
    }

    /// The same with the userinfo of another URL, where it has none and both have one origin. Browsers and curl keep
    /// it in redirects within an origin.
    pub fn with_user_of(mut self, other: &Self) -> Self {
        let has_none = self.0.username().is_empty() && self.0.password().is_none();
        if has_none && self.0.origin() == other.0.origin() {
            // Both can only fail for URLs without a host, and from_url admits none.
            let _ = self.0.set_username(other.0.username());
            let _ = self.0.set_password(other.0.password());
        }
        self
    }

    /// The same with the userinfo of a near duplicate, where it has none.
    pub fn with_user_of_near(mut self, other: &Self) -> Self {
        let has_none = self.0.username().is_empty() && self.0.password().is_none();
        if has_none && self.near_key() == other.near_key() {
            // As above.
            let _ = self.0.set_username(other.0.username());
            let _ = self.0.set_password(other.0.password());
        }
        self
    }

    /// The whole URL, userinfo included: for fetching and storing, never for logs.
    pub fn expose(&self) -> &str {
        self.0.as_str()
    }

    /// The parsed URL, userinfo included.
    pub fn as_url(&self) -> &Url {
        &self.0
    }

    /// What makes two links the same link: the canonical URL without userinfo.
    pub fn key(&self) -> String {
        self.redacted().to_string()
    }

    /// What near duplicates have in common: links that differ in the scheme, in `www.`, in a slash at the end, or in how
    /// characters are escaped most likely are one link. Only people decide that they are.
    pub fn near_key(&self) -> String {
        let host = self.host();
        let host = host.strip_prefix("www.").unwrap_or(host);
        let port = self.0.port().map(|port| format!(":{port}")).unwrap_or_default();
        let path = plainly_escaped(self.0.path());
        let query = self.0.query().map(|query| format!("?{}", plainly_escaped(query))).unwrap_or_default();
        format!("{host}{port}{}{query}", path.trim_end_matches('/'))
    }

    /// The host in canonical form (IDN hosts in punycode, IPv6 in brackets).
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// Whether the scheme is https.
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    fn redacted(&self) -> Url {
        let mut url = self.0.clone();
        // Both can only fail for URLs without a host, and from_url admits none.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url
    }
}

/// Without escapes that nothing needs, and with capital letters in the others (RFC 3986 §6.2.2).
fn plainly_escaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        plain.push_str(before);
        let digits = after.get(..2).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match byte {
            Some(byte) if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => plain.push(byte.into()),
            Some(byte) => plain.push_str(&format!("%{byte:02X}")),
            None => plain.push('%'),
        }
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    plain + rest
}

/// `example.com.` names the same host as `example.com` (RFC 1034 §3.1).
fn drop_trailing_dot(url: &mut Url) -> Result<(), BadUrl> {
    let Some(url::Host::Domain(domain)) = url.host() else {
        return if url.host().is_some() { Ok(()) } else { Err(BadUrl::Host) };
    };
    match domain.strip_suffix('.').map(str::to_owned) {
        None => Ok(()),
        // One more dot, and there is a label without a name.
        Some(bare) if bare.ends_with('.') => Err(BadUrl::Host),
        Some(bare) => url.set_host(Some(&bare)).map_err(|_| BadUrl::Host),
    }
}

impl FromStr for LinkUrl {
    type Err = BadUrl;
    fn from_str(text: &str) -> Result<Self, BadUrl> {
        Self::parse(text)
    }
}

impl TryFrom<String> for LinkUrl {
    type Error = BadUrl;
    fn try_from(text: String) -> Result<Self, BadUrl> {
        Self::parse(&text)
    }
}

impl From<LinkUrl> for String {
    fn from(url: LinkUrl) -> Self {
        url.0.into()
    }
}

impl fmt::Display for LinkUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.username().is_empty() && self.0.password().is_none() {
            f.write_str(self.0.as_str())
        } else {
            f.write_str(self.redacted().as_str())
        }
    }
}

impl fmt::Debug for LinkUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LinkUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_link_share_one_key() {
        let same = [
            "https://Example.COM",
            "https://example.com/",
            "HTTPS://example.com:443/",
            "https://example.com./#top",
            "https://me:secret@example.com/",
            "  https://example.com/  ",
        ];
        for text in same {
            assert_eq!(LinkUrl::parse(text).unwrap().key(), "https://example.com/", "{text}");
        }
        assert_eq!(LinkUrl::parse("http://bücher.example/").unwrap().host(), "xn--bcher-kva.example");
        assert_eq!(LinkUrl::parse("http://0x7f.1/").unwrap().host(), "127.0.0.1");
    }

    #[test]
    fn near_duplicates_share_one_near_key() {
        let near = [
            "http://a.example/~me/%e5%8f%8b/?q=%7E",
            "https://www.a.example/%7Eme/%E5%8F%8B?q=~",
            "https://a.example:443/%7eme/友/?q=%7e",
        ];
        for text in near {
            assert_eq!(LinkUrl::parse(text).unwrap().near_key(), "a.example/~me/%E5%8F%8B?q=~", "{text}");
        }
        for (one, other) in [
            ("http://a.example/", "http://b.example/"),
            ("http://a.example/x", "http://a.example/X"),
            ("http://a.example/x%2Fy", "http://a.example/x/y"),
            ("http://a.example:8080/", "http://a.example/"),
            ("http://a.example/?a", "http://a.example/"),
            ("http://a.example/%", "http://a.example/%25"),
            ("http://a.example/%+5", "http://a.example/%05"),
        ] {
            let key = |text| LinkUrl::parse(text).unwrap().near_key();
            assert_ne!(key(one), key(other), "{one} and {other}");
        }
    }

    #[test]
    fn each_bad_url_says_why() {
        let cases = [
            ("", BadUrl::Empty),
            ("   ", BadUrl::Empty),
            ("example.com", BadUrl::NoScheme),
            ("example.com:8080/x", BadUrl::NoScheme),
            ("ftp://example.com/", BadUrl::Scheme),
            ("javascript:alert(1)", BadUrl::Scheme),
            ("mailto:me@example.com", BadUrl::Scheme),
            ("http://", BadUrl::Host),
            ("http://[::1", BadUrl::Host),
            ("http://./", BadUrl::Host),
            ("http://example.com../", BadUrl::Host),
            ("http://a b/", BadUrl::ControlCharacter),
            ("http://a/\u{7}", BadUrl::ControlCharacter),
            ("http://example.com:0/", BadUrl::Host),
            ("http://example.com:99999/", BadUrl::Malformed),
        ];
        for (text, expected) in cases {
            assert_eq!(LinkUrl::parse(text), Err(expected), "{text}");
        }
        assert_eq!(LinkUrl::parse(&format!("http://a/{}", "x".repeat(MAX_BYTES))), Err(BadUrl::TooLong));
    }

    #[test]
    fn a_password_is_fetched_with_but_never_shown() {
        let url = LinkUrl::parse("https://me:secret@example.com/x").unwrap();
        assert_eq!(url.expose(), "https://me:secret@example.com/x");
        assert!(!format!("{url} {url:?} {}", url.key()).contains("secret"));
    }
}
