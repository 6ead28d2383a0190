//! `linkbeat links history`: reads the days of one link.

use chrono::{Days, NaiveDate, Utc};
use clap::Args;
use linkbeat_shared::Link;
use linkbeat_shared::history::{Keep, Summary, Zone};
use linkbeat_store::{SharedStore, StoreError};

use crate::args::OutputArgs;
use crate::output::link_history::{HistoryDay, LinkHistory};

/// Days read at once.
const PAGE: u32 = 400;
/// Without `--since`.
const DEFAULT_DAYS: u32 = 30;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  linkbeat links history 'A friend'
  linkbeat links history https://friend.example/ --since 1y --format csv --output friend.csv

reachable: the share of checks that reached the site, of those that could tell. Blocked, refused, white-listed and
held-back checks are left out and counted. shown: the share of time. No data is \"–\". Days begin in
history.time_zone. docs/history.md has the definitions.")]
pub(crate) struct LinkHistoryArgs {
    /// Id, URL or exact name
    pub(crate) link: String,
    /// How far back, such as 30d or 1y [default: 30d]
    #[arg(long, value_name = "TIME")]
    since: Option<Keep>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl LinkHistoryArgs {
    /// Reads the days of this link, today last.
    pub(crate) async fn read(
        &self,
        store: &SharedStore,
        link: Link,
        zone: Zone,
    ) -> Result<LinkHistory, StoreError> {
        let now = Utc::now();
        let today = zone.day_of(now);
        let length = self.since.unwrap_or(Keep::days(DEFAULT_DAYS)).duration();
        let earliest = today - Days::new(length.as_secs().div_ceil(86_400).saturating_sub(1));
        let shown = store.link_shown(link.id, zone.begin_of(earliest)).await?;
        let known_since = shown.as_ref().map_or(earliest, |shown| zone.day_of(shown.known_since));
        let mut days = Vec::new();
        let mut from = earliest;
        while let page = store.link_days(link.id, zone, from, today + Days::new(1), PAGE).await?
            && let Some(last) = page.last()
        {
            from = last.day + Days::new(1);
            days.extend(page);
        }
        let first = days.first().map_or(known_since, |day| day.day.min(known_since)).max(earliest);
        let share = |day: NaiveDate| shown.as_ref()?.share(zone.begin_of(day), zone.end_of(day));
        let mut total = Summary::default();
        let mut found = days.into_iter().peekable();
        let mut filled = Vec::new();
        for day in first.iter_days().take_while(|day| *day <= today) {
            let before = filled.len();
            while let Some(read) = found.next_if(|read| read.day == day) {
                total.merge(&read.summary);
                filled.push(HistoryDay { day, zone: read.zone, summary: read.summary, shown: share(day) });
            }
            if filled.len() == before {
                let zone = zone.name().to_owned();
                filled.push(HistoryDay { day, zone, summary: Summary::default(), shown: share(day) });
            }
        }
        let shown = shown.as_ref().and_then(|shown| shown.share(zone.begin_of(first), now));
        Ok(LinkHistory { link, zone, first, last: today, total, shown, days: filled })
    }
}
