//! What a request may ask, declared once: flags, settings, variables, messages and their schema follow.
//!
//! Flags and settings write a length of time as text: `timeout` is `5s`. Messages write it as a number, and say so
//! in its name: `timeout_ms` is `5000`. [`in_messages`] translates between the two. All else is alike in both.

use std::num::NonZeroU32;

use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use crate::{
    AcceptedStatuses, BacklinkIn, BacklinkPattern, CheckSpec, HoldBack, OnBlocked, OnSign, Percent,
    RecheckAfter, Retries, ShowRules, Timeout, WhiteList, as_text,
};

/// What a request asks of its links. What is `None` was not said, and takes its default.
///
/// To add a field: declare it here, and in [`CheckSpec`] or [`ShowRules`], by whichever it takes effect. The compiler
/// asks for the rest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "clap", derive(clap::Args), command(next_help_heading = "What is asked of the links"))]
#[serde(deny_unknown_fields)]
#[schemars(transform = allow_unknown_fields)]
pub struct RequestOptions {
    /// Regular expression that each page must contain [default: none, the status alone decides]
    #[cfg_attr(feature = "clap", arg(long, value_name = "REGEX"))]
    #[schemars(with = "Option<String>")]
    pub backlink: Option<BacklinkPattern>,

    /// Where in the page it is searched: text, or anchor (the href of a real link) [default: text]
    #[cfg_attr(feature = "clap", arg(long, value_name = "WHERE"))]
    pub backlink_in: Option<BacklinkIn>,

    /// Name of a link that is taken as good without a look (repeatable)
    #[cfg_attr(feature = "clap", arg(long, value_name = "NAME"))]
    #[serde(default)]
    pub white_list: Vec<String>,

    /// Absolute deadline of each link, over everything [default: 5s]
    #[cfg_attr(feature = "clap", arg(long, value_name = "TIME"))]
    #[serde(default, with = "as_text::optional")]
    #[schemars(rename = "timeout_ms", with = "Option<u64>", skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Timeout>,

    /// How often a transient failure is tried again within the deadline [default: 1]
    #[cfg_attr(feature = "clap", arg(long, value_name = "N"))]
    #[schemars(with = "Option<u8>")]
    pub retries: Option<Retries>,

    /// Statuses that count as an answer, such as 200,204,300-399 [default: 200]
    #[cfg_attr(feature = "clap", arg(long, value_name = "STATUSES"))]
    #[schemars(with = "Option<String>")]
    pub accept: Option<AcceptedStatuses>,

    /// Hide a link after so many failed checks in a row [default: 1]
    #[cfg_attr(feature = "clap", arg(long, value_name = "N"))]
    #[schemars(with = "Option<u32>")]
    pub hide_after: Option<NonZeroU32>,

    /// Show a link again after so many passed checks in a row [default: 1]
    #[cfg_attr(feature = "clap", arg(long, value_name = "N"))]
    #[schemars(with = "Option<u32>")]
    pub show_after: Option<NonZeroU32>,

    /// What an anti-bot wall does to a shown link: hide or keep [default: hide]
    #[cfg_attr(feature = "clap", arg(long, value_name = "WHAT"))]
    pub on_blocked: Option<OnBlocked>,

    /// What a missing backlink does to a shown link whose page seems to build its links by script: hide or keep
    /// [default: hide]
    #[cfg_attr(feature = "clap", arg(long, value_name = "WHAT"))]
    pub on_scripted: Option<OnBlocked>,

    /// What a redirect to another domain does to a link that is up: hide or keep [default: keep]
    #[cfg_attr(feature = "clap", arg(long, value_name = "WHAT"))]
    pub on_moved_domain: Option<OnSign>,

    /// What a page that looks parked or for sale does to a link that is up: hide or keep [default: keep]
    #[cfg_attr(feature = "clap", arg(long, value_name = "WHAT"))]
    pub on_parked: Option<OnSign>,

    /// What a quite different title, in two checks in a row, does to a link that is up: hide or keep
    /// [default: keep]
    #[cfg_attr(feature = "clap", arg(long, value_name = "WHAT"))]
    pub on_title_changed: Option<OnSign>,

    /// What another language, in two checks in a row, does to a link that is up: hide or keep [default: keep]
    #[cfg_attr(feature = "clap", arg(long, value_name = "WHAT"))]
    pub on_language_changed: Option<OnSign>,

