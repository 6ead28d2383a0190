//! Logs go to standard error: text on a terminal, JSON lines where asked for.

use std::io::IsTerminal;
use std::sync::OnceLock;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;

use crate::exit::Failure;

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
    // lapin tells again what the broker crate tells, and quotes messages in full.
    let filter = EnvFilter::try_new(format!("{filter},lapin=off")).map_err(|error| {
        Failure::usage(format!("`{filter}` is no log filter ({error}); write a level such as info or debug"))
    })?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    FORMAT.get_or_init(|| format);
    // A second command in one process (the demo) finds the first one's logging in place.
    let _ = match format {
        LogFormat::Text => builder.with_ansi(std::io::stderr().is_terminal()).try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    Ok(())
}

/// Says the one message of an end with an error: as a line of the log where whoever reads it takes nothing but JSON.
pub(crate) fn say_error(message: &str) {
    if FORMAT.get() == Some(&LogFormat::Json) && tracing::enabled!(tracing::Level::ERROR) {
        tracing::error!("{message}");
    } else {
        anstream::eprintln!("error: {message}");
    }
}
