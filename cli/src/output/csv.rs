//! `--format csv`: one row per link (RFC 4180), for spreadsheets. The listing of stored links can be
//! read again as an input.

use std::io::{self, Write};

use csv::{ErrorKind, Writer};
use linkbeat_shared::{
    Change, Details, FailedPage, Lang, Link, LinkReport, Note, Reason, Run, RunSummary, Tag, Tags, Verdict,
};

use super::plain::plain;
use super::reason_word::reason_word;
use super::{Begun, Format, Pages, Urls};

pub(super) struct Csv {
    pub(super) lang: Lang,
    pub(super) urls: Urls,
    /// Whether a byte order mark comes first, by which Excel knows UTF-8.
    pub(super) bom: bool,
}

const REPORT_HEADER: [&str; 16] = [
    "id",
    "name",
    "url",
    "shown",
    "verdict",
    "reason",
    "reason_text",
    "status",
    "elapsed_ms",
    "changed",
    "redirects",
    "notes",
    "tls_expires_at",
    "tls_issuer",
    "failed",
    "proposed",
];
const LINKS_HEADER: [&str; 28] = [
    "id",
    "name",
    "url",
    "page_url",
    "active",
    "shown",
    "backlink",
    "verdict",
    "reason",
    "reason_text",
    "hidden_reason",
    "status",
    "elapsed_ms",
    "last_checked_at",
    "redirects",
    "notes",
    "tls_expires_at",
    "tls_issuer",
    "failed",
    "pin",
    "pin_note",
    "paused_until",
    "group",
    "avatar",
    "description",
    "screenshot",
    "feed",
    "tags",
];

const RUNS_HEADER: [&str; 8] =
    ["run_id", "request_id", "state", "links", "done", "created_at", "finished_at", "missing"];

impl Format for Csv {
    fn report<'a>(&'a self, _: &'a RunSummary, out: &'a mut dyn Write) -> Begun<'a, LinkReport> {
        Ok(Box::new(self.sheet(REPORT_HEADER, |link| self.report_row(link), out)?))
    }

    fn links<'a>(&'a self, out: &'a mut dyn Write) -> Begun<'a, Link> {
        Ok(Box::new(self.sheet(LINKS_HEADER, |link| self.link_row(link), out)?))
    }

    fn runs(&self, runs: &[Run], out: &mut dyn Write) -> io::Result<()> {
        let mut sheet = Box::new(self.sheet(RUNS_HEADER, run_row, out)?);
        sheet.page(runs)?;
        sheet.end()
    }
}

/// A header, and a row for each item.
struct Sheet<'a, R, const COLUMNS: usize> {
    writer: Writer<&'a mut dyn Write>,
    row: R,
}

impl<'a, R, const COLUMNS: usize> Sheet<'a, R, COLUMNS> {
    fn begin<T>(header: [&str; COLUMNS], row: R, out: &'a mut dyn Write) -> io::Result<Self>
    where
        R: Fn(&T) -> [String; COLUMNS],
    {
        let mut writer = Writer::from_writer(out);
        writer.write_record(header).map_err(io_error)?;
        Ok(Self { writer, row })
    }
}

impl<T, R, const COLUMNS: usize> Pages<T> for Sheet<'_, R, COLUMNS>
where
    R: Fn(&T) -> [String; COLUMNS],
{
    fn page(&mut self, items: &[T]) -> io::Result<()> {
        items.iter().try_for_each(|item| self.writer.write_record((self.row)(item)).map_err(io_error))
    }

    fn end(mut self: Box<Self>) -> io::Result<()> {
        self.writer.flush()
    }
}

/// The error underneath: csv's own conversion hides that a pipe was closed.
fn io_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        ErrorKind::Io(error) => error,
        kind => io::Error::other(format!("{kind:?}")),
    }
}

