//! One try to fetch a page: the hops of its redirects, then its body where the backlink is asked for.
//!
//! Redirects are followed here and not by reqwest, so that every hop is checked for safety, waits its
//! turn at its host, and has its failure told apart.

mod body;
mod certificate;
mod client;
mod cookies;
mod dns;
mod evidence;
mod failure;
mod lenient;
#[cfg(feature = "pieces")]
mod page_search;
mod progress;
mod race;
mod redirect;
mod reply;
mod resolver;
mod route;
mod safety;
mod tls;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use futures::future::BoxFuture;
use linkbeat_shared::{
    AcceptedStatuses, BacklinkIn, BacklinkPattern, Details, LinkUrl, Note, Phase, Phases, Reason,
};
use reqwest::header::{COOKIE, HeaderMap, HeaderValue};
use reqwest::tls::TlsInfo;
use reqwest::{Client, StatusCode};
use rustls::pki_types::ServerName;
use tokio::time::{Instant, timeout_at};
use url::Host;

use self::body::{Matchers, Unread, Wanted};
use self::client::Heads;
use self::failure::Remedy;
use self::lenient::Connector;
use self::redirect::Trail;
use self::reply::Reply;
use self::tls::Tls;
use crate::explain::Chain;
use crate::fault::OwnFault;
use crate::limits::{For, Memory, NoMemory, Share, Turn};
use crate::settings::WorkerSettings;
use crate::setup::SetupError;

pub(crate) use self::body::{Letters, Outline, Page, Script};
pub use self::dns::{NameServer, name_servers};
pub(crate) use self::evidence::{Evidence, Path};
pub(crate) use self::failure::{Doubt, Failure};
#[cfg(feature = "pieces")]
pub use self::page_search::PageSearch;
pub(crate) use self::resolver::Resolver;
pub(crate) use self::route::Route;
pub(crate) use self::safety::Safety;

/// How often one request is sent again where the server did not look at it.
const MOST_AGAIN: usize = client::IDLE_PER_HOST;

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
    /// What else its page shows.
    pub(crate) outline: Box<Outline>,
    /// Where it came from.
    pub(crate) url: LinkUrl,
}

/// How servers are asked.
#[derive(Debug, Clone)]
pub(crate) enum Manner {
    /// Over kept connections, and over HTTP/2 where a server speaks it. A server can make us keep some 400 KiB.
    Trusting,
    /// Over connections of their own, which keep little. What needs more is [`Failure::NeedsMemory`].
    Careful,
    /// As the first one. Memory was taken for all that a server can send.
    Prepared { _share: Arc<Share> },
}

impl Manner {
    fn may_be_large(&self) -> bool {
        matches!(self, Self::Prepared { .. })
    }
}

/// What one try came to.
#[derive(Debug)]
pub(crate) struct Attempt {
    /// The final answer, or why there is none.
    pub(crate) finding: Result<Answer, Failure>,
    /// What was seen on the way.
    pub(crate) details: Details,
    /// The host that was asked last.
    pub(crate) host: String,
    /// Which chain it was to whoever listens; 0: nobody does.
    pub(crate) chain: u32,
    /// How long what took.
    pub(crate) phases: Option<Phases>,
}

/// Fetches pages.
#[derive(Debug)]
pub(crate) struct Fetcher {
    client: Client,
    /// For answers with large heads, after memory was taken for them.
    for_large_heads: Client,
    connector: Connector,
    /// Sent with every request.
    headers: HeaderMap,
    safety: Arc<Safety>,
    route: Arc<Route>,
    evidence: Arc<Evidence>,
    matchers: Matchers,
    memory: Arc<Memory>,
    max_body: usize,
}

impl Fetcher {
    pub(crate) fn new(
        settings: &WorkerSettings,
        resolver: Resolver,
        safety: Arc<Safety>,
        route: Arc<Route>,
        evidence: Arc<Evidence>,
        memory: Arc<Memory>,
        keeps_connections: bool,
    ) -> Result<Self, SetupError> {
        let tls = Tls::new(settings.extra_ca.as_deref())?;
        let client =
            |heads| client::client(settings, &tls, resolver.clone(), &route, (keeps_connections, heads));
        Ok(Self {
            client: client(Heads::Small)?,
            for_large_heads: client(Heads::Large)?,
            connector: Connector::new(resolver, Arc::clone(&route), tls),
            headers: client::headers(settings)?,
            safety,
            route,
            evidence,
            matchers: Matchers::default(),
            memory,
            max_body: settings.max_body,
        })
    }

