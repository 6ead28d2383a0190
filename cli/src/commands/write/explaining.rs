//! Writes the steps of a check as they are taken.

use linkbeat_shared::Lang;
use linkbeat_worker::Told;
use serde_json::{Value, json};

use super::sink::Sink;
use crate::args::OutputArgs;
use crate::exit::Failure;
use crate::output::{FormatName, explained};
use crate::plain::plain;
use crate::settings::Settings;

/// A check that is being told.
pub(crate) struct Explaining<'a> {
    sink: Sink<'a>,
    format: FormatName,
    lang: Lang,
    /// For one JSON document in the end.
    steps: Vec<Value>,
}

impl<'a> Explaining<'a> {
    pub(crate) fn begin(settings: &Settings, args: &'a OutputArgs) -> Result<Self, Failure> {
        let sink = super::sink(settings, args)?;
        Ok(Self { sink, format: settings.output.format, lang: settings.output.lang, steps: Vec::new() })
    }

    /// Tells a step.
    pub(crate) fn step(&mut self, told: &Told) -> Result<(), Failure> {
        match self.format {
            FormatName::Json => self.steps.push(json!(told)),
            FormatName::Jsonl => self.lines(&[json!(told).to_string()])?,
            _ => self.lines(&explained::lines(told, self.lang))?,
        }
        Ok(())
    }

    /// Tells what it came to: `result` for programs, `verdict` for people.
    pub(crate) fn end(mut self, result: &Value, verdict: &[String]) -> Result<(), Failure> {
        match self.format {
            FormatName::Json => {
                let mut document = result.clone();
                document["steps"] = Value::Array(std::mem::take(&mut self.steps));
                self.lines(&[format!("{document:#}")])?;
            }
            FormatName::Jsonl => self.lines(&[result.to_string()])?,
            _ => self.lines(verdict)?,
        }
        self.sink.end(Ok(()))
    }

    /// People see each step when it is taken. A reader that has seen enough is told no more.
    fn lines(&mut self, lines: &[String]) -> Result<(), Failure> {
        let is_json = matches!(self.format, FormatName::Json | FormatName::Jsonl);
        let out = self.sink.out();
        let mut write = || {
            for line in lines {
                let line = if is_json { line.clone() } else { plain(line) };
                writeln!(out, "{line}")?;
            }
            out.flush()
        };
        match write() {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            written => Ok(written?),
        }
    }
}
