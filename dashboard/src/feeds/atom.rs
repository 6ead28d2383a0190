//! The changes as an Atom feed (RFC 4287): text only, with ids and times that never change.

use std::fmt::Write;

use axum::extract::State;
use axum::http::{HeaderMap, header};
use chrono::{DateTime, SecondsFormat, Utc};
use linkbeat_shared::{Change, Verdict, derived_id};
use linkbeat_store::ListedChange;

use super::answer::{Answer, Kind, NoFeed};
use super::escape::{among_words, xml};
use super::kept;
use super::wanted::Wanted;
use crate::serve::App;

/// The newest so many changes.
const MOST: u32 = 100;

pub(super) async fn feed(
    State(app): State<App>,
    headers: HeaderMap,
    wanted: Wanted,
) -> Result<Answer, NoFeed> {
    let changes = kept::changes(&app, MOST).await?;
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let id = format!("{host}{}", app.settings.base_path);
    Ok(Answer::of(&app, Kind::Atom, made(&changes, &id, &wanted)))
}

/// `place` tells the feeds of several dashboards apart.
fn made(changes: &[ListedChange], place: &str, wanted: &Wanted) -> String {
    let updated = changes.iter().map(|change| change.at).max().unwrap_or(DateTime::UNIX_EPOCH);
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n");
    // Writing to a text cannot fail.
    let _ = write!(
        out,
        "<feed xmlns=\"http://www.w3.org/2005/Atom\" xml:lang=\"{}\">\n<id>urn:uuid:{}</id>\n<title>{}</title>\n\
         <updated>{}</updated>\n<link rel=\"self\" type=\"application/atom+xml\" href=\"changes.atom\"/>\n\
         <author><name>linkbeat</name></author>\n<generator>linkbeat</generator>\n",
        wanted.lang,
        derived_id::changes_feed(place),
        xml(wanted.say("Changes of links", "友链变化")),
        time(updated),
    );
    for change in changes {
        entry(&mut out, change, wanted);
    }
    out + "</feed>\n"
}

fn entry(out: &mut String, change: &ListedChange, wanted: &Wanted) {
    let title = format!("{}: {}", among_words(change.name.as_str()), what(change, wanted));
    let reason = change.reason.as_ref().map(|reason| wanted.lang.reason(reason)).unwrap_or_default();
    let content = match reason.is_empty() {
        true => change.url.to_string(),
        false => format!("{}\n{reason}", change.url),
    };
    let _ = write!(
        out,
        "<entry>\n<id>urn:uuid:{}</id>\n<title type=\"text\">{}</title>\n<updated>{}</updated>\n\
         <link rel=\"alternate\" href=\"{}\"/>\n<content type=\"text\">{}</content>\n</entry>\n",
        derived_id::change_entry(change.link_id, change.id),
        xml(&title),
        time(change.at),
        xml(change.url.as_str()),
        xml(&content),
    );
}

fn what(change: &ListedChange, wanted: &Wanted) -> String {
    let verdict = |verdict: Option<Verdict>| verdict.map_or("–", Verdict::as_str);
    match change.change {
        Some(Change::Hidden) => wanted.say("hidden", "已隐藏").to_owned(),
        Some(Change::Shown) => wanted.say("shown again", "已恢复显示").to_owned(),
        None => format!("{} → {}", verdict(change.former_verdict), verdict(change.verdict)),
    }
}

fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}
