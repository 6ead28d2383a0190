//! The rules: what a result does to its link. Pure, and the only place that decides what is shown.

use std::collections::BTreeSet;

use linkbeat_shared::wire::{self, JobMessage};
use linkbeat_shared::{
    CheckResult, CheckSpec, Job, JobLink, Link, LinkState, Note, OnBlocked, OnSign, Pinned, Reason, RunId,
    ShowRules, Verdict, derived_id,
};
use linkbeat_store::{JobKind, Judge, Judged, PlannedJob, Ruling};

use crate::identity;

/// Has the store judge results by the rules.
#[derive(Debug, Clone, Copy)]
pub struct Rules;

impl Judge for Rules {
    /// A result counts, unless it would hide a shown link that the run is to check again first.
    ///
    /// With `hide_after` that is the last of the results in a row, the one that would hide. Those before it count at
    /// once. The result of a recheck always counts.
    fn judge(&self, link: &Judged<'_>, result: &CheckResult, rules: &ShowRules, job: JobKind) -> Ruling {
        let state = link.state;
        // A result that is known and has a verdict is that of an earlier check.
        let seen = if job == JobKind::Known { Seen::Before } else { Seen::Now };
        let next = as_pinned(next_state(link, result, rules, seen), link.pin);
        match rules.recheck_after {
            Some(after) if job != JobKind::Recheck && state.shown && !next.shown => Ruling::CheckAgain(after),
            _ => Ruling::Apply(Box::new(next)),
        }
    }

    fn plan_recheck(&self, run: RunId, link: &Link, check: &CheckSpec) -> PlannedJob {
        let job = Job {
            id: derived_id::recheck_job(run, link.id),
            run_id: run,
            check: check.clone(),
            links: vec![JobLink {
                id: link.id,
                url: link.url.clone(),
                page_url: link.page_url.clone(),
                backlink: link.backlink,
            }],
        };
        PlannedJob {
            id: job.id,
            kind: JobKind::Recheck,
            links: vec![link.id],
            body: wire::encode(&JobMessage::from(&job)),
        }
    }
}

/// When a result was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// By this check.
    Now,
    /// By an earlier check. It was counted then, among the results in a row, and is not counted again.
    Before,
}

impl Seen {
    /// One result more of a kind, in a row.
    fn one_more(self, in_a_row: u32) -> u32 {
        match self {
            Self::Now => in_a_row.saturating_add(1),
            Self::Before => in_a_row.max(1),
        }
    }
}

/// A link's next state, from its last one and a result.
///
/// * `up` shows a hidden link and clears its reason, after `show_after` of them in a row;
/// * everything else hides a shown link and keeps the reason, after `hide_after` of them in a row;
/// * a link that stays hidden gets its reason refreshed;
/// * a link on the white list (no verdict) is shown at once;
/// * `blocked` changes nothing where the request says so, nor does a missing backlink of a page that builds its links
///   by script;
/// * a sign of a lost friend hides like a failed check where the request says so;
/// * a link that is hidden for its missing backlink stays so, with its reason, in a run that asks for none.
fn next_state(link: &Judged<'_>, result: &CheckResult, rules: &ShowRules, when: Seen) -> LinkState {
    let state = link.state;
    let Some(verdict) = result.verdict else { return white_listed(state) };
    let (known, signs) = match when {
        Seen::Now => identity::compare(&state.known, &result.details, &[link.name, host(link.url)]),
        Seen::Before => (state.known.clone(), BTreeSet::new()),
    };
    // A result that is taken over lacks them.
    let phases = if when == Seen::Now { result.phases.as_deref().copied() } else { state.phases };
    let mut details = result.details.clone();
    details.notes.extend(signs);
    let seen = LinkState {
        known,
        verdict: Some(verdict),
        reason: result.reason.clone(),
        status: result.status,
        elapsed_ms: Some(result.elapsed_ms),
        last_checked_at: Some(result.checked_at),
        details,
        phases,
        ..state.clone()
    };
    if link.backlink_left_open && lacks_backlink(state) {
        return seen;
    }
    let keeps = match verdict {
        Verdict::Up => return standing(seen, rules, when),
        Verdict::Blocked => rules.on_blocked,
        Verdict::NoBacklink if seen.details.notes.contains(&Note::Scripted) => rules.on_scripted,
        Verdict::NoBacklink | Verdict::Down | Verdict::Refused => OnBlocked::Hide,
    };
    match keeps {
        OnBlocked::Keep => seen,
        OnBlocked::Hide => {
            let reason = seen.reason.clone();
            failed(seen, reason, rules, when)
        }
    }
}

