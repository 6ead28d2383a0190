//! One try to fetch a page: the hops of its redirects, then its body where the backlink is asked for.
//!
//! Redirects are followed here and not by reqwest, so that every hop is checked for safety, waits its
//! turn at its host, and has its failure told apart.

mod body;
mod client;
mod failure;
mod progress;
mod redirect;
mod resolver;
mod safety;
mod tls;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use linkbeat_shared::{AcceptedStatuses, BacklinkPattern, LinkUrl, Phase, Reason};
use reqwest::header::HeaderMap;
use reqwest::{Client, Response};
use tokio::time::{Instant, timeout_at};
use url::Host;

use self::redirect::Trail;
use crate::connectivity::Connectivity;
use crate::limits::Turn;
use crate::{SetupError, WorkerSettings, retry};

pub(crate) use self::body::Page;
pub(crate) use self::failure::Failure;
pub(crate) use self::resolver::Resolver;
pub(crate) use self::safety::Safety;

/// What is fetched, and what counts.
#[derive(Debug)]
pub(crate) struct Target<'a> {
    /// The URL to begin at.
    pub(crate) url: &'a LinkUrl,
    /// What the page must contain; `None`: the status alone decides, and the page is not read.
    pub(crate) backlink: Option<&'a BacklinkPattern>,
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

/// Fetches pages.
#[derive(Debug)]
pub(crate) struct Fetcher {
    client: Client,
    safety: Arc<Safety>,
    connectivity: Arc<Connectivity>,
    max_body: usize,
}

impl Fetcher {
    pub(crate) fn new(
        settings: &WorkerSettings,
        resolver: Resolver,
        safety: Arc<Safety>,
        connectivity: Arc<Connectivity>,
    ) -> Result<Self, SetupError> {
        let client = client::client(settings, resolver)?;
        Ok(Self { client, safety, connectivity, max_body: settings.max_body })
    }

    /// One try, from the first hop to the backlink; over at `deadline`, with whatever there is by then.
    pub(crate) async fn fetch(
        &self,
        target: &Target<'_>,
        turn: &mut Turn,
        deadline: Instant,
    ) -> Result<Answer, Failure> {
        let response = progress::watch(async {
            let follow = timeout_at(deadline, self.follow(target.url, turn));
            follow.await.unwrap_or_else(|_| Err(Failure::timeout(progress::phase())))
        });
        match response.await {
            Ok(response) => Ok(self.read(response, target, deadline).await),
            Err(failure) => {
                if failure.shows_a_server() {
                    self.connectivity.reached();
                }
                Err(failure)
            }
        }
    }

    async fn follow(&self, url: &LinkUrl, turn: &mut Turn) -> Result<Response, Failure> {
        let mut trail = Trail::from(url);
        loop {
            progress::enter(Phase::Queue);
            turn.move_to(trail.here().host()).await;
            let response = self.request(trail.here()).await?;
            if !redirect::redirects(response.status()) {
                return Ok(response);
            }
            trail.follow(response.headers()).map_err(|kind| Failure::Site(Reason::Redirect { kind }))?;
        }
    }

    /// One hop. A kept connection that the server closed meanwhile says nothing about the site.
    async fn request(&self, url: &LinkUrl) -> Result<Response, Failure> {
        let mut stale = 0;
        loop {
            let result = self.request_once(url).await;
            match &result {
                Err(failure)
                    if stale < client::IDLE_PER_HOST
                        && progress::connection_was_kept()
                        && retry::lost_connection(failure) =>
                {
                    stale += 1;
                }
                _ => return result,
            }
        }
    }

    async fn request_once(&self, url: &LinkUrl) -> Result<Response, Failure> {
        if let Some(address) = literal(url) {
            // reqwest asks the resolver for names only.
            self.admit(Some(address))?;
            progress::dialling(&[address]);
        }
        progress::request_begins();
        let response =
            self.client.get(url.as_url().clone()).send().await.map_err(|error| Failure::of(&error))?;
        // Whatever way the connection came about, its other end must be a place we may talk to.
        self.admit(response.remote_addr().as_ref().map(SocketAddr::ip))?;
        self.connectivity.reached();
        Ok(response)
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
                body::search(response, pattern.regex(), self.max_body, deadline).await
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
