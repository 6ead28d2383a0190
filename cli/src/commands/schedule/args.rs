//! What `schedule add` and `schedule set` are told.

use chrono::{DateTime, SubsecRound, Utc};
use clap::Args;
use linkbeat_shared::schedule::{
    CronPattern, Missed, Overlap, ScheduleName, ScheduleSpec, Timing, Zone, local_moment,
};
use linkbeat_shared::{
    GroupName, Interval, Jitter, LinkFilter, LinkSelection, RequestOptions, Tag, TickDeadline,
};
use linkbeat_store::SharedStore;

use crate::args::InputArgs;
use crate::exit::Failure;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  linkbeat schedule add nightly --cron '0 3 * * *' --time-zone Europe/Berlin --backlink 'my[.]blog'
  linkbeat schedule add friends --every 6h --group Friends --jitter 10m
  linkbeat schedule add sponsors sponsors.csv --cron '0 9 * * MON-FRI' --missed skip
  linkbeat schedule add once --at '2026-12-01 03:00' --time-zone Asia/Shanghai

A producer or `linkbeat up` must be running when a tick is due. What is asked of the links is kept with
the schedule: later changes of the settings do not change it.")]
pub(crate) struct AddArgs {
    /// What to call it
    pub(super) name: ScheduleName,
    #[command(flatten)]
    pub(super) input: InputArgs,
    #[command(flatten)]
    pub(super) filter: FilterArgs,
    #[command(flatten)]
    pub(super) when: WhenArgs,
    #[command(flatten)]
    pub(super) request: RequestOptions,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  linkbeat schedule set nightly --cron '30 4 * * *'
  linkbeat schedule set nightly --overlap replace --timeout 10s
  linkbeat schedule set friends --all --no-backlink

What is not named stays as it is. A list takes the place of the one before.")]
pub(crate) struct SetArgs {
    /// The schedule
    pub(super) name: String,
    #[command(flatten)]
    pub(super) input: InputArgs,
    #[command(flatten)]
    pub(super) filter: FilterArgs,
    /// Check all stored active links
    #[arg(long, conflicts_with_all = ["input", "group", "tag"])]
    pub(super) all: bool,
    #[command(flatten)]
    pub(super) when: WhenArgs,
    /// Ask for no backlink
    #[arg(long, conflicts_with = "backlink")]
    pub(super) no_backlink: bool,
    #[command(flatten)]
    pub(super) request: RequestOptions,
}

/// Which of the stored links, instead of INPUT.
#[derive(Debug, Args)]
pub(crate) struct FilterArgs {
    /// Check the stored links of this group (repeatable) [default: all stored active links]
    #[arg(long, value_name = "GROUP", conflicts_with = "input")]
    group: Vec<GroupName>,
    /// Check the stored links with this tag (repeatable); with --group: those that match both
    #[arg(long, value_name = "TAG", conflicts_with = "input")]
    tag: Vec<Tag>,
}

impl FilterArgs {
    /// The links that are asked for.
    pub(super) async fn links(
        self,
        input: &InputArgs,
        store: &SharedStore,
    ) -> Result<LinkSelection, Failure> {
        match input.read_named()? {
            None => Ok(LinkSelection::matching(LinkFilter { groups: self.group, tags: self.tag })),
            Some(listed) => listed.meet(store).await.map(LinkSelection::Given),
        }
    }
}

#[derive(Debug, Args)]
#[command(next_help_heading = "When")]
pub(crate) struct WhenArgs {
    /// Cron pattern: minute, hour, day of the month, month, day of the week; perhaps seconds before them
    #[arg(long, value_name = "PATTERN", group = "timing")]
    cron: Option<CronPattern>,
    /// In even steps, such as 6h or 90m
    #[arg(long, value_name = "TIME", group = "timing")]
    every: Option<Interval>,
    /// Once, such as '2026-12-01 03:00'
    #[arg(long, value_name = "MOMENT", group = "timing")]
    at: Option<String>,
    /// With --every: the moment from which the steps are counted [default: now]
    #[arg(long, value_name = "MOMENT", conflicts_with_all = ["cron", "at"])]
    anchor: Option<String>,
    /// Time zone of the IANA database in which patterns and moments are read [default: UTC]
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<Zone>,
    /// If a run of the schedule still goes on: forbid (skip the tick), allow, or replace (cancel that run)
    /// [default: forbid]
    #[arg(long, value_name = "WHAT")]
    overlap: Option<Overlap>,
    /// Ticks that nobody could begin in time: skip them, or make up for the latest of them once [default: once]
    #[arg(long, value_name = "WHAT")]
    missed: Option<Missed>,
    /// How late a tick may begin [default: 1m with --missed skip, 24h with --missed once]
    #[arg(long, value_name = "TIME")]
    deadline: Option<TickDeadline>,
    /// Begin up to so much later, each tick by another length of time [default: 0s]
    #[arg(long, value_name = "TIME")]
    jitter: Option<Jitter>,
}

impl WhenArgs {
    /// The definition of a new schedule.
    pub(super) fn spec(self, now: DateTime<Utc>) -> Result<ScheduleSpec, Failure> {
        let zone = self.time_zone.unwrap_or(Zone::UTC);
        let timing = self.timing(zone, now, None)?.ok_or_else(|| {
            Failure::usage("it is not said when the schedule ticks")
                .advise("add --cron PATTERN, --every TIME or --at MOMENT")
        })?;
        Ok(ScheduleSpec {
            timing,
            time_zone: zone,
            overlap: self.overlap.unwrap_or_default(),
            missed: self.missed.unwrap_or_default(),
            deadline: self.deadline,
            jitter: self.jitter,
        })
    }

