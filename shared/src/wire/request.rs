use std::str::FromStr;

use schemars::{JsonSchema, Schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{Message, Unreadable, schema_of};
use crate::fields::{Fields, kind_of};
use crate::options::in_messages;
use crate::{
    Attributes, Lang, LinkFilter, LinkName, LinkSelection, LinkUrl, NewLink, ReplyTo, Request, RequestId,
    RequestOptions, Tags, Without,
};

/// The fields of a request, besides its options.
const FIELDS: [&str; 9] =
    ["schema", "request_id", "links", "groups", "tags", "lang", "accepted", "progress", "cancel"];
/// The fields of a link.
const OF_LINKS: [&str; 10] =
    ["name", "url", "page_url", "backlink", "group", "avatar", "description", "screenshot", "feed", "tags"];

/// `linkbeat.request/1`, on the queue `linkbeat.requests`: asks for a run, or that one is cancelled. What is absent takes
/// its default. Unknown fields are refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(transform = refuse_unknown_fields)]
pub struct RequestMessage {
    /// `linkbeat.request/1`
    pub schema: String,
    /// Names the request: the same id twice is one run.
    pub request_id: Uuid,
    /// Exactly these links, imported first where they are new; absent: all stored active links.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub links: Option<Vec<RequestLinkMessage>>,
    /// Instead of `links`: the stored active links of one of these groups.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<String>>,
    /// Instead of `links`: the stored active links that have one of these tags. With `groups`: that match both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// The language of the texts in the report: `en` or `zh`; absent: `en`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lang: Option<Lang>,
    /// Whether `linkbeat.accepted/1` is sent to `reply_to` as soon as the run is filed.
    #[serde(default, skip_serializing_if = "is_false")]
    pub accepted: bool,
    /// Whether `run.progress` is announced on `linkbeat.events` while the run goes on, at most twice a second.
    #[serde(default, skip_serializing_if = "is_false")]
    pub progress: bool,
    /// Stops the run of this `request_id`. Besides it only `lang` may be said. The answer is the report of that run.
    #[serde(default, skip_serializing_if = "is_false")]
    pub cancel: bool,
    /// What is asked of the links.
    #[serde(flatten, serialize_with = "in_messages::serialize")]
    #[schemars(with = "RequestOptions")]
    pub options: RequestOptions,
}

/// One link of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(transform = refuse_unknown_fields)]
pub struct RequestLinkMessage {
    /// What people call it; absent: the URL's host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What to fetch.
    pub url: String,
    /// The page on which the backlink must stand, where it is not `url` itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_url: Option<String>,
    /// Whether a backlink is asked of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backlink: Option<bool>,
    /// The section of a list that it stands in, at most 200 characters. linkbeat keeps it and gives it back, like the
    /// avatar, description, screenshot, feed and tags. What is too long is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Where a small picture of it is, at most 2,048 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avatar: Option<String>,
    /// What it is about, at most 1,000 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where a picture of its page is, at most 2,048 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub screenshot: Option<String>,
    /// Where its RSS or Atom feed is, at most 2,048 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feed: Option<String>,
    /// Its labels: at most 20, each of at most 50 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
}

impl Message for RequestMessage {
    const SCHEMA: &'static str = "linkbeat.request";
    const MAX_BYTES: usize = 4 << 20;

    fn schema(&self) -> &str {
        &self.schema
    }
}

impl<'de> Deserialize<'de> for RequestMessage {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::read(Fields::deserialize(from)?).map_err(D::Error::custom)
    }
}

impl RequestMessage {
    fn read(mut fields: Fields) -> Result<Self, String> {
        let message = Self {
            schema: fields.text("schema").and_then(|schema| fields.needed("schema", schema))?,
            request_id: fields.uuid("request_id").and_then(|id| fields.needed("request_id", id))?,
            links: fields.list("links")?.map(read_links).transpose()?,
            groups: fields.texts("groups")?,
            tags: fields.texts("tags")?,
            lang: fields
                .text("lang")?
                .map(|lang| lang.parse().map_err(|_| BAD_LANG.to_owned()))
                .transpose()?,
            accepted: fields.flag("accepted")?.unwrap_or_default(),
            progress: fields.flag("progress")?.unwrap_or_default(),
            cancel: fields.flag("cancel")?.unwrap_or_default(),
            options: in_messages::take(&mut fields)?,
        };
        fields.none_left(&FIELDS.into_iter().chain(RequestOptions::names_in_messages()))?;
        if message.cancel && !message.asks_for_nothing() {
            return Err("cancel: besides it only request_id and lang may be said".to_owned());
        }
        Ok(message)
    }

