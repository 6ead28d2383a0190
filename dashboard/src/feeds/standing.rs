//! How a link, or all of them, stand: what badges say.

use axum::extract::Path;
use linkbeat_shared::{LinkId, Verdict};
use linkbeat_store::ListedLink;
use uuid::Uuid;

use super::answer::NoFeed;
use super::escape::among_words;
use super::kept;
use super::wanted::Wanted;
use crate::serve::App;

/// What a badge says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Standing {
    /// What it is about.
    pub(super) label: String,
    /// How that stands. Never empty.
    pub(super) message: String,
    pub(super) colour: Colour,
}

/// The colour of a standing, which says nothing that the message does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colour {
    Good,
    Middling,
    Bad,
    Unknown,
}

impl Colour {
    /// The name that shields.io has for it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Good => "brightgreen",
            Self::Middling => "yellow",
            Self::Bad => "red",
            Self::Unknown => "lightgrey",
        }
    }

    /// Dark enough for white text (WCAG 2.2, 1.4.3).
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Good => "#2a7f1e",
            Self::Middling => "#8a6100",
            Self::Bad => "#b3261e",
            Self::Unknown => "#5f5f5f",
        }
    }
}

/// The most characters of a label: a name may have 200.
const LONGEST: usize = 60;

impl Standing {
    pub(super) async fn of_link(app: &App, id: &Path<String>, wanted: &Wanted) -> Result<Self, NoFeed> {
        let id: Uuid = id.parse().map_err(|_| NoFeed::NoLink)?;
        let link = kept::link(app, LinkId(id)).await?;
        Ok(Self::of(&link, wanted))
    }

    fn of(listed: &ListedLink, wanted: &Wanted) -> Self {
        let link = &listed.link;
        let (message, colour) = match link.state.verdict {
            Some(Verdict::Up) => (wanted.say("up", "正常"), Colour::Good),
            Some(Verdict::NoBacklink) => (wanted.say("no backlink", "无回链"), Colour::Middling),
            Some(Verdict::Blocked) => (wanted.say("blocked", "被拦截"), Colour::Middling),
            Some(Verdict::Down) => (wanted.say("down", "失联"), Colour::Bad),
            Some(Verdict::Refused) => (wanted.say("refused", "拒绝访问"), Colour::Bad),
            None => (wanted.say("not checked", "未检查"), Colour::Unknown),
        };
        let name = || among_words(link.name.as_str()).chars().take(LONGEST).collect();
        Self { label: wanted.label.clone().unwrap_or_else(name), message: message.to_owned(), colour }
    }

    pub(super) async fn of_all(app: &App, wanted: &Wanted) -> Result<Self, NoFeed> {
        let totals = app.totals().await?;
        let checked = totals.iter().filter(|total| total.active && total.verdict.is_some());
        let (mut up, mut all) = (0, 0);
        for total in checked {
            all += total.links;
            up += if total.verdict == Some(Verdict::Up) { total.links } else { 0 };
        }
        let label = wanted.label.clone().unwrap_or_else(|| wanted.say("links", "友链").to_owned());
        let (message, colour) = match (all, all - up) {
            (0, _) => (wanted.say("not checked", "未检查").to_owned(), Colour::Unknown),
            (_, 0) => (format!("{up}/{all} {}", wanted.say("up", "正常")), Colour::Good),
            // One in ten.
            (_, bad) if bad * 10 <= all => {
                (format!("{up}/{all} {}", wanted.say("up", "正常")), Colour::Middling)
            }
            _ => (format!("{up}/{all} {}", wanted.say("up", "正常")), Colour::Bad),
        };
        Ok(Self { label, message, colour })
    }
}