/// What a person decided for good stays, whatever a check found and a white list says.
fn as_pinned(next: LinkState, pin: Option<Pinned>) -> LinkState {
    match pin {
        None => next,
        Some(pin) => LinkState { shown: pin.is_shown(), hidden_reason: None, ..next },
    }
}

/// The host in a URL without userinfo.
fn host(url: &str) -> &str {
    let behind = url.split_once("://").map_or(url, |(_, behind)| behind);
    behind.split(['/', ':', '?']).next().unwrap_or_default()
}

/// Whether the link is hidden because its backlink was missing.
fn lacks_backlink(state: &LinkState) -> bool {
    !state.shown && matches!(state.hidden_reason, Some(Reason::BacklinkMissing { .. }))
}

/// The state of a link that is up: passed, unless the request hides links for a note that it has.
fn standing(seen: LinkState, rules: &ShowRules, when: Seen) -> LinkState {
    let hiding = seen.details.notes.iter().copied().find(|note| rules.on(*note) == OnSign::Hide);
    match hiding {
        Some(note) => failed(seen, Some(Reason::Noted { note }), rules, when),
        None => passed(seen, rules, when),
    }
}

fn white_listed(state: &LinkState) -> LinkState {
    LinkState { shown: true, hidden_reason: None, failed_in_a_row: 0, ..state.clone() }
}

fn passed(state: LinkState, rules: &ShowRules, when: Seen) -> LinkState {
    let passed_in_a_row = when.one_more(state.passed_in_a_row);
    let shown = state.shown || passed_in_a_row >= rules.show_after.get();
    LinkState {
        shown,
        hidden_reason: if shown { None } else { state.hidden_reason },
        passed_in_a_row,
        failed_in_a_row: 0,
        ..state
    }
}

