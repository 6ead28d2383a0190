//! A request: what somebody asked for, parsed.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{
    CheckSpec, GivenLinks, GroupName, HoldBack, Lang, NewLink, Note, RecheckAfter, ReplyTo, RequestId,
    RequestOptions, Resolved, ReuseWithin, Tag, TraceContext,
};

/// What somebody asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Its id.
    pub id: RequestId,
    /// Which links.
    pub links: LinkSelection,
    /// Links that are not fetched, by exact name.
    pub white_list: WhiteList,
    /// How old the latest result of a link may be to count instead of a new check; `None`: every link is checked.
    pub reuse_within: Option<ReuseWithin>,
    /// How each link is checked.
    pub check: CheckSpec,
    /// When a link is hidden and shown.
    pub rules: ShowRules,
    /// Where the report goes when the run ends.
    pub reply_to: Option<ReplyTo>,
    /// The language of the report's texts.
    pub lang: Lang,
    /// How far the run has come is announced while it goes on.
    pub progress: bool,
    /// The trace it is part of.
    pub trace: Option<TraceContext>,
}

impl Request {
    /// A request that asks for these links; what the options leave open takes its default.
    pub fn new(
        id: RequestId,
        links: LinkSelection,
        options: RequestOptions,
        reply_to: Option<ReplyTo>,
    ) -> Self {
        let Resolved { white_list, reuse_within, check, rules } = options.resolve();
        Self {
            id,
            links,
            white_list,
            reuse_within,
            check,
            rules,
            reply_to,
            lang: Lang::default(),
            progress: false,
            trace: None,
        }
    }

    /// Everything that is asked of the links.
    pub fn options(&self) -> RequestOptions {
        RequestOptions::of(Resolved {
            white_list: self.white_list.clone(),
            reuse_within: self.reuse_within,
            check: self.check.clone(),
            rules: self.rules,
        })
    }
}

/// Which links a request, and so a run, covers. Of either kind only active links are checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkSelection {
    /// All stored links.
    Stored,
    /// Those stored links that match when the run is filed.
    Matching(LinkFilter),
    /// Exactly these: imported first.
    Given(GivenLinks),
}

/// Which stored links: those of one of the groups, if any are named, that have one of the tags, if any are named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkFilter {
    /// Sections of lists.
    pub groups: Vec<GroupName>,
    /// Labels.
    pub tags: Vec<Tag>,
}

impl LinkFilter {
    /// Whether it names nothing, and so matches every link.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.tags.is_empty()
    }
}

impl LinkSelection {
    /// The stored links that match.
    pub fn matching(filter: LinkFilter) -> Self {
        if filter.is_empty() { Self::Stored } else { Self::Matching(filter) }
    }

    /// Exactly these links.
    pub fn given(links: Vec<NewLink>) -> Self {
        Self::Given(links.into())
    }
}

/// Exact names of links that are taken as good without a look.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WhiteList(pub BTreeSet<String>);

impl WhiteList {
    /// Whether a link of this name is on the list.
    pub fn contains(&self, name: &str) -> bool {
        self.0.contains(name)
    }
}

/// When a link is hidden and shown again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ShowRules {
    /// Checks in a row that must fail before a shown link is hidden.
    pub hide_after: NonZeroU32,
    /// Checks in a row that must pass before a hidden link is shown.
    pub show_after: NonZeroU32,
    /// What `blocked` does to a shown link.
    pub on_blocked: OnBlocked,
    /// What a missing backlink does to a shown link whose page seems to build its links by script.
    pub on_scripted: OnBlocked,
    /// What the note `moved_domain` does to a link that is up.
    pub on_moved_domain: OnSign,
    /// What the note `parked` does to a link that is up.
    pub on_parked: OnSign,
    /// What the note `title_changed` does to a link that is up.
    pub on_title_changed: OnSign,
    /// What the note `language_changed` does to a link that is up.
    pub on_language_changed: OnSign,
    /// A link about to be hidden is looked at again after so long, and hidden only if it fails again; `None`:
    /// it is hidden at once.
    #[serde(rename = "recheck_after_ms")]
    pub recheck_after: Option<RecheckAfter>,
    /// When nothing is hidden or shown until a person decides.
    pub hold_back: HoldBack,
}

impl Default for ShowRules {
    fn default() -> Self {
        Self {
            hide_after: NonZeroU32::MIN,
            show_after: NonZeroU32::MIN,
            on_blocked: OnBlocked::Hide,
            on_scripted: OnBlocked::Hide,
            on_moved_domain: OnSign::Keep,
            on_parked: OnSign::Keep,
            on_title_changed: OnSign::Keep,
            on_language_changed: OnSign::Keep,
            recheck_after: None,
            hold_back: HoldBack::default(),
        }
    }
}

impl ShowRules {
    /// What a note does to a link that is up. Notes without a switch never hide.
    pub fn on(&self, note: Note) -> OnSign {
        match note {
            Note::MovedDomain => self.on_moved_domain,
            Note::Parked => self.on_parked,
            Note::TitleChanged => self.on_title_changed,
            Note::LanguageChanged => self.on_language_changed,
            Note::Downgraded | Note::Nofollow | Note::MetaRefresh | Note::Scripted | Note::Other => {
                OnSign::Keep
            }
        }
    }
}

/// What a verdict that says little of the site does to a shown link.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnBlocked {
    /// It is hidden, as the original task did.
    #[default]
    Hide,
    /// It keeps its state: a wall says nothing about the site behind it.
    Keep,
}

impl FromStr for OnBlocked {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        hide_or_keep(text, [Self::Hide, Self::Keep])
    }
}

/// What a sign of a lost friend does to a link that is up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnSign {
    /// It is hidden, as if its check had failed.
    Hide,
    /// It is noted, and nothing else.
    #[default]
    Keep,
}

impl FromStr for OnSign {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        hide_or_keep(text, [Self::Hide, Self::Keep])
    }
}

fn hide_or_keep<T>(text: &str, [hide, keep]: [T; 2]) -> Result<T, String> {
    match text {
        "hide" => Ok(hide),
        "keep" => Ok(keep),
        other => Err(format!("`{other}` is neither hide nor keep")),
    }
}
