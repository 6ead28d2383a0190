//! A link: a thing to watch.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    Attributes, Details, GroupName, Known, LinkId, LinkUrl, Phases, Pin, Reason, RunId, Verdict, Without,
    as_parsed,
};

/// What people call a link: 1 to 200 characters, none of them a control character. White lists go by it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LinkName(String);

/// Not a usable name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// Nothing but white space.
    #[error("the name is empty")]
    Empty,
    /// Over 200 characters.
    #[error("the name is longer than 200 characters")]
    TooLong,
    /// A control character inside.
    #[error("the name contains a control character")]
    ControlCharacter,
}

impl LinkName {
    /// Takes a name; white space around it is dropped.
    pub fn parse(text: &str) -> Result<Self, BadName> {
        let text = text.trim();
        if text.is_empty() {
            Err(BadName::Empty)
        } else if text.chars().count() > 200 {
            Err(BadName::TooLong)
        } else if text.chars().any(char::is_control) {
            Err(BadName::ControlCharacter)
        } else {
            Ok(Self(text.to_owned()))
        }
    }

    /// The name for a link that was given none: its host.
    pub fn from_host(url: &LinkUrl) -> Self {
        Self(url.host().chars().take(200).collect())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for LinkName {
    type Err = BadName;
    fn from_str(text: &str) -> Result<Self, BadName> {
        Self::parse(text)
    }
}

impl TryFrom<String> for LinkName {
    type Error = BadName;
    fn try_from(text: String) -> Result<Self, BadName> {
        Self::parse(&text)
    }
}

impl From<LinkName> for String {
    fn from(name: LinkName) -> Self {
        name.0
    }
}

impl fmt::Display for LinkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A link on its way in. `None` leaves what is stored alone, and means the default for a new link.
///
/// Its written form is only for the process that wrote it: it holds URLs as they were parsed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewLink {
    /// The name; a new link without one is called after its host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<LinkName>,
    /// What to fetch. Its [`LinkUrl::key`] decides which stored link this is.
    #[serde(with = "as_parsed")]
    pub url: LinkUrl,
    /// The page on which the backlink must stand, where it is not `url` itself.
    #[serde(with = "as_parsed::optional", default, skip_serializing_if = "Option::is_none")]
    pub page_url: Option<LinkUrl>,
    /// Whether runs check it. Default: yes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    /// It is paused until then, whatever `active` says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused_until: Option<DateTime<Utc>>,
    /// Whether a *new* link starts out shown. Default: yes. A stored link's state is never changed by this:
    /// only checks and people (`links set`) do that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shown: Option<bool>,
    /// Whether a backlink is asked of it. Default: yes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backlink: Option<bool>,
    /// The section of the list that it stands in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupName>,
    /// What else the list says of it.
    #[serde(default)]
    pub attributes: Attributes,
    /// What is said of a stored link no longer.
    #[serde(default, skip_serializing_if = "Without::is_empty")]
    pub without: Without,
    /// Whether a *new* link is hidden or shown for good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pin: Option<Pin>,
}

impl NewLink {
    /// A link of which only the URL is known.
    pub fn from_url(url: LinkUrl) -> Self {
        Self {
            name: None,
            url,
            page_url: None,
            active: None,
            paused_until: None,
            shown: None,
            backlink: None,
            group: None,
            attributes: Attributes::default(),
            without: Without::default(),
            pin: None,
        }
    }
}

/// A stored link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its id.
    pub id: LinkId,
    /// What people call it.
    pub name: LinkName,
    /// What to fetch.
    pub url: LinkUrl,
    /// The page on which the backlink must stand, where it is not `url` itself.
    pub page_url: Option<LinkUrl>,
    /// Whether runs check it.
    pub active: bool,
    /// When its pause ends; `None`: it is active, or paused without an end.
    pub paused_until: Option<DateTime<Utc>>,
    /// Whether a backlink is asked of it, when a run asks for backlinks.
    pub backlink: bool,
    /// The section of the list that it came from.
    pub group: Option<GroupName>,
    /// What else lists say of it.
    pub attributes: Attributes,
    /// Whether a person hid or showed it for good.
    pub pin: Option<Pin>,
    /// What the checks made of it.
    pub state: LinkState,
}

/// A link's state: what the rules read and write.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkState {
    /// Whether it is shown.
    pub shown: bool,
    /// Why it is hidden; `None` while shown, or when it was hidden by hand.
    pub hidden_reason: Option<Reason>,
    /// The latest verdict; `None` before the first check.
    pub verdict: Option<Verdict>,
    /// The latest check's reason; `None` when it was `up`.
    pub reason: Option<Reason>,
    /// The latest final HTTP status, where there was one.
    pub status: Option<u16>,
    /// How long the latest check took, in milliseconds.
    pub elapsed_ms: Option<u32>,
    /// What else the latest check saw.
    pub details: Details,
    /// How long the phases of the latest check took, if they were measured.
    pub phases: Option<Phases>,
    /// What its own page was like, so that a check can tell that it became another.
    pub known: Known,
    /// When the latest check ended.
    pub last_checked_at: Option<DateTime<Utc>>,
    /// The run of the latest check.
    pub last_run_id: Option<RunId>,
    /// How many checks in a row passed; 0 after one that did not.
    pub passed_in_a_row: u32,
    /// How many checks in a row did not pass; 0 after one that did.
    pub failed_in_a_row: u32,
}
