use std::fmt;
use std::str::FromStr;

use reqwest::header::{self, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

/// What only the connection itself may say, what has a setting of its own, or what would change how an
/// answer is read.
const RESERVED: [HeaderName; 11] = [
    header::HOST,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::TE,
    header::TRAILER,
    header::UPGRADE,
    header::EXPECT,
    header::ACCEPT_ENCODING,
    header::COOKIE,
    header::USER_AGENT,
];

/// A header sent with every request to every site, written as `Name: value`.
///
/// `Debug` leaves the value out: it may be a secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Header {
    pub(crate) name: HeaderName,
    pub(crate) value: HeaderValue,
}

/// Why a text is not a [`Header`]. Never quotes the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadHeader {
    /// No `Name: value` (RFC 9110 §5).
    #[error("a header is written as `Name: value`, with visible ASCII in the value")]
    Malformed,
    /// A header that is not the operator's to set.
    #[error("the header `{0}` is set by linkbeat itself")]
    Reserved(HeaderName),
}

impl FromStr for Header {
    type Err = BadHeader;

    fn from_str(text: &str) -> Result<Self, BadHeader> {
        let (name, value) = text.split_once(':').ok_or(BadHeader::Malformed)?;
        let name = HeaderName::from_str(name.trim()).map_err(|_| BadHeader::Malformed)?;
        if RESERVED.contains(&name) {
            return Err(BadHeader::Reserved(name));
        }
        let value = HeaderValue::from_str(value.trim()).map_err(|_| BadHeader::Malformed)?;
        if value.to_str().is_err() {
            return Err(BadHeader::Malformed);
        }
        Ok(Self { name, value })
    }
}

impl TryFrom<String> for Header {
    type Error = BadHeader;
    fn try_from(text: String) -> Result<Self, BadHeader> {
        text.parse()
    }
}

impl From<Header> for String {
    fn from(header: Header) -> Self {
        // Parsing admits visible ASCII alone.
        format!("{}: {}", header.name, header.value.to_str().unwrap_or_default())
    }
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Header({})", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_a_name_and_a_value_that_is_never_shown() {
        let header: Header = "X-Token:  se:cret ".parse().unwrap();
        assert_eq!((header.name.as_str(), header.value.to_str().unwrap()), ("x-token", "se:cret"));
        assert_eq!(format!("{header:?}"), "Header(x-token)");
        assert_eq!(String::from(header.clone()).parse(), Ok(header));
    }

    #[test]
    fn what_is_no_header_or_not_the_operators_to_set_is_refused() {
        for malformed in ["", "no colon", ": value", "a b: c", "a: b\r\nc: d", "a: é"] {
            assert_eq!(malformed.parse::<Header>(), Err(BadHeader::Malformed), "{malformed}");
        }
        assert_eq!("Host: other".parse::<Header>(), Err(BadHeader::Reserved(header::HOST)));
        assert_eq!(
            "accept-encoding: br".parse::<Header>(),
            Err(BadHeader::Reserved(header::ACCEPT_ENCODING))
        );
    }
}
