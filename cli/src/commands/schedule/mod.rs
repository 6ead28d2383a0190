//! `linkbeat schedule`: requests that are made again and again.

mod args;
mod run_now;

pub(super) use self::run_now::publish;

use chrono::{DateTime, Utc};
use clap::Subcommand;
use linkbeat_shared::schedule::{ScheduleSpec, Zone, read_request, stored_request};
use linkbeat_shared::{Lang, LinkSelection, Request, RequestId, ScheduleId, pause_end};
use linkbeat_store::{
    CannotPause, NewSchedule, ScheduleChange, ScheduleDecision, ScheduleSet, ScheduleState, SharedStore,
    StoredSchedule, Tick, set_schedule,
};

use self::args::{AddArgs, SetArgs};
use super::{servers, write};
use crate::args::{Flags, GlobalArgs};
use crate::exit::{Failure, Status};
use crate::logging::print_note;
use crate::output::ListFormat;
use crate::output::schedules::Shown;

/// Schedules that are read in one go.
const PAGE: u32 = 500;
/// Ticks that `show` lists.
const SHOWN_TICKS: u32 = 10;

#[derive(Debug, Subcommand)]
pub(crate) enum ScheduleCommand {
    /// Have links checked again and again
    Add(AddArgs),
    /// List the schedules with their next ticks and what became of the last one
    #[command(after_help = "\
Examples:
  linkbeat schedule list
  linkbeat schedule list --format json")]
    List {
        /// How the list is written
        #[arg(long, value_enum, default_value_t = ListFormat::Table)]
        format: ListFormat,
    },
    /// Show one schedule: what it asks for, and its latest ticks
    #[command(after_help = "\
Examples:
  linkbeat schedule show nightly
  linkbeat schedule show nightly --format json")]
    Show {
        /// The schedule
        name: String,
        /// How it is written
        #[arg(long, value_enum, default_value_t = ListFormat::Table)]
        format: ListFormat,
    },
    /// Change a schedule
    Set(SetArgs),
    /// Stop a schedule for now; its ticks are skipped and counted
    #[command(after_help = "\
Examples:
  linkbeat schedule pause nightly
  linkbeat schedule pause nightly --until 2d
  linkbeat schedule pause nightly --until '2026-12-01 08:00'")]
    Pause {
        /// The schedule
        name: String,
        /// When it goes on by itself: after a time such as 2d, or at a moment in its time zone [default: when somebody
        /// resumes it]
        #[arg(long, value_name = "WHEN")]
        until: Option<String>,
    },
    /// Let a paused schedule go on, with its next tick
    #[command(after_help = "Example:\n  linkbeat schedule resume nightly")]
    Resume {
        /// The schedule
        name: String,
    },
    /// Remove a schedule; its runs stay
    #[command(after_help = "Example:\n  linkbeat schedule remove nightly")]
    Remove {
        /// The schedule
        name: String,
    },
    /// File a run of a schedule now, besides its ticks
    #[command(after_help = "\
Examples:
  linkbeat schedule run-now nightly
  linkbeat schedule run-now nightly --format json

A schedule with `--overlap forbid` does not run while a run of it goes on. One with `--overlap replace`
cancels that run.")]
    RunNow {
        /// The schedule
        name: String,
        /// How the run is told
        #[arg(long, value_enum, default_value_t = ListFormat::Table)]
        format: ListFormat,
    },
}

/// `linkbeat schedule`
pub(crate) async fn run(global: &GlobalArgs, command: ScheduleCommand) -> Result<Status, Failure> {
    let check = if let ScheduleCommand::Add(args) = &command { Some(&args.request) } else { None };
    let settings = global.settings(Flags { check, ..Flags::default() }, "warn")?;
    let store = servers::store(&settings).await?;
    let done = match command {
        ScheduleCommand::Add(args) => {
            let options = settings.check.clone();
            let links = args.filter.links(&args.input, &store).await?;
            let now = store.clock().await?;
            add(
                &store,
                args.name,
                args.when.spec(now)?,
                Request::new(RequestId::new(), links, options, None),
                now,
            )
            .await
        }
        ScheduleCommand::List { format } => list(&store, format, settings.output.lang).await,
        ScheduleCommand::Show { name, format } => show(&store, &name, format, settings.output.lang).await,
        ScheduleCommand::Set(args) => set(&store, args).await,
        ScheduleCommand::Pause { name, until } => pause(&store, &name, until.as_deref()).await,
        ScheduleCommand::Resume { name } => resume(&store, &name).await,
        ScheduleCommand::Remove { name } => remove(&store, &name).await,
        ScheduleCommand::RunNow { name, format } => run_now::run(&settings, &store, &name, format).await,
    };
    store.close().await;
    done.map(|()| Status::Passed)
}

