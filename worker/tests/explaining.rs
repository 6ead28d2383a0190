//! A check that tells its steps.

use linkbeat_shared::{JobLink, Phase, Reason, Verdict};
use linkbeat_worker::{Engine, Outcome, Step, Told, WorkerSettings};
use tokio::sync::mpsc;

use crate::site::tls::Authority;
use crate::site::{Site, answer, nobody, page, redirect};
use crate::{asking_for, engine, link, settings, within};

/// What a check came to, and its steps.
async fn explained(
    engine: &Engine,
    link: &JobLink,
    spec: &linkbeat_shared::CheckSpec,
) -> (Outcome, Vec<Told>) {
    let (to, mut steps) = mpsc::channel(1_000);
    let outcome = engine.explain(link, spec, to).await;
    let mut told = Vec::new();
    while let Some(step) = steps.recv().await {
        told.push(step);
    }
    (outcome, told)
}

fn verdict(outcome: &Outcome) -> Option<Verdict> {
    match outcome {
        Outcome::Judged(result) => result.verdict,
        Outcome::OwnFault(fault) => panic!("{fault:?}"),
    }
}

fn words(steps: &[Told]) -> Vec<&'static str> {
    let word = |told: &Told| match told.step {
        Step::Asks { .. } => "asks",
        Step::Dials { .. } => "dials",
        Step::Certificate(_) => "certificate",
        Step::Answers { .. } => "answers",
        Step::NoAnswer { .. } => "no answer",
        Step::Reads { .. } => "reads",
        Step::Searches { .. } => "searches",
        Step::TriesAgain { .. } => "tries again",
    };
    steps.iter().map(word).collect()
}

#[tokio::test]
async fn each_hop_and_the_place_of_the_backlink_are_told() {
    let body = format!("<p>{}中文 my.blog and more</p>", "x".repeat(500));
    let last =
        Site::answers(answer("200 OK", &["Content-Type: text/html", "Server: fake", "X-Other: 1"], &body))
            .await;
    let to = last.url("/last").expose().replace("http://", "http://me:s3cret@");
    let first = Site::answers(redirect("302 Found", &to)).await;
    let (outcome, steps) = explained(&engine(), &link(&first.url("/")), &asking_for(r"my\.blog")).await;
    assert_eq!(verdict(&outcome), Some(Verdict::Up));
    let expected = ["asks", "dials", "answers", "asks", "dials", "answers", "reads", "searches"];
    assert_eq!(words(&steps), expected, "{steps:#?}");
    assert!(!format!("{steps:?}").contains("s3cret"), "{steps:#?}");
    assert!(steps.windows(2).all(|pair| pair[0].at_ms <= pair[1].at_ms));
    let Step::Answers { status, address, kept, headers, phases } = &steps[5].step else { panic!() };
    assert_eq!((*status, *address, *kept), (200, Some("127.0.0.1".parse().unwrap()), false));
    let names: Vec<_> = headers.iter().map(|line| (line.name.as_str(), line.value.as_str())).collect();
    assert!(
        names.contains(&("server", "fake")) && names.iter().all(|(name, _)| *name != "x-other"),
        "{names:?}"
    );
    assert!(phases.iter().any(|spent| spent.phase == Phase::Headers), "{phases:?}");
    assert!(
        matches!(steps[6].step, Step::Reads { bytes, text_bytes, .. } if bytes == body.len() as u64 && text_bytes > 500)
    );
    let Step::Searches { found: true, nofollow: false, offset: Some(offset), context: Some(context) } =
        &steps[7].step
    else {
        panic!("{:?}", steps[7])
    };
    assert_eq!(*offset, body.find("my.blog").unwrap() as u64);
    assert!(context.contains("中文 my.blog and more"), "{context}");
}

#[tokio::test]
async fn a_certificate_and_a_missing_backlink_are_told() {
    let authority = Authority::new("Honest Certificates");
    let site =
        Site::plays_over_tls(authority.vouches_for("127.0.0.1", |_| {}), &[], |mut visit| async move {
            visit.request().await;
            visit.send(page("hello")).await;
        })
        .await;
    let file = authority.file();
    let engine =
        Engine::new(&WorkerSettings { extra_ca: Some(file.path().to_owned()), ..settings() }).unwrap();
    let (outcome, steps) = explained(&engine, &link(&site.https_url()), &asking_for("nothing")).await;
    assert_eq!(verdict(&outcome), Some(Verdict::NoBacklink));
    assert_eq!(words(&steps), ["asks", "dials", "certificate", "answers", "reads", "searches"], "{steps:#?}");
    let Step::Certificate(certificate) = &steps[2].step else { panic!() };
    assert_eq!(certificate.issuer, "Honest Certificates");
    let Step::Answers { phases, .. } = &steps[3].step else { panic!() };
    let phases: Vec<_> = phases.iter().map(|spent| spent.phase).collect();
    assert!(phases.contains(&Phase::Connect) && phases.contains(&Phase::Tls), "{phases:?}");
    assert!(matches!(steps[5].step, Step::Searches { found: false, offset: None, .. }));
}

