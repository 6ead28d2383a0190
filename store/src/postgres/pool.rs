//! The connections, and how one call uses one of them.

use std::fmt;
use std::time::Duration;

use deadpool::managed::{Manager, Metrics, Object, Pool as Deadpool, PoolError, RecycleError, RecycleResult};
use diesel_async::{AnsiTransactionManager, TransactionManager};
use tokio::time::timeout;

use super::session::Session;
use super::{Connection, silent};
use crate::Work;
use crate::error::Fault;
use crate::meaning::Meaning;
use crate::server::Server;

/// How many connections one process uses at most.
const CONNECTIONS: usize = 8;
/// How long a call waits for a connection: 5 s for its turn, and 5 s to make one.
const WAIT_TIMEOUT: Duration = Duration::from_secs(10);

/// How a transaction begins that changes some rows. It finds them by their keys. A connection keeps the plans that the server
/// made. A plan made for a small table may read all of it, and would still do so when the table is large.
const BEGIN_BY_KEYS: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL enable_seqscan = off";

/// Statements have a limit of their own, see `connect`; the limits here are for a server that stops answering.
impl Work {
    /// `None`: a statement is a transaction by itself.
    fn begin(self) -> Option<&'static str> {
        Some(match self {
            Self::Statement | Self::Glance => return None,
            Self::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            Self::Write => BEGIN_BY_KEYS,
            Self::WriteMany => "BEGIN ISOLATION LEVEL READ COMMITTED",
            Self::Plan => "BEGIN ISOLATION LEVEL REPEATABLE READ",
        })
    }

    fn time_limit(self) -> Duration {
        match self {
            Self::Statement | Self::Glance | Self::Read | Self::Write => Duration::from_secs(60),
            Self::WriteMany | Self::Plan => Duration::from_secs(600),
        }
    }
}

/// The connections of one process.
pub(super) struct Pool(Deadpool<Sessions>);

/// Makes connections for the pool.
struct Sessions(Server);

impl Manager for Sessions {
    type Type = Session;
    type Error = Fault;

    async fn create(&self) -> Result<Session, Fault> {
        self.0.connect().await
    }

    /// A connection that was lost is known to be. Asking each time would cost a round trip per call.
    async fn recycle(&self, session: &mut Session, _: &Metrics) -> RecycleResult<Fault> {
        if session.is_broken() { Err(RecycleError::message("it was lost")) } else { Ok(()) }
    }
}

impl Pool {
    pub(super) fn new(server: Server) -> Result<Self, Fault> {
        let pool = Deadpool::builder(Sessions(server)).max_size(CONNECTIONS).build();
        pool.map(Self).map_err(|error| Fault::Unavailable(error.to_string()))
    }

    /// Does `work` in one transaction.
    pub(super) async fn transaction<T>(
        &self,
        kind: Work,
        work: impl AsyncFnOnce(&mut Connection) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let mut lease = self.lease(kind).await?;
        let done = timeout(kind.time_limit(), transaction(lease.session(), kind.begin(), work)).await;
        let done = done.map_err(|_| silent())?;
        // A server that could not do this now, as one that takes no writes, may do it for another connection.
        if !matches!(done, Err(Fault::Failed { meaning: Meaning::Unavailable(_), .. })) {
            lease.give_back();
        }
        done
    }

    pub(super) fn close(&self) {
        self.0.close();
    }

    /// A connection for this kind of work. One that began while the server took no writes may refuse them for ever, so
    /// a new one takes its place.
    async fn lease(&self, kind: Work) -> Result<Lease, Fault> {
        loop {
            let mut lease = self.any().await?;
            let is_stale = lease.is_used() && lease.session().began_read_only;
            if matches!(kind, Work::Read | Work::Glance) || !is_stale {
                return Ok(lease);
            }
        }
    }

    async fn any(&self) -> Result<Lease, Fault> {
        let got = timeout(WAIT_TIMEOUT, self.0.get()).await;
        let got = got.map_err(|_| Fault::Unavailable("all connections are busy".to_owned()))?;
        got.map(|object| Lease(Some(object))).map_err(|error| match error {
            PoolError::Backend(fault) => fault,
            PoolError::Closed => Fault::Unavailable("it was closed on our side".to_owned()),
            other => Fault::Unavailable(other.to_string()),
        })
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("status", &self.0.status()).finish()
    }
}

async fn transaction<T>(
    session: &mut Session,
    begin: Option<&str>,
    work: impl AsyncFnOnce(&mut Connection) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let Session { connection, latest, .. } = session;
    // Of an earlier call.
    latest.take();
    let explain = |error: diesel::result::Error| latest.explain(error.into());
    let Some(begin) = begin else {
        return work(connection).await.map_err(|fault| latest.explain(fault));
    };
    AnsiTransactionManager::begin_transaction_sql(connection, begin).await.map_err(explain)?;
    match work(connection).await {
        Ok(value) => {
            AnsiTransactionManager::commit_transaction(connection).await.map_err(explain)?;
            Ok(value)
        }
        Err(fault) => {
            let fault = latest.explain(fault);
            // Where this fails the connection is gone, which says more than what it made fail.
            AnsiTransactionManager::rollback_transaction(connection).await.map_err(explain)?;
            Err(fault)
        }
    }
}

/// A connection for one call. Given back only by [`Lease::give_back`]: in the pool a transaction that was
/// dropped half-way would keep its locks until somebody takes that connection again.
struct Lease(Option<Object<Sessions>>);

impl Lease {
    fn session(&mut self) -> &mut Session {
        #[expect(clippy::expect_used, reason = "only give_back and drop take it, and both end the lease")]
        self.0.as_mut().expect("a lease holds its connection")
    }

    /// Whether another call used the connection before.
    fn is_used(&self) -> bool {
        self.0.as_ref().is_some_and(|object| Object::metrics(object).recycle_count > 0)
    }

    fn give_back(mut self) {
        drop(self.0.take());
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(object) = self.0.take() {
            drop(Object::take(object));
        }
    }
}
