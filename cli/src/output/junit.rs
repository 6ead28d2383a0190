//! `--format junit`: one test case per link, in the XML that Jenkins and GitLab read. A run that is not finished
//! has one more, with an error: links without a result are not among the others, and it must not look passed.
//!
//! There is no official schema; this is the common part of what both document
//! (<https://github.com/testmoapp/junitxml>).

use std::borrow::Cow;
use std::io::{self, Write};

use linkbeat_shared::{Lang, Link, LinkReport, Report, Run, RunState, Verdict};
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::Format;
use super::reason_word::reason_word;
use super::summary::progress;

pub(super) struct Junit {
    pub(super) lang: Lang,
}

impl Format for Junit {
    fn report(&self, report: &Report, out: &mut dyn Write) -> io::Result<()> {
        let mut xml = Writer::new_with_indent(out, b' ', 2);
        xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
        let totals = totals(report);
        xml.create_element("testsuites").with_attributes(totals.clone()).write_inner_content(|xml| {
            xml.create_element("testsuite")
                .with_attributes(totals)
                .with_attribute((
                    "timestamp",
                    report.created_at.format("%Y-%m-%dT%H:%M:%S").to_string().as_str(),
                ))
                .write_inner_content(|xml| self.suite(report, xml))
                .map(drop)
        })?;
        writeln!(xml.into_inner())
    }

    fn links(&self, _: &[Link], _: &mut dyn Write) -> io::Result<()> {
        Err(no_form("links"))
    }

    fn runs(&self, _: &[Run], _: &mut dyn Write) -> io::Result<()> {
        Err(no_form("runs"))
    }
}

fn no_form(what: &str) -> io::Error {
    let message = format!("junit tells of one run; list {what} as table, json, jsonl, csv or markdown");
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

type Xml<'a> = Writer<&'a mut dyn Write>;

impl Junit {
    fn suite(&self, report: &Report, xml: &mut Xml<'_>) -> io::Result<()> {
        xml.create_element("properties").write_inner_content(|xml| {
            property("run_id", &report.run_id.to_string(), xml)?;
            match report.missing {
                0 => Ok(()),
                missing => property("missing", &missing.to_string(), xml),
            }
        })?;
        if report.state != RunState::Finished {
            self.unfinished(report, xml)?;
        }
        report.links.iter().try_for_each(|link| self.case(link, xml))
    }

    fn unfinished(&self, report: &Report, xml: &mut Xml<'_>) -> io::Result<()> {
        let case = xml.create_element("testcase").with_attributes([
            ("classname", "linkbeat"),
            ("name", format!("run {}", report.run_id).as_str()),
            ("time", "0.000"),
        ]);
        let text = progress(report, self.lang);
        let write_error = |xml: &mut Xml<'_>| {
            xml.create_element("error")
                .with_attributes([("type", report.state.as_str()), ("message", text.as_str())])
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
        match link.verdict {
            Some(Verdict::Up) => case.write_empty().map(drop),
            None => case
                .write_inner_content(|xml| {
                    xml.create_element("skipped")
                        .with_attribute(("message", "white-listed"))
                        .write_empty()
                        .map(drop)
                })
                .map(drop),
            Some(verdict) => case.write_inner_content(|xml| self.failure(link, verdict, xml)).map(drop),
        }
    }

    fn failure(&self, link: &LinkReport, verdict: Verdict, xml: &mut Xml<'_>) -> io::Result<()> {
        let (kind, text) = match &link.reason {
            Some(reason) => (format!("{verdict}/{}", reason_word(reason)), self.lang.reason(reason)),
            None => (verdict.to_string(), String::new()),
        };
        let text = allowed(&text);
        xml.create_element("failure")
            .with_attributes([("type", allowed(&kind)), ("message", text.clone())])
            .write_text_content(BytesText::new(&text))
            .map(drop)
    }
}

fn property(name: &str, value: &str, xml: &mut Xml<'_>) -> io::Result<()> {
    xml.create_element("property").with_attributes([("name", name), ("value", value)]).write_empty().map(drop)
}

/// The numbers of a suite, counted from the very cases that follow.
fn totals(report: &Report) -> [(&'static str, Cow<'static, str>); 6] {
    let count = |counts: fn(Option<Verdict>) -> bool| {
        report.links.iter().filter(|link| counts(link.verdict)).count().to_string().into()
    };
    let unfinished = usize::from(report.state != RunState::Finished);
    [
        ("name", "linkbeat".into()),
        ("tests", (report.links.len() + unfinished).to_string().into()),
        ("failures", count(|verdict| !matches!(verdict, None | Some(Verdict::Up)))),
        ("errors", unfinished.to_string().into()),
        ("skipped", count(|verdict| verdict.is_none())),
        ("time", format!("{:.3}", report.seconds()).into()),
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