    /// Look at a link about to be hidden again after so long, 1s to 24h, and hide it only if it fails again
    /// [default: hide it at once]
    #[cfg_attr(feature = "clap", arg(long, value_name = "TIME"))]
    #[serde(default, with = "as_text::optional")]
    #[schemars(rename = "recheck_after_ms", with = "Option<u64>", skip_serializing_if = "Option::is_none")]
    pub recheck_after: Option<RecheckAfter>,

    /// Hold the run back if at least so many links that were checked before change in the same way for the same reason:
    /// nothing is hidden or shown until `linkbeat runs apply` or `linkbeat runs discard`; 0: never [default: 10]
    #[cfg_attr(feature = "clap", arg(long, value_name = "N"))]
    #[schemars(with = "Option<u32>")]
    pub hold_back_links: Option<u32>,

    /// Hold the run back only if these are more than so many percent of the links that were checked before, 0 to 99
    /// [default: 50]
    #[cfg_attr(feature = "clap", arg(long, value_name = "PERCENT"))]
    #[schemars(with = "Option<u8>")]
    pub hold_back_percent: Option<Percent>,
}

impl RequestOptions {
    /// Takes the defaults for what was not said.
    pub fn resolve(self) -> (WhiteList, CheckSpec, ShowRules) {
        let Self {
            backlink,
            backlink_in,
            white_list,
            timeout,
            retries,
            accept,
            hide_after,
            show_after,
            on_blocked,
            on_scripted,
            on_moved_domain,
            on_parked,
            on_title_changed,
            on_language_changed,
            recheck_after,
            hold_back_links,
            hold_back_percent,
        } = self;
        let check = CheckSpec {
            backlink,
            backlink_in: backlink_in.unwrap_or_default(),
            timeout: timeout.unwrap_or_default(),
            retries: retries.unwrap_or_default(),
            accept: accept.unwrap_or_default(),
        };
        let hold_back = HoldBack::default();
        let rules = ShowRules {
            hide_after: hide_after.unwrap_or(NonZeroU32::MIN),
            show_after: show_after.unwrap_or(NonZeroU32::MIN),
            on_blocked: on_blocked.unwrap_or_default(),
            on_scripted: on_scripted.unwrap_or_default(),
            on_moved_domain: on_moved_domain.unwrap_or_default(),
            on_parked: on_parked.unwrap_or_default(),
            on_title_changed: on_title_changed.unwrap_or_default(),
            on_language_changed: on_language_changed.unwrap_or_default(),
            recheck_after,
            hold_back: HoldBack {
                links: hold_back_links.unwrap_or(hold_back.links),
                percent: hold_back_percent.unwrap_or(hold_back.percent),
            },
        };
        (WhiteList(white_list.into_iter().collect()), check, rules)
    }

    /// Says everything: the inverse of [`RequestOptions::resolve`].
    pub fn of(white_list: &WhiteList, check: &CheckSpec, rules: &ShowRules) -> Self {
        let CheckSpec { backlink, backlink_in, timeout, retries, accept } = check.clone();
        let ShowRules {
            hide_after,
            show_after,
            on_blocked,
            on_scripted,
            on_moved_domain,
            on_parked,
            on_title_changed,
            on_language_changed,
            recheck_after,
            hold_back,
        } = *rules;
        Self {
            backlink,
            backlink_in: Some(backlink_in),
            white_list: white_list.0.iter().cloned().collect(),
            timeout: Some(timeout),
            retries: Some(retries),
            accept: Some(accept),
            hide_after: Some(hide_after),
            show_after: Some(show_after),
            on_blocked: Some(on_blocked),
            on_scripted: Some(on_scripted),
            on_moved_domain: Some(on_moved_domain),
            on_parked: Some(on_parked),
            on_title_changed: Some(on_title_changed),
            on_language_changed: Some(on_language_changed),
            recheck_after,
            hold_back_links: Some(hold_back.links),
            hold_back_percent: Some(hold_back.percent),
        }
    }

    /// The names of all options in messages.
    pub fn names_in_messages() -> &'static [String] {
        &in_messages::NAMES
    }

    /// Says the default of every option that has one.
    pub fn defaults() -> Self {
        Self::of(&WhiteList::default(), &CheckSpec::default(), &ShowRules::default())
    }
}

/// Settings refuse unknown names, messages ignore them. The schema is that of messages.
fn allow_unknown_fields(schema: &mut Schema) {
    schema.remove("additionalProperties");
}