fn failed(state: LinkState, reason: Option<Reason>, rules: &ShowRules, when: Seen) -> LinkState {
    let failed_in_a_row = when.one_more(state.failed_in_a_row);
    let shown = state.shown && failed_in_a_row < rules.hide_after.get();
    LinkState {
        shown,
        hidden_reason: if shown { None } else { reason },
        passed_in_a_row: 0,
        failed_in_a_row,
        ..state
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use chrono::Utc;
    use linkbeat_shared::{Details, Kept, Known, LinkId, RecheckAfter};

    use super::*;

    fn result(verdict: Option<Verdict>, code: u16) -> CheckResult {
        CheckResult {
            link_id: LinkId::new(),
            verdict,
            reason: verdict.filter(|v| *v != Verdict::Up).map(|_| Reason::Status { code }),
            status: Some(code),
            elapsed_ms: 7,
            checked_at: Utc::now(),
            details: Details::default(),
            phases: None,
        }
    }

    fn shown() -> LinkState {
        LinkState { shown: true, ..LinkState::default() }
    }

    fn hidden(code: u16) -> LinkState {
        LinkState { hidden_reason: Some(Reason::Status { code }), ..LinkState::default() }
    }

    fn judged(state: &LinkState) -> Judged<'_> {
        Judged { name: "Tom", url: "https://tom.example/", state, pin: None, backlink_left_open: false }
    }

    fn up_with(note: Note) -> CheckResult {
        let details = Details { notes: [note].into(), ..Details::default() };
        CheckResult { details, ..result(Some(Verdict::Up), 200) }
    }

    fn after(state: &LinkState, results: &[(Option<Verdict>, u16)], rules: ShowRules) -> LinkState {
        results.iter().fold(state.clone(), |state, (verdict, code)| {
            next_state(&judged(&state), &result(*verdict, *code), &rules, Seen::Now)
        })
    }

    #[test]
    fn every_verdict_but_up_hides_a_shown_link_with_its_reason() {
        for verdict in [Verdict::Down, Verdict::NoBacklink, Verdict::Blocked, Verdict::Refused] {
            let next = after(&shown(), &[(Some(verdict), 404)], ShowRules::default());
            assert!(!next.shown, "{verdict}");
            assert_eq!(next.hidden_reason, Some(Reason::Status { code: 404 }), "{verdict}");
        }
        assert!(after(&shown(), &[(Some(Verdict::Up), 200)], ShowRules::default()).shown);
    }

    #[test]
    fn the_result_of_an_earlier_check_is_not_counted_again() {
        let twice = ShowRules { hide_after: NonZeroU32::new(2).unwrap(), ..ShowRules::default() };
        let down = result(Some(Verdict::Down), 500);
        let once = next_state(&judged(&shown()), &down, &twice, Seen::Now);
        let again = next_state(&judged(&once), &down, &twice, Seen::Before);
        assert_eq!((again.shown, again.failed_in_a_row), (true, 1));
        let now = next_state(&judged(&again), &down, &ShowRules::default(), Seen::Before);
        assert!(!now.shown, "a run that hides at once does so for what is known, too");
        let spared = LinkState { failed_in_a_row: 0, ..once };
        assert!(!next_state(&judged(&spared), &down, &ShowRules::default(), Seen::Before).shown);
        let title = |title: &str| CheckResult {
            details: Details { title: Some(title.into()), ..Details::default() },
            ..result(Some(Verdict::Up), 200)
        };
        let first = next_state(&judged(&shown()), &title("My garden and I"), &twice, Seen::Now);
        let other = next_state(&judged(&first), &title("Casino bonus online"), &twice, Seen::Now);
        let same = next_state(&judged(&other), &title("Casino bonus online"), &twice, Seen::Before);
        assert!(!same.details.notes.contains(&Note::TitleChanged), "it was seen once");
        let next = next_state(&judged(&same), &title("Casino bonus online"), &twice, Seen::Now);
        assert!(next.details.notes.contains(&Note::TitleChanged));
    }

    #[test]
    fn a_pinned_link_stays_as_it_is_and_its_checks_are_kept() {
        let recheck =
            ShowRules { recheck_after: RecheckAfter::from_millis(10_000).ok(), ..ShowRules::default() };
        for (pin, state) in [(Pinned::Hidden, LinkState::default()), (Pinned::Shown, shown())] {
            for verdict in Verdict::ALL.map(Some).into_iter().chain([None]) {
                for rules in [ShowRules::default(), recheck] {
                    let link = Judged { pin: Some(pin), ..judged(&state) };
                    let ruling = Rules.judge(&link, &result(verdict, 404), &rules, JobKind::Check);
                    let Ruling::Apply(next) = ruling else {
                        panic!("{pin} {verdict:?}: there is nothing to hide")
                    };
                    assert_eq!((next.shown, next.hidden_reason), (pin.is_shown(), None), "{pin} {verdict:?}");
                    assert_eq!(next.verdict, verdict, "{pin}");
                }
            }
        }
    }

    #[test]
    fn up_shows_a_hidden_link_and_clears_its_reason() {
        let next = after(&hidden(404), &[(Some(Verdict::Up), 200)], ShowRules::default());
        assert!(next.shown);
        assert_eq!(next.hidden_reason, None);
    }

    #[test]
    fn a_link_that_stays_hidden_gets_its_reason_refreshed() {
        let next = after(&hidden(404), &[(Some(Verdict::Down), 503)], ShowRules::default());
        assert!(!next.shown);
        assert_eq!(next.hidden_reason, Some(Reason::Status { code: 503 }));
    }

    #[test]
    fn the_white_list_shows_a_hidden_link_without_a_check() {
        let next = after(&hidden(404), &[(None, 0)], ShowRules::default());
        assert!(next.shown);
        assert_eq!((next.hidden_reason, next.verdict, next.last_checked_at), (None, None, None));
    }

    #[test]
    fn what_else_a_check_saw_is_kept_until_the_next_and_decides_nothing() {
        let noted = Details { notes: [Note::Nofollow].into(), ..Details::default() };
        let seen = CheckResult { details: noted.clone(), ..result(Some(Verdict::Up), 200) };
        let next = next_state(&judged(&shown()), &seen, &ShowRules::default(), Seen::Now);
        assert_eq!((next.shown, &next.details), (true, &noted));
        assert_eq!(after(&next, &[(None, 0)], ShowRules::default()).details, noted);
        assert!(after(&next, &[(Some(Verdict::Up), 200)], ShowRules::default()).details.is_empty());
    }

    #[test]
    fn hide_after_and_show_after_count_checks_in_a_row() {
        let at = |count| NonZeroU32::new(count).unwrap();
        let rules = ShowRules { hide_after: at(2), show_after: at(3), ..ShowRules::default() };
        let (up, down) = ((Some(Verdict::Up), 200), (Some(Verdict::Down), 404));
        assert!(after(&shown(), &[down], rules).shown);
        assert!(after(&shown(), &[down, up, down], rules).shown, "an `up` in between starts the count again");
        assert!(!after(&shown(), &[down, down], rules).shown);
        assert!(!after(&hidden(404), &[up, up], rules).shown);
        assert!(after(&hidden(404), &[up, up, up], rules).shown);
        assert!(!after(&hidden(404), &[up, up, down, up], rules).shown);
    }

    #[test]
    fn blocked_keeps_the_state_where_asked_to() {
        let rules = ShowRules { on_blocked: OnBlocked::Keep, ..ShowRules::default() };
        let wall = (Some(Verdict::Blocked), 429);
        assert!(after(&shown(), &[wall], rules).shown);
        let still_hidden = after(&hidden(404), &[wall], rules);
        assert_eq!(
            (still_hidden.shown, still_hidden.hidden_reason),
            (false, Some(Reason::Status { code: 404 }))
        );
        assert_eq!(
            after(&shown(), &[wall], rules).verdict,
            Some(Verdict::Blocked),
            "the check itself is kept"
        );
    }

    #[test]
    fn only_the_result_that_would_hide_a_link_asks_for_a_recheck() {
        let after_10s = RecheckAfter::from_millis(10_000).unwrap();
        let rules = ShowRules { recheck_after: Some(after_10s), ..ShowRules::default() };
        let ruling = |state: &LinkState, verdict, rules: &ShowRules| {
            let ruling = Rules.judge(&judged(state), &result(verdict, 404), rules, JobKind::Check);
            let of_recheck = Rules.judge(&judged(state), &result(verdict, 404), rules, JobKind::Recheck);
            assert!(matches!(of_recheck, Ruling::Apply(_)), "the result of a recheck counts");
            ruling == Ruling::CheckAgain(after_10s)
        };
        for verdict in [Verdict::Down, Verdict::NoBacklink, Verdict::Blocked, Verdict::Refused] {
            assert!(ruling(&shown(), Some(verdict), &rules), "{verdict}");
            assert!(!ruling(&hidden(404), Some(verdict), &rules), "{verdict}: it is hidden already");
            assert!(
                !ruling(&shown(), Some(verdict), &ShowRules::default()),
                "{verdict}: nobody asked for it"
            );
        }
        assert!(!ruling(&shown(), Some(Verdict::Up), &rules));
        assert!(!ruling(&hidden(404), Some(Verdict::Up), &rules), "showing needs no recheck");
        assert!(!ruling(&shown(), None, &rules), "the white list");

        let keep = ShowRules { on_blocked: OnBlocked::Keep, ..rules };
        assert!(!ruling(&shown(), Some(Verdict::Blocked), &keep), "it would stay shown");

        let third = ShowRules { hide_after: NonZeroU32::new(3).unwrap(), ..rules };
        let once = after(&shown(), &[(Some(Verdict::Down), 404)], third);
        let twice = after(&once, &[(Some(Verdict::Down), 404)], third);
        assert!(!ruling(&shown(), Some(Verdict::Down), &third));
        assert!(!ruling(&once, Some(Verdict::Down), &third));
        assert!(ruling(&twice, Some(Verdict::Down), &third));
    }

    /// Reports count on it: see [`linkbeat_shared::Counts::changed_or_failed`].
    #[test]
    fn only_what_fails_is_hidden_and_only_what_passes_is_shown() {
        let verdicts: Vec<_> = Verdict::ALL.map(Some).into_iter().chain([None]).collect();
        for on_blocked in [OnBlocked::Hide, OnBlocked::Keep] {
            let rules = ShowRules { on_blocked, ..ShowRules::default() };
            for verdict in &verdicts {
                let passed = matches!(verdict, None | Some(Verdict::Up));
                for before in [shown(), hidden(404)] {
                    let next = after(&before, &[(*verdict, 404)], rules);
                    assert!(next.shown == before.shown || next.shown == passed, "{verdict:?}, {before:?}");
                }
            }
        }
    }

    #[test]
    fn a_run_that_asks_for_no_backlink_neither_shows_nor_excuses_a_missing_one() {
        let missing = Reason::BacklinkMissing { truncated: false };
        let state = LinkState { hidden_reason: Some(missing.clone()), ..LinkState::default() };
        let left_open = Judged { backlink_left_open: true, ..judged(&state) };
        for verdict in [Verdict::Up, Verdict::Down, Verdict::Blocked] {
            let next = next_state(&left_open, &result(Some(verdict), 404), &ShowRules::default(), Seen::Now);
            assert_eq!((next.shown, next.hidden_reason.as_ref()), (false, Some(&missing)), "{verdict}");
            assert_eq!(next.verdict, Some(verdict), "the check itself is kept");
            assert_eq!((next.passed_in_a_row, next.failed_in_a_row), (0, 0));
        }
        assert!(
            next_state(&left_open, &result(None, 0), &ShowRules::default(), Seen::Now).shown,
            "the white list shows it"
        );
        let asked = judged(&state);
        assert!(next_state(&asked, &result(Some(Verdict::Up), 200), &ShowRules::default(), Seen::Now).shown);
        for state in [shown(), hidden(404)] {
            let left_open = Judged { backlink_left_open: true, ..judged(&state) };
            let next =
                next_state(&left_open, &result(Some(Verdict::Up), 200), &ShowRules::default(), Seen::Now);
            assert!(next.shown, "it was not hidden for its backlink");
            let next =
                next_state(&left_open, &result(Some(Verdict::Down), 500), &ShowRules::default(), Seen::Now);
            assert_eq!(next.hidden_reason, Some(Reason::Status { code: 500 }));
        }
    }

    #[test]
    fn a_missing_backlink_of_a_scripted_page_keeps_the_state_where_asked_to() {
        let scripted = CheckResult {
            details: Details { notes: [Note::Scripted].into(), ..Details::default() },
            ..result(Some(Verdict::NoBacklink), 200)
        };
        let keep = ShowRules { on_scripted: OnBlocked::Keep, ..ShowRules::default() };
        assert!(!next_state(&judged(&shown()), &scripted, &ShowRules::default(), Seen::Now).shown);
        let next = next_state(&judged(&shown()), &scripted, &keep, Seen::Now);
        assert_eq!((next.shown, next.verdict), (true, Some(Verdict::NoBacklink)));
        assert!(!next_state(&judged(&hidden(404)), &scripted, &keep, Seen::Now).shown);
        let plain = result(Some(Verdict::NoBacklink), 200);
        assert!(!next_state(&judged(&shown()), &plain, &keep, Seen::Now).shown, "not scripted");
    }

    #[test]
    fn a_sign_of_a_lost_friend_hides_only_where_asked_to() {
        let hide = ShowRules {
            on_moved_domain: OnSign::Hide,
            on_parked: OnSign::Hide,
            on_title_changed: OnSign::Hide,
            on_language_changed: OnSign::Hide,
            ..ShowRules::default()
        };
        for note in [Note::MovedDomain, Note::Parked, Note::TitleChanged, Note::LanguageChanged] {
            assert!(next_state(&judged(&shown()), &up_with(note), &ShowRules::default(), Seen::Now).shown);
            let next = next_state(&judged(&shown()), &up_with(note), &hide, Seen::Now);
            assert_eq!((next.shown, next.hidden_reason.clone()), (false, Some(Reason::Noted { note })));
            assert_eq!((next.verdict, next.reason.clone()), (Some(Verdict::Up), None), "never a verdict");
            assert!(!next_state(&judged(&next), &up_with(note), &hide, Seen::Now).shown);
            assert!(
                next_state(&judged(&next), &result(Some(Verdict::Up), 200), &hide, Seen::Now).shown,
                "it is gone"
            );
        }
        assert!(next_state(&judged(&shown()), &up_with(Note::Nofollow), &hide, Seen::Now).shown, "no sign");
        let twice = ShowRules { hide_after: NonZeroU32::new(2).unwrap(), ..hide };
        let once = next_state(&judged(&shown()), &up_with(Note::Parked), &twice, Seen::Now);
        assert!(once.shown);
        assert!(!next_state(&judged(&once), &up_with(Note::Parked), &twice, Seen::Now).shown);
    }

    #[test]
    fn the_title_is_kept_with_the_link_and_a_changed_one_is_noted() {
        let titled = |title: &str| CheckResult {
            details: Details { title: Some(title.into()), ..Details::default() },
            ..result(Some(Verdict::Up), 200)
        };
        let rules = ShowRules { on_title_changed: OnSign::Hide, ..ShowRules::default() };
        let mut state = shown();
        for (title, kept, is_shown) in [
            ("Garden notes", "Garden notes", true),
            ("Best casino", "Garden notes", true),
            ("Best casino", "Garden notes", false),
            ("A garden", "A garden", true),
        ] {
            state = next_state(&judged(&state), &titled(title), &rules, Seen::Now);
            assert_eq!((state.known.title.value.as_deref(), state.shown), (Some(kept), is_shown), "{title}");
            assert_eq!(state.details.notes.contains(&Note::TitleChanged), !is_shown, "{title}");
        }
        let known = Kept { value: Some("A garden".to_owned()), differed_in_a_row: 0 };
        assert_eq!(state.known, Known { title: known, ..Known::default() });
    }
}
