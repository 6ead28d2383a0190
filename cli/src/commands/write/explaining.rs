//! Writes the steps of a check as they are taken.

use linkbeat_shared::Lang;
use linkbeat_worker::Told;
use serde_json::{Value, json};

use super::sink::Sink;
use crate::args::OutputArgs;
use crate::exit::Failure;
use crate::output::{FormatName, Style, explained};
use crate::plain::plain;
use crate::settings::Settings;

/// A check that is being told.
pub(crate) struct Explaining<'a> {
    sink: Sink<'a>,
    format: FormatName,
    lang: Lang,
    style: Style,
    /// For one JSON document in the end.
    steps: Vec<Value>,
}

impl<'a> Explaining<'a> {
    pub(crate) fn begin(settings: &Settings, args: &'a OutputArgs) -> Result<Self, Failure> {
        let sink = super::sink(settings, args)?;
        let style = Style::detect(args.output.is_none());
        let (format, lang) = (settings.output.format, settings.output.lang);
        Ok(Self { sink, format, lang, style, steps: Vec::new() })
    }

    /// Tells a step.
    pub(crate) fn step(&mut self, told: &Told) -> Result<(), Failure> {
        match self.format {
            FormatName::Json => self.steps.push(json!(told)),
            FormatName::Jsonl => self.lines(&[json!(told).to_string()], 0)?,
            _ => self.lines(&explained::lines(told, self.lang), explained::STAMP)?,
        }
        Ok(())
    }

    /// Tells what it came to: `result` for programs, `verdict` for people.
    pub(crate) fn end(mut self, result: &Value, verdict: &[String]) -> Result<(), Failure> {
        match self.format {
            FormatName::Json => {
                let mut document = result.clone();
                document["steps"] = Value::Array(std::mem::take(&mut self.steps));
                self.lines(&[format!("{document:#}")], 0)?;
            }
            FormatName::Jsonl => self.lines(&[result.to_string()], 0)?,
            _ => self.lines(verdict, 0)?,
        }
        self.sink.end(Ok(()))
    }

    /// People see each step when it is taken. A reader that has seen enough is told no more.
    fn lines(&mut self, lines: &[String], indent: usize) -> Result<(), Failure> {
        let is_json = matches!(self.format, FormatName::Json | FormatName::Jsonl);
        let width = self.style.width;
        let fitted = |line: &String| match is_json {
            true => vec![line.clone()],
            false => explained::fitted(&plain(line), indent, width),
        };
        let out = self.sink.out();
        let mut write = || {
            for line in lines.iter().flat_map(fitted) {
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