    /// What a schedule becomes that was this.
    pub(super) fn change(self, was: &ScheduleSpec, now: DateTime<Utc>) -> Result<ScheduleSpec, Failure> {
        let zone = self.time_zone.unwrap_or(was.time_zone);
        let timing = self.timing(zone, now, Some(&was.timing))?.unwrap_or_else(|| was.timing.clone());
        let missed = self.missed.unwrap_or(was.missed);
        // The deadline of one way says nothing about the other.
        let deadline = self.deadline.or(was.deadline.filter(|_| missed == was.missed));
        Ok(ScheduleSpec {
            timing,
            time_zone: zone,
            overlap: self.overlap.unwrap_or(was.overlap),
            missed,
            deadline,
            jitter: self.jitter.or(was.jitter),
        })
    }

    fn timing(
        &self,
        zone: Zone,
        now: DateTime<Utc>,
        was: Option<&Timing>,
    ) -> Result<Option<Timing>, Failure> {
        let moment = |text: &str| local_moment(text, zone).map_err(|error| Failure::usage(error.to_string()));
        let (interval, anchor) = match was {
            Some(Timing::Every { interval, anchor }) => (Some(*interval), Some(*anchor)),
            Some(Timing::Cron(_) | Timing::At(_)) | None => (None, None),
        };
        Ok(match (&self.cron, self.every, &self.at, &self.anchor) {
            (Some(pattern), ..) => Some(Timing::Cron(pattern.clone())),
            (_, _, Some(at), _) => Some(Timing::At(moment(at)?)),
            (_, Some(interval), ..) => {
                let from = self.anchor.as_deref().map(moment).transpose()?;
                Some(Timing::Every {
                    interval,
                    anchor: from.or(anchor).unwrap_or_else(|| now.trunc_subsecs(0)),
                })
            }
            (.., Some(from)) => match interval {
                Some(interval) => Some(Timing::Every { interval, anchor: moment(from)? }),
                None => return Err(Failure::usage("--anchor goes with --every TIME")),
            },
            (None, None, None, None) => None,
        })
    }
}
