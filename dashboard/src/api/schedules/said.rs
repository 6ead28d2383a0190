//! What a call says of a schedule.

use chrono::{DateTime, SubsecRound, Utc};
use linkbeat_shared::schedule::ScheduleSpec;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::api::problem::Problem;
use crate::api::request::RunRequest;
use crate::api::value::{Line, Time, given, said};

/// A schedule to be added, or what is changed about one.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ScheduleSaid {
    /// What people call it. It cannot be changed.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = String, min_length = 1, max_length = 100)]
    pub(super) name: Option<Line<100>>,
    /// When it ticks, by the clock on the wall: a pattern of cron, such as `0 3 * * *`.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    cron: Option<Line<200>>,
    /// Or in even steps: so many milliseconds.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = u64, minimum = 1, maximum = 31_536_000_000_u64)]
    interval_ms: Option<u64>,
    /// The moment from which these steps are counted. Usual: now.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = String, format = DateTime)]
    anchor: Option<Time>,
    /// Or once, at this moment.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = String, format = DateTime)]
    at: Option<Time>,
    /// Where a pattern is read, such as `Europe/Berlin`. Usual: `UTC`.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = String, min_length = 1, max_length = 100)]
    time_zone: Option<Line<100>>,
    /// What a tick does if an earlier run goes on. Usual: `forbid`.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = OverlapWord)]
    overlap: Option<OverlapWord>,
    /// What becomes of ticks that nobody could begin in time. Usual: `once`.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = MissedWord)]
    missed: Option<MissedWord>,
    /// How late a tick may begin. Null: as `missed` has it.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<u64>, minimum = 1, maximum = 604_800_000)]
    deadline_ms: Option<Option<u64>>,
    /// Ticks begin up to so much later than they are due. Null: they do not.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<u64>, minimum = 1, maximum = 86_400_000)]
    jitter_ms: Option<Option<u64>>,
    /// What is asked for. Usual: all stored active links are checked as the settings say.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = RunRequest)]
    pub(super) request: Option<RunRequest>,
}

/// What a tick does if an earlier run goes on.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum OverlapWord {
    /// It is skipped.
    Forbid,
    /// Both runs go on.
    Allow,
    /// The older run is cancelled.
    Replace,
}

/// What becomes of ticks that nobody could begin in time.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum MissedWord {
    /// They are skipped.
    Skip,
    /// The latest of them begins late, once.
    Once,
}

impl ScheduleSaid {
    /// When a schedule ticks that was as `was` says.
    pub(super) fn spec(
        &self,
        was: Option<&ScheduleSpec>,
        now: DateTime<Utc>,
    ) -> Result<ScheduleSpec, Problem> {
        let mut spec = was.map_or_else(
            || json!({ "time_zone": "UTC" }),
            |was| serde_json::to_value(was).unwrap_or_default(),
        );
        match (&self.cron, self.interval_ms, self.at) {
            (None, None, None) if was.is_some() && self.anchor.is_none() => {}
            (None, None, None) => {
                return Err(Problem::invalid("say when it ticks: by `cron`, `interval_ms` or `at`"));
            }
            (Some(cron), None, None) if self.anchor.is_none() => set(&mut spec, "cron", json!(cron.as_str())),
            (None, Some(interval), None) => {
                let anchor = self.anchor.map_or_else(|| now.trunc_subsecs(0), |anchor| anchor.0);
                set(&mut spec, "every", json!({ "interval_ms": interval, "anchor": anchor }));
            }
            (None, None, Some(at)) if self.anchor.is_none() => set(&mut spec, "at", json!(at.0)),
            _ => {
                return Err(Problem::invalid(
                    "say one of `cron`, `interval_ms` and `at`; `anchor` goes with `interval_ms`",
                ));
            }
        }
        let words = [
            ("time_zone", self.time_zone.as_ref().map(|zone| json!(zone.as_str()))),
            ("overlap", self.overlap.map(|word| json!(word))),
            ("missed", self.missed.map(|word| json!(word))),
            ("deadline_ms", self.deadline_ms.map(|deadline| json!(deadline))),
            ("jitter_ms", self.jitter_ms.map(|jitter| json!(jitter))),
        ];
        for (member, value) in words {
            if let Some(value) = value {
                spec[member] = value;
            }
        }
        serde_json::from_value(spec).map_err(Problem::invalid)
    }
}

/// Sets one of the three ways in which a schedule ticks.
fn set(spec: &mut Value, way: &str, value: Value) {
    if let Some(members) = spec.as_object_mut() {
        members.retain(|name, _| !["cron", "every", "at"].contains(&name.as_str()));
        members.insert(way.to_owned(), value);
    }
}
