//! What a reader asks for.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use linkbeat_shared::{GroupName, Lang};
use url::form_urlencoded;

use super::answer::NoFeed;
use super::escape::among_words;

/// What a reader asks for. Other parameters are passed over: pages add some to get past caches.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Also the hidden links, and why they are hidden.
    pub(super) hidden: bool,
    /// Only the links of this group.
    pub(super) group: Option<GroupName>,
    /// The language of texts.
    pub(super) lang: Lang,
    /// What a badge says first.
    pub(super) label: Option<String>,
}

/// The most characters of a label.
const LONGEST_LABEL: usize = 60;

impl Wanted {
    fn read(query: &str) -> Result<Self, NoFeed> {
        let mut wanted = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let bad = |what| NoFeed::BadQuery(what);
            match &*name {
                "hidden" => wanted.hidden = matches!(&*value, "1" | "true"),
                "group" => {
                    wanted.group = Some(value.parse().map_err(|_| bad("the group is no name of a group"))?);
                }
                "lang" => {
                    wanted.lang = value.parse().map_err(|_| bad("the language is neither en nor zh"))?;
                }
                "label" => {
                    let label = among_words(&value);
                    wanted.label =
                        Some(label.chars().filter(|c| !c.is_control()).take(LONGEST_LABEL).collect());
                }
                _ => {}
            }
        }
        Ok(wanted)
    }

    /// The text of the language that is wanted.
    pub(super) fn say(&self, english: &'static str, chinese: &'static str) -> &'static str {
        match self.lang {
            Lang::En => english,
            Lang::Zh => chinese,
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Wanted {
    type Rejection = NoFeed;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, NoFeed> {
        Self::read(parts.uri.query().unwrap_or_default())
    }
}
