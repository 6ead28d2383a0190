//! What the operator of a worker says on the command line or in the environment reaches the wire.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use linkbeat_testbed::background;
use linkbeat_testbed::site::{self, Site};

use crate::support::Folder;
use crate::support::form::{Form, arg};
use crate::support::process::{linkbeat, run};
use crate::support::site::{Answer, Street};

/// A site, and the heads of the requests that come to it.
fn listens() -> (Site, mpsc::Receiver<String>) {
    let (heads, asked) = mpsc::channel();
    let site = background(Site::answers_by_head(move |head| {
        let _ = heads.send(head.to_ascii_lowercase());
        site::page("")
    }));
    (site, asked)
}

#[test]
fn headers_are_sent_with_every_request() {
    let (form, (site, asked)) = (Form::embedded(), listens());
    let list = form.list(&format!("url\n{}\n", site.url("/").expose()));
    let headers = ["--header", "Accept-Language: zh, en", "--header", "X-Asked-By: the=blog"];
    form.check(&[&[arg(&list)], &headers[..]].concat()).expect(0);
    let head = asked.recv().unwrap();
    assert!(head.contains("\r\naccept-language: zh, en\r\n"), "{head}");
    assert!(head.contains("\r\nx-asked-by: the=blog\r\n"), "{head}");
}

#[test]
fn headers_can_stand_in_the_environment_and_bad_ones_are_told() {
    let (folder, (site, asked)) = (Folder::new(), listens());
    let list = folder.write("list.csv", format!("url\n{}\n", site.url("/").expose()));
    let check = ["check", arg(&list), "--allow-network", "127.0.0.0/8"];
    let with = |headers: &str| run(linkbeat(folder.path(), check).env("LINKBEAT_WORKER_HEADERS", headers));
    let refused = with("Host: elsewhere").expect(2);
    assert!(refused.stderr.contains("LINKBEAT_WORKER_HEADERS"), "{}", refused.stderr);
    with("X-One: 1, X-Two: 2").expect(0);
    let head = asked.recv().unwrap();
    assert!(head.contains("\r\nx-one: 1\r\n") && head.contains("\r\nx-two: 2\r\n"), "{head}");
}

#[test]
fn a_proxy_is_asked_for_what_the_list_names() {
    let (form, proxy) = (Form::embedded(), Street::open());
    // A proxy is asked with the whole URL in the place of the path (RFC 9112 §3.2.2).
    proxy.set("http://blog.example/friends", Answer::Page(200, String::new()));
    let list = form.list("url\nhttp://blog.example/friends\n");
    let url = proxy.url("");
    form.check(&[arg(&list), "--proxy", &url]).expect(0);
    assert_eq!(proxy.hits("http://blog.example/friends"), 1);
}

#[test]
fn requests_to_one_host_keep_their_distance() {
    let (form, street) = (Form::embedded(), Street::open());
    let base = street.url("");
    let rows = ["a", "b", "c"].map(|page| {
        street.set(page, Answer::Page(200, String::new()));
        format!("{base}{page}\n")
    });
    let list = form.list(&format!("url\n{}", rows.concat()));
    let start = Instant::now();
    form.check(&[arg(&list), "--min-interval", "400ms"]).expect(0);
    let took = start.elapsed();
    assert!(took >= Duration::from_millis(800), "three requests in {took:?}");
}
