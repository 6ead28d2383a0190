//! What goes to standard error: the log, notes for people, and the last message of a command that failed.
//!
//! The log is text, or JSON lines where asked for. Foreign text in it cannot steer a terminal ([`crate::plain`]).
//! Writing never fails, never blocks a role, and never ends one ([`stderr`]).

mod stderr;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::panic::PanicHookInfo;
use std::sync::OnceLock;

use chrono::{SecondsFormat, Utc};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::format::debug_fn;
use tracing_subscriber::util::SubscriberInitExt;

use self::stderr::STDERR;
use crate::exit::Failure;
use crate::lang;
use crate::plain::{plain, plain_json, plain_lines};

/// How log lines are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// A line of text.
    #[default]
    Text,
    /// A line of JSON.
    Json,
}

/// The format of the log, once it was started.
static FORMAT: OnceLock<LogFormat> = OnceLock::new();

/// Starts logging. `filter` is a level such as `info`, or `linkbeat_worker=debug,warn`.
pub(crate) fn init(filter: &str, format: LogFormat) -> Result<(), Failure> {
    // lapin repeats what the broker crate logs, and quotes messages in full.
    let filter = EnvFilter::try_new(format!("{filter},lapin=off")).map_err(|error| {
        Failure::usage(format!("`{filter}` is no log filter ({error})"))
            .advise("write a level such as info or debug")
    })?;
    FORMAT.get_or_init(|| format);
    std::panic::set_hook(Box::new(log_panic));
    let ansi = match anstream::ColorChoice::global() {
        anstream::ColorChoice::Always => true,
        anstream::ColorChoice::Never => false,
        _ => io::stderr().is_terminal(),
    };
    // A second command in one process (the demo) finds the first one's logging in place.
    let _ = subscriber(filter, format, ansi, |line| STDERR.push(line)).try_init();
    Ok(())
}

/// A subscriber that hands each line over, in one piece.
fn subscriber(
    filter: EnvFilter,
    format: LogFormat,
    ansi: bool,
    take: fn(Vec<u8>),
) -> Box<dyn tracing::Subscriber + Send + Sync> {
    let builder = tracing_subscriber::fmt().with_env_filter(filter);
    match format {
        LogFormat::Text => {
            let fields = debug_fn(|out, field, value| {
                let value = plain(&format!("{value:?}"));
                if field.name() == "message" {
                    write!(out, "{value}")
                } else {
                    write!(out, "{field}={value}")
                }
            });
            let writer = move || Line { take, json: false };
            Box::new(builder.fmt_fields(fields.delimited(" ")).with_ansi(ansi).with_writer(writer).finish())
        }
        LogFormat::Json => {
            let writer = move || Line { take, json: true };
            Box::new(builder.json().with_writer(writer).finish())
        }
    }
}

/// Takes one line of the log. tracing writes each line at once.
struct Line {
    take: fn(Vec<u8>),
    json: bool,
}

impl Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let safe = if self.json {
            plain_json(&String::from_utf8_lossy(line)).into_owned().into_bytes()
        } else {
            line.to_vec()
        };
        (self.take)(safe);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Prints a note for people, who may wait for it.
pub(crate) fn print_note(note: impl Display) {
    STDERR.push((plain_lines(&lang::said(&note.to_string())) + "\n").into_bytes());
    STDERR.wait();
}

/// Prints the one message of an end with an error. It is a line of the log where the log is JSON, because its reader
/// takes nothing else.
pub(crate) fn print_failure(failure: &Failure) {
    if FORMAT.get() == Some(&LogFormat::Json) && tracing::enabled!(tracing::Level::ERROR) {
        tracing::error!("{failure}");
        STDERR.wait();
    } else {
        print_note(format_args!("error: {failure}"));
    }
}

/// Prints what people should know before it does harm: as a line of the log where the log is JSON.
pub(crate) fn print_warning(warning: &str) {
    if FORMAT.get() == Some(&LogFormat::Json) {
        tracing::warn!("{warning}");
    } else {
        print_note(format_args!("warning: {warning}"));
    }
}

/// Waits until all lines are written, for a second at most.
pub(crate) fn finish() {
    STDERR.wait();
}

/// A line of our own, in the format of the log.
fn own_line(message: &str) -> String {
    if FORMAT.get() == Some(&LogFormat::Json) {
        let now = Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true);
        let fields = json!({ "message": message });
        let line = json!({ "timestamp": now, "level": "ERROR", "fields": fields, "target": "linkbeat" });
        plain_json(&line.to_string()).into_owned() + "\n"
    } else {
        plain_lines(message) + "\n"
    }
}

/// The standard hook would write to standard error itself, and wait for its reader.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let backtrace = Backtrace::capture();
    let mut message = format!("thread '{}' {panic}", thread.name().unwrap_or("<unnamed>"));
    if backtrace.status() == BacktraceStatus::Captured {
        message = format!("{message}\n{backtrace}");
    }
    STDERR.push(own_line(&message).into_bytes());
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::plain::tests::{assert_plain, hostile_texts};

    static TEXT: Mutex<Vec<u8>> = Mutex::new(Vec::new());
    static JSON: Mutex<Vec<u8>> = Mutex::new(Vec::new());

    /// Logs all hostile texts in all ways.
    fn log_hostile_texts() {
        for text in hostile_texts() {
            tracing::info_span!("job", span = %text).in_scope(|| {
                tracing::warn!(display = %text, debug = ?text, text, "message: {text}");
            });
        }
    }

    #[test]
    fn no_text_in_the_log_steers_a_terminal() {
        let format = |format, take| subscriber(EnvFilter::new("info"), format, false, take);
        let take_text = |line: Vec<u8>| TEXT.lock().unwrap().extend(line);
        tracing::subscriber::with_default(format(LogFormat::Text, take_text), log_hostile_texts);
        let text = String::from_utf8(TEXT.lock().unwrap().clone()).unwrap();
        text.lines().for_each(assert_plain);
        assert_eq!(text.matches('\n').count(), hostile_texts().len(), "a line for each event");
    }

    #[test]
    fn json_lines_keep_the_text_and_do_not_steer_either() {
        let take_json = |line: Vec<u8>| JSON.lock().unwrap().extend(line);
        let json = subscriber(EnvFilter::new("info"), LogFormat::Json, false, take_json);
        tracing::subscriber::with_default(json, log_hostile_texts);
        let json = String::from_utf8(JSON.lock().unwrap().clone()).unwrap();
        json.lines().for_each(assert_plain);
        assert_eq!(json.lines().count(), hostile_texts().len());
        let first: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
        assert_eq!(first["fields"]["display"], hostile_texts()[0].as_str());
    }
}
