//! Schemas that are current, too old, and too new.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use linkbeat_shared::{LinkSelection, Verdict};
use linkbeat_store::{OpenMode, StoreError, migrate, open};

use crate::database::{Kind, TestDatabase};
use crate::make::{self, ImportLinks, file, new_run, record};

cases![
    a_new_database_is_migrated_once,
    processes_may_migrate_at_the_same_time,
    an_older_schema_is_refused,
    a_newer_schema_is_refused,
    every_migration_can_be_taken_back,
    checks_of_an_older_file_are_found_by_their_link,
];

fn folder(kind: Kind) -> PathBuf {
    let kind = match kind {
        Kind::Postgres => "postgres",
        Kind::Sqlite => "sqlite",
    };
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations").join(kind)
}

async fn a_new_database_is_migrated_once(database: Arc<TestDatabase>) {
    let first = migrate(&database.url).await.unwrap();
    // One that shares its version with another would be passed over.
    assert_eq!(first.applied.len(), std::fs::read_dir(folder(database.kind)).unwrap().count());
    assert!(migrate(&database.url).await.unwrap().applied.is_empty());
    open(&database.url, OpenMode::Check).await.unwrap();
}

async fn processes_may_migrate_at_the_same_time(database: Arc<TestDatabase>) {
    let mut processes = Vec::new();
    for _ in 0..8 {
        let url = database.url.clone();
        processes.push(tokio::spawn(async move { migrate(&url).await.unwrap() }));
    }
    let mut applied = 0;
    for process in processes {
        applied += usize::from(!process.await.unwrap().applied.is_empty());
    }
    assert_eq!(applied, 1);
}

async fn an_older_schema_is_refused(database: Arc<TestDatabase>) {
    let error = open(&database.url, OpenMode::Check).await.unwrap_err();
    assert!(matches!(error, StoreError::OlderSchema { .. }), "{error}");
    assert!(error.advice().contains("linkbeat migrate") && !error.is_transient());
    match database.kind {
        Kind::Postgres => {
            let tables = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'";
            assert_eq!(database.value(tables).await.as_deref(), Some("0"));
        }
        Kind::Sqlite => assert!(!database.file_exists()),
    }
    migrate(&database.url).await.unwrap();
    database.execute("DELETE FROM __diesel_schema_migrations").await;
    let error = open(&database.url, OpenMode::Check).await.unwrap_err();
    assert!(matches!(error, StoreError::OlderSchema { .. }), "{error}");
}

async fn a_newer_schema_is_refused(database: Arc<TestDatabase>) {
    migrate(&database.url).await.unwrap();
    database.execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('29990101000000')").await;
    for mode in [OpenMode::Check, OpenMode::Migrate] {
        let error = open(&database.url, mode).await.unwrap_err();
        assert!(
            matches!(&error, StoreError::NewerSchema { found, known, .. } if found == "29990101000000" && known < found),
            "{error}"
        );
    }
}

async fn every_migration_can_be_taken_back(database: Arc<TestDatabase>) {
    let applied = migrate(&database.url).await.unwrap().applied;
    for migration in applied.iter().rev() {
        let file = folder(database.kind).join(migration).join("down.sql");
        database.execute(&std::fs::read_to_string(file).unwrap()).await;
    }
    database.execute("DELETE FROM __diesel_schema_migrations").await;
    let left = match database.kind {
        Kind::Postgres => {
            "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname NOT LIKE '\\_\\_diesel%'"
        }
        Kind::Sqlite => {
            "SELECT count(*) FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' AND tbl_name NOT LIKE '\\_\\_diesel%' ESCAPE '\\'"
        }
    };
    assert_eq!(database.value(left).await.as_deref(), Some("0"));
    assert_eq!(migrate(&database.url).await.unwrap().applied, applied);
    database.open().await.import_links(&make::links(1)).await.unwrap();
}

async fn checks_of_an_older_file_are_found_by_their_link(database: Arc<TestDatabase>) {
    if database.kind == Kind::Postgres {
        return;
    }
    let store = database.open().await;
    for links in [2, 300] {
        store.import_links(&make::links(links)).await.unwrap();
        let (filed, plan) = file(&store, new_run(LinkSelection::Stored), 64).await;
        record(&store, filed.run.id, &plan.jobs, Verdict::Up).await;
    }
    drop(store);
    let listed = async || database.value("SELECT count(*) FROM checks_of_small_runs").await;
    assert_eq!(listed().await.as_deref(), Some("2"));
    let migration = "2026-11-28-000100_checks_by_run";
    let file = folder(database.kind).join(migration).join("down.sql");
    database.execute(&std::fs::read_to_string(file).unwrap()).await;
    database.execute("DELETE FROM __diesel_schema_migrations WHERE version = '20261128000100'").await;
    assert_eq!(migrate(&database.url).await.unwrap().applied, [migration]);
    assert_eq!(listed().await.as_deref(), Some("2"));
}