    /// Whether nothing is asked for that only a run could give.
    fn asks_for_nothing(&self) -> bool {
        let selects = self.links.is_some() || self.groups.is_some() || self.tags.is_some();
        let wishes = self.accepted || self.progress || selects;
        !wishes && self.options == RequestOptions::default()
    }

    /// Parses which links, which is all that is left to parse; the first bad one is the error.
    pub fn into_request(self, reply_to: Option<ReplyTo>) -> Result<Request, Unreadable> {
        let filtered = self.groups.is_some() || self.tags.is_some();
        let links = match self.links {
            Some(_) if filtered => {
                return Err(Unreadable::Invalid("links: cannot be given with groups or tags".to_owned()));
            }
            Some(links) => LinkSelection::given(parse_links(links)?),
            None => LinkSelection::matching(LinkFilter {
                groups: parse_all("groups", self.groups)?,
                tags: parse_all("tags", self.tags)?,
            }),
        };
        let lang = self.lang.unwrap_or_default();
        let request = Request::new(RequestId(self.request_id), links, self.options, reply_to);
        Ok(Request { lang, progress: self.progress, ..request })
    }
}

/// The inverse of [`RequestMessage::into_request`], except for what a request does not say: whether an answer is wanted at
/// once. And except for what a message does not say: where the answer goes, and whether a given link is active and shown.
impl From<&Request> for RequestMessage {
    fn from(request: &Request) -> Self {
        Self {
            schema: schema_of::<Self>(),
            request_id: request.id.0,
            links: match &request.links {
                LinkSelection::Stored | LinkSelection::Matching(_) => None,
                LinkSelection::Given(links) => {
                    Some(links.iter().map(|link| RequestLinkMessage::from(&link)).collect())
                }
            },
            groups: named(&request.links, |filter| &filter.groups),
            tags: named(&request.links, |filter| &filter.tags),
            lang: (request.lang != Lang::default()).then_some(request.lang),
            accepted: false,
            progress: request.progress,
            cancel: false,
            options: request.options(),
        }
    }
}