    /// Waits for the memory that servers of so many pages can make us keep.
    pub(crate) async fn prepare(&self, pages: usize) -> Result<Manner, OwnFault> {
        let share = self.memory.share(For::Head, pages * lenient::HEAD_MEMORY).await;
        share
            .map(|share| Manner::Prepared { _share: Arc::new(share) })
            .map_err(|NoMemory| OwnFault::Resources)
    }

    /// One try, from the first hop to the backlink; over at `deadline`, with whatever there is by then.
    pub(crate) async fn fetch(
        &self,
        target: &Target<'_>,
        turn: &mut Turn,
        deadline: Instant,
        manner: &Manner,
    ) -> Attempt {
        let mut trail = Trail::from(target.url);
        let (finding, (certificate, phases), chain) = progress::watch(async {
            let finding = self.visit(&mut trail, target, turn, (deadline, manner)).await;
            if let Err(failure) = &finding {
                progress::tell(|chain| chain.fails(failure.reason()));
            }
            (finding, (progress::certificate(), progress::phases()), progress::chain())
        })
        .await;
        let host = trail.here().host().to_owned();
        let mut details = Details { certificate, ..trail.details() };
        if let Ok(Answer { page: Page::Backlink { nofollow: true }, .. }) = &finding {
            details.notes.insert(Note::Nofollow);
        }
        Attempt { finding, details, host, phases, chain }
    }

    /// Follows the redirects to the final answer and reads it. A page without the backlink that sends its visitors
    /// on by itself is one more hop.
    async fn visit(
        &self,
        trail: &mut Trail,
        target: &Target<'_>,
        turn: &mut Turn,
        (deadline, manner): (Instant, &Manner),
    ) -> Result<Answer, Failure> {
        loop {
            let reply = match timeout_at(deadline, self.follow(trail, turn, manner)).await {
                Ok(reply) => reply?,
                Err(_) => return Err(self.over_its_way(Failure::timeout(progress::phase()), trail.here())),
            };
            // In a box: thousands of checks wait for their servers, and few read a page at the same time.
            let answer = Box::pin(self.answer(reply, target, trail, turn, deadline)).await?;
            let lacks_it = matches!(answer.page, Page::NoBacklink { .. });
            let refresh = answer.outline.refresh.as_ref().filter(|_| lacks_it);
            if !refresh.is_some_and(|refresh| trail.refresh(&answer.headers, &refresh.url)) {
                return Ok(answer);
            }
        }
    }

    async fn follow(&self, trail: &mut Trail, turn: &mut Turn, manner: &Manner) -> Result<Reply, Failure> {
        loop {
            progress::enter(Phase::Queue);
            progress::tell(|chain| chain.asks(trail.here()));
            turn.move_to(trail.here().host()).await;
            let reply = self.request(trail, turn, manner).await?;
            if !redirect::redirects(reply.status) {
                return Ok(reply);
            }
            trail.follow(&reply.headers).map_err(|kind| Failure::Site(Reason::Redirect { kind }))?;
        }
    }

    /// One hop. A kept connection that the server closed meanwhile says nothing about the site, and neither does a
    /// request that the server did not look at, or an answer that only hyper cannot read.
    async fn request(&self, trail: &Trail, turn: &mut Turn, manner: &Manner) -> Result<Reply, Failure> {
        let large = manner.may_be_large();
        if matches!(manner, Manner::Careful) {
            // In a box: few requests come here, and all would be larger for it.
            return Box::pin(self.look_again(trail, large)).await.map_err(Failure::of_careful);
        }
        if trail.here().is_https() && !can_be_named(trail.here()) {
            return Box::pin(self.look_again(trail, large)).await;
        }
        let mut again = 0;
        loop {
            let lost = match self.request_once(trail.here(), trail.cookies(), large).await {
                Ok(reply) => return Ok(reply),
                Err(lost) => lost,
            };
            let stale = progress::connection_was_kept() && lost.failure.is_lost_connection();
            if again < MOST_AGAIN && (stale || lost.remedy == Some(Remedy::SendAgain)) {
                again += 1;
            } else if lost.remedy == Some(Remedy::LookAgain)
                || leaves_proxy_unexplained(&lost.failure, trail.here())
            {
                return self.look_again_in_turn(trail, turn, large).await;
            } else {
                // There is a limit for large ones, too.
                let failure = match lost.failure {
                    Failure::NeedsMemory if large => Failure::Site(Reason::Protocol),
                    failure => failure,
                };
                if lost.remedy != Some(Remedy::SpeakHttp1) || failure == Failure::NeedsMemory {
                    return Err(failure);
                }
                // Where the server speaks nothing but HTTP/2, that stands.
                let looked = self.look_again_in_turn(trail, turn, large).await;
                return looked.map_err(|second| if second.reason().is_some() { failure } else { second });
            }
        }
    }

