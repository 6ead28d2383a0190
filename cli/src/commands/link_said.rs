//! What is said of a link besides its address.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::str::FromStr;

use clap::Args;
use linkbeat_shared::{Attributes, BadText, Description, GroupName, Place, Tag, Tags, Without};

/// What is said of a link. linkbeat keeps it and gives it back.
#[derive(Debug, Args)]
pub(super) struct SaidArgs {
    /// The section of a list that it stands in; an empty text: none
    #[arg(long, group = "change", value_name = "TEXT", value_parser = parse_said::<GroupName>)]
    group: Option<Said<GroupName>>,
    /// Where a small picture of it is; an empty text: nowhere
    #[arg(long, group = "change", value_name = "PLACE", value_parser = parse_said::<Place>)]
    avatar: Option<Said<Place>>,
    /// What it is about; an empty text: nothing is said
    #[arg(long, group = "change", value_name = "TEXT", value_parser = parse_said::<Description>)]
    description: Option<Said<Description>>,
    /// Where a picture of its page is; an empty text: nowhere
    #[arg(long, group = "change", value_name = "PLACE", value_parser = parse_said::<Place>)]
    screenshot: Option<Said<Place>>,
    /// Where its RSS or Atom feed is; an empty text: nowhere
    #[arg(long, group = "change", value_name = "PLACE", value_parser = parse_said::<Place>)]
    feed: Option<Said<Place>>,
    /// Its labels, with commas between; they take the place of those it has. An empty text: none
    #[arg(long, group = "change", value_name = "TAGS", value_parser = parse_tags)]
    tags: Option<Tags>,
}

/// A text, or that there is none any more.
#[derive(Debug, Clone)]
enum Said<T> {
    Text(T),
    Nothing,
}

impl<T: Clone> Said<T> {
    fn text(said: Option<&Self>) -> Option<T> {
        match said {
            Some(Self::Text(text)) => Some(text.clone()),
            Some(Self::Nothing) | None => None,
        }
    }

    fn is_nothing(said: Option<&Self>) -> bool {
        matches!(said, Some(Self::Nothing))
    }
}

impl SaidArgs {
    pub(super) fn group(&self) -> Option<GroupName> {
        Said::text(self.group.as_ref())
    }

    pub(super) fn without(&self) -> Without {
        Without {
            page_url: false,
            group: Said::is_nothing(self.group.as_ref()),
            description: Said::is_nothing(self.description.as_ref()),
            avatar: Said::is_nothing(self.avatar.as_ref()),
            screenshot: Said::is_nothing(self.screenshot.as_ref()),
            feed: Said::is_nothing(self.feed.as_ref()),
        }
    }

    pub(super) fn attributes(self) -> Attributes {
        Attributes {
            avatar: Said::text(self.avatar.as_ref()),
            description: Said::text(self.description.as_ref()),
            screenshot: Said::text(self.screenshot.as_ref()),
            feed: Said::text(self.feed.as_ref()),
            tags: self.tags,
        }
    }
}

fn parse_said<T: FromStr<Err: Display>>(text: &str) -> Result<Said<T>, String> {
    if text.trim().is_empty() {
        return Ok(Said::Nothing);
    }
    text.parse().map(Said::Text).map_err(|error: T::Err| error.to_string())
}

fn parse_tags(text: &str) -> Result<Tags, String> {
    let texts = text.split([',', ';']).filter(|tag| !tag.trim().is_empty());
    let tags: BTreeSet<Tag> =
        texts.map(str::parse).collect::<Result<_, BadText>>().map_err(|e| e.to_string())?;
    Tags::try_from(tags).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use clap::{ArgGroup, Parser};

    use super::*;

    #[derive(Debug, Parser)]
    #[command(group(ArgGroup::new("change").multiple(true)))]
    struct Line {
        #[command(flatten)]
        said: SaidArgs,
    }

    fn read(args: &[&str]) -> SaidArgs {
        Line::try_parse_from([&["links"], args].concat()).unwrap().said
    }

    #[test]
    fn an_empty_text_takes_away_and_no_text_leaves_as_it_is() {
        let without = |group, description| Without { group, description, ..Without::default() };
        let nowhere = Without { avatar: true, screenshot: true, feed: true, ..Without::default() };
        for (args, expected) in [
            (&[][..], without(false, false)),
            (&["--group", "Friends", "--description", "Art"], without(false, false)),
            (&["--group", ""], without(true, false)),
            (&["--group=", "--description", " "], without(true, true)),
            (&["--avatar", "", "--screenshot=", "--feed", " "], nowhere),
            (&["--avatar", "/a.png", "--screenshot", "s.png", "--feed", "/f"], without(false, false)),
        ] {
            assert_eq!(read(args).without(), expected, "{args:?}");
        }
        let said = read(&["--group", "Friends", "--tags", ""]);
        assert_eq!(said.group().map(|group| group.to_string()).as_deref(), Some("Friends"));
        assert_eq!(said.attributes().tags.map(|tags| tags.iter().count()), Some(0));
    }
}
