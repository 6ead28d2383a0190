//! What a JSON request asks for, and what can be read of one that is not valid.

use std::fmt;

use linkbeat_shared::wire::{self, RequestMessage, Unreadable};
use linkbeat_shared::{Lang, ReplyTo, Request, RequestId};
use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use uuid::Uuid;

/// What a request asks for.
#[derive(Debug)]
pub(super) enum Asked {
    /// A run.
    Run {
        request: Box<Request>,
        /// Whoever asks is told that it is filed.
        accepted: bool,
    },
    /// That the run of an earlier request is stopped.
    Cancel { request: RequestId, lang: Lang },
}

impl Asked {
    /// Reads a request, which may name so many links. One that is too large to be read is told how many it names.
    pub(super) fn read(
        body: &[u8],
        reply_to: Option<ReplyTo>,
        most_links: usize,
    ) -> Result<Self, Unreadable> {
        let message = wire::decode::<RequestMessage>(body).map_err(|error| match error {
            Unreadable::TooLarge { .. } => Glimpse::of(body).too_many_links(most_links).unwrap_or(error),
            error => error,
        })?;
        let (accepted, lang) = (message.accepted, message.lang.unwrap_or_default());
        if message.cancel {
            return Ok(Self::Cancel { request: RequestId(message.request_id), lang });
        }
        Ok(Self::Run { request: Box::new(message.into_request(reply_to)?), accepted })
    }
}

/// What a message says that is no valid request. It is read without keeping its links.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Glimpse {
    #[serde(deserialize_with = "perhaps_uuid")]
    pub(super) request_id: Option<Uuid>,
    /// `None`: it is no array.
    #[serde(deserialize_with = "perhaps_count")]
    links: Option<usize>,
}

impl Glimpse {
    /// Nothing, if it is no JSON object.
    pub(super) fn of(body: &[u8]) -> Self {
        serde_json::from_slice(body).unwrap_or_default()
    }

    fn too_many_links(&self, most: usize) -> Option<Unreadable> {
        self.links.filter(|links| *links > most).map(|links| too_many_links(links, most))
    }
}

/// That a request names more links than are taken at once.
pub(super) fn too_many_links(links: usize, most: usize) -> Unreadable {
    Unreadable::Invalid(format!("the request names {links} links; at most {most} are taken at once"))
}

fn perhaps_uuid<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Uuid>, D::Error> {
    let text = serde_json::Value::deserialize(from)?;
    Ok(text.as_str().and_then(|text| text.parse().ok()))
}

/// How many items an array has. Of other values it is `None`.
fn perhaps_count<'de, D: Deserializer<'de>>(from: D) -> Result<Option<usize>, D::Error> {
    from.deserialize_any(Counting)
}

struct Counting;

impl<'de> Visitor<'de> for Counting {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut count = 0;
        while items.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok(Some(count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_is_too_large_is_told_how_many_links_it_names() {
        let link = r#"{"url":"http://a.example/"}"#;
        let links = vec![link; 1_000_001].join(",");
        let body = format!(r#"{{"schema":"linkbeat.request/1","links":[{links}]}}"#);
        let error = Asked::read(body.as_bytes(), None, 10_000).unwrap_err().to_string();
        assert!(
            error.ends_with("the request names 1000001 links; at most 10000 are taken at once"),
            "{error}"
        );
        let error = Asked::read(&vec![b'x'; 20 << 20], None, 10_000).unwrap_err();
        assert!(matches!(error, Unreadable::TooLarge { .. }), "{error}");
    }

    #[test]
    fn the_id_is_read_where_it_can_be() {
        let id = Uuid::now_v7();
        for (body, read) in [
            (format!(r#"{{"request_id":"{id}","urls":[1]}}"#), Some(id)),
            (r#"{"request_id":7}"#.to_owned(), None),
            ("nothing".to_owned(), None),
        ] {
            assert_eq!(Glimpse::of(body.as_bytes()).request_id, read, "{body}");
        }
    }
}