#[tokio::test]
async fn failures_and_further_tries_are_told() {
    let url = format!("http://{}/", nobody());
    let link = link(&linkbeat_shared::LinkUrl::parse(&url).unwrap());
    let (outcome, steps) = explained(&engine(), &link, &within(5_000)).await;
    assert_eq!(verdict(&outcome), Some(Verdict::Down));
    assert_eq!(words(&steps), ["asks", "dials", "no answer"], "{steps:#?}");
    let Step::NoAnswer { reason: Some(Reason::Connect { .. }), .. } = &steps[2].step else {
        panic!("{steps:#?}")
    };

    // It takes connections and ends them.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let ending = tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            drop(connection);
        }
    });
    let link = self::link(&linkbeat_shared::LinkUrl::parse(&url).unwrap());
    let (outcome, steps) = explained(&engine(), &link, &within(5_000)).await;
    ending.abort();
    assert_eq!(verdict(&outcome), Some(Verdict::Down));
    let words = words(&steps);
    assert!(words.contains(&"tries again") && steps.last().unwrap().chain == 2, "{steps:#?}");
}

#[tokio::test]
async fn a_listener_that_takes_nothing_holds_up_no_check() {
    let site = Site::answers(page("hello")).await;
    let (to, steps) = mpsc::channel(1);
    let outcome = engine().explain(&link(&site.url("/")), &within(5_000), to).await;
    assert_eq!(verdict(&outcome), Some(Verdict::Up));
    drop(steps);
    let (to, steps) = mpsc::channel(1);
    drop(steps);
    let outcome = engine().explain(&link(&site.url("/")), &within(5_000), to).await;
    assert_eq!(verdict(&outcome), Some(Verdict::Up));
}

#[tokio::test]
async fn a_further_try_names_the_page_that_is_tried_again() {
    // The first page is slow. The home page fails at once, and is tried again meanwhile.
    let slow = Site::plays(|mut visit, _| async move {
        visit.request().await;
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        visit.send(page("my.blog")).await;
    })
    .await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let home = format!("http://{}/", listener.local_addr().unwrap());
    let ending = tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            drop(connection);
        }
    });
    let mut link = link(&linkbeat_shared::LinkUrl::parse(&home).unwrap());
    link.page_url = Some(slow.url("/links"));
    let (_, steps) = explained(&engine(), &link, &asking_for(r"my\.blog")).await;
    ending.abort();
    let of_home = |told: &&Told| matches!(&told.step, Step::Asks { url } if *url == home);
    let first = steps.iter().find(of_home).unwrap().chain;
    let again = steps.iter().find(|told| matches!(told.step, Step::TriesAgain { .. })).unwrap();
    assert_eq!(again.chain, first, "{steps:#?}");
}

#[tokio::test]
async fn redirects_without_a_scheme_tell_no_password() {
    let last = Site::answers(page("hello")).await;
    let to = last.url("/last").expose().replace("http://", "//me:s3cret@");
    let first = Site::answers(redirect("302 Found", &to)).await;
    let (outcome, steps) = explained(&engine(), &link(&first.url("/")), &within(5_000)).await;
    assert_eq!(verdict(&outcome), Some(Verdict::Up));
    assert!(!format!("{steps:?}").contains("s3cret"), "{steps:#?}");
}

#[tokio::test]
async fn the_place_of_a_backlink_is_told_in_a_long_page() {
    let body = format!("<p>{} my.blog and more</p>", "x".repeat(5 << 20));
    let site = Site::answers(answer("200 OK", &["Content-Type: text/html"], &body)).await;
    let engine = Engine::new(&WorkerSettings { max_body: 16 << 20, ..settings() }).unwrap();
    let (outcome, steps) = explained(&engine, &link(&site.url("/")), &asking_for(r"my\.blog")).await;
    assert_eq!(verdict(&outcome), Some(Verdict::Up));
    let Step::Searches { offset: Some(offset), context: Some(context), .. } = &steps.last().unwrap().step
    else {
        panic!("{:?}", steps.last())
    };
    assert_eq!(*offset, body.find("my.blog").unwrap() as u64);
    assert!(context.contains("xx my.blog and more"), "{context}");
}
