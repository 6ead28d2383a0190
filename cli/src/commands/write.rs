//! Writes results to standard output or a file, in the format and language that was asked for.

mod explaining;
mod sink;
mod stream;
#[cfg(test)]
mod tests;

use std::io::{self, Write};

use linkbeat_shared::wire::WorkerMessage;
use linkbeat_shared::{Lang, Run, RunState, RunSummary};
use linkbeat_store::{HistoryRules, HistoryStatus, LinkQuery, Reports, SharedStore, StoredToken};
use serde_json::Value;

pub(crate) use explaining::Explaining;
use sink::Sink;

use crate::args::{FailOn, OutputArgs};
use crate::exit::{Failure, Status};
use crate::finding::Finding;
use crate::logging::print_note;
use crate::output::link_history::LinkHistory;
use crate::output::schedules::Shown;
use crate::output::{self, Format, FormatName, ListFormat, Manner, Prose, Style, Urls};
use crate::plain::PlainJson;
use crate::settings::{Origin, Settings};

/// What to do about parked jobs of a fleet.
pub(crate) const LOOK_AT_PARKED: &str =
    "`linkbeat dead list` says why, and `linkbeat dead requeue` has them tried again";

/// What to do where this machine or its network is to blame.
pub(crate) const LOOK_AT_MACHINE: &str = "`linkbeat doctor` looks at this machine";

/// Writes a report. The status says whether every link passed. If links have no result through our own fault, that
/// is a failure, with this advice. So is a run that is held back, with an advice of its own.
pub(crate) async fn report(
    settings: &Settings,
    args: &OutputArgs,
    reports: &dyn Reports,
    run: &RunSummary,
    what_to_do: &str,
) -> Result<Status, Failure> {
    if !is_silent(settings, args, run) {
        let format = format(settings, args, Urls::Redacted);
        let mut sink = sink(settings, args)?;
        let written = stream::report(&*format, reports, run, sink.out()).await;
        sink.end(written)?;
    }
    // Its rows are the links that have a result, and nothing else.
    if settings.output.format == FormatName::Csv && !args.quiet {
        note_unfinished(run);
    }
    match run.state {
        RunState::Finished => Ok(finished(run, settings.output.fail_on)),
        RunState::Running | RunState::Discarded | RunState::Cancelled => match settings.output.fail_on {
            FailOn::Never => Ok(Status::Passed),
            FailOn::Down | FailOn::Change => Ok(Status::SomeFailed),
        },
        RunState::HeldBack => Err(held_back(run)),
        RunState::Incomplete => Err(Failure::infrastructure(format!(
            "{} links have no result: their jobs failed by our own fault and are parked",
            run.missing
        ))
        .advise(what_to_do)),
    }
}

fn finished(run: &RunSummary, fail_on: FailOn) -> Status {
    let fails = match fail_on {
        FailOn::Down => !run.counts.all_passed(),
        FailOn::Change => has_changed(run),
        FailOn::Never => false,
    };
    if fails { Status::SomeFailed } else { Status::Passed }
}

/// Whether the run hid or showed a link.
fn has_changed(run: &RunSummary) -> bool {
    run.counts.to_not_show + run.counts.to_show > 0
}

/// With `--quiet`, people are told only of changes. Programs and files get every report.
fn is_silent(settings: &Settings, args: &OutputArgs, run: &RunSummary) -> bool {
    let for_people = matches!(settings.output.format, FormatName::Table | FormatName::Markdown);
    let is_news = has_changed(run) || run.state != RunState::Finished;
    args.quiet && args.output.is_none() && for_people && !is_news
}

/// The same text for all outputs: what was seen, and how a person decides.
fn held_back(run: &RunSummary) -> Failure {
    let id = run.run_id;
    let seen = run.held_back.as_ref().map(|held| held.seen(Lang::En)).unwrap_or_default();
    Failure::infrastructure(format!(
        "run {id} is held back: {seen}. Nothing was hidden or shown, as the fault may lie elsewhere, such as in this \
         network or in the request"
    ))
    .advise(format!(
        "`linkbeat runs show {id}` lists the links, `linkbeat runs apply {id}` hides and shows them all the same, and \
         `linkbeat runs discard {id}` leaves them as they are"
    ))
}

fn note_unfinished(run: &RunSummary) {
    if matches!(run.state, RunState::Running | RunState::Discarded | RunState::Cancelled) {
        let (id, state, counts) = (run.run_id, run.state.as_str(), &run.counts);
        print_note(format_args!(
            "note: run {id} is {state}: {} of {} checked",
            counts.checked, counts.active
        ));
    }
}

/// Writes the stored links that are `wanted`.
pub(crate) async fn links(
    settings: &Settings,
    args: &OutputArgs,
    urls: Urls,
    store: &SharedStore,
    wanted: &LinkQuery,
) -> Result<(), Failure> {
    let format = format(settings, args, urls);
    let mut sink = sink(settings, args)?;
    let written = stream::links(&*format, store, wanted, sink.out()).await;
    sink.end(written)
}

