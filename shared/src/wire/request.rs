use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::job::invalid;
use super::{Message, Unreadable};
use crate::{
    AcceptedStatuses, BacklinkIn, BacklinkPattern, CheckSpec, LinkName, LinkSelection, LinkUrl, NewLink,
    OnBlocked, RecheckAfter, ReplyTo, Request, RequestId, Retries, ShowRules, Timeout, WhiteList,
};

/// `linkbeat.request/1`, on the queue `linkbeat.requests`: asks for a run. What is absent takes its default.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct RequestMessage {
    /// `linkbeat.request/1`
    pub schema: String,
    /// Names the request: the same id twice is one run.
    pub request_id: Uuid,
    /// Exactly these links, imported first where they are new; absent: all stored active links.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub links: Option<Vec<RequestLinkMessage>>,
    /// A regular expression that must be found in each page; absent: the status alone decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backlink: Option<String>,
    /// Where in the page it is searched; `text` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backlink_in: Option<BacklinkIn>,
    /// Names of links that are taken as good without a look.
    #[serde(default)]
    pub white_list: Vec<String>,
    /// The absolute deadline of each link, in milliseconds; 5000 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// How often a transient failure is tried again within the deadline; 1 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<u8>,
    /// Statuses that count as an answer; `200` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accept: Option<String>,
    /// Checks in a row that must fail before a shown link is hidden; 1 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hide_after: Option<u32>,
    /// Checks in a row that must pass before a hidden link is shown; 1 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub show_after: Option<u32>,
    /// What `blocked` does to a shown link; `hide` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_blocked: Option<OnBlocked>,
    /// A link about to be hidden is looked at again after so many milliseconds, 1000 to 86400000, and hidden
    /// only if it fails again; absent: it is hidden at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recheck_after_ms: Option<u64>,
}

/// One link of a request.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
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
    /// Parses every field once; the first bad one is the error.
    pub fn into_request(self, reply_to: Option<ReplyTo>) -> Result<Request, Unreadable> {
        let default = CheckSpec::default();
        let check = CheckSpec {
            backlink: self.backlink.map(|text| BacklinkPattern::parse(&text)).transpose().map_err(invalid)?,
            backlink_in: self.backlink_in.unwrap_or_default(),
            timeout: self.timeout_ms.map_or(Ok(default.timeout), Timeout::from_millis).map_err(invalid)?,
            retries: self.retries.map_or(Ok(default.retries), Retries::try_from).map_err(invalid)?,
            accept: self
                .accept
                .map_or(Ok(default.accept), |text| text.parse::<AcceptedStatuses>())
                .map_err(invalid)?,
        };
        let rules = ShowRules {
            hide_after: at_least_one("hide_after", self.hide_after)?,
            show_after: at_least_one("show_after", self.show_after)?,
            on_blocked: self.on_blocked.unwrap_or_default(),
            recheck_after: self
                .recheck_after_ms
                .map(RecheckAfter::from_millis)
                .transpose()
                .map_err(invalid)?,
        };
        let links = match self.links {
            None => LinkSelection::Stored,
            Some(links) => LinkSelection::Given(parse_links(links)?),
        };
        let white_list = WhiteList(self.white_list.into_iter().collect());
        Ok(Request { id: RequestId(self.request_id), links, white_list, check, rules, reply_to })
    }
}

fn at_least_one(field: &str, value: Option<u32>) -> Result<NonZeroU32, Unreadable> {
    NonZeroU32::new(value.unwrap_or(1))
        .ok_or_else(|| Unreadable::Invalid(format!("{field} must be at least 1")))
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
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::decode;

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
        assert!(with(r#""timeout_ms":0"#).contains("1 ms"));
        assert!(with(r#""hide_after":0"#).contains("hide_after"));
        assert!(with(r#""recheck_after_ms":999"#).contains("looked at again"));
    }
}
