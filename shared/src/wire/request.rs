use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Message, Unreadable, schema_of};
use crate::options::in_messages;
use crate::{
    Attributes, LinkName, LinkSelection, LinkUrl, NewLink, ReplyTo, Request, RequestId, RequestOptions, Tags,
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
    /// The section of a list that it stands in, at most 200 characters. linkbeat keeps it and gives it back, like the
    /// avatar, description, screenshot, feed and tags. What is too long is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Where a small picture of it is, at most 2,048 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar: Option<String>,
    /// What it is about, at most 1,000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where a picture of its page is, at most 2,048 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub screenshot: Option<String>,
    /// Where its RSS or Atom feed is, at most 2,048 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feed: Option<String>,
    /// Its labels: at most 20, each of at most 50 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
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
            group: link.group.as_ref().map(ToString::to_string),
            avatar: link.attributes.avatar.as_ref().map(ToString::to_string),
            description: link.attributes.description.as_ref().map(ToString::to_string),
            screenshot: link.attributes.screenshot.as_ref().map(ToString::to_string),
            feed: link.attributes.feed.as_ref().map(ToString::to_string),
            tags: link.attributes.tags.as_ref().map(|tags| tags.iter().map(ToString::to_string).collect()),
        }
    }
}

impl RequestLinkMessage {
    /// What is said of the link besides. As in lists, what is beyond its bounds is left out: no check needs it.
    fn attributes(&self) -> Attributes {
        let tags = self.tags.as_ref().and_then(|tags| Tags::usable(tags.iter().map(String::as_str)));
        Attributes {
            avatar: usable(self.avatar.as_ref()),
            description: usable(self.description.as_ref()),
            screenshot: usable(self.screenshot.as_ref()),
            feed: usable(self.feed.as_ref()),
            tags,
        }
    }
}

fn usable<T: FromStr>(text: Option<&String>) -> Option<T> {
    text.and_then(|text| text.parse().ok())
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
                group: usable(link.group.as_ref()),
                attributes: link.attributes(),
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
    fn what_is_said_of_a_link_besides_is_kept_and_what_is_too_long_is_left_out() {
        let long = "x".repeat(201);
        let json = format!(
            r#"{{"schema":"linkbeat.request/1","request_id":"0190a1b2-0000-7000-8000-000000000001","links":[
                {{"url":"http://a/","group":"Friends","avatar":"/a.png","description":"A\nblog","screenshot":"/s.png",
                  "feed":"/feed","tags":["tech","","art"]}},{{"url":"http://b/","group":"{long}","tags":[]}}]}}"#
        );
        let request = request(&json).unwrap();
        let LinkSelection::Given(links) = &request.links else { panic!("no links") };
        let links: Vec<NewLink> = links.iter().collect();
        let said = &links[0].attributes;
        assert_eq!(links[0].group.as_ref().unwrap().as_str(), "Friends");
        assert_eq!(said.avatar.as_ref().unwrap().as_str(), "/a.png");
        assert_eq!(said.description.as_ref().unwrap().as_str(), "A blog");
        assert_eq!(said.screenshot.as_ref().unwrap().as_str(), "/s.png");
        assert_eq!(said.feed.as_ref().unwrap().as_str(), "/feed");
        let tags: Vec<_> = said.tags.as_ref().unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(tags, ["art", "tech"]);
        assert!(links[1].group.is_none() && links[1].attributes.is_empty());
        let again = RequestMessage::from(&request).into_request(None).unwrap();
        assert_eq!(again.links, request.links);
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
