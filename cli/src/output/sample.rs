//! A run and stored links for the tests: one link of each kind, some with names that mean harm.

use chrono::{DateTime, Duration, Utc};
use linkbeat_shared::{
    Alike, Attributes, Certificate, Change, ConnectKind, Counts, Details, DnsKind, HeldBack, Link, LinkId,
    LinkName, LinkReport, LinkState, Note, Phase, Reason, RequestId, Run, RunId, RunState, RunSummary,
    Verdict,
};
use linkbeat_shared::{CheckResult, CheckSpec};
use linkbeat_worker::{HeaderLine, Spent, Step, Told};
use uuid::Uuid;

/// A run and its links.
pub(super) struct Report {
    pub(super) run: RunSummary,
    pub(super) links: Vec<LinkReport>,
}

fn id(number: u128) -> Uuid {
    Uuid::from_u128(0x0190_a1b2_0000_7000_8000_0000_0000_0000 + number)
}

fn time() -> DateTime<Utc> {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

fn link(number: u128, name: &str, url: &str, verdict: Option<Verdict>, reason: Option<Reason>) -> LinkReport {
    let status = match &reason {
        Some(Reason::Status { code }) => Some(*code),
        Some(Reason::BacklinkMissing { .. }) => Some(200),
        _ => (verdict == Some(Verdict::Up)).then_some(200),
    };
    LinkReport {
        id: LinkId(id(number)),
        name: LinkName::parse(name).unwrap(),
        url: linkbeat_shared::PublicUrl::from(&url.parse().unwrap()),
        shown: matches!(verdict, None | Some(Verdict::Up)),
        verdict,
        reason,
        status,
        elapsed_ms: verdict.map(|_| 120),
        change: None,
        proposed: None,
        details: Details::default(),
    }
}

fn changed(change: Change, elapsed_ms: u32, link: LinkReport) -> LinkReport {
    LinkReport { change: Some(change), elapsed_ms: Some(elapsed_ms), ..link }
}

/// A certificate that ends so many days after the run.
fn certificate(days: i64, issuer: &str) -> Option<Certificate> {
    Some(Certificate {
        expires_at: time() + Duration::days(days) + Duration::hours(1),
        issuer: issuer.to_owned(),
    })
}

/// A link that is up, and has been led from its secure page to one that is not.
fn downgraded(link: LinkReport) -> LinkReport {
    let details = Details {
        redirects: vec!["https://back.example/old".to_owned(), "http://back.example/|\u{1b}[2J".to_owned()],
        certificate: certificate(90, "=HYPERLINK(\"//x\")"),
        notes: [Note::Downgraded].into(),
        ..Details::default()
    };
    LinkReport { details, ..link }
}

/// A link whose certificate ends within days.
fn ending(link: LinkReport) -> LinkReport {
    let details = Details { certificate: certificate(5, "Let's Encrypt"), ..Details::default() };
    LinkReport { details, ..link }
}

/// A run with every verdict and change.
pub(super) fn report() -> Report {
    use Verdict::{Blocked, Down, NoBacklink, Refused, Up};
    let unsafe_address = Reason::UnsafeAddress { address: Some("169.254.169.254\u{1b}[2J".to_owned()) };
    let timeout = Reason::Timeout { phase: Phase::Connect };
    let missing = Reason::BacklinkMissing { truncated: false };
    let status = |code| Some(Reason::Status { code });
    report_of(vec![
        ending(link(1, "Alice", "https://alice.example/", Some(Up), None)),
        link(
            2,
            "=HYPERLINK(\"//x\")|<b>@root</b> #1",
            "https://me:secret@evil.example/|a",
            Some(Refused),
            Some(unsafe_address),
        ),
        changed(Change::Shown, 43, downgraded(link(3, "Back", "https://back.example/", Some(Up), None))),
        link(4, "Wall", "https://wall.example/", Some(Blocked), status(429)),
        changed(
            Change::Hidden,
            98,
            link(5, "失联的朋友", "https://lost.example/friends/", Some(NoBacklink), Some(missing)),
        ),
        changed(
            Change::Hidden,
            5_000,
            link(6, "Bob", "https://bob.example/a/rather/long/path?to=nowhere", Some(Down), Some(timeout)),
        ),
        link(7, "Gone & <away>", "http://gone.example/", Some(Down), status(404)),
        link(8, "+Friend", "https://friend.example/", None, None),
    ])
}

/// A run with these links, which took 5.1 s.
pub(super) fn report_of(links: Vec<LinkReport>) -> Report {
    let mut counts = Counts::default();
    for link in &links {
        counts.add(link.verdict, link.change, 1);
    }
    counts.active = counts.checked;
    let run = RunSummary {
        run_id: RunId(id(0x99)),
        request_id: RequestId(id(0x98)),
        state: RunState::Finished,
        missing: 0,
        to_recheck: 0,
        held_back: None,
        created_at: time(),
        finished_at: Some(time() + Duration::milliseconds(5_130)),
        counts,
    };
    Report { run, links }
}

/// A run in which all went well.
pub(super) fn good_report() -> Report {
    report_of(vec![link(1, "Alice", "https://alice.example/", Some(Verdict::Up), None)])
}

/// The run of [`report`], cancelled when four of its links had no result yet.
pub(super) fn cancelled_report() -> Report {
    let mut report = report();
    report.run.state = RunState::Cancelled;
    report.run.counts.active += 4;
    report
}

/// A run that was held back.
pub(super) fn held_back_report() -> Report {
    let down = Some(Reason::Status { code: 403 });
    let mut report = report_of(vec![
        link(1, "Alice", "https://alice.example/", Some(Verdict::Down), down),
        link(2, "Back", "https://back.example/", Some(Verdict::Up), None),
    ]);
    let changes = [Change::Hidden, Change::Shown];
    for (link, change) in report.links.iter_mut().zip(changes) {
        (link.shown, link.proposed) = (change == Change::Hidden, Some(change));
    }
    report.run.state = RunState::HeldBack;
    (report.run.counts.would_hide, report.run.counts.would_show) = (1, 1);
    let alike = Alike { change: Change::Hidden, reason: Some("status".to_owned()), links: 11 };
    report.run.held_back = Some(HeldBack { known: 12, alike: vec![alike], decision: None });
    report
}

/// A run in which all went well, of which one certificate is about to end.
pub(super) fn ending_report() -> Report {
    report_of(vec![ending(link(1, "Alice", "https://alice.example/", Some(Verdict::Up), None))])
}

/// One link that was checked and one that was not.
pub(super) fn links() -> Vec<Link> {
    let stored = |number, name: &str, url: &str, state| Link {
        id: LinkId(id(number)),
        name: LinkName::parse(name).unwrap(),
        url: url.parse().unwrap(),
        page_url: None,
        active: true,
        paused_until: None,
        backlink: true,
        group: None,
        attributes: Attributes::default(),
        pin: None,
        state,
    };
    let down = LinkState {
        verdict: Some(Verdict::Down),
        reason: Some(Reason::Connect { kind: ConnectKind::Refused }),
        hidden_reason: Some(Reason::Dns { kind: DnsKind::Nxdomain }),
        elapsed_ms: Some(7),
        details: Details { certificate: certificate(5, "Let's Encrypt"), ..Details::default() },
        last_checked_at: Some(time()),
        ..LinkState::default()
    };
    let fresh = LinkState { shown: true, ..LinkState::default() };
    vec![
        Link {
            page_url: Some("https://ming.example/links".parse().unwrap()),
            backlink: false,
            ..stored(1, "小明, 博客", "https://me:secret@ming.example/", down)
        },
        Link {
            active: false,
            paused_until: DateTime::from_timestamp(4_000_000_000, 0),
            ..stored(2, "@new", "http://new.example/", fresh)
        },
    ]
}

/// A run that went well and one that lacks results.
pub(super) fn runs() -> Vec<Run> {
    let run = |number, state, missing| Run {
        id: RunId(id(number)),
        request_id: RequestId(id(number + 1)),
        state,
        links: 24,
        done: 24 - missing,
        missing,
        created_at: time(),
        finished_at: Some(time() + Duration::milliseconds(5_130)),
        reply_to: None,
        trace: None,
    };
    vec![run(0x90, RunState::Finished, 0), run(0x80, RunState::Incomplete, 3)]
}

/// The steps of a check with two pages, the second of which lacks the backlink, and what it came to.
pub(super) fn told() -> (Vec<Told>, CheckResult, CheckSpec) {
    let told = |at_ms, chain, step| Told { at_ms, chain, step };
    let spent =
        |phases: &[(Phase, u64)]| phases.iter().map(|(phase, ms)| Spent { phase: *phase, ms: *ms }).collect();
    let header = |name: &str, value: &str| HeaderLine { name: name.to_owned(), value: value.to_owned() };
    let long = format!("https://friend.example/{}/links", "a-rather-long-way".repeat(5));
    let result = CheckResult {
        link_id: LinkId(id(1)),
        verdict: Some(Verdict::NoBacklink),
        reason: Some(Reason::BacklinkMissing { truncated: true }),
        status: Some(200),
        elapsed_ms: 1_342,
        checked_at: time(),
        details: Details { notes: [Note::Downgraded].into(), ..Details::default() },
        phases: None,
    };
    let steps = vec![
        told(0, 1, Step::Asks { url: "https://friend.example/".to_owned() }),
        told(
            12,
            1,
            Step::Dials {
                addresses: ["2001:db8::1111:2222:3333:4444", "2001:db8::5555:6666:7777:8888", "192.0.2.17"]
                    .map(|address| address.parse().unwrap())
                    .into(),
            },
        ),
        told(57, 1, Step::Certificate(certificate(90, "Let's Encrypt").unwrap())),
        told(
            131,
            1,
            Step::Answers {
                status: 301,
                address: "192.0.2.17".parse().ok(),
                kept: false,
                headers: vec![header("location", &long), header("server", "nginx")],
                phases: spent(&[
                    (Phase::Queue, 3),
                    (Phase::Dns, 9),
                    (Phase::Connect, 30),
                    (Phase::Tls, 41),
                    (Phase::Headers, 48),
                ]),
            },
        ),
        told(131, 1, Step::Asks { url: long }),
        told(
            640,
            2,
            Step::NoAnswer {
                reason: Some(Reason::Connect { kind: ConnectKind::Refused }),
                phases: spent(&[(Phase::Connect, 500)]),
            },
        ),
        told(640, 2, Step::TriesAgain { after_ms: 500 }),
        told(1_310, 1, Step::Reads { bytes: 18_231, text_bytes: 90_412, elapsed_ms: 22 }),
        told(1_311, 1, Step::Searches { found: false, nofollow: false, offset: None, context: None }),
        told(
            1_340,
            2,
            Step::Searches {
                found: true,
                nofollow: true,
                offset: Some(4_711),
                context: Some(
                    "友情链接：<a href=\"https://my.blog/\" rel=\"nofollow\">我的博客，写代码和生活</a>"
                        .to_owned(),
                ),
            },
        ),
    ];
    (steps, result, CheckSpec { backlink: "https?://my\\.blog".parse().ok(), ..CheckSpec::default() })
}
