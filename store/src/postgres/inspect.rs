use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{Bool, Nullable, Text, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use tokio::time::timeout;

use super::migrate::pending;
use super::silent;
use crate::OpenMode;
use crate::error::Fault;
use crate::inspection::{DatabaseInspection, ServerInspection, TableRights, schema};
use crate::server::Server;

/// How long all questions together may take.
const LIMIT: Duration = Duration::from_secs(5);

const ABOUT: &str = "SELECT current_setting('server_version') AS version, current_user::text AS user_name,
    (SELECT s.version FROM pg_stat_ssl s WHERE s.pid = pg_backend_pid() AND s.ssl) AS tls,
    pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on' AS read_only";

const RIGHTS: &str = "SELECT c.relname::text AS name, has_table_privilege(c.oid, 'SELECT') AS may_select,
    has_table_privilege(c.oid, 'INSERT') AS may_insert, has_table_privilege(c.oid, 'UPDATE') AS may_update,
    has_table_privilege(c.oid, 'DELETE') AS may_delete
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition AND pg_table_is_visible(c.oid)
    AND n.nspname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1";

/// The functions by which the recorder makes partitions and removes what is old.
const FUNCTIONS: &str =
    "SELECT p.proname || '()' AS name, has_function_privilege(p.oid, 'EXECUTE') AS may_execute
    FROM pg_proc p WHERE p.proname IN ('make_checks_partitions', 'drop_checks_partition', 'clean_dropped_runs',
                                       'delete_old_runs', 'delete_old_hours') AND pg_function_is_visible(p.oid)";

#[derive(QueryableByName)]
struct About {
    #[diesel(sql_type = Text)]
    version: String,
    #[diesel(sql_type = Text)]
    user_name: String,
    #[diesel(sql_type = Nullable<Text>)]
    tls: Option<String>,
    #[diesel(sql_type = Bool)]
    read_only: bool,
}

#[derive(QueryableByName)]
struct Clock {
    #[diesel(sql_type = Timestamptz)]
    now: DateTime<Utc>,
}

#[derive(QueryableByName)]
struct Rights {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Bool)]
    may_select: bool,
    #[diesel(sql_type = Bool)]
    may_insert: bool,
    #[diesel(sql_type = Bool)]
    may_update: bool,
    #[diesel(sql_type = Bool)]
    may_delete: bool,
}

#[derive(QueryableByName)]
struct FunctionRights {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Bool)]
    may_execute: bool,
}

/// Connects, and asks about version, encryption, clock, rights and migrations.
pub(crate) async fn inspect(server: &Server) -> Result<DatabaseInspection, Fault> {
    let mut session = server.connect().await?;
    let asked = timeout(LIMIT, ask(&mut session.connection)).await.map_err(|_| silent())?;
    asked.map_err(|fault| session.latest.explain(fault))
}

async fn ask(connection: &mut AsyncPgConnection) -> Result<DatabaseInspection, Fault> {
    let about: About = diesel::sql_query(ABOUT).get_result(connection).await?;
    let asked = Utc::now();
    let clock: Clock = diesel::sql_query("SELECT clock_timestamp() AS now").get_result(connection).await?;
    let round_trip = Utc::now() - asked;
    let rights: Vec<Rights> = diesel::sql_query(RIGHTS).load(connection).await?;
    let functions: Vec<FunctionRights> = diesel::sql_query(FUNCTIONS).load(connection).await?;
    let functions = functions.into_iter().map(TableRights::from);
    let server = ServerInspection {
        user: about.user_name,
        tls: about.tls,
        read_only: about.read_only,
        clock_ahead: clock.now - (asked + round_trip / 2),
        round_trip,
        rights: rights.into_iter().map(TableRights::from).chain(functions).collect(),
    };
    Ok(DatabaseInspection {
        version: format!("PostgreSQL {}", about.version),
        schema: schema(pending(connection, OpenMode::Migrate).await),
        server: Some(server),
    })
}

impl From<Rights> for TableRights {
    fn from(rights: Rights) -> Self {
        let each = [
            (rights.may_select, "SELECT"),
            (rights.may_insert, "INSERT"),
            (rights.may_update, "UPDATE"),
            (rights.may_delete, "DELETE"),
        ];
        let granted = each.into_iter().filter(|(may, _)| *may).map(|(_, name)| name).collect();
        Self { table: rights.name, granted }
    }
}

impl From<FunctionRights> for TableRights {
    fn from(rights: FunctionRights) -> Self {
        Self { table: rights.name, granted: if rights.may_execute { vec!["EXECUTE"] } else { Vec::new() } }
    }
}