async fn add(
    store: &SharedStore,
    name: linkbeat_shared::schedule::ScheduleName,
    spec: ScheduleSpec,
    request: Request,
    now: DateTime<Utc>,
) -> Result<(), Failure> {
    let id = ScheduleId::new();
    let Some(next) = spec.next_after(id, now) else { return Err(no_tick(&spec)) };
    note_if_nothing_matches(store, &request.links).await?;
    let request = stored(&request)?;
    let told = name.to_string();
    if !store.add_schedule(NewSchedule { id, name, spec, request, next }).await? {
        return Err(Failure::usage(format!("there is a schedule {told} already"))
            .advise("`linkbeat schedule set` changes it"));
    }
    tell_next(store, &told, "added").await
}

/// A schedule may be there before its links. But perhaps a name is misspelt.
async fn note_if_nothing_matches(store: &SharedStore, links: &LinkSelection) -> Result<(), Failure> {
    if matches!(links, LinkSelection::Stored) && store.links(None, 1).await?.is_empty() {
        print_note(format_args!("there are no stored links yet; `linkbeat links import` stores some"));
    }
    Ok(())
}

fn stored(request: &Request) -> Result<String, Failure> {
    stored_request(request).map_err(|error| Failure::usage(error.to_string()))
}

fn no_tick(spec: &ScheduleSpec) -> Failure {
    Failure::usage(format!("`{}` never fires: it lies in the past", spec.timing.text()))
}

async fn tell_next(store: &SharedStore, name: &str, done: &str) -> Result<(), Failure> {
    let schedule = find(store, name).await?;
    let zone = spec_of(&schedule)?.time_zone;
    match schedule.next.filter(|_| schedule.state == ScheduleState::Active) {
        Some(next) => print_note(format_args!(
            "schedule {name} is {done}; its next tick is {} ({})",
            zone.local(next.due).format("%Y-%m-%d %H:%M:%S %Z"),
            next.due.format("%Y-%m-%d %H:%M:%S UTC"),
        )),
        None if schedule.state == ScheduleState::Paused => {
            print_note(format_args!("schedule {name} is {done}; it is paused"));
        }
        None => print_note(format_args!("schedule {name} is {done}; it has no ticks left")),
    }
    Ok(())
}

async fn list(store: &SharedStore, format: ListFormat, lang: Lang) -> Result<(), Failure> {
    let now = store.clock().await?;
    let (mut shown, mut after) = (Vec::new(), None::<String>);
    loop {
        let page = store.schedules(after.as_deref(), PAGE).await?;
        after = page.last().map(|schedule| schedule.name.clone());
        if after.is_none() {
            break;
        }
        for schedule in page {
            let ticks = store.ticks(schedule.id, 1).await?;
            shown.push(Shown { schedule, ticks, now });
        }
    }
    write::schedules(&shown, format, lang)
}

async fn show(store: &SharedStore, name: &str, format: ListFormat, lang: Lang) -> Result<(), Failure> {
    let schedule = find(store, name).await?;
    let ticks: Vec<Tick> = store.ticks(schedule.id, SHOWN_TICKS).await?;
    write::schedule(&Shown { schedule, ticks, now: store.clock().await? }, format, lang)
}

