//! One try to fetch a page: the hops of its redirects, then its body where the backlink is asked for.
//!
//! Redirects are followed here and not by reqwest, so that every hop is checked for safety, waits its
//! turn at its host, and has its failure told apart.

mod body;
mod certificate;
mod client;
mod cookies;
mod failure;
mod name_servers;
mod progress;
mod reached;
mod redirect;
mod resolver;
mod safety;
mod sockets;
mod tls;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use linkbeat_shared::{AcceptedStatuses, BacklinkIn, BacklinkPattern, Details, LinkUrl, Note, Phase, Reason};
use reqwest::header::{COOKIE, HeaderMap, HeaderValue};
use reqwest::tls::TlsInfo;
use reqwest::{Client, Response, StatusCode};
use tokio::time::{Instant, timeout_at};
use url::Host;

use self::body::{Matchers, Wanted};
use self::redirect::Trail;
use crate::fault::OwnFault;
use crate::limits::Turn;
use crate::settings::WorkerSettings;
use crate::setup::SetupError;

pub(crate) use self::body::Page;
pub(crate) use self::failure::Failure;
pub use self::name_servers::{NameServer, name_servers};
pub(crate) use self::reached::Reached;
pub(crate) use self::resolver::Resolver;
pub(crate) use self::safety::Safety;

/// What is fetched, and what counts.
#[derive(Debug)]
pub(crate) struct Target<'a> {
    /// The URL to begin at.
    pub(crate) url: &'a LinkUrl,
    /// What the page must contain; `None`: the status alone decides, and the page is not read.
    pub(crate) backlink: Option<&'a BacklinkPattern>,
    /// Where it is searched.
    pub(crate) backlink_in: BacklinkIn,
    /// The statuses that are an answer.
    pub(crate) accept: &'a AcceptedStatuses,
}

/// The final answer, after all redirects.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Its HTTP status.
    pub(crate) status: u16,
    /// Its headers.
    pub(crate) headers: HeaderMap,
    /// What its page says about the backlink.
    pub(crate) page: Page,
}

/// What one try came to.
#[derive(Debug)]
pub(crate) struct Attempt {
    /// The final answer, or why there is none.
    pub(crate) finding: Result<Answer, Failure>,
    /// What was seen on the way.
    pub(crate) details: Details,
}

/// Fetches pages.
#[derive(Debug)]
pub(crate) struct Fetcher {
    client: Client,
    safety: Arc<Safety>,
    /// Names are looked up and addresses dialled by a proxy, not by us.
    by_proxy: bool,
    reached: Arc<Reached>,
    matchers: Matchers,
    max_body: usize,
}

impl Fetcher {
    pub(crate) fn new(
        settings: &WorkerSettings,
        resolver: Resolver,
        safety: Arc<Safety>,
        reached: Arc<Reached>,
    ) -> Result<Self, SetupError> {
        let client = client::client(settings, resolver)?;
        let by_proxy = settings.proxy.is_some();
        let matchers = Matchers::default();
        Ok(Self { client, safety, by_proxy, reached, matchers, max_body: settings.max_body })
    }

    /// One try, from the first hop to the backlink; over at `deadline`, with whatever there is by then.
    pub(crate) async fn fetch(&self, target: &Target<'_>, turn: &mut Turn, deadline: Instant) -> Attempt {
        let mut trail = Trail::from(target.url);
        let (response, certificate) = progress::watch(async {
            let follow = timeout_at(deadline, self.follow(&mut trail, turn));
            let response = follow.await.unwrap_or_else(|_| Err(Failure::timeout(progress::phase())));
            (response, progress::certificate())
        })
        .await;
        let mut details = Details { certificate, ..trail.details() };
        match response {
            Ok(response) => {
                let answer = self.read(response, target, deadline).await;
                if answer.page == (Page::Backlink { nofollow: true }) {
                    details.notes.insert(Note::Nofollow);
                }
                Attempt { finding: Ok(answer), details }
            }
            Err(failure) => {
                if failure.shows_a_server() {
                    self.reached.now();
                }
                Attempt { finding: Err(failure), details }
            }
        }
    }

    async fn follow(&self, trail: &mut Trail, turn: &mut Turn) -> Result<Response, Failure> {
        loop {
            progress::enter(Phase::Queue);
            turn.move_to(trail.here().host()).await;
            let response = self.request(trail).await?;
            if !redirect::redirects(response.status()) {
                return Ok(response);
            }
            trail.follow(response.headers()).map_err(|kind| Failure::Site(Reason::Redirect { kind }))?;
        }
    }

    /// One hop. A kept connection that the server closed meanwhile says nothing about the site.
    async fn request(&self, trail: &Trail) -> Result<Response, Failure> {
        let mut stale = 0;
        loop {
            let result = self.request_once(trail.here(), trail.cookies()).await;
            match &result {
                Err(failure)
                    if stale < client::IDLE_PER_HOST
                        && progress::connection_was_kept()
                        && failure.is_lost_connection() =>
                {
                    stale += 1;
                }
                _ => return result,
            }
        }
    }

    async fn request_once(&self, url: &LinkUrl, cookies: Option<HeaderValue>) -> Result<Response, Failure> {
        if let Some(address) = literal(url) {
            // reqwest asks the resolver for names only, and a proxy may reach what we must not.
            self.admit(Some(address))?;
            progress::dialling(&[address]);
        }
        progress::request_begins();
        let cookies = cookies.map(|cookies| (COOKIE, cookies)).into_iter().collect();
        let request = self.client.get(url.as_url().clone()).headers(cookies);
        let response = request.send().await.map_err(|error| self.failure(&error))?;
        if self.by_proxy {
            if response.status() == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
                // The proxy will not have us: nothing of the site's.
                return Err(Failure::Own(OwnFault::Offline));
            }
        } else {
            // Whatever way the connection came about, its other end must be a place we may talk to.
            self.admit(response.remote_addr().as_ref().map(SocketAddr::ip))?;
        }
        if let Some(certificate) = response.extensions().get().and_then(TlsInfo::peer_certificate) {
            progress::shown(certificate);
        }
        self.reached.now();
        Ok(response)
    }

    fn failure(&self, error: &reqwest::Error) -> Failure {
        let failure = Failure::of(error);
        if self.by_proxy { failure.of_proxy() } else { failure }
    }

    fn admit(&self, address: Option<IpAddr>) -> Result<(), Failure> {
        match address {
            Some(address) if self.safety.admits(address) => Ok(()),
            address => Err(Failure::unsafe_address(address)),
        }
    }

    async fn read(&self, response: Response, target: &Target<'_>, deadline: Instant) -> Answer {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let page = match target.backlink {
            Some(pattern) if target.accept.contains(status) => {
                let wanted = Wanted { matcher: self.matchers.get(pattern), place: target.backlink_in };
                body::search(response, wanted, self.max_body, deadline).await
            }
            _ => Page::NotRead,
        };
        Answer { status, headers, page }
    }
}

/// The address in a URL whose host is one.
fn literal(url: &LinkUrl) -> Option<IpAddr> {
    match url.as_url().host()? {
        Host::Domain(_) => None,
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
    }
}
