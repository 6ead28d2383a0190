//! From an answer to a verdict.

use linkbeat_shared::{AcceptedStatuses, Reason, Verdict};

use super::blocked;
use crate::fetch::{Answer, Page};

/// The verdict on an answer, and why it is not `up`.
pub(crate) fn answer(answer: &Answer, accept: &AcceptedStatuses) -> (Verdict, Option<Reason>) {
    if !accept.contains(answer.status) {
        let wall = blocked::wall(answer.status, &answer.headers);
        let verdict = if wall.is_some() { Verdict::Blocked } else { Verdict::Down };
        tracing::debug!(wall, status = answer.status, "the status is not accepted");
        return (verdict, Some(Reason::Status { code: answer.status }));
    }
    match &answer.page {
        Page::NotRead | Page::Backlink { .. } => (Verdict::Up, None),
        Page::NoBacklink { truncated } => {
            (Verdict::NoBacklink, Some(Reason::BacklinkMissing { truncated: *truncated }))
        }
        Page::Broken(reason) => (Verdict::Down, Some(reason.clone())),
    }
}

/// The verdict where no answer came.
pub(crate) fn no_answer(reason: &Reason) -> Verdict {
    match reason {
        Reason::UnsafeAddress { .. } | Reason::BadUrl { .. } => Verdict::Refused,
        _ => Verdict::Down,
    }
}

#[cfg(test)]
mod tests {
    use linkbeat_shared::Phase;
    use reqwest::header::HeaderMap;

    use super::*;

    fn judged(status: u16, page: Page) -> (Verdict, Option<Reason>) {
        answer(&Answer { status, headers: HeaderMap::new(), page }, &AcceptedStatuses::default())
    }

    #[test]
    fn the_status_decides_before_the_page() {
        assert_eq!(judged(200, Page::NotRead), (Verdict::Up, None));
        assert_eq!(judged(200, Page::Backlink { nofollow: true }), (Verdict::Up, None));
        assert_eq!(judged(204, Page::NotRead), (Verdict::Down, Some(Reason::Status { code: 204 })));
        assert_eq!(judged(429, Page::NotRead), (Verdict::Blocked, Some(Reason::Status { code: 429 })));
        assert_eq!(
            judged(200, Page::NoBacklink { truncated: true }),
            (Verdict::NoBacklink, Some(Reason::BacklinkMissing { truncated: true }))
        );
        let late = Reason::Timeout { phase: Phase::Body };
        assert_eq!(judged(200, Page::Broken(late.clone())), (Verdict::Down, Some(late)));
    }
}
