//! `--format junit`: one test case per link, in the XML that Jenkins and GitLab read. A run that is not finished
//! has one more, with an error: links without a result are not among the others, and it must not look passed.
//!
//! There is no official schema; this is the common part of what both document
//! (<https://github.com/testmoapp/junitxml>).

use std::borrow::Cow;
use std::io::{self, Write};

use linkbeat_shared::{Details, Lang, Link, LinkReport, Note, Run, RunState, RunSummary, Verdict};
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

use super::reason_word::reason_word;
use super::summary::progress;
use super::{Begun, Format, Pages};

pub(super) struct Junit {
    pub(super) lang: Lang,
}

impl Format for Junit {
    fn report<'a>(&'a self, run: &'a RunSummary, out: &'a mut dyn Write) -> Begun<'a, LinkReport> {
        let mut xml = Writer::new_with_indent(out, b' ', 2);
        xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
        let totals = totals(run);
        xml.write_event(Event::Start(BytesStart::new(SUITES).with_attributes(attributes(&totals))))?;
        let time = run.created_at.format("%Y-%m-%dT%H:%M:%S").to_string();
        let suite = BytesStart::new(SUITE).with_attributes(attributes(&totals));
        xml.write_event(Event::Start(suite.with_attributes([("timestamp", time.as_str())])))?;
        Self::properties(run, &mut xml)?;
        if run.state != RunState::Finished {
            self.unfinished(run, &mut xml)?;
        }
        Ok(Box::new(Suite { xml, format: self }))
    }

    fn links<'a>(&'a self, _: &'a mut dyn Write) -> Begun<'a, Link> {
        Err(no_form("links"))
    }

    fn runs(&self, _: &[Run], _: &mut dyn Write) -> io::Result<()> {
        Err(no_form("runs"))
    }
}

/// A suite that takes its cases.
struct Suite<'a> {
    xml: Xml<'a>,
    format: &'a Junit,
}

impl Pages<LinkReport> for Suite<'_> {
    fn page(&mut self, links: &[LinkReport]) -> io::Result<()> {
        links.iter().try_for_each(|link| self.format.case(link, &mut self.xml))
    }

    fn end(mut self: Box<Self>) -> io::Result<()> {
        for element in [SUITE, SUITES] {
            self.xml.write_event(Event::End(BytesEnd::new(element)))?;
        }
        writeln!(self.xml.into_inner())
    }
}

fn no_form(what: &str) -> io::Error {
    let message = format!("junit tells of one run; list {what} as table, json, jsonl, yaml, csv or markdown");
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

type Xml<'a> = Writer<&'a mut dyn Write>;

const SUITES: &str = "testsuites";
const SUITE: &str = "testsuite";

impl Junit {
    fn properties(run: &RunSummary, xml: &mut Xml<'_>) -> io::Result<()> {
        let properties = xml.create_element("properties").write_inner_content(|xml| {
            property("run_id", &run.run_id.to_string(), xml)?;
            match run.missing {
                0 => Ok(()),
                missing => property("missing", &missing.to_string(), xml),
            }
        });
        properties.map(drop)
    }

    fn unfinished(&self, run: &RunSummary, xml: &mut Xml<'_>) -> io::Result<()> {
        let case = xml.create_element("testcase").with_attributes([
            ("classname", "linkbeat"),
            ("name", format!("run {}", run.run_id).as_str()),
            ("time", "0.000"),
        ]);
        let text = progress(run, self.lang);
        let write_error = |xml: &mut Xml<'_>| {
            xml.create_element("error")
                .with_attributes([("type", run.state.as_str()), ("message", text.as_str())])
                .write_text_content(BytesText::new(&text))
                .map(drop)
        };
        case.write_inner_content(write_error).map(drop)
    }

    fn case(&self, link: &LinkReport, xml: &mut Xml<'_>) -> io::Result<()> {
        let name = format!("{} {}", link.name, link.url);
        let case = xml.create_element("testcase").with_attributes([
            ("classname", Cow::from(link.url.host())),
            ("name", allowed(&name)),
            ("time", seconds(link.elapsed_ms.unwrap_or_default().into()).into()),
        ]);
        let seen = seen(&link.details);
        match link.verdict {
            Some(Verdict::Up) if seen.is_empty() => case.write_empty().map(drop),
            Some(Verdict::Up) => case.write_inner_content(|xml| properties(&seen, xml)).map(drop),
            None => case
                .write_inner_content(|xml| {
                    xml.create_element("skipped")
                        .with_attribute(("message", "white-listed"))
                        .write_empty()
                        .map(drop)
                })
                .map(drop),
            Some(verdict) => case
                .write_inner_content(|xml| {
                    properties(&seen, xml)?;
                    self.failure(link, verdict, xml)
                })
                .map(drop),
        }
    }

    fn failure(&self, link: &LinkReport, verdict: Verdict, xml: &mut Xml<'_>) -> io::Result<()> {
        let (kind, text) = match &link.reason {
            Some(reason) => (
                format!("{verdict}/{}", reason_word(reason)),
                self.lang.reason_of(reason, link.details.failed),
            ),
            None => (verdict.to_string(), String::new()),
        };
        let text = allowed(&text);
        xml.create_element("failure")
            .with_attributes([("type", allowed(&kind)), ("message", text.clone())])
            .write_text_content(BytesText::new(&text))
            .map(drop)
    }
}

