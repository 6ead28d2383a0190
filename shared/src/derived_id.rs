//! Ids that are made from other ids. Whoever repeats a step gives its message or job the same id.
//!
//! Each function has a name space of its own (RFC 9562 §5.5), so two functions never give the same id.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{JobId, LinkId, RequestId, RunId, ScheduleId};

/// What all name spaces are made from: "linkbeat derived" in ASCII.
const LINKBEAT: Uuid = Uuid::from_bytes(*b"linkbeat derived");

/// The job that checks a link of a run again. There is one at most.
pub fn recheck_job(run: RunId, link: LinkId) -> JobId {
    JobId(derived("recheck job", &[run.0.as_bytes(), link.0.as_bytes()]))
}

/// The event that a run began.
pub fn run_started_event(run: RunId) -> Uuid {
    derived("run started", &[run.0.as_bytes()])
}

/// The event that a run hid or showed a link.
pub fn link_changed_event(run: RunId, link: LinkId) -> Uuid {
    derived("link changed", &[run.0.as_bytes(), link.0.as_bytes()])
}

/// The event `event` that a run ended. `end` tells apart the ends of a run that ends incomplete several times.
pub fn run_ended_event(run: RunId, event: &str, end: Option<DateTime<Utc>>) -> Uuid {
    derived("run ended", &[run.0.as_bytes(), &end_as_bytes(end), event.as_bytes()])
}

/// The event that so many links of a run have a result.
pub fn run_progress_event(run: RunId, done: u64) -> Uuid {
    derived("run progress", &[run.0.as_bytes(), &done.to_be_bytes()])
}

/// The report of a run that ended in this state, for whoever asked with this correlation id. `end` as for
/// [`run_ended_event`].
pub fn report_reply(run: RunId, state: &str, end: Option<DateTime<Utc>>, correlation: Option<&str>) -> Uuid {
    let asker = derived("asker", &[correlation.unwrap_or_default().as_bytes()]);
    derived("report", &[run.0.as_bytes(), &end_as_bytes(end), asker.as_bytes(), state.as_bytes()])
}

/// The feed of all changes. `place` is where it is served.
pub fn changes_feed(place: &str) -> Uuid {
    derived("changes feed", &[place.as_bytes()])
}

/// The entry of a change in that feed.
pub fn change_entry(link: LinkId, change: i64) -> Uuid {
    derived("change entry", &[link.0.as_bytes(), &change.to_be_bytes()])
}

/// The answer to the request message of this id that its run is filed.
pub fn accepted_reply(request: Uuid) -> Uuid {
    derived("accepted", &[request.as_bytes()])
}

/// The answer to the request message of this id that it is not valid.
pub fn refusal_reply(request: Uuid) -> Uuid {
    derived("refusal", &[request.as_bytes()])
}

/// The request that the Celery task of this id makes.
pub fn celery_request(task: &str) -> RequestId {
    RequestId(derived("celery request", &[task.as_bytes()]))
}

/// The message that tells how the Celery task of this id stands, such as `SUCCESS`.
pub fn celery_result(task: &str, status: &str) -> Uuid {
    derived("celery result", &[status.as_bytes(), b"/", task.as_bytes()])
}

/// The task that follows the Celery task of this id, the one at this place.
pub fn celery_follow_up(task: &str, place: usize) -> Uuid {
    derived("celery follow-up", &[&(place as u64).to_be_bytes(), task.as_bytes()])
}

/// The request that the tick of a schedule makes which is due at this moment.
pub fn tick_request(schedule: ScheduleId, due: DateTime<Utc>) -> RequestId {
    RequestId(derived("tick request", &[schedule.0.as_bytes(), &due.timestamp_micros().to_be_bytes()]))
}

/// What decides how much later than it is due that tick begins: a number that looks like chance, and is always the
/// same.
pub fn tick_jitter(schedule: ScheduleId, due: DateTime<Utc>) -> u64 {
    let id = derived("tick jitter", &[schedule.0.as_bytes(), &due.timestamp_micros().to_be_bytes()]);
    // The two highest bits name the variant of the id.
    id.as_u64_pair().1 & (u64::MAX >> 2)
}

/// The broadcast that a run was cancelled.
pub fn cancel_broadcast(run: RunId) -> Uuid {
    derived("cancel", &[run.0.as_bytes()])
}

/// The message with the results of these links of a job, in whatever order.
pub fn results_message(job: JobId, links: impl IntoIterator<Item = LinkId>) -> Uuid {
    let mut links: Vec<LinkId> = links.into_iter().collect();
    links.sort_unstable();
    let links: Vec<u8> = links.iter().flat_map(|link| *link.0.as_bytes()).collect();
    derived("results", &[job.0.as_bytes(), &links])
}

/// The notice that the dead letter of this id, parked at that time, was put back.
pub fn requeue_notice(letter: Uuid, parked_at: &str) -> Uuid {
    derived("requeue notice", &[letter.as_bytes(), parked_at.as_bytes()])
}

/// A message that another app names by this text, which is no UUID.
pub fn foreign_message(text: &str) -> Uuid {
    derived("foreign message", &[text.as_bytes()])
}

/// A parked message without an id, by its body.
pub fn unnamed_message(body: &[u8]) -> Uuid {
    derived("unnamed message", &[body])
}

/// A variable part stands last, so that no two lists of parts read the same.
fn derived(space: &str, parts: &[&[u8]]) -> Uuid {
    Uuid::new_v5(&Uuid::new_v5(&LINKBEAT, space.as_bytes()), &parts.concat())
}

fn end_as_bytes(end: Option<DateTime<Utc>>) -> [u8; 8] {
    end.map_or(0, |end| end.timestamp_micros()).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_of_different_things_differ_and_those_of_the_same_do_not() {
        let ids = || {
            let (run, link, job) =
                (RunId(Uuid::from_u128(7)), LinkId(Uuid::from_u128(7)), JobId(Uuid::from_u128(7)));
            [
                recheck_job(run, link).0,
                run_started_event(run),
                link_changed_event(run, link),
                run_ended_event(run, "", None),
                run_progress_event(run, 0),
                report_reply(run, "", None, None),
                report_reply(run, "", None, Some("a")),
                accepted_reply(run.0),
                refusal_reply(run.0),
                cancel_broadcast(run),
                results_message(job, [link]),
                requeue_notice(run.0, ""),
                celery_request("").0,
                tick_request(ScheduleId(run.0), DateTime::UNIX_EPOCH).0,
                celery_result("", ""),
                celery_follow_up("", 0),
                foreign_message(&String::from_utf8_lossy(run.0.as_bytes())),
                unnamed_message(run.0.as_bytes()),
            ]
        };
        assert_eq!(ids(), ids());
        assert_eq!(ids().iter().collect::<HashSet<_>>().len(), ids().len());
    }

    #[test]
    fn the_order_of_a_jobs_results_does_not_matter() {
        let (job, one, other) = (JobId::new(), LinkId::new(), LinkId::new());
        assert_eq!(results_message(job, [one, other]), results_message(job, [other, one]));
        assert_ne!(results_message(job, [one]), results_message(job, [one, other]));
    }
}
