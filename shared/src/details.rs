//! What a check saw besides its verdict.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a check saw besides its verdict. Part of the contract, like [`crate::Reason`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Details {
    /// Which page the reason is about, where the home page and the links page were both judged. Absent where both
    /// passed, or only one was fetched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<FailedPage>,
    /// Where redirects led, in order and without userinfo; the last of them gave the final answer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub redirects: Vec<String>,
    /// The certificate of the last server that showed one, also when it was not accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Certificate>,
    /// What people may want to look at.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub notes: BTreeSet<Note>,
    /// The title of the link's own page, in one line, at most 200 characters; absent where none was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<Box<str>>,
    /// The language of the link's own page: a code of ISO 639 such as `zh`. Where only the script of the text is
    /// known, its code of ISO 15924, such as `Latn`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<Box<str>>,
}

impl Details {
    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Which of a link's two pages failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailedPage {
    /// The link's own page.
    Home,
    /// The page on which the backlink must stand.
    LinksPage,
    /// Both. The reason is that of the home page, unless the links page failed for good and the home page did not.
    Both,
    /// One that only a newer version of linkbeat knows.
    #[serde(other)]
    Other,
}

impl FailedPage {
    /// The word used in messages and outputs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Home => "home",
            Self::LinksPage => "links_page",
            Self::Both => "both",
            Self::Other => "other",
        }
    }
}

/// A server's certificate (RFC 5280 §4.1.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Certificate {
    /// The end of its validity, `notAfter`.
    pub expires_at: DateTime<Utc>,
    /// Who issued it: the organization or common name, at most 200 characters.
    pub issuer: String,
}

/// Something worth a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Note {
    /// A redirect led from https to http.
    Downgraded,
    /// The backlink stands in links with `rel=nofollow`, `ugc` or `sponsored` only.
    Nofollow,
    /// A page without the backlink sent its visitors on by itself, and the check followed.
    MetaRefresh,
    /// The backlink was not found, and the page seems to build its links by script.
    Scripted,
    /// Redirects led to another registrable domain than the link's.
    MovedDomain,
    /// The page looks like that of a domain that is parked or for sale.
    Parked,
    /// The title shares nothing with the one that was known, for two checks in a row.
    TitleChanged,
    /// The page is in another language than the one that was known, for two checks in a row.
    LanguageChanged,
    /// A note that a newer version of linkbeat gave.
    #[serde(other)]
    Other,
}

impl Note {
    /// The word used in messages and outputs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Downgraded => "downgraded",
            Self::Nofollow => "nofollow",
            Self::MetaRefresh => "meta_refresh",
            Self::Scripted => "scripted",
            Self::MovedDomain => "moved_domain",
            Self::Parked => "parked",
            Self::TitleChanged => "title_changed",
            Self::LanguageChanged => "language_changed",
            Self::Other => "other",
        }
    }
}
