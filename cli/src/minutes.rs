//! A line of work a minute: what a role did, for whoever reads its log.

use std::time::Duration;

use linkbeat_vitals::{Activity, Tally};

const MINUTE: Duration = Duration::from_secs(60);

/// Says each minute at INFO how much of this work was begun and ended, until it is dropped. A minute without work is said
/// once.
pub(crate) async fn of_work(role: &'static str, work: &'static str, activity: Activity) {
    let (mut before, mut was_idle) = (activity.tally(), false);
    loop {
        tokio::time::sleep(MINUTE).await;
        let now = activity.tally();
        let is_idle = now.ended == before.ended && now.under_way() == 0;
        if !(is_idle && was_idle) {
            tracing::info!(role, "{}", line(work, before, now));
        }
        (before, was_idle) = (now, is_idle);
    }
}

fn line(work: &str, before: Tally, now: Tally) -> String {
    format!("in the last minute: {} {work} ended, {} under way", now.ended - before.ended, now.under_way())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_a_minute_was() {
        let tally = |begun, ended| Tally { begun, ended, succeeded: ended };
        assert_eq!(
            line("checks", tally(10, 4), tally(90, 80)),
            "in the last minute: 76 checks ended, 10 under way"
        );
    }
}
