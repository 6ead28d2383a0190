use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Message, Unreadable, schema_of};
use crate::options::in_messages;
use crate::{
    Attributes, LinkName, LinkSelection, LinkUrl, NewLink, ReplyTo, Request, RequestId, RequestOptions,
};

/// `linkbeat.request/1`, on the queue `linkbeat.requests`: asks for a run. What is absent takes its default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RequestMessage {
    /// `linkbeat.request/1`
    pub schema: String,
    /// Names the request: the same id twice is one run.
    pub request_id: Uuid,
    /// Exactly these links, imported first where they are new; absent: all stored active links.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub links: Option<Vec<RequestLinkMessage>>,
    /// What is asked of the links.
    #[serde(flatten, with = "in_messages")]
    #[schemars(with = "RequestOptions")]
    pub options: RequestOptions,
}

/// One link of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RequestLinkMessage {
    /// What people call it; absent: the URL's host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What to fetch.
    pub url: String,
    /// The page on which the backlink must stand, where it is not `url` itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page_url: Option<String>,
    /// Whether a backlink is asked of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backlink: Option<bool>,
}

impl Message for RequestMessage {
    const SCHEMA: &'static str = "linkbeat.request";
    const MAX_BYTES: usize = 4 << 20;

    fn schema(&self) -> &str {
        &self.schema
    }
}

impl RequestMessage {
    /// Parses the links, which is all that is left to parse; the first bad one is the error.
    pub fn into_request(self, reply_to: Option<ReplyTo>) -> Result<Request, Unreadable> {
        let links = match self.links {
            None => LinkSelection::Stored,
            Some(links) => LinkSelection::given(parse_links(links)?),
        };
        Ok(Request::new(RequestId(self.request_id), links, self.options, reply_to))
    }
}

/// The inverse of [`RequestMessage::into_request`], except for what a message does not say: where the answer goes, and
/// whether a given link is active and shown.
impl From<&Request> for RequestMessage {
    fn from(request: &Request) -> Self {
        Self {
            schema: schema_of::<Self>(),
            request_id: request.id.0,
            links: match &request.links {
                LinkSelection::Stored => None,
                LinkSelection::Given(links) => {
                    Some(links.iter().map(|link| RequestLinkMessage::from(&link)).collect())
                }
            },
            options: request.options(),
        }
    }
}

impl From<&NewLink> for RequestLinkMessage {
    fn from(link: &NewLink) -> Self {
        Self {
            name: link.name.as_ref().map(|name| name.as_str().to_owned()),
            url: link.url.expose().to_owned(),
            page_url: link.page_url.as_ref().map(|url| url.expose().to_owned()),
            backlink: link.backlink,
        }
    }
}

fn parse_links(links: Vec<RequestLinkMessage>) -> Result<Vec<NewLink>, Unreadable> {
    let numbered =
        |index: usize, error: &dyn std::fmt::Display| Unreadable::Invalid(format!("links[{index}]: {error}"));
    links
        .into_iter()
        .enumerate()
        .map(|(index, link)| {
            let url = |text: &str| LinkUrl::parse(text).map_err(|error| numbered(index, &error));
            Ok(NewLink {
                name: link
                    .name
                    .map(|name| LinkName::parse(&name))
                    .transpose()
                    .map_err(|error| numbered(index, &error))?,
                url: url(&link.url)?,
                page_url: link.page_url.as_deref().map(url).transpose()?,
                active: None,
                shown: None,
                backlink: link.backlink,
                group: None,
                attributes: Attributes::default(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::decode;
    use crate::{CheckSpec, ShowRules};

    fn request(json: &str) -> Result<Request, Unreadable> {
        decode::<RequestMessage>(json.as_bytes())?.into_request(None)
    }

    #[test]
    fn the_shortest_request_asks_for_all_links_by_the_defaults() {
        let request =
            request(r#"{"schema":"linkbeat.request/1","request_id":"0190a1b2-0000-7000-8000-000000000001"}"#)
                .unwrap();
        assert!(matches!(request.links, LinkSelection::Stored));
        assert_eq!((request.check, request.rules), (CheckSpec::default(), ShowRules::default()));
    }

    #[test]
    fn a_bad_field_is_named() {
        let with = |field: &str| {
            let json = format!(
                r#"{{"schema":"linkbeat.request/1","request_id":"0190a1b2-0000-7000-8000-000000000001",{field}}}"#
            );
            request(&json).unwrap_err().to_string()
        };
        assert!(with(r#""links":[{"url":"http://a/"},{"url":"nope"}]"#).contains("links[1]"));
        assert!(with(r#""backlink":"(?=a)""#).contains("look-around"));
        assert!(with(r#""timeout_ms":0"#).contains("timeout_ms: a timeout must lie between 1 ms"));
        assert!(with(r#""timeout_ms":"5s""#).contains("timeout_ms: "));
        assert!(with(r#""retries":11"#).contains("retries"));
        assert!(with(r#""accept":"20""#).contains("accept: `20` is no list of statuses"));
        assert!(with(r#""hide_after":0"#).contains("hide_after"));
        assert!(with(r#""on_blocked":"weep""#).contains("on_blocked"));
        assert!(with(r#""white_list":[1]"#).contains("white_list"));
        assert!(with(r#""recheck_after_ms":999"#).contains("looked at again"));
    }
}
