//! History: are partitions made ahead, are checks rolled up, does clean-up go on, and how fast does it grow?

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use linkbeat_store::{HistoryRules, HistoryStatus, OpenMode, StoreError, open};

use crate::finding::Finding;
use crate::output::history_status::{bytes_a_day, size};
use crate::settings::Settings;

/// How long all questions together may take.
const PATIENCE: Duration = Duration::from_secs(15);
/// With fewer partitions ahead of time the doctor warns. Each is a week.
const FEW_AHEAD: u32 = 2;
/// Rolling up and cleaning up come to their end every few minutes. So long without is a stall.
const STALLED: TimeDelta = TimeDelta::days(2);

/// Looks at the history of a database that has every migration.
pub(super) async fn examine(settings: &Settings) -> Vec<Finding> {
    match tokio::time::timeout(PATIENCE, status(settings)).await {
        Ok(Ok(status)) => findings(&status, &settings.history.rules(), Utc::now()),
        Ok(Err(error)) => vec![unclear(&error.to_string(), error.advice())],
        Err(_) => vec![unclear("the database did not answer in time", "see what holds it up")],
    }
}

async fn status(settings: &Settings) -> Result<HistoryStatus, StoreError> {
    let store = open(&settings.database_url, OpenMode::Check).await?;
    let status = store.history_status().await;
    store.close().await;
    status
}

fn unclear(problem: &str, advice: &str) -> Finding {
    Finding::warning("history", format!("could not be looked at: {problem}"), advice)
}

fn findings(status: &HistoryStatus, rules: &HistoryRules, now: DateTime<Utc>) -> Vec<Finding> {
    let mut findings = vec![Finding::ok("history", growth(status))];
    if let Some(partitions) = status.partitions.as_ref().filter(|partitions| partitions.ahead < FEW_AHEAD) {
        findings.push(Finding::warning(
            "history",
            format!("there are partitions of checks for {} weeks ahead", partitions.ahead),
            "start a recorder, and look in its log for why it cannot make partitions",
        ));
    }
    // Whatever has been stored for so long should have been looked at.
    let is_old = status.oldest.is_some_and(|oldest| now - oldest > STALLED);
    let stalled = |last: Option<DateTime<Utc>>| is_old && last.is_none_or(|last| now - last > STALLED);
    if stalled(status.rolled_at) {
        let text = format!("checks were last rolled up {}", ago(status.rolled_at));
        findings.push(Finding::warning("history", text, "start a recorder, or see in its log what keeps it"));
    } else if rules.checks.is_some() && stalled(status.cleaned_at) {
        let text = format!("old checks were last removed {}", ago(status.cleaned_at));
        let remedy = "see in the recorder's log what keeps it; `linkbeat history prune` removes them now";
        findings.push(Finding::warning("history", text, remedy));
    }
    findings
}

fn growth(status: &HistoryStatus) -> String {
    let bytes = bytes_a_day(status).map(|bytes| format!(", about {} a day", size(bytes))).unwrap_or_default();
    format!("{:.0} checks a day{bytes}; {} checks are kept", status.checks_a_day, status.checks)
}

fn ago(last: Option<DateTime<Utc>>) -> String {
    last.map_or_else(|| "never".to_owned(), |last| format!("on {}", last.format("%Y-%m-%d at %H:%M (UTC)")))
}

#[cfg(test)]
mod tests {
    use linkbeat_shared::history::Keep;
    use linkbeat_store::PartitionStatus;

    use super::*;
    use crate::finding::State;

    #[test]
    fn a_stall_and_missing_partitions_are_warned_of_and_an_empty_database_is_well() {
        let now: DateTime<Utc> = "2026-07-10T12:00:00Z".parse().unwrap();
        let days_ago = |days| Some(now - TimeDelta::days(days));
        let rules = HistoryRules { checks: Some(Keep::days(90)), ..HistoryRules::default() };
        let ahead = |ahead| Some(PartitionStatus { kept: 5, ahead, largest_bytes: 0 });
        let well = HistoryStatus {
            oldest: days_ago(80),
            rolled_at: days_ago(1),
            cleaned_at: days_ago(1),
            partitions: ahead(4),
            ..HistoryStatus::default()
        };
        let warnings = |status: &HistoryStatus, rules: &HistoryRules| {
            let found = findings(status, rules, now);
            found.iter().filter(|finding| finding.state == State::Warning).count()
        };
        assert_eq!(warnings(&HistoryStatus::default(), &rules), 0);
        assert_eq!(warnings(&well, &rules), 0);
        for (status, expected) in [
            (HistoryStatus { partitions: ahead(1), ..well.clone() }, 1),
            (HistoryStatus { rolled_at: days_ago(3), ..well.clone() }, 1),
            (HistoryStatus { cleaned_at: None, ..well.clone() }, 1),
            (HistoryStatus { rolled_at: None, cleaned_at: None, partitions: ahead(0), ..well.clone() }, 2),
            (HistoryStatus { oldest: days_ago(1), rolled_at: None, cleaned_at: None, ..well.clone() }, 0),
        ] {
            assert_eq!(warnings(&status, &rules), expected, "{status:?}");
        }
        let kept = HistoryRules { checks: None, ..rules };
        assert_eq!(warnings(&HistoryStatus { cleaned_at: None, ..well }, &kept), 0, "all is kept");
    }
}
