//! What a check tells besides its verdict, and what it tells the sites.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use linkbeat_shared::{CheckResult, Note, Phase, Verdict};
use linkbeat_worker::{Engine, WorkerSettings};

use crate::site::tls::{Authority, Identity, expired};
use crate::site::{Site, answer, page, redirect};
use crate::{asking_for, assert_judged, check, check_with, settings, within, without_retries};

const HOST: &str = "127.0.0.1";

fn trusting(authority: &Authority) -> Engine {
    let file = authority.file();
    Engine::new(&WorkerSettings { extra_ca: Some(file.path().to_owned()), ..settings() }).unwrap()
}

/// A site over TLS that answers every request on a connection with these bytes.
async fn over_tls(identity: Identity, answer: Vec<u8>) -> Site {
    Site::plays_over_tls(identity, &[], move |mut visit| {
        let answer = answer.clone();
        async move {
            while !visit.request().await.is_empty() {
                visit.send(&answer).await;
            }
        }
    })
    .await
}

fn kept_open(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// When the certificate expires, and who issued it.
fn certificate(result: &CheckResult) -> Option<(String, &str)> {
    let certificate = result.details.certificate.as_ref()?;
    Some((certificate.expires_at.date_naive().to_string(), certificate.issuer.as_str()))
}

#[tokio::test]
async fn redirects_are_told_without_passwords_and_a_downgrade_is_noted() {
    let plain = Site::answers(page("hello")).await;
    let port = plain.address().port();
    let authority = Authority::new("trusted");
    let down = redirect("302 Found", &format!("http://me:secret@{HOST}:{port}/last"));
    let tls = over_tls(authority.vouches_for(HOST, |_| {}), down).await;
    let start = Site::answers(redirect("301 Moved", tls.https_url().expose())).await;
    let result = check_with(&trusting(&authority), &start.url("/"), &within(5_000)).await;
    assert_judged(&result, Verdict::Up, None);
    let expected = [tls.https_url().to_string(), format!("http://{HOST}:{port}/last")];
    assert_eq!(result.details.redirects, expected);
    assert!(result.details.notes.contains(&Note::Downgraded));
    assert!(result.details.certificate.is_some(), "of the last server that showed one");
    let direct = check(&plain.url("/"), &within(5_000)).await;
    assert!(direct.details.is_empty(), "{:?}", direct.details);
}

#[tokio::test]
async fn the_time_of_each_phase_is_told() {
    const HEAD: Duration = Duration::from_millis(150);
    const BODY: Duration = Duration::from_millis(100);
    let slow = Site::plays(|mut visit, _| async move {
        visit.request().await;
        tokio::time::sleep(HEAD).await;
        visit.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n").await;
        tokio::time::sleep(BODY).await;
        visit.send(b"hello").await;
    })
    .await;
    let start = Site::answers(redirect("302 Found", slow.url("/").expose())).await;
    let result = check(&start.url("/"), &asking_for("hello")).await;
    assert_judged(&result, Verdict::Up, None);
    let phases: Vec<_> = result.phases.as_deref().unwrap().iter().collect();
    let of = |wanted| u64::from(phases.iter().find(|(phase, _)| *phase == wanted).unwrap().1);
    assert!(of(Phase::Headers) >= 140 && of(Phase::Body) >= 90, "{phases:?}");
    assert_eq!(of(Phase::Tls), 0, "{phases:?}");
    let total = result.phases.unwrap().total_ms();
    assert!(total <= u64::from(result.elapsed_ms) + 1, "{total} of {}", result.elapsed_ms);
    let refused = check(&"http://[64:ff9b::1]/".parse().unwrap(), &within(500)).await;
    assert!(refused.phases.is_none_or(|phases| phases.total_ms() < 100));
}

#[tokio::test]
async fn the_chain_is_told_also_when_it_ends_in_nothing() {
    let silent = Site::plays(|mut visit, _| async move { visit.wait_for_end().await }).await;
    let start = Site::answers(redirect("302 Found", silent.url("/slow").expose())).await;
    let result = check(&start.url("/"), &within(500)).await;
    assert_eq!(result.verdict, Some(Verdict::Down));
    assert_eq!(result.details.redirects, [silent.url("/slow").to_string()]);
}

#[tokio::test]
async fn a_certificate_is_told_over_a_new_connection_and_over_a_kept_one() {
    let authority = Authority::new("Honest Certificates");
    let until_2031 =
        authority.vouches_for(HOST, |params| params.not_after = rcgen::date_time_ymd(2031, 2, 3));
    let site = over_tls(until_2031, kept_open("hello")).await;
    let engine = trusting(&authority);
    let expected = Some(("2031-02-03".to_owned(), "Honest Certificates"));
    for _ in 0..3 {
        // The page is read to its end, so that the connection can be kept.
        let result = check_with(&engine, &site.https_url(), &asking_for("nothing")).await;
        assert_eq!(result.verdict, Some(Verdict::NoBacklink));
        assert_eq!(certificate(&result), expected);
    }
    assert_eq!(site.visits(), 1, "one connection");
}

#[tokio::test]
async fn a_certificate_is_told_also_when_it_was_not_accepted_or_nothing_came_after_it() {
    let authority = Authority::new("Honest Certificates");
    let engine = trusting(&authority);
    let stale = over_tls(authority.vouches_for(HOST, expired), page("hello")).await;
    let result = check_with(&engine, &stale.https_url(), &within(5_000)).await;
    assert_eq!(result.verdict, Some(Verdict::Down));
    assert_eq!(certificate(&result), Some(("2001-01-01".to_owned(), "Honest Certificates")));

    let silent = Site::plays_over_tls(authority.vouches_for(HOST, |_| {}), &[], |mut visit| async move {
        visit.wait_for_end().await;
    })
    .await;
    let result = check_with(&engine, &silent.https_url(), &within(500)).await;
    assert_eq!(result.verdict, Some(Verdict::Down));
    assert_eq!(certificate(&result).unwrap().1, "Honest Certificates");
}

#[tokio::test]
async fn cookies_stay_with_their_host_and_their_check() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let listening = Arc::clone(&heard);
    let other = Site::plays_at([127, 0, 0, 2].into(), move |mut visit, _| {
        let listening = Arc::clone(&listening);
        async move {
            let request = visit.request().await.to_lowercase();
            listening.lock().unwrap().push(request);
            visit.send(page("hello")).await;
        }
    })
    .await;
    let to = other.url("/").to_string();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let seeing = Arc::clone(&seen);
    let wall = Site::plays(move |mut visit, _| {
        let (seeing, to) = (Arc::clone(&seeing), to.clone());
        async move {
            let request = visit.request().await.to_lowercase();
            let let_in = request.contains("\r\ncookie: seen=yes\r\n");
            seeing.lock().unwrap().push(let_in);
            let next = if let_in { to } else { "/".to_owned() };
            let headers = [format!("Location: {next}"), "Set-Cookie: seen=yes; Domain=0.0.1".to_owned()];
            visit.send(answer("302 Found", &headers.each_ref().map(String::as_str), "")).await;
        }
    })
    .await;
    let engine = Engine::new(&settings()).unwrap();
    for _ in 0..2 {
        assert_judged(&check_with(&engine, &wall.url("/"), &within(5_000)).await, Verdict::Up, None);
    }
    assert_eq!(*seen.lock().unwrap(), [false, true, false, true], "every check begins without cookies");
    let heard = heard.lock().unwrap();
    assert_eq!(heard.len(), 2);
    for request in heard.iter() {
        assert!(!request.contains("cookie") && !request.contains("referer"), "{request}");
    }
}

