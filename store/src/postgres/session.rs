//! One connection, and what is known of it beside diesel's own.

use std::time::Duration;

use diesel_async::AsyncPgConnection;
use diesel_async::pooled_connection::PoolableConnection;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::config::{SslMode, SslNegotiation, TargetSessionAttrs};
use tokio_postgres::{Config, SimpleQueryMessage};

use super::dial::{Address, Encryption, Prepared, addresses};
use super::overheard::{LatestCode, Overheard};
use super::{sqlstate, with_causes};
use crate::error::Fault;
use crate::meaning::{Meaning, Obstacle};
use crate::server::Server;

/// How long connecting may take, from the name's look-up to the first answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a peer may be silent before the connection counts as lost.
const SILENCE: Duration = Duration::from_secs(30);
/// What the server itself ends: a statement after 30 s, a transaction that nobody carries on after 60 s. Our statements are
/// short. To compile one first (JIT) takes much longer than it does.
const SERVER_LIMITS: &str = "-c statement_timeout=30s -c idle_in_transaction_session_timeout=60s -c jit=off";
/// Settings that a server from version 14 on tells when a session begins, and that keep it from writing.
const READ_ONLY: [&str; 2] = ["default_transaction_read_only", "in_hot_standby"];

/// A connection.
pub(super) struct Session {
    pub(super) connection: AsyncPgConnection,
    pub(super) latest: LatestCode,
    /// It began while the server took no writes. It may stay so when the server takes them again.
    pub(super) began_read_only: bool,
    pub(super) driver: Driver,
}

/// The task that moves the bytes of a connection. The connection ends with it.
pub(super) struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Session {
    pub(super) fn is_broken(&mut self) -> bool {
        self.connection.is_broken()
    }
}

impl LatestCode {
    /// The same fault, with the meaning of the code that came with it.
    pub(super) fn explain(&self, fault: Fault) -> Fault {
        fault.explained(|_| match self.take() {
            Some(code) => sqlstate::meaning(&code),
            None => Meaning::Unavailable(Obstacle::Other),
        })
    }
}

impl Server {
    /// Makes one connection.
    pub(super) async fn connect(&self) -> Result<Session, Fault> {
        let connecting = timeout(CONNECT_TIMEOUT, self.reach());
        connecting.await.unwrap_or_else(|_| {
            Err(Fault::Unavailable(format!("no connection within {} s", CONNECT_TIMEOUT.as_secs())))
        })
    }

    /// Tries the server's places in turn.
    async fn reach(&self) -> Result<Session, Fault> {
        // A file that cannot be used is told before anything is tried.
        let connector = self.tls.connector()?;
        let config = self.limited();
        let mut problem = Fault::BadUrl("it names no host".to_owned());
        for address in addresses(&config).await? {
            let encryption = Encryption { mode: self.tls.mode, connector: connector.clone() };
            match log_in(&address, &config, encryption).await {
                Ok(session) => return Ok(session),
                Err(fault) => problem = fault,
            }
        }
        Err(problem)
    }

    fn limited(&self) -> Config {
        let mut config = self.config.clone();
        let options = match config.get_options() {
            Some(theirs) => format!("{SERVER_LIMITS} {theirs}"),
            None => SERVER_LIMITS.to_owned(),
        };
        if config.get_application_name().is_none() {
            config.application_name("linkbeat");
        }
        config.options(options).keepalives_idle(SILENCE).tcp_user_timeout(SILENCE);
        config
    }
}

async fn log_in(address: &Address, config: &Config, encryption: Encryption) -> Result<Session, Fault> {
    let wire = address.wire(config, encryption).await?;
    let latest = LatestCode::default();
    let stream = Prepared(Overheard::new(wire, latest.clone()));
    let mut config = config.clone();
    // So tokio-postgres takes what is prepared.
    config.ssl_mode(SslMode::Require).ssl_negotiation(SslNegotiation::Direct);
    let (client, connection) =
        config.connect_raw(tokio::io::empty(), stream).await.map_err(|error| not_let_in(&error))?;
    let began_read_only = READ_ONLY.iter().any(|name| connection.parameter(name) == Some("on"));
    let driver = Driver(tokio::spawn(async move {
        // The next call on the connection meets the same fault.
        let _ = connection.await;
    }));
    wanted(&client, config.get_target_session_attrs()).await?;
    let connection = AsyncPgConnection::try_from(client).await;
    let connection = connection.map_err(|error| Fault::Unavailable(error.to_string()))?;
    Ok(Session { connection, latest, began_read_only, driver })
}

/// That the server is of the kind for which the URL asks (`target_session_attrs`).
async fn wanted(client: &tokio_postgres::Client, kind: TargetSessionAttrs) -> Result<(), Fault> {
    if kind == TargetSessionAttrs::Any {
        return Ok(());
    }
    let rows = client.simple_query("SHOW transaction_read_only").await;
    let rows = rows.map_err(|error| not_let_in(&error))?;
    let is_read_only =
        rows.iter().any(|row| matches!(row, SimpleQueryMessage::Row(row) if row.get(0) == Some("on")));
    let problem = match (kind, is_read_only) {
        (TargetSessionAttrs::ReadWrite, true) => "database does not allow writes",
        (TargetSessionAttrs::ReadOnly, false) => "database is not read only",
        _ => return Ok(()),
    };
    Err(Fault::Failed { meaning: Meaning::Unavailable(Obstacle::ReadOnly), problem: problem.to_owned() })
}

/// A server that does not let us in may do so later, whatever it says: the password or the database may be on its way.
fn not_let_in(error: &tokio_postgres::Error) -> Fault {
    let meaning = match error.code().map(|code| sqlstate::meaning(code.code())) {
        Some(meaning @ Meaning::Unavailable(_)) => meaning,
        _ => Meaning::Unavailable(Obstacle::Other),
    };
    Fault::Failed { meaning, problem: with_causes(error) }
}