    /// [`Fetcher::look_again`], with the turn of the host.
    ///
    /// In a box: few requests come here, and all would be larger for it.
    fn look_again_in_turn<'a>(
        &'a self,
        trail: &'a Trail,
        turn: &'a mut Turn,
        large: bool,
    ) -> BoxFuture<'a, Result<Reply, Failure>> {
        Box::pin(async move {
            turn.move_to(trail.here().host()).await;
            self.look_again(trail, large).await
        })
    }

    /// The same request by `lenient`. `large`: memory was taken for all that the server can send.
    async fn look_again(&self, trail: &Trail, large: bool) -> Result<Reply, Failure> {
        let url = trail.here();
        progress::request_begins();
        progress::connection_begins();
        self.admit_literal(url)?;
        let answer = async {
            let connection = self.connector.connect(url, large).await?;
            let peer = connection.peer;
            let answer =
                lenient::get(connection, url, &self.headers, trail.cookies().as_ref(), large).await?;
            Ok((Reply::lenient(answer, url), peer))
        };
        let (reply, peer) = answer.await.map_err(|failure| self.over_its_way(failure, url))?;
        self.accept(&reply, peer, url)?;
        Ok(reply)
    }

    async fn request_once(
        &self,
        url: &LinkUrl,
        cookies: Option<HeaderValue>,
        large: bool,
    ) -> Result<Reply, Lost> {
        progress::request_begins();
        self.admit_literal(url)?;
        let headers: HeaderMap = cookies.map(|cookies| (COOKIE, cookies)).into_iter().collect();
        let client = if large { &self.for_large_heads } else { &self.client };
        let request = || client.get(url.as_url().clone()).headers(headers.clone());
        let response = race::send(request).await.map_err(|error| self.lost(&error, url))?;
        if let Some(certificate) = response.extensions().get().and_then(TlsInfo::peer_certificate) {
            progress::shown(certificate);
        }
        if reply::is_misread(response.version(), response.headers()) {
            return Err(Lost { failure: Failure::Site(Reason::Protocol), remedy: Some(Remedy::LookAgain) });
        }
        let peer = response.remote_addr();
        let reply = Reply::from(response);
        self.accept(&reply, peer, url)?;
        Ok(reply)
    }

    /// reqwest asks the resolver for names only, and a proxy may reach what we must not.
    fn admit_literal(&self, url: &LinkUrl) -> Result<(), Failure> {
        if let Some(address) = literal(url) {
            self.admit(Some(address))?;
            progress::dialling(&[address]);
            progress::enter(Phase::Headers);
        }
        Ok(())
    }

    /// Whether an answer came from where it should.
    fn accept(&self, reply: &Reply, peer: Option<SocketAddr>, url: &LinkUrl) -> Result<(), Failure> {
        let peer = match self.route.proxy_for(url.as_url()) {
            // What came over a tunnel is the site's.
            Some(_) if url.is_https() => None,
            Some(_) => {
                if reply.status == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
                    return Err(Failure::Own(OwnFault::Proxy));
                }
                if route::made_by_proxy(reply.status, &reply.headers) {
                    let reason = Reason::Status { code: reply.status.as_u16() };
                    return Err(Failure::Doubtful(reason, Doubt::Proxy));
                }
                None
            }
            // Whatever way the connection came about, its other end must be a place we may talk to.
            None => {
                self.admit(peer.as_ref().map(SocketAddr::ip))?;
                peer
            }
        };
        self.evidence.answered(url.host(), peer, literal(url).is_none());
        progress::tell(|chain| {
            let (status, kept) = (reply.status.as_u16(), progress::connection_was_kept());
            chain.answers(status, peer.map(|peer| peer.ip()), kept, &reply.headers);
        });
        Ok(())
    }

    fn lost(&self, error: &reqwest::Error, url: &LinkUrl) -> Lost {
        Lost { failure: self.over_its_way(Failure::of(error), url), remedy: Remedy::of(error) }
    }

    /// What a failure means on the way that the request went.
    fn over_its_way(&self, failure: Failure, url: &LinkUrl) -> Failure {
        match self.route.proxy_for(url.as_url()) {
            Some(proxy) => {
                let own_handshakes = u8::from(proxy.is_https());
                let tunnel = url.is_https()
                    && (progress::connection_was_kept() || progress::handshakes() > own_handshakes);
                failure.of_proxy(tunnel)
            }
            None => failure,
        }
    }

    fn admit(&self, address: Option<IpAddr>) -> Result<(), Failure> {
        match address {
            Some(address) if self.safety.admits(address) => Ok(()),
            address => Err(Failure::unsafe_address(address)),
        }
    }

    /// Reads the page, and once more in another way where hyper cannot read it.
    async fn answer(
        &self,
        reply: Reply,
        target: &Target<'_>,
        trail: &Trail,
        turn: &mut Turn,
        deadline: Instant,
    ) -> Result<Answer, Failure> {
        match self.read(reply, trail.here(), target, deadline).await {
            Ok(answer) => Ok(answer),
            Err((Unread::NoMemory, _)) => Err(Failure::NoMemory),
            // In a box: few pages come here, and all would be larger for it.
            Err((Unread::Malformed, status)) => {
                Box::pin(self.read_again(status, target, trail, turn, deadline)).await
            }
        }
    }

    /// Reads the page: for its backlink where one is asked for, else as far as it tells what the page is. With an error
    /// comes its status.
    async fn read(
        &self,
        reply: Reply,
        url: &LinkUrl,
        target: &Target<'_>,
        deadline: Instant,
    ) -> Result<Answer, (Unread, StatusCode)> {
        progress::reading_begins();
        let status = reply.status;
        let headers = reply.headers.clone();
        let (page, outline) = match target.backlink {
            _ if !target.accept.contains(status.as_u16()) => (Page::NotRead, Outline::default()),
            Some(pattern) => {
                progress::tell(|chain| chain.will_search(pattern));
                let wanted = Wanted { matcher: self.matchers.get(pattern), place: target.backlink_in };
                let limits = body::Limits { max_body: self.max_body, memory: &self.memory };
                let found =
                    body::search(reply, wanted, limits, deadline).await.map_err(|unread| (unread, status))?;
                progress::tell(|chain| {
                    chain.has_read();
                    chain.searched(found.0.has_backlink());
                });
                found
            }
            None => {
                let outline = body::peek(reply, deadline).await;
                progress::tell(Chain::has_read);
                (Page::NotRead, outline)
            }
        };
        Ok(Answer { status: status.as_u16(), headers, page, outline: Box::new(outline), url: url.clone() })
    }

    /// Reads a page that hyper cannot read.
    async fn read_again(
        &self,
        status: StatusCode,
        target: &Target<'_>,
        trail: &Trail,
        turn: &mut Turn,
        deadline: Instant,
    ) -> Result<Answer, Failure> {
        let look = async {
            let again = self.look_again_in_turn(trail, turn, false);
            let reply = timeout_at(deadline, again).await.ok()?.ok()?;
            Some(self.read(reply, trail.here(), target, deadline).await)
        };
        let answer = match progress::watch(look).await {
            Some(Err((Unread::NoMemory, _))) => return Err(Failure::NoMemory),
            answer => answer.and_then(Result::ok),
        };
        Ok(answer.unwrap_or_else(|| Answer {
            status: status.as_u16(),
            headers: HeaderMap::new(),
            page: Page::Broken(Reason::BROKE_OFF),
            outline: Box::default(),
            url: trail.here().clone(),
        }))
    }
}

/// reqwest does not say what a proxy answered to CONNECT. `lenient` does.
fn leaves_proxy_unexplained(failure: &Failure, url: &LinkUrl) -> bool {
    url.is_https() && matches!(failure, Failure::Doubtful(_, Doubt::Proxy))
}

/// A request that got no answer.
struct Lost {
    failure: Failure,
    /// What can be done about it.
    remedy: Option<Remedy>,
}

impl From<Failure> for Lost {
    fn from(failure: Failure) -> Self {
        Self { failure, remedy: None }
    }
}

/// Whether TLS can ask for this host by its name. rustls knows none with a label that begins or ends with a hyphen.
fn can_be_named(url: &LinkUrl) -> bool {
    let Some(Host::Domain(host)) = url.as_url().host() else { return true };
    !host.contains('-') || ServerName::try_from(host).is_ok()
}

/// The address in a URL whose host is one.
fn literal(url: &LinkUrl) -> Option<IpAddr> {
    match url.as_url().host()? {
        Host::Domain(_) => None,
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
    }
}
