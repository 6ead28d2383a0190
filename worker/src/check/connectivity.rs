//! Is it the site, or is it us? A failure that may be ours becomes a verdict only with evidence.
//!
//! The evidence must be recent, from others, and about the same part of the path:
//!
//! - **Names.** Most of the other names that were looked up lately led to servers that answered, at least two. Or
//!   the name servers are honest right now: they know the root's servers, and of a name that does not exist they say
//!   so in the name of its zone (RFC 2308), or say so and know a top-level domain taken at random, or lead it to an
//!   address that may be dialled. If the failure itself is
//!   such a denial, the root's servers are enough. So a single link whose domain is gone is judged, and a router that
//!   says the same of every name is not believed.
//! - **The way to public addresses.** Another public host has answered since this check began, or one that
//!   answered before can still be dialled. A link without such company is judged only if the name servers are
//!   honest, this machine knows a way to the address, and few others fail in the same way.
//! - **The way inside our own networks.** Another inner host has answered, or few others fail.
//! - **The proxy.** Most of the other hosts that were asked for over it lately answered.
//!
//! What does not count: a server on this machine, one name among many that fail, an answer that a name server may
//! have from its cache.

use std::sync::Arc;
use std::time::Duration;

use linkbeat_shared::Reason;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::fault::OwnFault;
use crate::fetch::{Doubt, Evidence, Path, Resolver};

/// How long evidence may take after the check's deadline.
const GRACE: Duration = Duration::from_secs(2);
/// What is older does not count.
const RECENT: Duration = Duration::from_secs(30);
/// Other hosts that failed in the same way, from which on it is more than a coincidence.
const MANY: usize = 2;
/// How long a failure waits for others of its kind before it counts as a single one.
const COMPANY: Duration = Duration::from_secs(1);
/// How long a server that answered before may take to be dialled again.
const DIAL: Duration = Duration::from_secs(1);
/// Names that must have been answered before most of them count.
const SOME: usize = 2;

/// Weighs evidence.
#[derive(Debug)]
pub(crate) struct Connectivity {
    resolver: Resolver,
    evidence: Arc<Evidence>,
}

/// A failure in doubt.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case<'a> {
    /// The host that was not reached.
    pub(crate) host: &'a str,
    /// The part of the path that may be to blame.
    pub(crate) doubt: Doubt,
    /// When the check began.
    pub(crate) began: Instant,
    /// When it has to be over.
    pub(crate) deadline: Instant,
}

impl Connectivity {
    pub(crate) fn new(resolver: Resolver, evidence: Arc<Evidence>) -> Self {
        Self { resolver, evidence }
    }

    /// Whether the site is to blame. Waits for evidence until the deadline, or [`GRACE`] from now if that is later.
    pub(crate) async fn blames_site(&self, case: Case<'_>) -> bool {
        self.evidence.failed(case.host, path(case.doubt));
        let patience = case.deadline.max(Instant::now() + GRACE);
        let proof = async {
            tokio::select! {
                biased;
                () = self.others_show(case) => {}
                true = self.can_be_shown(case) => {}
            }
        };
        timeout_at(patience, proof).await.is_ok()
    }

    /// Until what other checks see is evidence enough.
    async fn others_show(&self, case: Case<'_>) {
        // Most of the others can be told only once they have had their time.
        if matches!(case.doubt, Doubt::Names { .. } | Doubt::Proxy) {
            sleep(COMPANY).await;
        }
        loop {
            let news = self.evidence.news();
            tokio::pin!(news);
            news.as_mut().enable();
            if self.others_have_shown(case) {
                return;
            }
            news.await;
        }
    }

    fn others_have_shown(&self, case: Case<'_>) -> bool {
        let path = path(case.doubt);
        let recently = Instant::now().checked_sub(RECENT).unwrap_or(case.began);
        match case.doubt {
            Doubt::Names { .. } => {
                let others = self.evidence.others(case.host, path, recently);
                others.reached >= SOME && others.reached > others.failed + 1
            }
            Doubt::Proxy => {
                let others = self.evidence.others(case.host, path, recently);
                others.reached > others.failed
            }
            Doubt::Internet { .. } | Doubt::Inside => {
                self.evidence.others(case.host, path, case.began).reached > 0
            }
        }
    }

    /// Looks for evidence where other checks give none.
    async fn can_be_shown(&self, case: Case<'_>) -> bool {
        match case.doubt {
            Doubt::Names { denied } => self.resolver.is_honest(denied).await,
            Doubt::Internet { no_route } => {
                self.can_dial().await
                    || (!no_route && self.is_alone(case).await && self.resolver.is_honest(false).await)
            }
            Doubt::Inside => self.is_alone(case).await,
            Doubt::Proxy => std::future::pending().await,
        }
    }

    async fn can_dial(&self) -> bool {
        for peer in self.evidence.peers() {
            if timeout(DIAL, TcpStream::connect(peer)).await.is_ok_and(|dialled| dialled.is_ok()) {
                return true;
            }
        }
        false
    }

    /// Whether few others fail like this one.
    async fn is_alone(&self, case: Case<'_>) -> bool {
        sleep(COMPANY).await;
        let recently = Instant::now().checked_sub(RECENT).unwrap_or(case.began);
        self.evidence.others(case.host, path(case.doubt), recently).failed < MANY
    }
}

fn path(doubt: Doubt) -> Path {
    match doubt {
        Doubt::Names { .. } => Path::Names,
        Doubt::Internet { .. } => Path::Internet,
        Doubt::Inside => Path::Inside,
        Doubt::Proxy => Path::Proxy,
    }
}

/// Whose fault it is where the site cannot be blamed.
pub(crate) fn own_fault(doubt: Doubt, reason: &Reason) -> OwnFault {
    match (doubt, reason) {
        (Doubt::Proxy, _) => OwnFault::Proxy,
        (_, Reason::UnsafeAddress { .. }) => OwnFault::Intercepted,
        _ => OwnFault::Offline,
    }
}
