//! A stored run as JSON.

use chrono::{DateTime, Utc};
use linkbeat_shared::{Run, RunState};
use serde::Serialize;
use uuid::Uuid;

#[derive(Serialize)]
pub(super) struct RunItem {
    run_id: Uuid,
    request_id: Uuid,
    state: RunState,
    links: u64,
    done: u64,
    missing: u64,
    created_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
}

impl RunItem {
    pub(super) fn of(run: &Run) -> Self {
        Self {
            run_id: run.id.0,
            request_id: run.request_id.0,
            state: run.state,
            links: run.links,
            done: run.done,
            missing: run.missing,
            created_at: run.created_at,
            finished_at: run.finished_at,
        }
    }
}
