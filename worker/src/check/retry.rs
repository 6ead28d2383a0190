//! Should this be tried again? Only this module decides.
//!
//! A check is tried again where another try within the deadline may end differently: after a lost connection, a
//! page that broke off, or a server that says it is overloaded. A refused connection and an unknown name are
//! final: somebody answered, and a fraction of a second changes nothing.

use std::time::{Duration, SystemTime};

use chrono::DateTime;
use linkbeat_shared::{AcceptedStatuses, BodyKind, DnsKind, Reason, TlsKind};
use reqwest::header::{HeaderMap, RETRY_AFTER};

use super::gaps::Lost;
use crate::fetch::{Answer, Doubt, Failure, Page, Target};

/// The pause before the first further try. It doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// How long to wait before the next try. `None`: this finding is final. So many `tries` were made, and `left` is
/// the time until the deadline.
pub(crate) fn pause(
    finding: &Result<Answer, Failure>,
    target: &Target<'_>,
    tries: u8,
    left: Duration,
) -> Option<Duration> {
    let pause = FIRST_PAUSE * (1 << tries.saturating_sub(1).min(8));
    let pause = match finding {
        Ok(answer) if !target.accept.contains(answer.status) => overloaded(answer)?.max(pause),
        Ok(Answer { page: Page::Broken(Reason::BROKE_OFF), .. }) => pause,
        Err(failure) if failure.is_lost_connection() => pause,
        _ => return None,
    };
    (pause < left).then_some(pause)
}

/// Whether the deadline cut off a further try. Then the finding before it says more.
pub(crate) fn cut_off(finding: &Result<Answer, Failure>) -> bool {
    matches!(
        finding,
        Err(Failure::Site(Reason::Timeout { .. }) | Failure::Doubtful(Reason::Timeout { .. }, _))
    )
}

/// Whether a finding may come from gaps in which this process did not run: time passed that was ours, a server took
/// our silence for the end, or no time was left for another try. What a server said plainly stands.
pub(crate) fn may_come_from(
    lost: Lost,
    finding: &Result<Answer, Failure>,
    accept: &AcceptedStatuses,
    timeout: Duration,
) -> bool {
    match finding {
        Ok(Answer { page: Page::Broken(reason), .. }) => reason_may_come_from(lost, reason, timeout),
        Ok(answer) => {
            let asks_for_another_try = matches!(answer.status, 408 | 429 | 502..=504);
            lost.matters() && asks_for_another_try && !accept.contains(answer.status)
        }
        Err(Failure::Own(_) | Failure::Doubtful(_, Doubt::Proxy)) => lost.matters(),
        Err(Failure::NeedsMemory | Failure::NoMemory) => true,
        Err(Failure::Site(reason) | Failure::Doubtful(reason, _)) => {
            reason_may_come_from(lost, reason, timeout)
        }
    }
}

fn reason_may_come_from(lost: Lost, reason: &Reason, timeout: Duration) -> bool {
    match reason {
        Reason::Timeout { .. } => lost.matters_within(timeout),
        // It is our own work that takes the time, so only a real stop counts.
        Reason::Body { kind: BodyKind::PatternTooSlow } => lost.is_most_of(timeout),
        Reason::Connect { .. }
        | Reason::Protocol
        | Reason::Body { .. }
        | Reason::Tls { kind: TlsKind::Other } => lost.matters(),
        Reason::Dns { kind } => {
            lost.matters() && !matches!(kind, DnsKind::Nxdomain | DnsKind::NoAddress | DnsKind::CnameLoop)
        }
        _ => false,
    }
}

/// How long an overloaded server wants to be left alone.
fn overloaded(answer: &Answer) -> Option<Duration> {
    let asked = retry_after(&answer.headers, SystemTime::now());
    match answer.status {
        502..=504 => Some(asked.unwrap_or_default()),
        429 => asked,
        _ => None,
    }
}

/// `Retry-After` (RFC 9110 §10.2.3): seconds, or a date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = SystemTime::from(DateTime::parse_from_rfc2822(text).ok()?);
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use linkbeat_shared::{BacklinkIn, ConnectKind, LinkUrl, Phase};
    use reqwest::header::HeaderValue;

    use super::*;

    const LEFT: Duration = Duration::from_secs(4);

    fn again(finding: &Result<Answer, Failure>, tries: u8) -> Option<Duration> {
        let url = LinkUrl::parse("http://a.example/").unwrap();
        let accept = AcceptedStatuses::default();
        pause(
            finding,
            &Target { url: &url, backlink: None, backlink_in: BacklinkIn::Text, accept: &accept },
            tries,
            LEFT,
        )
    }

    fn status(status: u16, retry_after: Option<&'static str>) -> Result<Answer, Failure> {
        let headers = retry_after.map(|value| (RETRY_AFTER, HeaderValue::from_static(value)));
        let url = LinkUrl::parse("http://a.example/").unwrap();
        let headers = headers.into_iter().collect();
        Ok(Answer { status, headers, page: Page::NotRead, outline: Box::default(), url })
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let connect = |kind| Err(Failure::Site(Reason::Connect { kind }));
        assert!(again(&connect(ConnectKind::Reset), 1).is_some());
        assert!(again(&connect(ConnectKind::Closed), 1).is_some());
        assert!(again(&status(503, None), 1).is_some());
        for stands in [
            connect(ConnectKind::Refused),
            Err(Failure::Site(Reason::Dns { kind: DnsKind::Nxdomain })),
            Err(Failure::Site(Reason::Timeout { phase: Phase::Headers })),
            status(200, None),
            status(404, None),
            status(500, None),
            status(429, None),
        ] {
            assert_eq!(again(&stands, 1), None, "{stands:?}");
        }
    }

    #[test]
    fn pauses_grow_and_what_the_server_asks_for_is_kept_if_it_fits() {
        let lost = Err(Failure::Site(Reason::Connect { kind: ConnectKind::Reset }));
        assert!(again(&lost, 2) > again(&lost, 1));
        assert_eq!(again(&status(429, Some("1")), 1), Some(Duration::from_secs(1)));
        assert_eq!(again(&status(503, Some("0")), 1), Some(FIRST_PAUSE));
        assert_eq!(again(&status(503, Some("120")), 1), None);
    }

    #[test]
    fn a_retry_date_is_counted_from_now() {
        let headers = |date| HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(date))]);
        let now = SystemTime::from(DateTime::parse_from_rfc3339("1994-11-06T08:49:30Z").unwrap());
        let wait = |date| retry_after(&headers(date), now);
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::from_secs(7)));
        assert_eq!(wait("Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(wait("soon"), None);
    }
}
