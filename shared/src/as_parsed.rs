//! A URL with what its parser found in it. Reading it again parses nothing, and believes what is written: it is for what
//! this process itself wrote a moment ago, and for no message or table.

use serde::{Deserialize, Deserializer, Serializer};
use url::Url;

use crate::LinkUrl;

pub(crate) fn serialize<S: Serializer>(url: &LinkUrl, serializer: S) -> Result<S::Ok, S::Error> {
    url.as_url().serialize_internal(serializer)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<LinkUrl, D::Error> {
    Url::deserialize_internal(deserializer).map(LinkUrl::parsed_before)
}

/// The same for a URL that may be absent.
pub(crate) mod optional {
    use serde::Serialize;

    use super::{Deserialize, Deserializer, LinkUrl, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Parsed(#[serde(with = "super")] LinkUrl);

    pub(crate) fn serialize<S: Serializer>(url: &Option<LinkUrl>, serializer: S) -> Result<S::Ok, S::Error> {
        url.clone().map(Parsed).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<LinkUrl>, D::Error> {
        Ok(Option::deserialize(deserializer)?.map(|Parsed(url)| url))
    }
}

#[cfg(test)]
mod tests {
    use crate::{LinkUrl, NewLink};

    #[test]
    fn a_url_is_read_as_it_was_written() {
        for url in ["https://me:secret@[::1]:8/x?y=%20#z", "http://127.0.0.1/", "http://bücher.example."] {
            let url = LinkUrl::parse(url).unwrap();
            let link = NewLink { page_url: Some(url.clone()), ..NewLink::from_url(url) };
            let written = serde_json::to_vec(&link).unwrap();
            let read: NewLink = serde_json::from_slice(&written).unwrap();
            assert_eq!(read, link);
            assert_eq!(read.url.as_url().port(), link.url.as_url().port());
            assert_eq!((read.url.host(), read.url.key()), (link.url.host(), link.url.key()));
        }
    }
}
