use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Message, schema_of};
use crate::{
    Change, FailedPage, HeldBack, Lang, LinkReport, Note, Reason, Report, RunState, RunSummary, Verdict,
};

/// `linkbeat.report/1`: the original task's envelope, as answer on `reply_to` and as `--format json`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ReportMessage {
    /// `linkbeat.report/1`
    pub schema: String,
    /// 0: the run was carried out, as far as it has come; 2: the request was not valid; 3: our own fault, as
    /// when links lack a result because their job is parked, or perhaps our own fault, so that the run was held back;
    /// 4: somebody cancelled or discarded the run; 5: whoever asked has asked for too much.
    pub code: u8,
    /// The request that is answered; absent if the message that was refused has no id that can be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<Uuid>,
    /// The report; null when there was no run.
    pub data: Option<ReportData>,
    /// A sentence for people; empty when all is well.
    pub message: String,
    /// A word for programs: `bad_request`, `newer_schema`, `unknown_request`, `too_many_askers`, `over_limit`,
    /// `incomplete`, `held_back`, `discarded` or `cancelled`; empty when all is well.
    pub error: String,
    /// Of `over_limit`: after how many seconds it is worth the while to ask again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u64>,
    /// How long the run took, in seconds.
    pub time: f64,
}

/// What a run amounted to.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ReportData {
    /// Links that were to be checked: active and not on the white list.
    pub active_num: u64,
    /// Links that were shown and are hidden now.
    pub to_not_show: u64,
    /// Links that were hidden and are shown now.
    pub to_show: u64,
    /// The version of linkbeat that made the report.
    pub version: String,
    /// The run.
    pub run_id: Uuid,
    /// The request that it carries out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<Uuid>,
    /// Where it stands; messages of versions that do not say so tell of finished runs.
    #[serde(default = "finished")]
    pub state: RunState,
    /// When it was filed.
    pub created_at: DateTime<Utc>,
    /// When its last result was stored, or it was found incomplete or cancelled; null while it goes on.
    pub finished_at: Option<DateTime<Utc>>,
    /// Links with a verdict.
    pub checked: u64,
    /// Verdicts `up`.
    pub up: u64,
    /// Verdicts `down`.
    pub down: u64,
    /// Verdicts `no_backlink`.
    pub no_backlink: u64,
    /// Verdicts `blocked`.
    pub blocked: u64,
    /// Verdicts `refused`.
    pub refused: u64,
    /// Links taken as good without a look.
    pub white_listed: u64,
    /// Links with a verdict whose latest result was taken instead of a new check; absent: none.
    #[serde(default, skip_serializing_if = "none")]
    pub reused: u64,
    /// Links that lack a result because their job is parked.
    #[serde(default)]
    pub missing: u64,
    /// Links that wait to be looked at again before they are hidden.
    #[serde(default)]
    pub to_recheck: u64,
    /// Shown links that are to be hidden, once that is decided; absent: none.
    #[serde(default, skip_serializing_if = "none")]
    pub would_hide: u64,
    /// Hidden links that are to be shown, once that is decided; absent: none.
    #[serde(default, skip_serializing_if = "none")]
    pub would_show: u64,
    /// What was seen, if the run was held back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_back: Option<HeldBack>,
    /// The links; in a reply over the broker those that changed or failed, at most 1,000.
    pub links: Vec<LinkItem>,
    /// How many such links were left out of `links`.
    pub links_left_out: u64,
}

/// What a run made of one link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LinkItem {
    /// Its id.
    pub id: Uuid,
    /// What people call it.
    pub name: String,
    /// What was fetched, without userinfo.
    pub url: String,
    /// Whether it is shown now.
    pub shown: bool,
    /// The judgement; null: not fetched (white list), or never checked.
    pub verdict: Option<Verdict>,
    /// Why it is not `up`.
    pub reason: Option<Reason>,
    /// `reason` as text, in the language asked for.
    pub reason_text: Option<String>,
    /// The final HTTP status, where there was one.
    pub status: Option<u16>,
    /// How long the check took, in milliseconds.
    pub elapsed_ms: Option<u32>,
    /// What the run did to it.
    pub changed: Option<Change>,
    /// What the run would do to it, while that is not decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposed: Option<Change>,
    /// Where redirects led, in order; the last of them gave the final answer.
    #[serde(default)]
    pub redirects: Vec<String>,
    /// What people may want to look at.
    #[serde(default)]
    pub notes: BTreeSet<Note>,
    /// When the server's certificate ends or ended; null where none was shown.
    #[serde(default)]
    pub tls_expires_at: Option<DateTime<Utc>>,
    /// Who issued that certificate.
    #[serde(default)]
    pub tls_issuer: Option<String>,
    /// Which page the reason is about, where the home page and the links page were both judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<FailedPage>,
}

impl Message for ReportMessage {
    const SCHEMA: &'static str = "linkbeat.report";
    const MAX_BYTES: usize = 64 << 20;

    fn schema(&self) -> &str {
        &self.schema
    }
}

impl ReportMessage {
    /// A report, with texts in this language.
    pub fn of(report: &Report, lang: Lang) -> Self {
        let links = report.links.iter().map(|link| LinkItem::of(link, lang)).collect();
        let links_left_out = report.links_left_out;
        let data = ReportData { links, links_left_out, ..ReportData::without_links(&report.summary) };
        Self { data: Some(data), ..Self::without_links(&report.summary, lang) }
    }

