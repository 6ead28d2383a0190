//! Where the rows are played: a name server, a certificate authority, and addresses for the sites.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hickory_proto::op::ResponseCode;
use linkbeat_shared::LinkUrl;
use linkbeat_worker::{Engine, WorkerSettings};

use crate::lag::Lag;
use crate::settings;
use crate::site::name_server::{NameServer, Says};
use crate::site::tls::Authority;
use crate::site::{Site, Visit, own_address};
use tokio::net::TcpStream;

/// Bytes of a page that are searched.
pub(super) const MAX_BODY: usize = 100_000;

/// What all rows share.
#[derive(Clone)]
pub(super) struct Street {
    /// May dial loopback, and trusts `authority`.
    pub(super) engine: Arc<Engine>,
    /// May dial public addresses only, as by default.
    pub(super) guarded: Arc<Engine>,
    pub(super) authority: Arc<Authority>,
    pub(super) lag: Arc<Lag>,
    _names: Arc<NameServer>,
}

impl Street {
    pub(super) async fn new() -> Self {
        let names = NameServer::that(names()).await;
        let authority = Authority::new("trusted");
        let file = authority.file();
        let guarded = WorkerSettings {
            resolver: vec![names.address()],
            max_body: MAX_BODY,
            extra_ca: Some(file.path().to_owned()),
            ..WorkerSettings::default()
        };
        let open = WorkerSettings { allow_network: settings().allow_network, ..guarded.clone() };
        Self {
            engine: Arc::new(Engine::new(&open).unwrap()),
            guarded: Arc::new(Engine::new(&guarded).unwrap()),
            authority: Arc::new(authority),
            lag: Arc::new(Lag::watch()),
            _names: Arc::new(names),
        }
    }
}

/// `….127-1-0-5.test` is at 127.1.0.5; the other names misbehave.
fn names() -> impl Fn(&str) -> Says + Send + Sync + 'static {
    let inside: IpAddr = Ipv4Addr::new(10, 0, 0, 1).into();
    let asked_for_rebinding = AtomicUsize::new(0);
    move |name| match name {
        "nxdomain.test" => Says::Code(ResponseCode::NXDomain),
        "servfail.test" => Says::Code(ResponseCode::ServFail),
        "refused.test" => Says::Code(ResponseCode::Refused),
        "empty.test" => Says::Addresses(Vec::new()),
        "silent.test" => Says::Silence,
        "to.test" => Says::Alias("fro.test."),
        "fro.test" => Says::Alias("to.test."),
        "inside.test" => Says::Addresses(vec![inside]),
        _ => match address(name) {
            // Each look-up asks for both address families.
            Some(home) if name.starts_with("rebinding.") => {
                let first = asked_for_rebinding.fetch_add(1, Ordering::SeqCst) < 2;
                Says::Momentary(vec![if first { home } else { inside }])
            }
            Some(home) if name.starts_with("mixed.") => Says::Addresses(vec![inside, home]),
            Some(home) => Says::Addresses(vec![home]),
            None => Says::Addresses(vec![Ipv4Addr::LOCALHOST.into()]),
        },
    }
}

fn address(name: &str) -> Option<IpAddr> {
    let label = name.strip_suffix(".test")?.rsplit('.').next()?;
    label.replace('-', ".").parse().ok()
}

/// A site at an address of its own.
pub(super) async fn playing<F, P>(play: F) -> Site
where
    F: Fn(Visit<TcpStream>, usize) -> P + Send + Sync + 'static,
    P: Future<Output = ()> + Send + 'static,
{
    Site::plays_at(own_address(), play).await
}

/// A site that answers everything with these bytes, then closes.
pub(super) async fn answering(answer: impl Into<Vec<u8>>) -> Site {
    let answer: Arc<Vec<u8>> = Arc::new(answer.into());
    answering_by_path(move |_| answer.to_vec()).await
}

/// A site that answers by the request's target.
pub(super) async fn answering_by_path(play: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Site {
    let play = Arc::new(play);
    playing(move |mut visit, _| {
        let play = Arc::clone(&play);
        async move {
            let request = visit.request().await;
            visit.send(play(request.split(' ').nth(1).unwrap_or_default())).await;
        }
    })
    .await
}

/// The site under a name of its own, such as `http://www.127-1-0-5.test:1234/`.
pub(super) fn named(site: &Site, prefix: &str) -> LinkUrl {
    site.url_at(&format!("{prefix}{}.test", site.address().ip().to_string().replace('.', "-")))
}
