//! What lists and blogs say of a link besides its address. linkbeat keeps it and gives it back; no check looks at it.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The section of a list that a link stands in.
pub type GroupName = ShortText<200>;
/// A picture, a page or a feed: where it is, as the list has it.
pub type Place = ShortText<2_048>;
/// A few sentences about a link.
pub type Description = ShortText<1_000>;
/// One label.
pub type Tag = ShortText<50>;

/// Text of 1 to `MAX` characters, in one line: white space inside becomes single spaces.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ShortText<const MAX: usize>(String);

/// Text that is not usable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadText {
    /// Nothing but white space.
    #[error("the text is empty")]
    Empty,
    /// Over the limit.
    #[error("the text is longer than {0} characters")]
    TooLong(usize),
    /// A control character inside.
    #[error("the text contains a control character")]
    ControlCharacter,
}

impl<const MAX: usize> ShortText<MAX> {
    /// Takes a text.
    pub fn parse(text: &str) -> Result<Self, BadText> {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if text.is_empty() {
            Err(BadText::Empty)
        } else if text.chars().count() > MAX {
            Err(BadText::TooLong(MAX))
        } else if text.chars().any(char::is_control) {
            Err(BadText::ControlCharacter)
        } else {
            Ok(Self(text))
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> std::str::FromStr for ShortText<MAX> {
    type Err = BadText;
    fn from_str(text: &str) -> Result<Self, BadText> {
        Self::parse(text)
    }
}

impl<const MAX: usize> TryFrom<String> for ShortText<MAX> {
    type Error = BadText;
    fn try_from(text: String) -> Result<Self, BadText> {
        Self::parse(&text)
    }
}

impl<const MAX: usize> From<ShortText<MAX>> for String {
    fn from(text: ShortText<MAX>) -> Self {
        text.0
    }
}

impl<const MAX: usize> fmt::Display for ShortText<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Labels: at most 20, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeSet<Tag>", into = "BTreeSet<Tag>")]
pub struct Tags(BTreeSet<Tag>);

/// More labels than are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there are more than {} tags", Tags::MAX)]
pub struct TooManyTags;

impl Tags {
    /// How many a link may have.
    pub const MAX: usize = 20;

    /// These labels, without those that are not usable or too many. `None` if none is left.
    pub fn usable<'t>(texts: impl IntoIterator<Item = &'t str>) -> Option<Self> {
        let tags: BTreeSet<Tag> =
            texts.into_iter().filter_map(|text| text.parse().ok()).take(Self::MAX).collect();
        (!tags.is_empty()).then_some(Self(tags))
    }

    /// The labels, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &Tag> {
        self.0.iter()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl TryFrom<BTreeSet<Tag>> for Tags {
    type Error = TooManyTags;
    fn try_from(tags: BTreeSet<Tag>) -> Result<Self, TooManyTags> {
        if tags.len() > Self::MAX { Err(TooManyTags) } else { Ok(Self(tags)) }
    }
}

impl From<Tags> for BTreeSet<Tag> {
    fn from(tags: Tags) -> Self {
        tags.0
    }
}

/// What is said of a link. `None` on its way in: a stored link keeps what it has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Attributes {
    /// A small picture of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avatar: Option<Place>,
    /// What it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<Description>,
    /// A picture of its page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub screenshot: Option<Place>,
    /// Its RSS or Atom feed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feed: Option<Place>,
    /// Its labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Tags>,
}

impl Attributes {
    /// Takes over each attribute that `newer` names.
    pub fn update(&mut self, newer: &Self) {
        fn take<T: Clone>(old: &mut Option<T>, new: Option<&T>) {
            if let Some(new) = new {
                *old = Some(new.clone());
            }
        }
        take(&mut self.avatar, newer.avatar.as_ref());
        take(&mut self.description, newer.description.as_ref());
        take(&mut self.screenshot, newer.screenshot.as_ref());
        take(&mut self.feed, newer.feed.as_ref());
        take(&mut self.tags, newer.tags.as_ref());
    }

    /// Takes away what is said no longer.
    pub fn clear(&mut self, without: Without) {
        fn take<T>(said: &mut Option<T>, is_taken: bool) {
            *said = said.take().filter(|_| !is_taken);
        }
        take(&mut self.description, without.description);
        take(&mut self.avatar, without.avatar);
        take(&mut self.screenshot, without.screenshot);
        take(&mut self.feed, without.feed);
    }

    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What is taken away from what is said of a link.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Without {
    /// The page on which the backlink must stand: it is the link's own.
    pub page_url: bool,
    /// The section of the list that it stands in.
    pub group: bool,
    /// What it is about.
    pub description: bool,
    /// Where a small picture of it is.
    pub avatar: bool,
    /// Where a picture of its page is.
    pub screenshot: bool,
    /// Where its feed is.
    pub feed: bool,
}

impl Without {
    /// Whether nothing is taken away.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_bounded_and_in_one_line() {
        assert_eq!(Description::parse(" two\n lines\t").unwrap().as_str(), "two lines");
        assert_eq!(Tag::parse(" \n"), Err(BadText::Empty));
        assert_eq!(Tag::parse("a\u{1b}[31m"), Err(BadText::ControlCharacter));
        assert!(Tag::parse(&"友".repeat(50)).is_ok());
        assert_eq!(Tag::parse(&"友".repeat(51)), Err(BadText::TooLong(50)));
    }

    #[test]
    fn tags_are_counted_once_and_bounded() {
        let tags =
            |count: usize| (0..count).map(|n| Tag::parse(&n.to_string()).unwrap()).collect::<BTreeSet<_>>();
        assert_eq!(Tags::try_from(tags(20)).unwrap().iter().count(), 20);
        assert_eq!(Tags::try_from(tags(21)), Err(TooManyTags));
    }

    #[test]
    fn what_is_not_named_is_kept() {
        let text = |text| Some(Place::parse(text).unwrap());
        let mut kept = Attributes { avatar: text("/old.png"), feed: text("/feed"), ..Attributes::default() };
        kept.update(&Attributes { avatar: text("/new.png"), ..Attributes::default() });
        assert_eq!(
            kept,
            Attributes { avatar: text("/new.png"), feed: text("/feed"), ..Attributes::default() }
        );
    }
}