async fn set(store: &SharedStore, args: SetArgs) -> Result<(), Failure> {
    let SetArgs { name, input, filter, all, when, no_backlink, request } = args;
    let links = match filter.links(&input, store).await? {
        LinkSelection::Stored if !all => None,
        links => Some(links),
    };
    let now = store.clock().await?;
    let schedule = find(store, &name).await?;
    let was = spec_of(&schedule)?;
    let spec = when.change(was, now)?;
    let asked = read_request(&schedule.request, RequestId::new())
        .map_err(|error| Failure::infrastructure(error.to_string()))?;
    let mut options = request.or(asked.options());
    if no_backlink {
        options.backlink = None;
    }
    let request = Request::new(RequestId::new(), links.unwrap_or(asked.links), options, None);
    let moved = spec.timing != was.timing || spec.time_zone != was.time_zone;
    let next = match schedule.next.filter(|_| !moved) {
        Some(next) => Some(spec.tick(schedule.id, next.due)),
        None if moved => Some(spec.next_after(schedule.id, now).ok_or_else(|| no_tick(&spec))?),
        None => None,
    };
    let state = match schedule.state {
        ScheduleState::Ended if next.is_some() => ScheduleState::Active,
        state => state,
    };
    let paused_until = schedule.paused_until.filter(|_| state == ScheduleState::Paused);
    let change = ScheduleChange {
        spec: Some(spec),
        request: Some(stored(&request)?),
        state,
        next,
        paused: 0,
        paused_until,
    };
    if !store.change_schedule(&schedule, change).await? {
        return Err(changed_meanwhile(&name));
    }
    tell_next(store, &name, "changed").await
}

async fn pause(store: &SharedStore, name: &str, until: Option<&str>) -> Result<(), Failure> {
    change(store, name, |schedule, now| {
        let zone = schedule.spec.as_ref().map_or(Zone::UTC, |spec| spec.time_zone);
        let until = until.map(|until| pause_end(until, zone, now)).transpose();
        let until = until.map_err(|error| Failure::usage(format!("--until: {error}")))?;
        schedule.pause(until).map_err(|error| cannot_pause(schedule, error))
    })
    .await?;
    match find(store, name).await?.paused_until {
        Some(until) => {
            print_note(format_args!(
                "schedule {name} is paused until {}",
                until.format("%Y-%m-%d %H:%M:%S UTC")
            ));
        }
        None => {
            print_note(format_args!("schedule {name} is paused; `linkbeat schedule resume` lets it go on"));
        }
    }
    Ok(())
}

async fn resume(store: &SharedStore, name: &str) -> Result<(), Failure> {
    change(store, name, |schedule, now| schedule.resume(now).map_err(|error| cannot_pause(schedule, error)))
        .await?;
    tell_next(store, name, "resumed").await
}

/// Changes a schedule by what it is now.
async fn change(
    store: &SharedStore,
    name: &str,
    decide: impl Fn(&StoredSchedule, DateTime<Utc>) -> ScheduleDecision<Failure> + Send + Sync,
) -> Result<(), Failure> {
    match set_schedule(&**store, name, decide).await? {
        ScheduleSet::Set => Ok(()),
        ScheduleSet::Gone => Err(no_schedule(name)),
        ScheduleSet::Another => Err(changed_meanwhile(name)),
    }
}

async fn remove(store: &SharedStore, name: &str) -> Result<(), Failure> {
    let schedule = find(store, name).await?;
    store.remove_schedule(schedule.id).await?;
    print_note(format_args!("schedule {name} is removed; its runs stay"));
    Ok(())
}

async fn find(store: &SharedStore, name: &str) -> Result<StoredSchedule, Failure> {
    let found = store.find_schedule(name.trim()).await?;
    found.ok_or_else(|| no_schedule(name))
}

fn no_schedule(name: &str) -> Failure {
    Failure::usage(format!("there is no schedule {name}")).advise("see `linkbeat schedule list`")
}

fn spec_of(schedule: &StoredSchedule) -> Result<&ScheduleSpec, Failure> {
    schedule.spec.as_ref().map_err(|problem| unreadable(schedule, problem))
}

fn unreadable(schedule: &StoredSchedule, problem: &str) -> Failure {
    Failure::infrastructure(format!("schedule {} cannot be read: {problem}", schedule.name))
        .advise("use the linkbeat that wrote it, or remove it and add it anew")
}

fn cannot_pause(schedule: &StoredSchedule, error: CannotPause) -> Failure {
    match error {
        CannotPause::Ended => {
            Failure::usage(format!("schedule {} has ended: it has no more ticks", schedule.name))
                .advise("`linkbeat schedule set` gives it a new time")
        }
        CannotPause::Unreadable(problem) => unreadable(schedule, &problem),
    }
}

fn changed_meanwhile(name: &str) -> Failure {
    Failure::infrastructure(format!("schedule {name} was changed by somebody else at this moment"))
        .advise("try again")
}
