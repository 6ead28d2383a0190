//! Behind a real proxy that keeps the base path, and one that takes it away. `nginx` is asked for; without it nothing is
//! tested.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpStream;

use linkbeat_shared::{LinkUrl, NewLink};
use linkbeat_testbed::free_port;

use crate::known::links;
use crate::served::{HASH, Served};

const PROGRAM: &str = "/usr/sbin/nginx";

/// A proxy, until it is dropped.
struct Proxy {
    process: Child,
    keeps: SocketAddr,
    strips: SocketAddr,
    _folder: TempDir,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = (self.process.kill(), self.process.wait());
    }
}

fn free_address() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, free_port()).into()
}

impl Proxy {
    /// The two forms of docs/dashboard.md, for this base path.
    async fn before(dashboard: SocketAddr, base: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (keeps, strips) = (free_address(), free_address());
        let at = folder.path().display();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|what| format!("{what}_temp_path {at}/{what};\n"))
            .concat();
        let server = |address: SocketAddr, end: &str| {
            format!(
                "server {{ listen {address}; location {base}/ {{ proxy_pass http://{dashboard}{end}; \
                 proxy_http_version 1.1; proxy_set_header Host $http_host; }} }}\n"
            )
        };
        let (keeping, stripping) = (server(keeps, ""), server(strips, "/"));
        let text = format!(
            "daemon off;\nmaster_process off;\npid {at}/pid;\nerror_log {at}/errors;\nevents {{}}\n\
             http {{ access_log off;\n{temporary}{keeping}{stripping}}}\n"
        );
        let file = folder.path().join("nginx.conf");
        std::fs::write(&file, text).unwrap();
        let process = Command::new(PROGRAM)
            .args(["-p", &at.to_string(), "-e", &format!("{at}/errors"), "-c"])
            .arg(&file)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let proxy = Self { process, keeps, strips, _folder: folder };
        for address in [keeps, strips] {
            while TcpStream::connect(address).await.is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        proxy
    }
}

#[tokio::test]
async fn behind_a_proxy_that_keeps_the_path_or_takes_it_away_all_is_the_same() {
    if !std::path::Path::new(PROGRAM).exists() {
        return;
    }
    for base in ["/links", "/x/y"] {
        let settings = json!({ "password_hash": HASH, "base_path": base });
        let mut served = Served::with(settings).await;
        let link = NewLink::from_url(LinkUrl::parse("https://a.example/").unwrap());
        let id = links(&served.store, vec![link]).await[0];
        let proxy = Proxy::before(served.address, base).await;
        for address in [proxy.keeps, proxy.strips] {
            served.address = address;
            let led = served.ask(&format!("GET {base}/"), &[("accept", "text/html")], "").await;
            let to = format!("http://{address}{base}/login");
            let location = led.header("location").unwrap();
            assert!(location == to || location == format!("{base}/login"), "{location}");
            let (answer, cookie) = served.log_in(&format!("{base}/login"), "correct horse").await;
            assert_eq!(answer.status, 303, "{base} {address}");
            let with = [("cookie", cookie.as_str()), ("accept", "text/html")];
            let link = format!("/links/{id}");
            for (path, said) in [
                ("/", "Overview"),
                ("/links", "https://a.example/"),
                ("/links?verdict=none", "https://a.example/"),
                (link.as_str(), "https://a.example/"),
                ("/runs", "Runs"),
                ("/api/v1/links", "https://a.example/"),
                ("/api/v1/links?limit=1", "https://a.example/"),
                ("/feed/links.json", "https://a.example/"),
            ] {
                let page = served.ask(&format!("GET {base}{path}"), &with, "").await;
                assert_eq!(page.status, 200, "{base} {path} {address}");
                assert!(page.body.contains(said), "{base} {path}: {}", page.body);
                let hrefs = page.body.split("href=\"/").skip(1).map(|rest| rest.split('"').next().unwrap());
                for href in hrefs {
                    assert!(href.starts_with(&base[1..]), "{base} {path}: {href}");
                }
            }
            assert_eq!(served.ask(&format!("GET {base}/nothing"), &with, "").await.status, 404);
            let out = served.ask(&format!("POST {base}/logout"), &with, "").await;
            assert_eq!(out.status, 303);
        }
    }
}
