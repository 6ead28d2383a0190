//! The connections, and how one call uses one of them.

use std::fmt;
use std::time::Duration;

use diesel::ConnectionError;
use diesel_async::pooled_connection::deadpool::{Object, Pool as Deadpool, PoolError};
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod};
use diesel_async::{AnsiTransactionManager, AsyncPgConnection, TransactionManager};
use futures::FutureExt;
use tokio::time::timeout;

use super::connect::silent;
use crate::Work;
use crate::error::Fault;
use crate::server::Server;

/// How many connections one process uses at most.
const CONNECTIONS: usize = 8;
/// How long a call waits for a connection: 5 s for its turn, and 5 s to make one.
const WAIT_TIMEOUT: Duration = Duration::from_secs(10);

/// Statements have a limit of their own, see `connect`; the limits here are for a server that stops answering.
impl Work {
    fn begin(self) -> &'static str {
        match self {
            Self::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            Self::Write | Self::WriteMany => "BEGIN ISOLATION LEVEL READ COMMITTED",
            Self::Plan => "BEGIN ISOLATION LEVEL REPEATABLE READ",
        }
    }

    fn time_limit(self) -> Duration {
        match self {
            Self::Read | Self::Write => Duration::from_secs(60),
            Self::WriteMany | Self::Plan => Duration::from_secs(600),
        }
    }
}

/// The connections of one process.
pub(super) struct Pool(Deadpool<AsyncPgConnection>);

impl Pool {
    pub(super) fn new(server: Server) -> Result<Self, Fault> {
        let mut config = ManagerConfig::default();
        // A connection that was lost is known to be; asking each time would cost a round trip per call.
        config.recycling_method = RecyclingMethod::Fast;
        config.custom_setup = Box::new(move |_| {
            let server = server.clone();
            async move {
                server.connect().await.map_err(|fault| ConnectionError::BadConnection(fault.to_string()))
            }
            .boxed()
        });
        let manager = AsyncDieselConnectionManager::new_with_config(String::new(), config);
        let pool = Deadpool::builder(manager).max_size(CONNECTIONS).build();
        pool.map(Self).map_err(|error| Fault::Unavailable(error.to_string()))
    }

    /// Does `work` in one transaction.
    pub(super) async fn transaction<T>(
        &self,
        kind: Work,
        work: impl AsyncFnOnce(&mut AsyncPgConnection) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let mut lease = self.lease().await?;
        let done = timeout(kind.time_limit(), transaction(lease.connection(), kind.begin(), work)).await;
        let done = done.map_err(|_| silent())?;
        lease.give_back();
        done
    }

    pub(super) fn close(&self) {
        self.0.close();
    }

    async fn lease(&self) -> Result<Lease, Fault> {
        let got = timeout(WAIT_TIMEOUT, self.0.get()).await;
        let got = got.map_err(|_| Fault::Unavailable("all connections are busy".to_owned()))?;
        got.map(|object| Lease(Some(object))).map_err(|error| {
            Fault::Unavailable(match error {
                PoolError::Backend(error) => error.to_string(),
                PoolError::Closed => "it was closed on our side".to_owned(),
                other => other.to_string(),
            })
        })
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("status", &self.0.status()).finish()
    }
}

async fn transaction<T>(
    connection: &mut AsyncPgConnection,
    begin: &str,
    work: impl AsyncFnOnce(&mut AsyncPgConnection) -> Result<T, Fault>,
) -> Result<T, Fault> {
    AnsiTransactionManager::begin_transaction_sql(connection, begin).await?;
    match work(connection).await {
        Ok(value) => {
            AnsiTransactionManager::commit_transaction(connection).await?;
            Ok(value)
        }
        Err(fault) => {
            // Where this fails the connection is gone, which says more than what it made fail.
            AnsiTransactionManager::rollback_transaction(connection).await?;
            Err(fault)
        }
    }
}

/// A connection for one call. Given back only by [`Lease::give_back`]: in the pool a transaction that was
/// dropped half-way would keep its locks until somebody takes that connection again.
struct Lease(Option<Object<AsyncPgConnection>>);

impl Lease {
    fn connection(&mut self) -> &mut AsyncPgConnection {
        #[expect(clippy::expect_used, reason = "only give_back and drop take it, and both end the lease")]
        self.0.as_mut().expect("a lease holds its connection")
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
