//! Connecting, and bringing the schema up to date.

use std::time::Duration;

use diesel::QueryDsl;
use diesel::dsl::sql;
use diesel::pg::Pg;
use diesel::sql_types::{BigInt, Bool};
use diesel_async::{AsyncMigrationHarness, AsyncPgConnection, RunQueryDsl};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use tokio::time::timeout;
use tokio_postgres::Config;

use crate::error::Fault;
use crate::migrations::{self, Migrated, OpenMode};
use crate::schema::__diesel_schema_migrations::dsl::{__diesel_schema_migrations, version};
use crate::server::Server;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../migrations/postgres");

/// How long connecting may take, from the name's look-up to the first answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long looking at the schema may take.
const LOOK_TIMEOUT: Duration = Duration::from_secs(5);
/// How long migrations may take, the wait for other processes that apply them included.
const MIGRATION_TIMEOUT: Duration = Duration::from_secs(600);
/// How long a peer may be silent before the connection counts as lost.
const SILENCE: Duration = Duration::from_secs(30);
/// What the server itself ends: a statement after 30 s, a transaction that nobody carries on after 60 s.
const SERVER_LIMITS: &str = "-c statement_timeout=30s -c idle_in_transaction_session_timeout=60s";
/// The advisory lock that migrating processes take: "linkbeat" in ASCII.
const MIGRATION_LOCK: i64 = 0x6c69_6e6b_6265_6174;

impl Server {
    /// Makes one connection.
    pub(super) async fn connect(&self) -> Result<AsyncPgConnection, Fault> {
        let connecting = timeout(CONNECT_TIMEOUT, self.handshake());
        connecting.await.unwrap_or_else(|_| {
            Err(Fault::Unavailable(format!("no connection within {} s", CONNECT_TIMEOUT.as_secs())))
        })
    }

    async fn handshake(&self) -> Result<AsyncPgConnection, Fault> {
        let (client, connection) = self
            .limited()
            .connect(self.tls.connector()?)
            .await
            .map_err(|error| Fault::Unavailable(with_causes(&error)))?;
        AsyncPgConnection::try_from_client_and_connection(client, connection)
            .await
            .map_err(|error| Fault::Unavailable(error.to_string()))
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
        config
            .options(options)
            .ssl_mode(self.tls.ssl_mode())
            .keepalives_idle(SILENCE)
            .tcp_user_timeout(SILENCE);
        config
    }
}

/// Brings the schema up to date, or only looks whether it is.
pub(super) async fn migrate(server: &Server, mode: OpenMode) -> Result<Migrated, Fault> {
    let mut connection = server.connect().await?;
    let looked = timeout(LOOK_TIMEOUT, pending(&mut connection, mode)).await;
    if looked.map_err(|_| silent())??.is_empty() {
        return Ok(Migrated::default());
    }
    timeout(MIGRATION_TIMEOUT, apply(connection, mode)).await.map_err(|_| silent())?
}

async fn apply(mut connection: AsyncPgConnection, mode: OpenMode) -> Result<Migrated, Fault> {
    // Both end with the connection.
    diesel::sql_query("SET statement_timeout = 0").execute(&mut connection).await?;
    let lock = diesel::sql_query("SELECT pg_advisory_lock($1)").bind::<BigInt, _>(MIGRATION_LOCK);
    lock.execute(&mut connection).await?;
    // Looked at again, as another process may have come first.
    let applied = pending(&mut connection, mode).await?;
    // diesel's migrations are written for threads.
    let run = move || AsyncMigrationHarness::new(connection).run_pending_migrations(MIGRATIONS).map(drop);
    let ran = tokio::task::spawn_blocking(run).await;
    ran.map_err(|error| Fault::Refused(error.to_string()))?.map_err(migrations::failed)?;
    Ok(Migrated { applied })
}

/// The migrations that the database lacks.
pub(super) async fn pending(
    connection: &mut AsyncPgConnection,
    mode: OpenMode,
) -> Result<Vec<String>, Fault> {
    let noted = "to_regclass('__diesel_schema_migrations') IS NOT NULL";
    let applied = if diesel::select(sql::<Bool>(noted)).get_result(connection).await? {
        __diesel_schema_migrations.select(version).load(connection).await?
    } else {
        Vec::new()
    };
    migrations::pending::<Pg>(&MIGRATIONS, &applied, mode)
}

/// A server that takes too long.
pub(super) fn silent() -> Fault {
    Fault::Unavailable("it stopped answering".to_owned())
}

/// tokio-postgres says "error connecting to server" and keeps the rest in the source.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    // rustls says "certificate", and so does a server that misses ours.
    if text.to_lowercase().contains("certificate") {
        text.push_str(" (sslrootcert, sslcert and sslkey in the URL say whom to trust and who we are)");
    }
    text
}
