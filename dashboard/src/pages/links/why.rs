//! How a link stands, in sentences.

use linkbeat_shared::{Lang, Pinned, Verdict};
use linkbeat_store::ListedLink;

use crate::pages::parts::{length, minute};
use crate::pages::visit::Visit;
use crate::pages::wording::fill;

/// What is to be told of a link, the most important first.
pub(super) fn sentences(v: &Visit, listed: &ListedLink) -> Vec<String> {
    let (t, link, state) = (v.t, &listed.link, &listed.link.state);
    let lasts = length(t, v.now - listed.shown_since);
    let mut told = Vec::new();
    told.push(match (&link.pin, state.shown, &state.hidden_reason) {
        (Some(pin), ..) if pin.to == Pinned::Hidden => fill(t.why_pinned_hidden, &[&lasts]),
        (Some(_), ..) => fill(t.why_pinned_shown, &[&lasts]),
        (None, true, _) => fill(t.why_shown, &[&lasts]),
        (None, false, Some(reason)) => {
            fill(t.why_hidden_for, &[&lasts, &v.lang.reason_of(reason, state.details.failed)])
        }
        (None, false, None) => fill(t.why_hidden, &[&lasts]),
    });
    if let Some(note) = link.pin.as_ref().and_then(|pin| pin.note.as_ref()) {
        told.push(fill(t.why_pin_note, &[&note.as_str()]));
    }
    told.extend(verdict_sentence(v, listed));
    match link.paused_until {
        Some(until) => told.push(fill(t.why_paused_until, &[&minute(until)])),
        None if !link.active => told.push(t.why_paused.to_owned()),
        None => {}
    }
    told
}

fn verdict_sentence(v: &Visit, listed: &ListedLink) -> Option<String> {
    let (t, state) = (v.t, &listed.link.state);
    let lasts = length(t, v.now - listed.verdict_since?);
    let sentence = match (state.verdict?, &state.reason) {
        (Verdict::Up, _) => fill(t.why_up, &[&lasts, &state.passed_in_a_row]),
        (_, Some(reason)) => {
            let reason = v.lang.reason_of(reason, state.details.failed);
            fill(t.why_failed, &[&lasts, &reason, &state.failed_in_a_row])
        }
        (_, None) => return None,
    };
    Some(sentence)
}

/// What checks noted, as people say it.
pub(super) fn notes(lang: Lang, listed: &ListedLink) -> Vec<&'static str> {
    listed.link.state.details.notes.iter().filter_map(|note| lang.note(*note)).collect()
}
