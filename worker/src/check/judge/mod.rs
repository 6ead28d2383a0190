//! From an answer to a verdict.

mod both;

use linkbeat_shared::{AcceptedStatuses, Details, Phases, Reason, Verdict};

use super::{blocked, signs};
use crate::fetch::{Answer, Page, Target};

pub(crate) use self::both::{both, links_page_alone};

/// What one page came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Judgement {
    pub(crate) verdict: Verdict,
    pub(crate) reason: Option<Reason>,
    pub(crate) status: Option<u16>,
    pub(crate) details: Details,
    /// How long what took.
    pub(crate) phases: Option<Phases>,
}

/// Judges what was found at `target`. `details`: what was seen on the way there.
pub(crate) fn page(finding: Result<Answer, Reason>, mut details: Details, target: &Target<'_>) -> Judgement {
    match finding {
        Ok(found) => {
            let (verdict, reason) = answer(&found, target.accept);
            if target.accept.contains(found.status) {
                signs::add(&mut details, target.url, &found);
            }
            Judgement { verdict, reason, status: Some(found.status), details, phases: None }
        }
        Err(reason) => {
            let verdict = no_answer(&reason);
            Judgement { verdict, reason: Some(reason), status: None, details, phases: None }
        }
    }
}

/// The verdict on an answer, and why it is not `up`.
fn answer(answer: &Answer, accept: &AcceptedStatuses) -> (Verdict, Option<Reason>) {
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
fn no_answer(reason: &Reason) -> Verdict {
    match reason {
        Reason::UnsafeAddress { .. } | Reason::BadUrl { .. } => Verdict::Refused,
        _ => Verdict::Down,
    }
}

#[cfg(test)]
mod tests {
    use linkbeat_shared::{LinkUrl, Phase};
    use reqwest::header::HeaderMap;

    use super::*;

    fn judged(status: u16, page: Page) -> (Verdict, Option<Reason>) {
        let url = LinkUrl::parse("http://a.example/").unwrap();
        let found = Answer { status, headers: HeaderMap::new(), page, outline: Box::default(), url };
        answer(&found, &AcceptedStatuses::default())
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