#[tokio::test]
async fn the_operators_headers_go_with_every_request() {
    let site = Site::plays(|mut visit, _| async move {
        let request = visit.request().await.to_lowercase();
        let complete = ["x-token: s3cret", "accept: text/plain", "user-agent: linkbeat/"];
        let complete = complete.iter().all(|header| request.contains(header));
        visit.send(if complete { page("hello") } else { answer("400 Bad Request", &[], "") }).await;
    })
    .await;
    let headers = ["X-Token: s3cret", "Accept: text/plain"].map(|header| header.parse().unwrap()).into();
    let settings = WorkerSettings { headers, ..settings() };
    assert!(!format!("{settings:?}").contains("s3cret"));
    let engine = Engine::new(&settings).unwrap();
    assert_judged(&check_with(&engine, &site.url("/"), &within(5_000)).await, Verdict::Up, None);
}

#[tokio::test]
async fn requests_to_one_host_keep_their_interval() {
    let site = Site::answers_by_path(|path| match path {
        "/" => redirect("302 Found", "/there"),
        _ => page("hello"),
    })
    .await;
    let interval = Duration::from_millis(200);
    let min_interval = Some(interval.try_into().unwrap());
    let engine = Engine::new(&WorkerSettings { min_interval, ..settings() }).unwrap();
    let began = std::time::Instant::now();
    let (url, spec) = (site.url("/"), without_retries(within(5_000)));
    let (first, second) = tokio::join!(check_with(&engine, &url, &spec), check_with(&engine, &url, &spec));
    for result in [first, second] {
        assert_judged(&result, Verdict::Up, None);
    }
    assert!(began.elapsed() >= 3 * interval, "four requests within {:?}", began.elapsed());
}
