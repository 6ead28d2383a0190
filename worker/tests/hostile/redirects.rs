//! Redirects: the final answer is judged, and a chain that leads nowhere says why.

use linkbeat_shared::{Reason, RedirectKind};

use super::row::Row;
use super::street::{Street, answering, answering_by_path, named, playing};
use crate::site::{Site, answer, header, nobody, own_address, page, redirect};

fn nowhere(kind: RedirectKind) -> Reason {
    Reason::Redirect { kind }
}

pub(super) async fn rows(street: &Street) -> Vec<Row> {
    let chains = async |case: &str, path: &str| {
        let site = chains().await;
        let url = site.url(path);
        Row::new(case, site).from(url)
    };
    let mut rows = vec![
        chains("every kind of redirect, relative and absolute", "/start").await,
        chains("ten hops", "/10").await,
        chains("a fragment in a Location", "/fragment").await,
        chains("the final answer is judged", "/gone").await.down(Reason::Status { code: 404 }),
        chains("eleven hops", "/11").await.down(nowhere(RedirectKind::TooMany)),
        chains("a loop", "/loop").await.down(nowhere(RedirectKind::Loop)),
        chains("to itself", "/self").await.down(nowhere(RedirectKind::Loop)),
        chains("no Location", "/none").await.down(nowhere(RedirectKind::NoLocation)),
        chains("a malformed Location", "/bad").await.down(nowhere(RedirectKind::BadLocation)),
        chains("a Location that is no web page", "/mail").await.down(nowhere(RedirectKind::BadLocation)),
        chains("a status that is no redirect", "/300").await.down(Reason::Status { code: 300 }),
        chains("an empty Location before the real one", "/twice").await,
        Row::new("a cookie wall", cookie_wall().await),
        Row::new("a cookie wall whose page refreshes itself", refreshing_cookie_wall().await)
            .asking("me.example"),
        cookie_for_the_domain().await,
        Row::new("a wall that hands out the same cookie for ever", same_cookie_for_ever().await)
            .down(nowhere(RedirectKind::Loop)),
        Row::new("a new cookie every time", new_cookies_for_ever().await)
            .down(nowhere(RedirectKind::TooMany)),
    ];
    rows.extend(across_sites(street).await);
    rows
}

async fn across_sites(street: &Street) -> Vec<Row> {
    let last = answering(page("hello")).await;
    let to_another_host = answering(redirect("302 Found", named(&last, "other.").expose())).await;
    let dead = format!("http://{}/", nobody());
    let to_the_dead = answering(redirect("301 Moved", &dead)).await;
    let refused = linkbeat_shared::ConnectKind::Refused;
    let plain = answering(page("hello")).await;
    let downgrade = over_tls(street, redirect("302 Found", plain.url("/").expose())).await;
    let upgrade = answering(redirect("302 Found", downgrade.https_url().expose())).await;
    vec![
        Row::new("to another host", to_another_host).and(last),
        Row::new("to where nobody listens", to_the_dead).down(Reason::Connect { kind: refused }),
        Row::new("from http to https and back", upgrade).and(downgrade).and(plain),
    ]
}

async fn over_tls(street: &Street, answer: Vec<u8>) -> Site {
    let home = own_address();
    let identity = street.authority.vouches_for(&home.to_string(), |_| {});
    Site::plays_over_tls_at(home, identity, &[], move |mut visit| {
        let answer = answer.clone();
        async move {
            visit.request().await;
            visit.send(answer).await;
        }
    })
    .await
}

async fn chains() -> Site {
    answering_by_path(|path| match path {
        "/start" => redirect("301 Moved", "a/b"),
        "/a/b" => redirect("302 Found", "../c?d=1#e"),
        "/c?d=1" => redirect("303 See Other", "/f"),
        "/f" => redirect("307 Temporary Redirect", "?g"),
        "/f?g" => redirect("308 Permanent Redirect", "/0"),
        "/fragment" => redirect("302 Found", "/0#part"),
        "/gone" => redirect("302 Found", "/404"),
        "/404" => answer("404 Not Found", &[], ""),
        "/loop" => redirect("302 Found", "/pool"),
        "/pool" => redirect("302 Found", "/loop"),
        "/self" => redirect("302 Found", "/self"),
        "/none" => answer("302 Found", &[], ""),
        "/bad" => redirect("302 Found", "http://[::1"),
        "/mail" => redirect("302 Found", "mailto:me@example.com"),
        "/twice" => answer("302 Found", &["Location: ", "Location: /0"], ""),
        "/300" => answer("300 Multiple Choices", &["Location: /0"], ""),
        "/0" => page("arrived"),
        hops => match hops[1..].parse::<usize>() {
            Ok(hops) => redirect("302 Found", &format!("/{}", hops - 1)),
            Err(_) => answer("400 Bad Request", &[], ""),
        },
    })
    .await
}

/// Lets in whoever brings the cookie back, and sends the others round.
async fn cookie_wall() -> Site {
    playing(|mut visit, _| async move {
        let request = visit.request().await;
        let cookie = "Set-Cookie: seen=yes; Path=/; HttpOnly";
        if request.to_lowercase().contains("\r\ncookie: seen=yes\r\n") {
            visit.send(page("hello")).await;
        } else {
            visit.send(answer("302 Found", &["Location: /", cookie], "")).await;
        }
    })
    .await
}

async fn refreshing_cookie_wall() -> Site {
    playing(|mut visit, _| async move {
        let request = visit.request().await;
        let refresh = "<meta http-equiv=refresh content='0;url=/'>";
        if request.to_lowercase().contains("\r\ncookie: seen=yes\r\n") {
            visit.send(page("me.example")).await;
        } else {
            let headers = ["Content-Type: text/html", "Set-Cookie: seen=yes"];
            visit.send(answer("200 OK", &headers, refresh)).await;
        }
    })
    .await
}

/// The host with `www.` lets in whoever brings the cookie that the host without it sets for both.
async fn cookie_for_the_domain() -> Row {
    let site = playing(|mut visit, _| async move {
        let request = visit.request().await.to_lowercase();
        let host = header(&request, "host").unwrap_or_default().to_owned();
        let reply = match host.strip_prefix("www.") {
            Some(_) if request.contains("\r\ncookie: seen=yes\r\n") => page("hello"),
            Some(bare) => redirect("302 Found", &format!("http://{bare}/")),
            None => {
                let domain = host.split(':').next().unwrap_or_default();
                let cookie = format!("Set-Cookie: seen=yes; Path=/; Domain=.{domain}");
                answer("302 Found", &[&format!("Location: http://www.{host}/"), &cookie], "")
            }
        };
        visit.send(reply).await;
    })
    .await;
    let url = named(&site, "");
    Row::new("a cookie for all hosts of the domain", site).from(url)
}

async fn same_cookie_for_ever() -> Site {
    answering(answer("302 Found", &["Location: /", "Set-Cookie: seen=yes"], "")).await
}

async fn new_cookies_for_ever() -> Site {
    playing(|mut visit, number| async move {
        visit.request().await;
        let cookie = format!("Set-Cookie: number={number}");
        visit.send(answer("302 Found", &["Location: /", &cookie], "")).await;
    })
    .await
}
