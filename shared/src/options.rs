//! What a request may ask, declared once: flags, settings, variables, messages and their schema follow.
//!
//! Flags and settings write a length of time as text: `timeout` is `5s`. Messages write it as a number, and say so
//! in its name: `timeout_ms` is `5000`. [`in_messages`] translates between the two. All else is alike in both.

pub(crate) mod in_messages;

use std::num::NonZeroU32;

use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use crate::{
    AcceptedStatuses, BacklinkIn, BacklinkPattern, CheckSpec, HoldBack, OnBlocked, OnSign, Percent,
    RecheckAfter, Retries, ReuseWithin, ShowRules, Timeout, WhiteList, as_text,
};

/// What a request asks, with the default of all that it left open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resolved {
    /// Links that are not fetched, by exact name.
    pub white_list: WhiteList,
    /// How old the latest result of a link may be to count instead of a new check.
    pub reuse_within: Option<ReuseWithin>,
    /// How each link is checked.
    pub check: CheckSpec,
    /// When a link is hidden and shown.
    pub rules: ShowRules,
}

/// What a request asks of its links. What is `None` was not said, and takes its default.
///
/// To add a field: declare it here, and in [`CheckSpec`], [`ShowRules`] or [`Resolved`], by whichever it takes effect. The compiler
/// asks for the rest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "clap", derive(clap::Args), command(next_help_heading = "What is asked of the links"))]
#[serde(deny_unknown_fields)]
#[schemars(transform = part_of_a_message)]
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

    /// Take the latest result of a link, if it is not older than this and was found with the same options, instead of
    /// fetching again, 1s to 30d [default: fetch every link]
    #[cfg_attr(feature = "clap", arg(long, value_name = "TIME"))]
    #[serde(default, with = "as_text::optional")]
    #[schemars(rename = "reuse_within_ms", with = "Option<u64>", skip_serializing_if = "Option::is_none")]
    pub reuse_within: Option<ReuseWithin>,

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
    pub hide_after: Option<NonZeroU32>,

    /// Show a link again after so many passed checks in a row [default: 1]
    #[cfg_attr(feature = "clap", arg(long, value_name = "N"))]
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
    pub fn resolve(self) -> Resolved {
        let Self {
            backlink,
            backlink_in,
            white_list,
            reuse_within,
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
        Resolved { white_list: WhiteList(white_list.into_iter().collect()), reuse_within, check, rules }
    }

    /// Says everything: the inverse of [`RequestOptions::resolve`].
    pub fn of(resolved: Resolved) -> Self {
        let Resolved { white_list, reuse_within, check, rules } = resolved;
        let CheckSpec { backlink, backlink_in, timeout, retries, accept } = check;
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
        } = rules;
        Self {
            backlink,
            backlink_in: Some(backlink_in),
            white_list: white_list.0.into_iter().collect(),
            reuse_within,
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

    /// What is said here, and what `base` says where nothing is said here.
    #[must_use]
    pub fn or(self, base: Self) -> Self {
        Self {
            backlink: self.backlink.or(base.backlink),
            backlink_in: self.backlink_in.or(base.backlink_in),
            white_list: if self.white_list.is_empty() { base.white_list } else { self.white_list },
            reuse_within: self.reuse_within.or(base.reuse_within),
            timeout: self.timeout.or(base.timeout),
            retries: self.retries.or(base.retries),
            accept: self.accept.or(base.accept),
            hide_after: self.hide_after.or(base.hide_after),
            show_after: self.show_after.or(base.show_after),
            on_blocked: self.on_blocked.or(base.on_blocked),
            on_scripted: self.on_scripted.or(base.on_scripted),
            on_moved_domain: self.on_moved_domain.or(base.on_moved_domain),
            on_parked: self.on_parked.or(base.on_parked),
            on_title_changed: self.on_title_changed.or(base.on_title_changed),
            on_language_changed: self.on_language_changed.or(base.on_language_changed),
            recheck_after: self.recheck_after.or(base.recheck_after),
            hold_back_links: self.hold_back_links.or(base.hold_back_links),
            hold_back_percent: self.hold_back_percent.or(base.hold_back_percent),
        }
    }

    /// The names of all options in messages.
    pub fn names_in_messages() -> impl Iterator<Item = &'static str> + Clone {
        in_messages::FIELDS.iter().map(|field| field.name.as_str())
    }

    /// Says the default of every option that has one.
    pub fn defaults() -> Self {
        Self::of(Resolved::default())
    }
}

/// The schema is that of messages, in which these are not the only fields.
fn part_of_a_message(schema: &mut Schema) {
    schema.remove("additionalProperties");
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::fields::Fields;

    #[test]
    fn what_is_not_said_takes_its_default() {
        assert_eq!(RequestOptions::default().resolve(), Resolved::default());
        assert_eq!(RequestOptions::defaults().resolve(), RequestOptions::default().resolve());
    }

    #[test]
    fn what_is_said_anew_takes_the_place_of_what_was_said() {
        let was = RequestOptions { retries: Some(Retries::default()), ..RequestOptions::defaults() };
        let new = RequestOptions { timeout: Some("9s".parse().unwrap()), ..RequestOptions::default() };
        let expected = RequestOptions { timeout: new.timeout, ..was.clone() };
        assert_eq!((new.or(was.clone()), RequestOptions::default().or(was.clone())), (expected, was));
    }

    #[test]
    fn settings_write_lengths_as_text_and_messages_as_numbers() {
        let options =
            RequestOptions { timeout: Some("1500ms".parse().unwrap()), ..RequestOptions::default() };
        assert_eq!(serde_json::to_value(&options).unwrap()["timeout"], json!("1500ms"));
        let message = in_messages::serialize(&options, serde_json::value::Serializer).unwrap();
        assert_eq!(message, json!({"timeout_ms": 1500, "white_list": []}));
        let Value::Object(fields) = message else { panic!("no fields") };
        assert_eq!(in_messages::take(&mut Fields::of(String::new(), fields)), Ok(options));
    }

    #[test]
    fn settings_refuse_what_they_do_not_know() {
        for unknown in [json!({"timeuot": "5s"}), json!({"timeout_ms": 5000})] {
            assert!(serde_json::from_value::<RequestOptions>(unknown.clone()).is_err(), "{unknown}");
        }
    }
}
