//! Writes results: to standard output or a file, in the format and language asked for.

use std::fs::File;
use std::io::{BufWriter, IsTerminal, Write};
use std::path::Path;

use linkbeat_shared::{Link, Report, Run, RunState};
use serde_json::Value;

use super::doctor::Finding;
use crate::args::OutputArgs;
use crate::exit::{Failure, Status};
use crate::output::{self, Format, FormatName, ListFormat, Prose, Style};
use crate::settings::{Origin, Settings};

/// What to do about parked jobs of a fleet.
pub(crate) const LOOK_AT_PARKED: &str =
    "`linkbeat dead list` says why, and `linkbeat dead requeue` has them tried again";

/// Writes a report; the status says whether every link passed. Links that have no result by our own fault are a
/// failure, for which the caller knows what to do.
pub(crate) fn report(
    settings: &Settings,
    args: &OutputArgs,
    report: &Report,
    what_to_do: &str,
) -> Result<Status, Failure> {
    written(settings, args, |format, out| format.report(report, out))?;
    // Its rows are the links that have a result, and nothing else.
    if settings.output.format == FormatName::Csv && !args.quiet {
        note_unfinished(report);
    }
    match report.state {
        RunState::Finished if report.counts.all_passed() => Ok(Status::Passed),
        RunState::Finished | RunState::Running | RunState::Cancelled => Ok(Status::SomeFailed),
        RunState::Incomplete => Err(Failure::infrastructure(format!(
            "{} links have no result: their jobs failed by our own fault and are parked; {what_to_do}",
            report.missing
        ))),
    }
}

fn note_unfinished(report: &Report) {
    if matches!(report.state, RunState::Running | RunState::Cancelled) {
        let (id, state, counts) = (report.run_id, report.state.as_str(), &report.counts);
        anstream::eprintln!("note: run {id} is {state}: {} of {} checked", counts.checked, counts.active);
    }
}

/// Writes stored links.
pub(crate) fn links(settings: &Settings, args: &OutputArgs, links: &[Link]) -> Result<(), Failure> {
    written(settings, args, |format, out| format.links(links, out))
}

/// Writes stored runs.
pub(crate) fn runs(settings: &Settings, args: &OutputArgs, runs: &[Run]) -> Result<(), Failure> {
    written(settings, args, |format, out| format.runs(runs, out))
}

/// Writes parked messages to standard output.
pub(crate) fn dead_letters(items: &[Value], format: ListFormat) -> Result<(), Failure> {
    let style = Style::detect(std::io::stdout().is_terminal());
    to_stdout(|out| match format {
        ListFormat::Table => output::dead::table(items, style, out),
        ListFormat::Json => output::dead::json(&Value::from(items), out),
    })
}

/// Writes one of them, with its body.
pub(crate) fn dead_letter(item: &Value) -> Result<(), Failure> {
    to_stdout(|out| output::dead::json(item, out))
}

/// Writes what the doctor found to standard output.
pub(crate) fn findings(findings: &[Finding], settings: &[Origin], format: ListFormat) -> Result<(), Failure> {
    let style = Style::detect(std::io::stdout().is_terminal());
    to_stdout(|out| match format {
        ListFormat::Table => output::findings::table(findings, settings, style, out),
        ListFormat::Json => output::findings::json(findings, settings, out),
    })
}

fn written(
    settings: &Settings,
    args: &OutputArgs,
    write: impl Fn(&dyn Format, &mut dyn Write) -> std::io::Result<()>,
) -> Result<(), Failure> {
    let prose =
        Prose { lang: settings.output.lang, warn_certificate_days: settings.output.warn_certificate_days };
    let format = output::format(settings.output.format, prose, style(args));
    match &args.output {
        None => to_stdout(|out| write(&*format, out)),
        Some(file) => to_file(file, |out| write(&*format, out)),
    }
}

fn style(args: &OutputArgs) -> Style {
    let terminal = args.output.is_none() && std::io::stdout().is_terminal();
    Style::detect(terminal)
}

fn to_stdout(write: impl Fn(&mut dyn Write) -> std::io::Result<()>) -> Result<(), Failure> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        // The reader (`head`, say) has seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome.map_err(|error| failure("the result", &error)),
    }
}

fn to_file(file: &Path, write: impl Fn(&mut dyn Write) -> std::io::Result<()>) -> Result<(), Failure> {
    let written = File::create(file).and_then(|created| {
        let mut out = BufWriter::new(created);
        write(&mut out)?;
        out.flush()
    });
    written.map_err(|error| failure(&file.display().to_string(), &error))
}

fn failure(what: &str, error: &std::io::Error) -> Failure {
    match error.kind() {
        // The format has no form for this.
        std::io::ErrorKind::InvalidInput => Failure::usage(error.to_string()),
        _ => Failure::infrastructure(format!("cannot write {what}: {error}")),
    }
}