/// What else a check saw, as far as there is anything.
fn seen(details: &Details) -> Vec<(&'static str, String)> {
    let notes: Vec<_> = details.notes.iter().copied().map(Note::as_str).collect();
    let certificate = details.certificate.as_ref();
    let texts = [
        ("redirects", details.redirects.join(" ")),
        ("notes", notes.join(" ")),
        ("tls_expires_at", certificate.map(|found| found.expires_at.to_rfc3339()).unwrap_or_default()),
        ("tls_issuer", certificate.map(|found| found.issuer.clone()).unwrap_or_default()),
    ];
    texts.into_iter().filter(|(_, text)| !text.is_empty()).collect()
}

fn properties(seen: &[(&'static str, String)], xml: &mut Xml<'_>) -> io::Result<()> {
    if seen.is_empty() {
        return Ok(());
    }
    let all = xml.create_element("properties").write_inner_content(|xml| {
        seen.iter().try_for_each(|(name, text)| property(name, &allowed(text), xml))
    });
    all.map(drop)
}

fn property(name: &str, value: &str, xml: &mut Xml<'_>) -> io::Result<()> {
    xml.create_element("property").with_attributes([("name", name), ("value", value)]).write_empty().map(drop)
}

fn attributes<'a>(totals: &'a [(&'static str, String)]) -> impl Iterator<Item = (&'a str, &'a str)> {
    totals.iter().map(|(name, value)| (*name, value.as_str()))
}

/// The numbers of a suite. They stand before its cases, so they come from the run's counts.
fn totals(run: &RunSummary) -> [(&'static str, String); 6] {
    let counts = &run.counts;
    let unfinished = u64::from(run.state != RunState::Finished);
    [
        ("name", "linkbeat".to_owned()),
        ("tests", (counts.checked + counts.white_listed + unfinished).to_string()),
        ("failures", counts.checked.saturating_sub(counts.up).to_string()),
        ("errors", unfinished.to_string()),
        ("skipped", counts.white_listed.to_string()),
        ("time", format!("{:.3}", run.seconds())),
    ]
}

fn seconds(milliseconds: u64) -> String {
    format!("{}.{:03}", milliseconds / 1_000, milliseconds % 1_000)
}

/// The text without characters that XML 1.0 (§2.2) forbids or discourages.
fn allowed(text: &str) -> Cow<'_, str> {
    let forbidden = |c: char| c.is_control() || matches!(u32::from(c) & 0xffff, 0xfffe | 0xffff);
    if text.contains(forbidden) { text.replace(forbidden, "").into() } else { text.into() }
}
