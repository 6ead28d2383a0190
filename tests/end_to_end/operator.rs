//! What the operator of a worker says on the command line or in the environment reaches the wire.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use crate::support::Folder;
use crate::support::form::{Form, arg};
use crate::support::process::{linkbeat, run};
use crate::support::site::{Answer, Street};

/// A site that answers once; what it was asked can be waited for.
fn listens_once() -> (String, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let asked = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let (mut head, mut buffer) = (Vec::new(), [0; 1_024]);
        while !head.ends_with(b"\r\n\r\n") {
            let read = stream.read(&mut buffer).unwrap();
            assert!(read > 0, "the request breaks off");
            head.extend_from_slice(&buffer[..read]);
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
        String::from_utf8(head).unwrap()
    });
    (url, asked)
}

#[test]
fn headers_are_sent_with_every_request() {
    let (form, (url, asked)) = (Form::embedded(), listens_once());
    let list = form.list(&format!("url\n{url}\n"));
    let headers = ["--header", "Accept-Language: zh, en", "--header", "X-Asked-By: the=blog"];
    form.check(&[&[arg(&list)], &headers[..]].concat()).expect(0);
    let head = asked.join().unwrap().to_ascii_lowercase();
    assert!(head.contains("\r\naccept-language: zh, en\r\n"), "{head}");
    assert!(head.contains("\r\nx-asked-by: the=blog\r\n"), "{head}");
}

#[test]
fn headers_can_stand_in_the_environment_and_bad_ones_are_told() {
    let (folder, (url, asked)) = (Folder::new(), listens_once());
    let list = folder.write("list.csv", format!("url\n{url}\n"));
    let check = ["check", arg(&list), "--allow-network", "127.0.0.0/8"];
    let with = |headers: &str| run(linkbeat(folder.path(), check).env("LINKBEAT_WORKER_HEADERS", headers));
    let refused = with("Host: elsewhere").expect(2);
    assert!(refused.stderr.contains("LINKBEAT_WORKER_HEADERS"), "{}", refused.stderr);
    with("X-One: 1, X-Two: 2").expect(0);
    let head = asked.join().unwrap().to_ascii_lowercase();
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
