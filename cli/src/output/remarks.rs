//! What is worth a look although it decides nothing: notes, and certificates that soon end.

use chrono::{DateTime, Utc};
use linkbeat_shared::{Details, Lang, Reason, RunSummary, Verdict, readable_url};

use super::Prose;

/// Whether a link is up and its certificate ends within the days to warn of, as of `now`.
pub(super) fn certificate_ends_soon(
    verdict: Option<Verdict>,
    details: &Details,
    now: DateTime<Utc>,
    prose: Prose,
) -> bool {
    days_left(verdict, details, now, prose).is_some()
}

/// When a report was made: what it says does not change with the day on which it is read.
pub(super) fn report_time(run: &RunSummary) -> DateTime<Utc> {
    run.finished_at.unwrap_or(run.created_at)
}

/// Why a link is not up, and the remarks on it as of `now`; empty when nothing is worth telling.
pub(super) fn reason_and_remarks(
    verdict: Option<Verdict>,
    reason: Option<&Reason>,
    details: &Details,
    now: DateTime<Utc>,
    prose: Prose,
) -> String {
    let reason = reason.map(|reason| prose.lang.reason_of(reason, details.failed));
    let certificate = days_left(verdict, details, now, prose).map(|days| certificate(prose.lang, days));
    let notes = details.notes.iter().filter_map(|note| prose.lang.note(*note).map(str::to_owned));
    reason.into_iter().chain(certificate).chain(notes).collect::<Vec<_>>().join(prose.separator())
}

/// The same, and where redirects led.
pub(super) fn with_redirect(told: String, details: &Details, prose: Prose) -> String {
    let Some(last) = details.redirects.last() else { return told };
    let led = format!("→ {}", readable_url(last));
    if told.is_empty() { led } else { told + prose.separator() + &led }
}

/// The whole days that the certificate of a link that is up still holds, where they are few enough to warn
/// of; negative when it has ended since. A link that is not up has a reason, which matters more.
fn days_left(verdict: Option<Verdict>, details: &Details, now: DateTime<Utc>, prose: Prose) -> Option<i64> {
    let certificate = details.certificate.as_ref().filter(|_| verdict == Some(Verdict::Up))?;
    let left = certificate.expires_at - now;
    let days = left.num_seconds().div_euclid(24 * 60 * 60);
    (days < prose.warn_certificate_days.into()).then_some(days)
}

fn certificate(lang: Lang, days: i64) -> String {
    match (lang, days) {
        (Lang::En, ..0) => "certificate has expired".to_owned(),
        (Lang::En, 0) => "certificate expires within a day".to_owned(),
        (Lang::En, 1) => "certificate expires in 1 day".to_owned(),
        (Lang::En, days) => format!("certificate expires in {days} days"),
        (Lang::Zh, ..0) => "证书已过期".to_owned(),
        (Lang::Zh, 0) => "证书一天内过期".to_owned(),
        (Lang::Zh, days) => format!("证书 {days} 天后过期"),
    }
}

#[cfg(test)]
mod tests {
    use chrono::Duration;
    use linkbeat_shared::{Certificate, Note};

    use super::*;

    fn remark(verdict: Verdict, seconds_left: i64, warn_certificate_days: u32, lang: Lang) -> String {
        let now: DateTime<Utc> = "2026-01-02T03:04:05Z".parse().unwrap();
        let expires_at = now + Duration::seconds(seconds_left);
        let certificate = Some(Certificate { expires_at, issuer: "Somebody".to_owned() });
        let details = Details { certificate, ..Details::default() };
        reason_and_remarks(Some(verdict), None, &details, now, Prose { lang, warn_certificate_days })
    }

    #[test]
    fn certificates_are_told_of_in_time() {
        const DAY: i64 = 24 * 60 * 60;
        for (seconds_left, english, chinese) in [
            (14 * DAY, "", ""),
            (14 * DAY - 1, "certificate expires in 13 days", "证书 13 天后过期"),
            (DAY, "certificate expires in 1 day", "证书 1 天后过期"),
            (DAY - 1, "certificate expires within a day", "证书一天内过期"),
            (-1, "certificate has expired", "证书已过期"),
        ] {
            assert_eq!(remark(Verdict::Up, seconds_left, 14, Lang::En), english);
            assert_eq!(remark(Verdict::Up, seconds_left, 14, Lang::Zh), chinese);
        }
        assert_eq!(remark(Verdict::Down, DAY, 14, Lang::En), "", "its reason matters more");
        assert_eq!(remark(Verdict::Up, DAY, 0, Lang::En), "", "0 days: no warnings ahead");
    }

    #[test]
    fn notes_follow_the_reason_and_those_of_newer_versions_are_left_out() {
        let details =
            Details { notes: [Note::Nofollow, Note::Parked, Note::Other].into(), ..Details::default() };
        let (reason, now) = (Reason::Status { code: 404 }, DateTime::UNIX_EPOCH);
        let told = |lang| {
            let prose = Prose { lang, warn_certificate_days: 14 };
            reason_and_remarks(Some(Verdict::Down), Some(&reason), &details, now, prose)
        };
        let english = "the page answered 404; the backlink is nofollow; looks parked or for sale";
        assert_eq!(told(Lang::En), english);
        assert_eq!(told(Lang::Zh), "网页请求返回404；外链带有 nofollow；疑似域名停放或出售");
    }
}