/// Writes the history of one link.
pub(crate) fn link_history(
    settings: &Settings,
    args: &OutputArgs,
    history: &LinkHistory,
) -> Result<(), Failure> {
    let output = settings.output;
    let prose = Prose { lang: output.lang, warn_certificate_days: output.warn_certificate_days };
    let mut sink = sink(settings, args)?;
    let written = output::link_history::write(
        history,
        output.format,
        prose,
        Style::detect(args.output.is_none()),
        sink.out(),
    );
    sink.end(written.map_err(Into::into))
}

/// Writes how much history there is to standard output.
pub(crate) fn history_status(
    status: &HistoryStatus,
    rules: &HistoryRules,
    format: ListFormat,
) -> Result<(), Failure> {
    to_stdout(|out| match format {
        ListFormat::Table => output::history_status::table(status, rules, out),
        ListFormat::Json => output::history_status::json(status, rules, &mut PlainJson(out)),
    })
}

/// Writes stored runs.
pub(crate) fn runs(settings: &Settings, args: &OutputArgs, runs: &[Run]) -> Result<(), Failure> {
    let format = format(settings, args, Urls::Redacted);
    let mut sink = sink(settings, args)?;
    let written = format.runs(runs, sink.out());
    sink.end(written.map_err(Into::into))
}

/// Writes parked messages to standard output.
pub(crate) fn dead_letters(items: &[Value], format: ListFormat) -> Result<(), Failure> {
    let style = Style::detect(true);
    to_stdout(|out| match format {
        ListFormat::Table => output::dead::table(items, style, out),
        ListFormat::Json => output::dead::json(&Value::from(items), &mut PlainJson(out)),
    })
}

/// Writes one of them, with its body.
pub(crate) fn dead_letter(item: &Value) -> Result<(), Failure> {
    to_stdout(|out| output::dead::json(item, &mut PlainJson(out)))
}

/// Writes the workers that live to standard output.
pub(crate) fn workers(workers: &[WorkerMessage], format: ListFormat, lang: Lang) -> Result<(), Failure> {
    let style = Style::detect(true);
    to_stdout(|out| match format {
        ListFormat::Table => output::workers::table(workers, lang, style, out),
        ListFormat::Json => output::workers::json(workers, &mut PlainJson(out)),
    })
}

/// Writes the tokens of the dashboard to standard output.
pub(crate) fn tokens(tokens: &[StoredToken], format: ListFormat) -> Result<(), Failure> {
    let style = Style::detect(true);
    to_stdout(|out| match format {
        ListFormat::Table => output::tokens::table(tokens, style, out),
        ListFormat::Json => output::tokens::json(tokens, &mut PlainJson(out)),
    })
}

/// Writes one line to standard output.
pub(crate) fn line(text: &str) -> Result<(), Failure> {
    to_stdout(|out| writeln!(out, "{text}"))
}

/// Writes schedules to standard output.
pub(crate) fn schedules(shown: &[Shown], format: ListFormat, lang: Lang) -> Result<(), Failure> {
    to_stdout(|out| match format {
        ListFormat::Table => output::schedules::list(shown, lang, out),
        ListFormat::Json => {
            let items = shown.iter().map(output::schedules::item).collect();
            output::dead::json(&items, &mut PlainJson(out))
        }
    })
}

/// Writes one of them, with its latest ticks.
pub(crate) fn schedule(shown: &Shown, format: ListFormat, lang: Lang) -> Result<(), Failure> {
    to_stdout(|out| match format {
        ListFormat::Table => output::schedules::one(shown, lang, out),
        ListFormat::Json => {
            output::dead::json(&output::schedules::item_with_ticks(shown), &mut PlainJson(out))
        }
    })
}

/// Writes what the doctor found to standard output.
pub(crate) fn findings(findings: &[Finding], settings: &[Origin], format: ListFormat) -> Result<(), Failure> {
    let style = Style::detect(true);
    to_stdout(|out| match format {
        ListFormat::Table => output::findings::table(findings, settings, style, out),
        ListFormat::Json => output::findings::json(findings, settings, &mut PlainJson(out)),
    })
}

fn to_stdout(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    let mut sink = Sink::open(None, false)?;
    let written = write(sink.out());
    sink.end(written.map_err(Into::into))
}

fn sink<'a>(settings: &Settings, args: &'a OutputArgs) -> Result<Sink<'a>, Failure> {
    let json = matches!(settings.output.format, FormatName::Json | FormatName::Jsonl | FormatName::Yaml);
    Sink::open(args.output.as_deref(), json)
}

fn format(settings: &Settings, args: &OutputArgs, urls: Urls) -> Box<dyn Format> {
    let prose =
        Prose { lang: settings.output.lang, warn_certificate_days: settings.output.warn_certificate_days };
    let manner = Manner { prose, style: Style::detect(args.output.is_none()), urls, bom: args.bom };
    output::format(settings.output.format, manner)
}
