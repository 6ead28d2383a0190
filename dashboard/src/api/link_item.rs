//! A link as the API tells it.

use chrono::{DateTime, SecondsFormat, Utc};
use linkbeat_shared::{Lang, Phase, Phases, Pin, Pinned, Place, Verdict};
use linkbeat_store::ListedLink;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::problem::Problem;
use super::value::{Line, ReasonJson, VerdictWord};
use crate::csv::quoted;
use crate::feeds::without_user;

/// A link with its latest state. URLs are without user name and password.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Link")]
pub(super) struct LinkItem {
    /// Its id.
    id: Uuid,
    /// What people call it.
    name: String,
    /// What is fetched.
    url: String,
    /// The page on which the backlink must stand, if it is another one.
    page_url: Option<String>,
    /// The host of the page that is fetched.
    host: String,
    /// The section of the list that it stands in.
    group: Option<String>,
    /// Its labels.
    tags: Vec<String>,
    /// Where a small picture of it is.
    avatar: Option<String>,
    /// What it is about.
    description: Option<String>,
    /// Where a picture of its page is.
    screenshot: Option<String>,
    /// Its RSS or Atom feed.
    feed: Option<String>,
    /// Whether runs check it.
    active: bool,
    /// When its pause ends; null: it is active, or paused without an end.
    paused_until: Option<DateTime<Utc>>,
    /// Whether a backlink is asked of it.
    backlink: bool,
    /// Whether it is shown.
    shown: bool,
    /// When it was last hidden or shown; before that, when it was added.
    shown_since: DateTime<Utc>,
    /// Why it is hidden; null while it is shown, or if a person hid it.
    hidden_reason: Option<ReasonJson>,
    /// Whether a person hid or showed it for good.
    pin: Option<PinItem>,
    /// The latest verdict; null before the first check.
    verdict: Option<VerdictWord>,
    /// When the verdict became what it is.
    verdict_since: Option<DateTime<Utc>>,
    /// Why the verdict is not `up`.
    reason: Option<ReasonJson>,
    /// `reason` in English.
    reason_text: Option<String>,
    /// The latest final HTTP status.
    status: Option<u16>,
    /// How long the latest check took.
    elapsed_ms: Option<u32>,
    /// How long its phases took; null where they were not measured.
    phases: Option<PhasesItem>,
    /// When the latest check ended.
    last_checked_at: Option<DateTime<Utc>>,
    /// The run of the latest check.
    last_run_id: Option<Uuid>,
    /// How many checks in a row passed.
    passed_in_a_row: u32,
    /// How many checks in a row did not pass.
    failed_in_a_row: u32,
    /// Where redirects led at the latest check, in order.
    redirects: Vec<String>,
    /// What people may want to look at.
    notes: Vec<String>,
    /// Which page failed, if the home page and the links page were both judged.
    failed_page: Option<String>,
    /// The title of the page.
    title: Option<String>,
    /// The language of the page.
    language: Option<String>,
    /// When the server's certificate ends or ended.
    tls_expires_at: Option<DateTime<Utc>>,
    /// Who issued it.
    tls_issuer: Option<String>,
    /// When it was added.
    created_at: DateTime<Utc>,
    /// When an import or a person last changed it.
    updated_at: DateTime<Utc>,
}

/// How long the phases of a check took, over all its redirects.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Phases")]
pub(super) struct PhasesItem {
    /// To look up addresses.
    dns_ms: u32,
    /// To connect.
    connect_ms: u32,
    /// The TLS handshakes.
    tls_ms: u32,
    /// To wait for the heads of answers.
    first_byte_ms: u32,
    /// To read the page.
    body_ms: u32,
}

impl From<Phases> for PhasesItem {
    fn from(phases: Phases) -> Self {
        let of = |wanted| phases.iter().find(|(phase, _)| *phase == wanted).map_or(0, |(_, ms)| ms);
        Self {
            dns_ms: of(Phase::Dns),
            connect_ms: of(Phase::Connect),
            tls_ms: of(Phase::Tls),
            first_byte_ms: of(Phase::Headers),
            body_ms: of(Phase::Body),
        }
    }
}

/// A person hid or showed it for good.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(title = "Pin")]
pub(super) struct PinItem {
    /// What it stays.
    to: PinWord,
    /// Why, in the person's words.
    note: Option<String>,
}

