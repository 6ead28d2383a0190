//! Which links are meant.

use linkbeat_store::LinkQuery;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::problem::Problem;
use super::value::{Line, Percent, Time, VerdictWord, Word};

/// Which links are meant. What is not said does not matter: without any member, all links are meant.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LinkFilter {
    /// This stands in their name or URL.
    #[serde(default, deserialize_with = "super::value::given")]
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    pub(super) text: Option<Line<200>>,
    /// Whether runs check them.
    #[serde(default, deserialize_with = "super::value::given")]
    #[schema(value_type = bool)]
    pub(super) active: Option<bool>,
    /// Whether they are shown.
    #[serde(default, deserialize_with = "super::value::given")]
    #[schema(value_type = bool)]
    pub(super) shown: Option<bool>,
    /// Their latest verdict; `none`: they were never checked.
    #[serde(default, deserialize_with = "super::value::given")]
    #[schema(value_type = VerdictFilter)]
    pub(super) verdict: Option<VerdictFilter>,
    /// The word for the latest reason, such as `timeout`.
    #[serde(default, deserialize_with = "super::value::given")]
    #[schema(value_type = String, pattern = "^[a-z_]{1,40}$")]
    pub(super) reason: Option<Word>,
    /// Their section of the list.
    #[serde(default, deserialize_with = "super::value::given")]
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    pub(super) group: Option<Line<200>>,
    /// One of their labels.
    #[serde(default, deserialize_with = "super::value::given")]
    #[schema(value_type = String, min_length = 1, max_length = 50)]
    pub(super) tag: Option<Line<50>>,
    /// The host of the page that is fetched.
    #[serde(default, deserialize_with = "super::value::given")]
    #[schema(value_type = String, min_length = 1, max_length = 255)]
    pub(super) host: Option<Line<255>>,
    /// Their verdict became what it is no earlier.
    #[serde(default, deserialize_with = "super::value::given")]
    #[schema(value_type = String, format = DateTime)]
    pub(super) since: Option<Time>,
    /// Less than so many percent of the checks of the last 30 days reached them. It is as of the last rolling up.
    #[serde(default, deserialize_with = "super::value::given")]
    #[schema(value_type = f64, minimum = 0, maximum = 100)]
    pub(super) reachable_below: Option<Percent>,
}

/// A verdict, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum VerdictFilter {
    /// It answers as it should.
    Up,
    /// It does not.
    Down,
    /// It answers, and the backlink is missing.
    NoBacklink,
    /// An anti-bot wall or a rate limit answered.
    Blocked,
    /// linkbeat would not fetch it.
    Refused,
    /// It was never checked.
    None,
}

impl VerdictFilter {
    fn word(self) -> Option<VerdictWord> {
        match self {
            Self::Up => Some(VerdictWord::Up),
            Self::Down => Some(VerdictWord::Down),
            Self::NoBacklink => Some(VerdictWord::NoBacklink),
            Self::Blocked => Some(VerdictWord::Blocked),
            Self::Refused => Some(VerdictWord::Refused),
            Self::None => None,
        }
    }
}

impl LinkFilter {
    /// What the database is asked for.
    pub(super) fn query(self) -> Result<LinkQuery, Problem> {
        let named = |name: &'static str| {
            move |error: linkbeat_shared::BadText| Problem::invalid(format!("{name}: {error}"))
        };
        let verdict = self.verdict.map(VerdictFilter::word);
        Ok(LinkQuery {
            text: self.text.map(|text| text.to_string()),
            active: self.active,
            shown: self.shown,
            verdict: verdict.flatten().map(Into::into),
            never_checked: verdict == Some(None),
            reason: self.reason.map(|word| word.0),
            group: self.group.map(|group| group.as_str().parse()).transpose().map_err(named("group"))?,
            tag: self.tag.map(|tag| tag.as_str().parse()).transpose().map_err(named("tag"))?,
            host: self.host.map(|host| host.to_string()),
            verdict_since: self.since.map(|since| since.0),
            reached_below: self.reachable_below.map(|percent| percent.0),
            ..LinkQuery::default()
        })
    }
}

/// Parameters that choose links, and others. A query has no members in members, so they are put beside each other here.
macro_rules! params {
    ($(#[$told:meta])* $name:ident { $($others:tt)* }) => {
        $(#[$told])*
        #[derive(Debug, Deserialize, IntoParams)]
        #[serde(deny_unknown_fields)]
        #[into_params(parameter_in = Query)]
        pub(super) struct $name {
            /// This stands in their name or URL.
            #[param(value_type = Option<String>, min_length = 1, max_length = 200)]
            text: Option<Line<200>>,
            /// Whether runs check them.
            active: Option<bool>,
            /// Whether they are shown.
            shown: Option<bool>,
            /// Their latest verdict; `none`: they were never checked.
            #[param(inline)]
            verdict: Option<VerdictFilter>,
            /// The word for the latest reason, such as `timeout`.
            #[param(value_type = Option<String>, pattern = "^[a-z_]{1,40}$")]
            reason: Option<Word>,
            /// Their section of the list.
            #[param(value_type = Option<String>, min_length = 1, max_length = 200)]
            group: Option<Line<200>>,
            /// One of their labels.
            #[param(value_type = Option<String>, min_length = 1, max_length = 50)]
            tag: Option<Line<50>>,
            /// The host of the page that is fetched.
            #[param(value_type = Option<String>, min_length = 1, max_length = 255)]
            host: Option<Line<255>>,
            /// Their verdict became what it is no earlier.
            #[param(value_type = Option<String>, format = DateTime)]
            since: Option<Time>,
            /// Less than so many percent of the checks of the last 30 days reached them.
            #[param(value_type = Option<f64>, minimum = 0, maximum = 100)]
            reachable_below: Option<Percent>,
            $($others)*
        }

        impl $name {
            /// Which links are meant.
            pub(super) fn filter(self) -> LinkFilter {
                let Self { text, active, shown, verdict, reason, group, tag, host, since, reachable_below, .. } = self;
                LinkFilter { text, active, shown, verdict, reason, group, tag, host, since, reachable_below }
            }
        }
    };
}

params! {
    /// Which links are exported, and how.
    ExportParams {
        /// How the links are written.
        #[param(inline)]
        pub(super) format: Option<ExportFormat>,
    }
}

params! {
    /// A list in pages.
    LinksParams {
        /// The order of the list.
        #[param(inline)]
        pub(super) sort: Option<SortWord>,
        /// The other way round.
        pub(super) reverse: Option<bool>,
        /// Whether to count the links that match.
        pub(super) count: Option<bool>,
        /// Where the page before ended: its `next`.
        #[param(value_type = Option<String>, max_length = 2000)]
        pub(super) after: Option<super::value::After>,
        /// How much is on a page.
        #[param(value_type = Option<u32>, minimum = 1, maximum = 200, default = 50)]
        pub(super) limit: Option<super::value::Limit>,
    }
}

/// How links are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum ExportFormat {
    /// One JSON object a line.
    #[default]
    Jsonl,
    /// A table with a header.
    Csv,
}

/// The order of a list of links.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum SortWord {
    /// As they were added.
    #[default]
    Added,
    /// By name.
    Name,
    /// By host.
    Host,
    /// By verdict; those that were never checked last.
    Verdict,
    /// By the word for the reason; those without one last.
    Reason,
    /// By the time at which the verdict became what it is, the latest first.
    Since,
    /// By the share of checks of the last 30 days that reached them: the least first, those without any last.
    Reachable,
}