impl Csv {
    fn sheet<'a, T, R, const COLUMNS: usize>(
        &self,
        header: [&str; COLUMNS],
        row: R,
        out: &'a mut dyn Write,
    ) -> io::Result<Sheet<'a, R, COLUMNS>>
    where
        R: Fn(&T) -> [String; COLUMNS],
    {
        if self.bom {
            out.write_all("\u{feff}".as_bytes())?;
        }
        Sheet::begin(header, row, out)
    }

    fn report_row(&self, link: &LinkReport) -> [String; 16] {
        let [redirects, notes, tls_expires_at, tls_issuer, failed] = details(&link.details);
        [
            link.id.to_string(),
            no_formula(link.name.as_str()),
            link.url.to_string(),
            link.shown.to_string(),
            text(link.verdict.map(Verdict::as_str)),
            word(link.reason.as_ref()),
            self.reason_text(link.reason.as_ref(), &link.details),
            text(link.status),
            text(link.elapsed_ms),
            text(link.change.map(Change::as_str)),
            redirects,
            notes,
            tls_expires_at,
            tls_issuer,
            failed,
            text(link.proposed.map(Change::as_str)),
        ]
    }

    fn link_row(&self, link: &Link) -> [String; 28] {
        let (state, attributes) = (&link.state, &link.attributes);
        let tags = tags(attributes.tags.as_ref());
        let [redirects, notes, tls_expires_at, tls_issuer, failed] = details(&state.details);
        [
            link.id.to_string(),
            no_formula(link.name.as_str()),
            self.urls.text(&link.url),
            text(link.page_url.as_ref().map(|url| self.urls.text(url))),
            link.active.to_string(),
            state.shown.to_string(),
            link.backlink.to_string(),
            text(state.verdict.map(Verdict::as_str)),
            word(state.reason.as_ref()),
            self.reason_text(state.reason.as_ref(), &state.details),
            word(state.hidden_reason.as_ref()),
            text(state.status),
            text(state.elapsed_ms),
            text(state.last_checked_at.map(|at| at.to_rfc3339())),
            redirects,
            notes,
            tls_expires_at,
            tls_issuer,
            failed,
            text(link.pin.as_ref().map(|pin| pin.to)),
            said(link.pin.as_ref().and_then(|pin| pin.note.as_ref())),
            text(link.paused_until.map(|until| until.to_rfc3339())),
            said(link.group.as_ref()),
            said(attributes.avatar.as_ref()),
            said(attributes.description.as_ref()),
            said(attributes.screenshot.as_ref()),
            said(attributes.feed.as_ref()),
            no_formula(&tags),
        ]
    }

    fn reason_text(&self, reason: Option<&Reason>, details: &Details) -> String {
        text(reason.map(|reason| plain(&self.lang.reason_of(reason, details.failed))))
    }
}

/// What else a check saw. Neither a URL nor a note has a space in it, which so stands between two of them.
fn details(details: &Details) -> [String; 5] {
    let notes: Vec<_> = details.notes.iter().copied().map(Note::as_str).collect();
    let certificate = details.certificate.as_ref();
    [
        plain(&details.redirects.join(" ")),
        notes.join(" "),
        text(certificate.map(|certificate| certificate.expires_at.to_rfc3339())),
        text(certificate.map(|certificate| no_formula(&plain(&certificate.issuer)))),
        text(details.failed.map(FailedPage::as_str)),
    ]
}

/// Labels with commas between; as an array of JSON where that could be read otherwise.
fn tags(tags: Option<&Tags>) -> String {
    let tags: Vec<_> = tags.into_iter().flat_map(Tags::iter).map(Tag::as_str).collect();
    let is_plain = tags.iter().all(|tag| !tag.contains([',', ';', '[', '"']));
    if is_plain { tags.join(",") } else { serde_json::Value::from(tags).to_string() }
}

fn run_row(run: &Run) -> [String; 8] {
    [
        run.id.to_string(),
        run.request_id.to_string(),
        run.state.as_str().to_owned(),
        run.links.to_string(),
        run.done.to_string(),
        run.created_at.to_rfc3339(),
        text(run.finished_at.map(|at| at.to_rfc3339())),
        run.missing.to_string(),
    ]
}

fn word(reason: Option<&Reason>) -> String {
    text(reason.map(|reason| plain(&reason_word(reason))))
}

/// What a list says of a link.
fn said(value: Option<&impl ToString>) -> String {
    value.map(|value| no_formula(&value.to_string())).unwrap_or_default()
}

fn text(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// A text that a spreadsheet would take for a formula gets a `'` before it (OWASP, "CSV Injection"). So does one that has
/// one already: whoever reads the list again takes exactly one away.
/// It stands before names, issuers and what lists say. All other columns begin with words of ours.
fn no_formula(text: &str) -> String {
    if is_formula(text.trim_start_matches('\'')) { format!("'{text}") } else { text.to_owned() }
}

/// Whether a spreadsheet would take this for a formula.
pub(crate) fn is_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠'])
}