/// Hides or shows a link for good.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PinSaid {
    /// What it stays.
    to: PinWord,
    /// Why.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 1000)]
    note: Option<Line<1_000>>,
}

impl PinSaid {
    pub(super) fn read(&self) -> Result<Pin, Problem> {
        let note = self.note.as_ref().map(|note| note.as_str().parse()).transpose();
        Ok(Pin {
            to: if self.to == PinWord::Hidden { Pinned::Hidden } else { Pinned::Shown },
            note: note.map_err(|error| Problem::invalid_at("/pin/note", error))?,
        })
    }
}

/// What a pinned link stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum PinWord {
    /// It stays hidden.
    Hidden,
    /// It stays shown.
    Shown,
}

impl From<ListedLink> for LinkItem {
    fn from(listed: ListedLink) -> Self {
        let ListedLink { link, host, shown_since, verdict_since, created_at, updated_at } = listed;
        let (state, said) = (link.state, link.attributes);
        let details = state.details;
        let text = |reason| Lang::En.reason_of(reason, details.failed);
        Self {
            id: link.id.0,
            name: link.name.into(),
            url: link.url.key(),
            page_url: link.page_url.map(|url| url.key()),
            host,
            group: link.group.map(String::from),
            tags: said.tags.iter().flat_map(|tags| tags.iter()).map(ToString::to_string).collect(),
            avatar: said.avatar.map(|place| shown(&place)),
            description: said.description.map(String::from),
            screenshot: said.screenshot.map(|place| shown(&place)),
            feed: said.feed.map(|place| shown(&place)),
            active: link.active,
            paused_until: link.paused_until,
            backlink: link.backlink,
            shown: state.shown,
            shown_since,
            hidden_reason: state.hidden_reason.as_ref().map(ReasonJson::of),
            pin: link.pin.map(|pin| PinItem {
                to: if pin.to == Pinned::Hidden { PinWord::Hidden } else { PinWord::Shown },
                note: pin.note.map(String::from),
            }),
            verdict: state.verdict.map(VerdictWord::from),
            verdict_since,
            reason_text: state.reason.as_ref().map(text),
            reason: state.reason.as_ref().map(ReasonJson::of),
            status: state.status,
            elapsed_ms: state.elapsed_ms,
            phases: state.phases.map(PhasesItem::from),
            last_checked_at: state.last_checked_at,
            last_run_id: state.last_run_id.map(|run| run.0),
            passed_in_a_row: state.passed_in_a_row,
            failed_in_a_row: state.failed_in_a_row,
            redirects: details.redirects,
            notes: details.notes.iter().map(|note| note.as_str().to_owned()).collect(),
            failed_page: details.failed.map(|page| page.as_str().to_owned()),
            title: details.title.map(String::from),
            language: details.language.map(String::from),
            tls_expires_at: details.certificate.as_ref().map(|certificate| certificate.expires_at),
            tls_issuer: details.certificate.map(|certificate| certificate.issuer),
            created_at,
            updated_at,
        }
    }
}

/// A URL as it is written.
pub(super) type UrlText = Line<2_048>;

impl LinkItem {
    /// As a row of a table (RFC 4180).
    pub(super) fn csv(&self) -> String {
        let text = |text: Option<&String>| text.cloned().unwrap_or_default();
        let cells = [
            self.name.clone(),
            self.url.clone(),
            text(self.page_url.as_ref()),
            text(self.group.as_ref()),
            self.tags.join(","),
            text(self.avatar.as_ref()),
            text(self.description.as_ref()),
            text(self.screenshot.as_ref()),
            text(self.feed.as_ref()),
            self.active.to_string(),
            self.backlink.to_string(),
            self.shown.to_string(),
            self.verdict.map(|verdict| Verdict::from(verdict).as_str().to_owned()).unwrap_or_default(),
            text(self.reason_text.as_ref()),
            self.status.map(|status| status.to_string()).unwrap_or_default(),
            self.last_checked_at
                .map(|at| at.to_rfc3339_opts(SecondsFormat::Millis, true))
                .unwrap_or_default(),
            self.paused_until
                .map(|until| until.to_rfc3339_opts(SecondsFormat::Millis, true))
                .unwrap_or_default(),
        ];
        format!("{}\r\n", cells.iter().map(|cell| quoted(cell)).collect::<Vec<_>>().join(","))
    }
}

/// A place as everybody may see it.
fn shown(place: &Place) -> String {
    without_user(place.as_str())
}
