//! Databases that cannot be used.

use std::time::{Duration, Instant};

use linkbeat_store::{DatabaseUrl, OpenMode, StoreError, open};
use linkbeat_testbed::shared_server;

use crate::make::ImportLinks;

/// Opens a database that must not open, within the few seconds that a person waits.
async fn refused(url: &str) -> StoreError {
    let url: DatabaseUrl = url.parse().unwrap();
    let started = Instant::now();
    let error = open(&url, OpenMode::Migrate).await.unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
    assert!(error.to_string().contains(&url.to_string()), "{error}");
    assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
    error
}

#[tokio::test]
async fn a_server_that_is_not_there() {
    let error = refused("postgres://me:secret@127.0.0.1:1/linkbeat").await;
    assert!(matches!(error, StoreError::Unavailable { .. }) && error.is_transient(), "{error}");
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn a_server_that_never_answers() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let error = refused(&format!("postgres://me:secret@127.0.0.1:{port}/linkbeat")).await;
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
}

#[tokio::test]
async fn a_server_that_has_no_such_database() {
    let server = shared_server("LINKBEAT_TEST_DATABASE_URL");
    let mut url: url::Url = server.parse().unwrap();
    url.set_path("no_such_database");
    let error = refused(url.as_str()).await;
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
    assert!(error.to_string().contains("does not exist") && error.advice().contains("create it"), "{error}");
}

#[tokio::test]
async fn a_server_that_does_not_let_us_in() {
    let server = shared_server("LINKBEAT_TEST_DATABASE_URL");
    let mut url: url::Url = server.parse().unwrap();
    url.set_password(Some("secret")).unwrap();
    let error = refused(url.as_str()).await;
    assert!(error.is_transient(), "the password may be on its way: {error}");
    assert!(error.to_string().contains("authentication failed"), "{error}");
    assert!(error.advice().contains("check user and password"), "{error}");
}

#[tokio::test]
async fn a_server_that_does_not_encrypt() {
    let server = shared_server("LINKBEAT_TEST_DATABASE_URL");
    for mode in ["require", "verify-full"] {
        let mut url: url::Url = server.parse().unwrap();
        url.set_query(Some(&format!("sslmode={mode}")));
        let error = refused(url.as_str()).await;
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_folder_that_is_not_there() {
    let error = refused("sqlite:///no/such/folder/linkbeat.db").await;
    // No time makes the folder: nobody need wait for it.
    assert!(matches!(error, StoreError::BadFile { .. }) && !error.is_transient(), "{error}");
    assert!(error.to_string().contains("there is no folder /no/such/folder"), "{error}");
}

#[tokio::test]
async fn a_file_that_is_no_database() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "name,url\n".repeat(1_000)).unwrap();
    let error = refused(&format!("sqlite://{}", file.path().display())).await;
    assert!(matches!(error, StoreError::BadFile { .. }) && !error.is_transient(), "{error}");
    assert!(error.to_string().contains("no SQLite database"), "{error}");
}

#[tokio::test]
async fn a_database_in_memory_works() {
    let store = open(&"sqlite::memory:".parse().unwrap(), OpenMode::Migrate).await.unwrap();
    store.import_links(&crate::make::links(3)).await.unwrap();
    assert_eq!(store.links(None, 10).await.unwrap().len(), 3);
}
