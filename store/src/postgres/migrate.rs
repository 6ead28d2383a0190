//! Bringing the schema up to date.

use std::time::Duration;

use diesel::QueryDsl;
use diesel::dsl::sql;
use diesel::pg::Pg;
use diesel::sql_types::{BigInt, Bool};
use diesel_async::{AsyncMigrationHarness, AsyncPgConnection, RunQueryDsl};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use tokio::time::timeout;

use super::session::Session;
use super::silent;
use crate::error::Fault;
use crate::migrations::{self, Migrated, OpenMode};
use crate::schema::__diesel_schema_migrations::dsl::{__diesel_schema_migrations, version};
use crate::server::Server;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../migrations/postgres");

/// How long looking at the schema may take.
const LOOK_TIMEOUT: Duration = Duration::from_secs(5);
/// How long migrations may take, the wait for other processes that apply them included.
const MIGRATION_TIMEOUT: Duration = Duration::from_secs(600);
/// The advisory lock that migrating processes take: "linkbeat" in ASCII.
const MIGRATION_LOCK: i64 = 0x6c69_6e6b_6265_6174;

/// Brings the schema up to date, or only looks whether it is.
pub(super) async fn migrate(server: &Server, mode: OpenMode) -> Result<Migrated, Fault> {
    let mut session = server.connect().await?;
    let looked = timeout(LOOK_TIMEOUT, pending(&mut session.connection, mode)).await;
    let looked = looked.map_err(|_| silent())?.map_err(|fault| session.latest.explain(fault))?;
    if looked.is_empty() {
        return Ok(Migrated::default());
    }
    let latest = session.latest.clone();
    let applied = timeout(MIGRATION_TIMEOUT, apply(session, mode)).await.map_err(|_| silent())?;
    applied.map_err(|fault| latest.explain(fault))
}

async fn apply(session: Session, mode: OpenMode) -> Result<Migrated, Fault> {
    let Session { mut connection, driver, .. } = session;
    // Both end with the connection.
    diesel::sql_query("SET statement_timeout = 0").execute(&mut connection).await?;
    let lock = diesel::sql_query("SELECT pg_advisory_lock($1)").bind::<BigInt, _>(MIGRATION_LOCK);
    lock.execute(&mut connection).await?;
    // Looked at again, as another process may have come first.
    let applied = pending(&mut connection, mode).await?;
    // diesel's migrations are written for threads.
    let run = move || AsyncMigrationHarness::new(connection).run_pending_migrations(MIGRATIONS).map(drop);
    let ran = tokio::task::spawn_blocking(run).await;
    drop(driver);
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
