//! PostgreSQL's errors are told apart by their codes, in whatever language the server speaks.

use linkbeat_store::{DatabaseUrl, Obstacle, OpenMode, SharedStore, StoreError, open};
use linkbeat_testbed::database::Database;
use linkbeat_testbed::eventually;

use crate::make::{self, ImportLinks};

/// What a caller makes of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Later(Obstacle),
    AtOnce,
    Never,
}

fn seen(error: &StoreError) -> Seen {
    match error {
        StoreError::Unavailable { obstacle, .. } => Seen::Later(*obstacle),
        StoreError::Conflict { .. } => Seen::AtOnce,
        _ => Seen::Never,
    }
}

async fn database() -> Database {
    Database::create("linkbeat_codes").await
}

async fn opened(database: &Database, parameters: &str) -> SharedStore {
    let url: DatabaseUrl = format!("{}{parameters}", database.url).parse().unwrap();
    open(&url, OpenMode::Migrate).await.unwrap()
}

/// From now on new links are refused with this code.
async fn refuse(database: &Database, code: &str) {
    let refuse = format!(
        "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            RAISE EXCEPTION 'Störung' USING ERRCODE = '{code}'; END $$;
         CREATE OR REPLACE TRIGGER refuse BEFORE INSERT ON links EXECUTE FUNCTION refuse()"
    );
    database.execute(&refuse).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_code_says_whether_the_same_may_succeed_later() {
    let database = database().await;
    let store = opened(&database, "").await;
    for (code, expected) in [
        ("57014", Seen::Later(Obstacle::Other)),    // cancelled, or a timeout
        ("57P01", Seen::Later(Obstacle::Other)),    // shut down
        ("57P03", Seen::Later(Obstacle::Other)),    // starting
        ("53100", Seen::Later(Obstacle::Room)),     // disk full
        ("53200", Seen::Later(Obstacle::Other)),    // out of memory
        ("53300", Seen::Later(Obstacle::Crowded)),  // too many connections
        ("55P03", Seen::Later(Obstacle::Other)),    // a lock that is held
        ("58030", Seen::Later(Obstacle::Other)),    // input and output
        ("25006", Seen::Later(Obstacle::ReadOnly)), // takes no writes
        ("42501", Seen::Later(Obstacle::Rights)),   // may not
        ("28000", Seen::Later(Obstacle::Login)),
        ("08006", Seen::Later(Obstacle::Other)),
        ("72000", Seen::Later(Obstacle::Other)),
        ("XX000", Seen::Later(Obstacle::Other)), // an internal error
        ("ZZ123", Seen::Later(Obstacle::Other)), // nobody knows
        ("40001", Seen::AtOnce),                 // serialization
        ("40P01", Seen::AtOnce),                 // deadlock
        ("22021", Seen::Never),                  // not UTF-8
        ("23514", Seen::Never),                  // a constraint
        ("42601", Seen::Never),                  // a syntax error
        ("54000", Seen::Never),                  // too large
        ("P0001", Seen::Never),                  // refused by a trigger
        ("XX001", Seen::Never),                  // damaged
    ] {
        refuse(&database, code).await;
        let error = store.import_links(&make::links(1)).await.unwrap_err();
        assert_eq!(seen(&error), expected, "{code}: {error}");
        assert_eq!(error.is_transient(), expected != Seen::Never, "{code}");
    }
    database.execute("DROP TRIGGER refuse ON links").await;
    store.import_links(&make::links(1)).await.unwrap();
}

/// Imports a link while somebody else holds the table, does `meanwhile`, and gives what became of the import.
async fn held_up(database: &Database, store: &SharedStore, meanwhile: &str) -> StoreError {
    let holder = database.client().await;
    holder.batch_execute("BEGIN; LOCK TABLE links").await.unwrap();
    let importing = {
        let store = store.clone();
        tokio::spawn(async move { store.import_links(&make::links(1)).await })
    };
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    eventually("the import waits", async || (database.number(waits).await > 0).then_some(())).await;
    database.execute(meanwhile).await;
    let error = importing.await.unwrap().unwrap_err();
    holder.batch_execute("COMMIT").await.unwrap();
    error
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_somebody_ends_is_tried_again() {
    let database = database().await;
    let store = opened(&database, "").await;
    for end in ["pg_cancel_backend", "pg_terminate_backend"] {
        let end = format!(
            "SELECT {end}(pid) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        );
        let error = held_up(&database, &store, &end).await;
        assert_eq!(seen(&error), Seen::Later(Obstacle::Other), "{end}: {error}");
    }
    store.import_links(&make::links(1)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_takes_too_long_is_tried_again() {
    let database = database().await;
    let store = opened(&database, "?options=-c%20statement_timeout%3D1s").await;
    let error = held_up(&database, &store, "SELECT pg_sleep(0)").await;
    assert_eq!(seen(&error), Seen::Later(Obstacle::Other), "{error}");
    store.import_links(&make::links(1)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_somebody_ends_is_tried_again() {
    let database = database().await;
    opened(&database, "").await;
    let url: DatabaseUrl = database.url.parse().unwrap();
    database.execute("DELETE FROM __diesel_schema_migrations").await;
    let error = open(&url, OpenMode::Migrate).await.unwrap_err();
    assert_eq!(seen(&error), Seen::Never, "its tables are there: {error}");
    database.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public").await;
    // 53400: a trigger on new tables ends the migration.
    let end = "CREATE SCHEMA aside;
        CREATE FUNCTION aside.refuse() RETURNS event_trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'Störung' USING ERRCODE = '53400'; END $$;
        CREATE EVENT TRIGGER refuse ON ddl_command_end WHEN TAG IN ('CREATE FUNCTION', 'CREATE VIEW')
            EXECUTE FUNCTION aside.refuse()";
    database.execute(end).await;
    let error = open(&url, OpenMode::Migrate).await.unwrap_err();
    assert_eq!(seen(&error), Seen::Later(Obstacle::Other), "{error}");
    assert!(error.to_string().contains("Störung"), "{error}");
    database.execute("DROP EVENT TRIGGER refuse").await;
    open(&url, OpenMode::Migrate).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_no_more_connections_may_take_some_later() {
    let database = database().await;
    let role = &database.name;
    database.execute(&format!("CREATE ROLE {role} LOGIN PASSWORD 'x' CONNECTION LIMIT 0")).await;
    let mut url: url::Url = database.url.parse().unwrap();
    url.set_username(role).unwrap();
    url.set_password(Some("x")).unwrap();
    let error = open(&url.as_str().parse().unwrap(), OpenMode::Check).await.unwrap_err();
    database.execute(&format!("DROP ROLE {role}")).await;
    assert_eq!(seen(&error), Seen::Later(Obstacle::Crowded), "{error}");
    assert!(error.advice().contains("max_connections"), "{error}");
}

/// Many calls at once, so that many connections are open.
async fn at_once(store: &SharedStore, write: bool) -> Vec<StoreError> {
    let calls = (0..3).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            if write {
                store.import_links(&make::links(3)).await.map(drop)
            } else {
                store.links(None, 10).await.map(drop)
            }
        })
    });
    let mut errors = Vec::new();
    for call in calls.collect::<Vec<_>>() {
        errors.extend(call.await.unwrap().err());
    }
    errors
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_began_while_nothing_could_be_written_are_replaced() {
    let database = database().await;
    opened(&database, "").await.close().await;
    let read_only = format!("ALTER DATABASE {} SET default_transaction_read_only = on", database.name);
    database.execute(&read_only).await;
    let store = opened(&database, "").await;
    assert_eq!(at_once(&store, false).await, [], "it can be read");
    let refused = at_once(&store, true).await;
    assert_eq!(refused.len(), 3);
    assert!(refused.iter().all(|error| seen(error) == Seen::Later(Obstacle::ReadOnly)), "{refused:?}");
    assert!(refused[0].advice().contains("takes no writes"), "{refused:?}");
    assert_eq!(at_once(&store, false).await, []);

    let mut writer = database.url.parse::<url::Url>().unwrap();
    writer.set_query(Some("options=-c%20default_transaction_read_only%3Doff"));
    let again = format!("ALTER DATABASE {} RESET default_transaction_read_only", database.name);
    let (client, connection) = tokio_postgres::connect(writer.as_str(), tokio_postgres::NoTls).await.unwrap();
    let driver = tokio::spawn(connection);
    client.batch_execute(&again).await.unwrap();
    assert_eq!(at_once(&store, true).await, [], "no connection is left that refuses writes");
    driver.abort();
}

/// Connections of before version 14 do not say how they began, and a server may turn while one is used.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_refuses_writes_is_thrown_away() {
    let database = database().await;
    let store = opened(&database, "").await;
    let count = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
        AND application_name = 'linkbeat'";
    store.import_links(&make::links(1)).await.unwrap();
    eventually("one is kept", async || (database.number(count).await == 1).then_some(())).await;
    refuse(&database, "25006").await;
    store.import_links(&make::links(2)).await.unwrap_err();
    eventually("it is gone", async || (database.number(count).await == 0).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unix_socket_will_do() {
    let database = database().await;
    let client = database.client().await;
    let folder: String = client.query_one("SHOW unix_socket_directories", &[]).await.unwrap().get(0);
    if folder.is_empty() || folder.contains(',') {
        return;
    }
    let url: url::Url = database.url.parse().unwrap();
    let url = format!(
        "postgres:///{}?host={folder}&user={}&password={}&port={}&sslmode=require",
        database.name,
        url.username(),
        url.password().unwrap(),
        url.port().unwrap()
    );
    let store = open(&url.parse().unwrap(), OpenMode::Migrate).await.unwrap();
    store.import_links(&make::links(1)).await.unwrap();
    refuse(&database, "53100").await;
    let error = store.import_links(&make::links(2)).await.unwrap_err();
    assert_eq!(seen(&error), Seen::Later(Obstacle::Room), "{error}");
}