/// What the filter of a request names in one of its lists, if it names anything.
fn named<T: ToString>(links: &LinkSelection, list: impl Fn(&LinkFilter) -> &Vec<T>) -> Option<Vec<String>> {
    let LinkSelection::Matching(filter) = links else { return None };
    let texts: Vec<String> = list(filter).iter().map(ToString::to_string).collect();
    (!texts.is_empty()).then_some(texts)
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
    fn read(index: usize, value: Value) -> Result<Self, String> {
        let Value::Object(fields) = value else {
            return Err(format!("links[{index}]: must be an object, not {}", kind_of(&value)));
        };
        let mut fields = Fields::of(format!("links[{index}]."), fields);
        let link = Self {
            name: fields.text("name")?,
            url: fields.text("url")?.unwrap_or_default(),
            page_url: fields.text("page_url")?,
            backlink: fields.flag("backlink")?,
            group: fields.text("group")?,
            avatar: fields.text("avatar")?,
            description: fields.text("description")?,
            screenshot: fields.text("screenshot")?,
            feed: fields.text("feed")?,
            tags: fields.texts("tags")?,
        };
        // A name that was misspelt is the better reason for one that is missing.
        fields.none_left(&OF_LINKS.into_iter())?;
        fields.needed("url", Some(&link.url).filter(|url| !url.is_empty()))?;
        Ok(link)
    }

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

const BAD_LANG: &str = "lang: must be `en` or `zh`";

fn read_links(links: Vec<Value>) -> Result<Vec<RequestLinkMessage>, String> {
    let links = links.into_iter().enumerate();
    links.map(|(index, link)| RequestLinkMessage::read(index, link)).collect()
}

fn refuse_unknown_fields(schema: &mut Schema) {
    schema.insert("additionalProperties".to_owned(), false.into());
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

fn usable<T: FromStr>(text: Option<&String>) -> Option<T> {
    text.and_then(|text| text.parse().ok())
}

/// A list that is there names something: an empty one must not stand for all links.
fn parse_all<T: FromStr<Err: std::fmt::Display>>(
    field: &str,
    texts: Option<Vec<String>>,
) -> Result<Vec<T>, Unreadable> {
    let Some(texts) = texts else { return Ok(Vec::new()) };
    if texts.is_empty() {
        return Err(Unreadable::Invalid(format!("{field}: names nothing")));
    }
    let parse = |(index, text): (usize, &String)| {
        text.parse().map_err(|error| Unreadable::Invalid(format!("{field}[{index}]: {error}")))
    };
    texts.iter().enumerate().map(parse).collect()
}

fn parse_links(links: Vec<RequestLinkMessage>) -> Result<Vec<NewLink>, Unreadable> {
    let numbered = |index: usize, field: &str, error: &dyn std::fmt::Display| {
        Unreadable::Invalid(format!("links[{index}].{field}: {error}"))
    };
    links
        .into_iter()
        .enumerate()
        .map(|(index, link)| {
            let url = |field: &str, text: &str| {
                LinkUrl::parse(text).map_err(|error| numbered(index, field, &error))
            };
            Ok(NewLink {
                group: usable(link.group.as_ref()),
                attributes: link.attributes(),
                name: link
                    .name
                    .map(|name| LinkName::parse(&name))
                    .transpose()
                    .map_err(|error| numbered(index, "name", &error))?,
                url: url("url", &link.url)?,
                page_url: link.page_url.as_deref().map(|page| url("page_url", page)).transpose()?,
                active: None,
                paused_until: None,
                shown: None,
                backlink: link.backlink,
                without: Without::default(),
                pin: None,
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
    fn a_request_may_ask_for_the_stored_links_of_groups_and_tags() {
        let with = |fields: &str| {
            request(&format!(
                r#"{{"schema":"linkbeat.request/1","request_id":"0190a1b2-0000-7000-8000-000000000001",{fields}}}"#
            ))
        };
        let asked = with(r#""groups":["Friends"],"tags":["art","tech"]"#).unwrap();
        let LinkSelection::Matching(filter) = &asked.links else { panic!("no filter") };
        assert_eq!((filter.groups[0].as_str(), filter.tags.len()), ("Friends", 2));
        assert_eq!(RequestMessage::from(&asked).into_request(None).unwrap(), asked);
        for (fields, problem) in [
            (r#""groups":[]"#, "groups: names nothing"),
            (r#""tags":["art",""]"#, "tags[1]"),
            (r#""tags":["art"],"links":[{"url":"http://a/"}]"#, "cannot be given with"),
        ] {
            let error = with(fields).unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
        }
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

    /// In words of JSON, and without the values.
    #[test]
    fn each_wrong_field_is_told_in_words_of_json() {
        let with = |field: &str| {
            let json = format!(
                r#"{{"schema":"linkbeat.request/1","request_id":"0190a1b2-0000-7000-8000-000000000001",{field}}}"#
            );
            match request(&json).unwrap_err() {
                Unreadable::Invalid(what) => what,
                other => panic!("{other}"),
            }
        };
        for (field, told) in [
            (r#""timeout_ms":"5s""#, "timeout_ms: must be a number, not a string"),
            (r#""timeout_ms":-1"#, "timeout_ms: must be a whole number, 0 or more"),
            (r#""timeout_ms":1.5"#, "timeout_ms: must be a whole number, 0 or more"),
            (r#""retries":true"#, "retries: must be a number, not a boolean"),
            (r#""retries":11"#, "retries: retries must be a number from 0 to 10"),
            (r#""retries":300"#, "retries: must be a whole number from 0 to 255"),
            (r#""hide_after":0"#, "hide_after: must be a whole number from 1 to 4294967295"),
            (
                r#""hold_back_links":4294967296"#,
                "hold_back_links: must be a whole number from 0 to 4294967295",
            ),
            (r#""on_blocked":"weep""#, "on_blocked: must be `hide` or `keep`"),
            (r#""on_blocked":1"#, "on_blocked: must be a string, not a number"),
            (r#""backlink":["x"]"#, "backlink: must be a string, not an array"),
            (r#""white_list":"me""#, "white_list: must be an array of strings, not a string"),
            (r#""white_list":[1]"#, "white_list: must be an array of strings, not an array of other values"),
            (r#""links":{"url":"http://a/"}"#, "links: must be an array, not an object"),
            (r#""links":["http://u:secret@a/"]"#, "links[0]: must be an object, not a string"),
            (r#""links":[{"url":"http://a/"},{"name":"b"}]"#, "links[1].url: is missing"),
            (r#""links":[{"url":7}]"#, "links[0].url: must be a string, not a number"),
            (
                r#""links":[{"url":"http://a/","backlink":"yes"}]"#,
                "links[0].backlink: must be true or false, not a string",
            ),
            (
                r#""links":[{"url":"http://a/","tags":["x",null]}]"#,
                "links[0].tags[1]: must be a string, not null",
            ),
            (r#""lang":"fr""#, "lang: must be `en` or `zh`"),
            (r#""accepted":1"#, "accepted: must be true or false, not a number"),
            (r#""cancel":true,"links":[]"#, "cancel: besides it only request_id and lang may be said"),
            (r#""cancel":true,"backlink":"x""#, "cancel: besides it only request_id and lang may be said"),
        ] {
            assert_eq!(with(field), told);
        }
        let twice = with(r#""backlink":"a","backlink":"b""#);
        assert!(twice.starts_with("backlink: is there twice"), "{twice}");
        let id =
            decode::<RequestMessage>(br#"{"schema":"linkbeat.request/1","request_id":"7"}"#).unwrap_err();
        assert!(id.to_string().ends_with("request_id: must be a UUID"), "{id}");
        let id = decode::<RequestMessage>(br#"{"schema":"linkbeat.request/1"}"#).unwrap_err();
        assert!(id.to_string().ends_with("request_id: is missing"), "{id}");
    }

    #[test]
    fn unknown_fields_are_refused_by_name() {
        let with = |field: &str| {
            let json = format!(
                r#"{{"schema":"linkbeat.request/1","request_id":"0190a1b2-0000-7000-8000-000000000001",{field}}}"#
            );
            request(&json).unwrap_err().to_string()
        };
        for (field, told) in [
            (
                r#""urls":["http://a/"],"backlinks":"x""#,
                "backlinks: unknown field; did you mean `backlink`?, urls: unknown field; did you mean `links`?",
            ),
            (r#""timeout":5000"#, "timeout: unknown field; did you mean `timeout_ms`?"),
            (r#""whitelist":[]"#, "whitelist: unknown field; did you mean `white_list`?"),
            (r#""Links":[]"#, "Links: unknown field; did you mean `links`?"),
            (r#""progres":true"#, "progres: unknown field; did you mean `progress`?"),
            (r#""zzz":null"#, "zzz: unknown field"),
            (r#""http://u:secret@a/":1"#, "…: unknown field"),
            (r#""links":[{"link":"http://a/"}]"#, "links[0].link: unknown field; did you mean `url`?"),
            (
                r#""links":[{"url":"http://a/","nmae":"x"}]"#,
                "links[0].nmae: unknown field; did you mean `name`?",
            ),
        ] {
            let error = with(field);
            assert!(error.ends_with(told), "{error}");
        }
    }

    #[test]
    fn wishes_are_read() {
        let json = r#"{"schema":"linkbeat.request/1","request_id":"0190a1b2-0000-7000-8000-000000000001",
            "lang":"zh","accepted":true,"progress":true}"#;
        let message = decode::<RequestMessage>(json.as_bytes()).unwrap();
        assert!(message.accepted && !message.cancel);
        let request = message.into_request(None).unwrap();
        assert_eq!((request.lang, request.progress), (Lang::Zh, true));
        let json = r#"{"schema":"linkbeat.request/1","request_id":"0190a1b2-0000-7000-8000-000000000001",
            "cancel":true,"lang":"zh","links":null}"#;
        assert!(decode::<RequestMessage>(json.as_bytes()).unwrap().cancel);
    }
}
