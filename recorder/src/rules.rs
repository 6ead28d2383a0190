//! The rules: what a result does to its link. Pure, and the only place that decides what is shown.

use linkbeat_shared::wire::{self, JobMessage};
use linkbeat_shared::{
    CheckResult, CheckSpec, Job, JobLink, Link, LinkState, OnBlocked, RunId, ShowRules, Verdict, derived_id,
};
use linkbeat_store::{JobKind, Judge, PlannedJob, Ruling};

/// Has the store judge results by the rules.
#[derive(Debug, Clone, Copy)]
pub struct Rules;

impl Judge for Rules {
    /// A result counts, unless it would hide a shown link that the run is to check again first.
    ///
    /// With `hide_after` that is the last of the results in a row, the one that would hide. Those before it count at
    /// once. The result of a recheck always counts.
    fn judge(&self, state: &LinkState, result: &CheckResult, rules: &ShowRules, job: JobKind) -> Ruling {
        let next = next_state(state, result, rules);
        match rules.recheck_after {
            Some(after) if job != JobKind::Recheck && state.shown && !next.shown => Ruling::CheckAgain(after),
            _ => Ruling::Apply(next),
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

/// A link's next state, from its last one and a result.
///
/// * `up` shows a hidden link and clears its reason, after `show_after` of them in a row;
/// * everything else hides a shown link and keeps the reason, after `hide_after` of them in a row;
/// * a link that stays hidden gets its reason refreshed;
/// * a link on the white list (no verdict) is shown at once;
/// * `blocked` changes nothing where the request says so.
fn next_state(state: &LinkState, result: &CheckResult, rules: &ShowRules) -> LinkState {
    let Some(verdict) = result.verdict else { return white_listed(state) };
    let seen = LinkState {
        verdict: Some(verdict),
        reason: result.reason.clone(),
        status: result.status,
        elapsed_ms: Some(result.elapsed_ms),
        last_checked_at: Some(result.checked_at),
        details: result.details.clone(),
        ..state.clone()
    };
    match verdict {
        Verdict::Up => passed(seen, rules),
        Verdict::Blocked if rules.on_blocked == OnBlocked::Keep => seen,
        Verdict::Down | Verdict::NoBacklink | Verdict::Blocked | Verdict::Refused => failed(seen, rules),
    }
}

fn white_listed(state: &LinkState) -> LinkState {
    LinkState { shown: true, hidden_reason: None, failed_in_a_row: 0, ..state.clone() }
}

fn passed(state: LinkState, rules: &ShowRules) -> LinkState {
    let passed_in_a_row = state.passed_in_a_row.saturating_add(1);
    let shown = state.shown || passed_in_a_row >= rules.show_after.get();
    LinkState {
        shown,
        hidden_reason: if shown { None } else { state.hidden_reason },
        passed_in_a_row,
        failed_in_a_row: 0,
        ..state
    }
}

fn failed(state: LinkState, rules: &ShowRules) -> LinkState {
    let failed_in_a_row = state.failed_in_a_row.saturating_add(1);
    let shown = state.shown && failed_in_a_row < rules.hide_after.get();
    LinkState {
        shown,
        hidden_reason: if shown { None } else { state.reason.clone() },
        passed_in_a_row: 0,
        failed_in_a_row,
        ..state
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use chrono::Utc;
    use linkbeat_shared::{Details, LinkId, Note, Reason, RecheckAfter};

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
        }
    }

    fn shown() -> LinkState {
        LinkState { shown: true, ..LinkState::default() }
    }

    fn hidden(code: u16) -> LinkState {
        LinkState { hidden_reason: Some(Reason::Status { code }), ..LinkState::default() }
    }

    fn after(state: &LinkState, results: &[(Option<Verdict>, u16)], rules: ShowRules) -> LinkState {
        results.iter().fold(state.clone(), |state, (verdict, code)| {
            next_state(&state, &result(*verdict, *code), &rules)
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
        let next = next_state(&shown(), &seen, &ShowRules::default());
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
            let ruling = Rules.judge(state, &result(verdict, 404), rules, JobKind::Check);
            let of_recheck = Rules.judge(state, &result(verdict, 404), rules, JobKind::Recheck);
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
}