    /// A run, as far as it has come, without its links.
    pub fn without_links(run: &RunSummary, lang: Lang) -> Self {
        let (code, error) = match run.state {
            RunState::Running | RunState::Finished => (0, ""),
            RunState::Incomplete => (3, "incomplete"),
            RunState::HeldBack => (3, "held_back"),
            RunState::Discarded => (4, "discarded"),
            RunState::Cancelled => (4, "cancelled"),
        };
        Self {
            schema: schema_of::<Self>(),
            code,
            request_id: Some(run.request_id.0),
            data: Some(ReportData::without_links(run)),
            message: sentence(run, lang),
            error: error.to_owned(),
            retry_after_s: None,
            time: run.seconds(),
        }
    }

    /// A request that led to no run.
    pub fn failed(code: u8, error: &str, request_id: Option<Uuid>, message: String) -> Self {
        let (schema, error) = (schema_of::<Self>(), error.to_owned());
        Self { schema, code, request_id, data: None, message, error, retry_after_s: None, time: 0.0 }
    }

    /// A request of somebody who has asked for too much.
    pub fn over_limit(request_id: Option<Uuid>, message: String, ask_again_in: Option<Duration>) -> Self {
        let retry_after_s = ask_again_in.map(|time| time.as_secs() + 1);
        Self { retry_after_s, ..Self::failed(5, "over_limit", request_id, message) }
    }
}

/// What people are told of how a run stands; empty when all is well.
fn sentence(run: &RunSummary, lang: Lang) -> String {
    match (run.state, lang) {
        (RunState::Running | RunState::Finished, _) => String::new(),
        (RunState::Incomplete, Lang::En) => incomplete(run.missing),
        (RunState::Incomplete, Lang::Zh) => format!(
            "{} 个链接没有结果，因为它们的任务已被搁置：请查看 `linkbeat dead list`；重新入队并执行后，本次检查即告完成",
            run.missing
        ),
        (RunState::HeldBack, _) => held_back(run, lang),
        (RunState::Discarded, Lang::En) => {
            "the run was discarded: nothing was hidden or shown for it".to_owned()
        }
        (RunState::Discarded, Lang::Zh) => "本次检查已被放弃：没有隐藏或显示任何链接".to_owned(),
        (RunState::Cancelled, Lang::En) => "the run was cancelled".to_owned(),
        (RunState::Cancelled, Lang::Zh) => "本次检查已被取消".to_owned(),
    }
}

fn incomplete(missing: u64) -> String {
    format!(
        "{missing} links have no result because their jobs are parked: see `linkbeat dead list`; once requeued \
         and carried out, the run is finished"
    )
}

fn held_back(run: &RunSummary, lang: Lang) -> String {
    let seen = run.held_back.as_ref().map(|held| held.seen(lang));
    let id = run.run_id;
    match lang {
        Lang::En => format!(
            "{}Nothing was hidden or shown, as the fault may lie elsewhere: `linkbeat runs apply {id}` hides and \
             shows these links, `linkbeat runs discard {id}` leaves them as they are",
            seen.map(|seen| seen + ". ").unwrap_or_default()
        ),
        Lang::Zh => format!(
            "{}没有隐藏或显示任何链接，因为问题可能出在别处：`linkbeat runs apply {id}` 隐藏并显示这些链接，\
             `linkbeat runs discard {id}` 保持原状",
            seen.map(|seen| seen + "。").unwrap_or_default()
        ),
    }
}

/// serde asks for a reference.
fn none(count: &u64) -> bool {
    *count == 0
}

fn finished() -> RunState {
    RunState::Finished
}

impl ReportData {
    /// A run, as far as it has come, without its links.
    pub fn without_links(run: &RunSummary) -> Self {
        let counts = run.counts;
        Self {
            active_num: counts.active,
            to_not_show: counts.to_not_show,
            to_show: counts.to_show,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            run_id: run.run_id.0,
            request_id: Some(run.request_id.0),
            state: run.state,
            created_at: run.created_at,
            finished_at: run.finished_at,
            checked: counts.checked,
            up: counts.up,
            down: counts.down,
            no_backlink: counts.no_backlink,
            blocked: counts.blocked,
            refused: counts.refused,
            white_listed: counts.white_listed,
            reused: counts.reused,
            missing: run.missing,
            to_recheck: run.to_recheck,
            would_hide: counts.would_hide,
            would_show: counts.would_show,
            held_back: run.held_back.clone(),
            links: Vec::new(),
            links_left_out: 0,
        }
    }
}

impl LinkItem {
    /// One link's part of a report.
    pub fn of(link: &LinkReport, lang: Lang) -> Self {
        Self {
            id: link.id.0,
            name: link.name.as_str().to_owned(),
            url: link.url.to_string(),
            shown: link.shown,
            verdict: link.verdict,
            reason: link.reason.clone(),
            reason_text: link.reason.as_ref().map(|reason| lang.reason_of(reason, link.details.failed)),
            status: link.status,
            elapsed_ms: link.elapsed_ms,
            changed: link.change,
            proposed: link.proposed,
            redirects: link.details.redirects.clone(),
            notes: link.details.notes.clone(),
            tls_expires_at: link.details.certificate.as_ref().map(|certificate| certificate.expires_at),
            tls_issuer: link.details.certificate.as_ref().map(|certificate| certificate.issuer.clone()),
            failed: link.details.failed,
        }
    }
}