/// For `#[serde(flatten, with)]`: the options as fields of a message.
pub(crate) mod in_messages {
    use std::sync::LazyLock;
    use std::time::Duration;

    use serde::de::Error as _;
    use serde::ser::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use serde_json::{Map, Value};

    use super::RequestOptions;

    /// What the name of a length of time ends with.
    const MILLISECONDS: &str = "_ms";

    /// The names of the options in messages: those of the schema.
    pub(super) static NAMES: LazyLock<Vec<String>> = LazyLock::new(|| {
        let schema = schemars::schema_for!(RequestOptions);
        let properties = schema.get("properties").and_then(Value::as_object);
        properties.map(|properties| properties.keys().cloned().collect()).unwrap_or_default()
    });

    /// Writes what was said.
    pub(crate) fn serialize<S: Serializer>(options: &RequestOptions, to: S) -> Result<S::Ok, S::Error> {
        let said = serde_json::to_value(options).map_err(S::Error::custom)?;
        let mut fields = Map::new();
        for name in NAMES.iter() {
            let length = name.strip_suffix(MILLISECONDS);
            match (&said[length.unwrap_or(name)], length) {
                (Value::Null, _) => {}
                (Value::String(text), Some(_)) => {
                    let length = humantime::parse_duration(text).map_err(S::Error::custom)?;
                    fields.insert(name.clone(), milliseconds(length).into());
                }
                (value, _) => {
                    fields.insert(name.clone(), value.clone());
                }
            }
        }
        fields.serialize(to)
    }

    /// Reads what is said; an error names the field. Other fields are ignored.
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<RequestOptions, D::Error> {
        let mut fields = Map::deserialize(from)?;
        let mut said = Map::new();
        for name in NAMES.iter() {
            let Some(value) = fields.remove(name) else { continue };
            let (key, value) = option(name, value).map_err(|error| named::<D>(name, &error))?;
            said.insert(key.to_owned(), value);
        }
        RequestOptions::deserialize(Value::Object(said)).map_err(D::Error::custom)
    }

    /// A field of a message as the option it stands for, read once by itself: serde does not say which of several
    /// fields is wrong.
    fn option(name: &str, value: Value) -> Result<(&str, Value), serde_json::Error> {
        let (key, value) = match name.strip_suffix(MILLISECONDS) {
            Some(key) => (key, Option::<u64>::deserialize(value)?.map(|ms| format!("{ms}ms")).into()),
            None => (name, value),
        };
        let alone = Map::from_iter([(key.to_owned(), value.clone())]);
        RequestOptions::deserialize(Value::Object(alone))?;
        Ok((key, value))
    }

    fn named<'de, D: Deserializer<'de>>(name: &str, error: &serde_json::Error) -> D::Error {
        D::Error::custom(format_args!("{name}: {error}"))
    }

    fn milliseconds(length: Duration) -> u64 {
        u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_said_takes_its_default() {
        let (white_list, check, rules) = RequestOptions::default().resolve();
        assert_eq!(
            (white_list, check, rules),
            (WhiteList::default(), CheckSpec::default(), ShowRules::default())
        );
        assert_eq!(RequestOptions::defaults().resolve(), RequestOptions::default().resolve());
    }

    #[test]
    fn settings_write_lengths_as_text_and_messages_as_numbers() {
        let options =
            RequestOptions { timeout: Some("1500ms".parse().unwrap()), ..RequestOptions::default() };
        assert_eq!(serde_json::to_value(&options).unwrap()["timeout"], json!("1500ms"));
        let message = in_messages::serialize(&options, serde_json::value::Serializer).unwrap();
        assert_eq!(message, json!({"timeout_ms": 1500, "white_list": []}));
        assert_eq!(in_messages::deserialize(message).unwrap(), options);
        assert!(in_messages::deserialize(json!({"timeout_ms": "1500ms"})).is_err());
        assert_eq!(
            in_messages::deserialize(json!({"timeout": "nonsense", "later": []})).unwrap(),
            RequestOptions::default(),
            "no field of a message"
        );
    }

    #[test]
    fn settings_refuse_what_they_do_not_know() {
        for unknown in [json!({"timeuot": "5s"}), json!({"timeout_ms": 5000})] {
            assert!(serde_json::from_value::<RequestOptions>(unknown.clone()).is_err(), "{unknown}");
        }
    }
}
