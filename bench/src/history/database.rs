//! The database, past the store: SQL in bulk, and sizes.

use std::sync::Mutex;

use anyhow::{Context, bail};
use chrono::{DateTime, SecondsFormat, Utc};
use diesel::connection::SimpleConnection;
use diesel::sql_types::{BigInt, Binary};
use diesel::{Connection, QueryableByName, RunQueryDsl, SqliteConnection, sql_query};
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

pub(crate) enum Database {
    Postgres(Client),
    Sqlite(Mutex<SqliteConnection>),
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    value: i64,
}

#[derive(QueryableByName)]
struct IdRow {
    #[diesel(sql_type = Binary)]
    id: Vec<u8>,
}

impl Database {
    pub(crate) async fn open(url: &str) -> anyhow::Result<Self> {
        if let Some(file) = url.strip_prefix("sqlite://") {
            let mut connection = SqliteConnection::establish(file)?;
            connection.batch_execute("PRAGMA busy_timeout = 60000; PRAGMA synchronous = OFF")?;
            return Ok(Self::Sqlite(Mutex::new(connection)));
        }
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        tokio::spawn(connection);
        Ok(Self::Postgres(client))
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Postgres(_) => "PostgreSQL",
            Self::Sqlite(_) => "SQLite",
        }
    }

    pub(crate) fn has_partitions(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    pub(crate) async fn execute(&self, sql: &str) -> anyhow::Result<()> {
        match self {
            Self::Postgres(client) => client.batch_execute(sql).await.with_context(|| sql.to_owned()),
            Self::Sqlite(connection) => lock(connection)?.batch_execute(sql).with_context(|| sql.to_owned()),
        }
    }

    /// The one whole number that a query gives.
    pub(crate) async fn number(&self, query: &str) -> anyhow::Result<i64> {
        match self {
            Self::Postgres(client) => {
                let query = format!("SELECT coalesce(({query}), 0)::bigint");
                Ok(client.query_one(&query, &[]).await.with_context(|| query.clone())?.get(0))
            }
            Self::Sqlite(connection) => {
                let query = format!("SELECT coalesce(({query}), 0) AS value");
                let row: Number = sql_query(&query).get_result(&mut *lock(connection)?)?;
                Ok(row.value)
            }
        }
    }

    pub(crate) async fn ids(&self, query: &str) -> anyhow::Result<Vec<Uuid>> {
        match self {
            Self::Postgres(client) => {
                let rows = client.query(&format!("SELECT q.id::text FROM ({query}) AS q"), &[]).await?;
                rows.iter().map(|row| Ok(row.get::<_, &str>(0).parse()?)).collect()
            }
            Self::Sqlite(connection) => {
                let rows: Vec<IdRow> = sql_query(query).load(&mut *lock(connection)?)?;
                rows.iter().map(|row| Ok(Uuid::from_slice(&row.id)?)).collect()
            }
        }
    }

    /// How many rows a table has, and how many bytes it takes with its indexes.
    pub(crate) async fn rows_and_bytes(&self, table: &str) -> anyhow::Result<(u64, u64)> {
        let rows = self.number(&format!("SELECT count(*) FROM {table}")).await?;
        let bytes = match self {
            Self::Postgres(_) => {
                self.execute(&format!("VACUUM {table}")).await?;
                format!("SELECT pg_total_relation_size('{table}')")
            }
            // A table without row ids is its own index. Other indexes have names of their own.
            Self::Sqlite(_) => {
                format!("SELECT sum(pgsize) FROM dbstat WHERE name LIKE '{table}%'")
            }
        };
        Ok((rows.unsigned_abs(), self.number(&bytes).await?.unsigned_abs()))
    }

    pub(crate) async fn told(&self, table: &str) -> anyhow::Result<String> {
        Ok(told(self.rows_and_bytes(table).await?))
    }

    pub(crate) async fn told_checks(&self) -> anyhow::Result<String> {
        if let Self::Sqlite(_) = self {
            return self.told("checks").await;
        }
        self.execute("VACUUM checks").await?;
        let rows = self.number("SELECT count(*) FROM checks").await?;
        let bytes = "SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits WHERE inhparent = 'checks'::regclass";
        Ok(told((rows.unsigned_abs(), self.number(bytes).await?.unsigned_abs())))
    }

    /// A random number from 0 on and below 1.
    pub(crate) fn uniform(&self) -> &'static str {
        match self {
            Self::Postgres(_) => "random()",
            Self::Sqlite(_) => "((random() & 1048575) / 1048576.0)",
        }
    }

    pub(crate) fn id(&self, id: Uuid) -> String {
        match self {
            Self::Postgres(_) => format!("'{id}'::uuid"),
            Self::Sqlite(_) => format!("x'{}'", id.simple()),
        }
    }

    pub(crate) fn new_id(&self) -> &'static str {
        match self {
            Self::Postgres(_) => "gen_random_uuid()",
            Self::Sqlite(_) => "randomblob(16)",
        }
    }

    /// Rows `n` from 1 on.
    pub(crate) fn series(&self, to: u64) -> String {
        match self {
            Self::Postgres(_) => format!("generate_series(1, {to}) AS s (n)"),
            Self::Sqlite(_) => format!(
                "(WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {to}) SELECT n FROM s) AS s"
            ),
        }
    }
}

pub(crate) fn moment(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// The id of a run of this moment.
pub(crate) fn run_id(moment: DateTime<Utc>) -> Uuid {
    let millis = u64::try_from(moment.timestamp_millis()).unwrap_or_default();
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&millis.to_be_bytes()[2..]);
    bytes[8] = 0x80;
    Uuid::from_bytes(bytes)
}

fn lock(connection: &Mutex<SqliteConnection>) -> anyhow::Result<std::sync::MutexGuard<'_, SqliteConnection>> {
    match connection.lock() {
        Ok(connection) => Ok(connection),
        Err(_) => bail!("an earlier statement panicked"),
    }
}

fn told((rows, bytes): (u64, u64)) -> String {
    let each = bytes as f64 / rows.max(1) as f64;
    format!("{} rows, {:.1} MB, {each:.0} bytes each", grouped(rows), bytes as f64 / 1e6)
}

/// With a comma between thousands.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
