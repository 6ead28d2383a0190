use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use linkbeat_store::{CannotPause, ScheduleDecision, ScheduleSet, StoredSchedule, set_schedule};

use super::list::percent_encoded;
use crate::pages::answer::{Page, Problem, see};
use crate::pages::confirm::Confirm;
use crate::pages::form::{Form, pause_end_of};
use crate::pages::once::Once;
use crate::pages::runs::filed;
use crate::pages::told::{self, Done};
use crate::pages::visit::Visit;
use crate::pages::wording::fill;
use crate::ports::ScheduleRun;
use crate::serve::App;

pub(super) async fn act(
    State(app): State<App>,
    v: Visit,
    Path((name, action)): Path<(String, String)>,
    form: Form,
) -> Result<Response, Problem> {
    let schedule = app.ports.store.find_schedule(&name).await?.ok_or(Problem::NotFound)?;
    let done = match action.as_str() {
        "run" => return run(&app, &v, &form, &schedule).await,
        "remove" if !form.is_sure() => return Ok(Page(question(v, &schedule)).into_response()),
        "remove" => {
            app.ports.store.remove_schedule(schedule.id).await?;
            Done::Removed
        }
        "pause" => {
            let until = pause_end_of(&form, &v)?;
            change(&app, &v, &name, |schedule, _| schedule.pause(until)).await?;
            Done::Paused
        }
        "resume" => {
            change(&app, &v, &name, StoredSchedule::resume).await?;
            Done::Resumed
        }
        _ => return Err(Problem::NotFound),
    };
    Ok(see(&v.to(&told::address("/schedules", done, 1))))
}

async fn run(app: &App, v: &Visit, form: &Form, schedule: &StoredSchedule) -> Result<Response, Problem> {
    let id = match Once::read(app, form, &format!("schedule {}", schedule.id)).await? {
        Once::Filed(run) => return Ok(filed(v, &run)),
        Once::Request(id) => id,
    };
    match app.ports.desk.run_schedule(schedule, id).await? {
        ScheduleRun::Filed(new) => Ok(filed(v, &new.run)),
        // The same form may just have been sent a moment before.
        ScheduleRun::Overlap(run) => match app.ports.store.run_of(id).await? {
            Some(own) => Ok(filed(v, &own)),
            None => Err(Problem::Conflict(fill(v.t.schedule_overlap, &[&run]))),
        },
        ScheduleRun::Gone => Err(Problem::NotFound),
    }
}

/// Changes a schedule by what it is now.
async fn change(
    app: &App,
    v: &Visit,
    name: &str,
    decide: impl Fn(&StoredSchedule, DateTime<Utc>) -> ScheduleDecision<CannotPause> + Send + Sync,
) -> Result<(), Problem> {
    let decide = |schedule: &StoredSchedule, now| decide(schedule, now).map_err(|error| cannot(v, error));
    match set_schedule(&*app.ports.store, name, decide).await? {
        ScheduleSet::Set => Ok(()),
        ScheduleSet::Gone => Err(Problem::NotFound),
        ScheduleSet::Another => Err(Problem::Conflict(v.t.changed_meanwhile.to_owned())),
    }
}

fn cannot(v: &Visit, error: CannotPause) -> Problem {
    match error {
        CannotPause::Ended => Problem::Conflict(v.t.schedule_has_ended.to_owned()),
        CannotPause::Unreadable(problem) => Problem::Conflict(problem),
    }
}

fn question(v: Visit, schedule: &StoredSchedule) -> Confirm {
    Confirm {
        title: format!("{}: {}", v.t.remove, schedule.name),
        text: vec![v.t.ask_remove_schedule.to_owned()],
        action: v.to(&format!("/schedules/{}/remove", percent_encoded(&schedule.name))),
        fields: Vec::new(),
        yes: v.t.remove,
        danger: true,
        back: v.to("/schedules"),
        v,
    }
}
