//! Encrypted connections to a PostgreSQL that lets nobody in otherwise.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use linkbeat_store::{OpenMode, StoreError, open};
use linkbeat_testbed::servers::PrivateServers;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn encryption_is_as_in_libpq() {
    let servers = PrivateServers::start("make_certificates start_postgres");
    let try_with = async |parameters: &str| connect(&servers, "localhost", "postgres", parameters).await;
    let ca = format!("sslrootcert={}", servers.certificate("ca.pem").display());
    let stranger = format!("sslrootcert={}", servers.certificate("stranger.pem").display());

    for parameters in ["sslmode=prefer", "sslmode=require", &format!("sslmode=verify-full&{ca}"), &ca] {
        assert_eq!(try_with(parameters).await, Ok(()), "{parameters}");
    }
    assert_unavailable(try_with("sslmode=disable").await, "no encryption");
    assert_unavailable(try_with("sslmode=verify-full").await, "UnknownIssuer (sslrootcert");
    for mode in ["prefer", "require", "verify-ca", "verify-full"] {
        assert_unavailable(try_with(&format!("sslmode={mode}&{stranger}")).await, "UnknownIssuer");
    }
    let missing = try_with("sslmode=require&sslrootcert=/no/such/ca.pem").await.unwrap_err();
    assert!(matches!(&missing, StoreError::BadUrl(text) if text.contains("/no/such/ca.pem")), "{missing}");

    let by_address =
        async |mode: &str| connect(&servers, "127.0.0.1", "postgres", &format!("sslmode={mode}&{ca}")).await;
    assert_eq!(by_address("verify-ca").await, Ok(()));
    assert_unavailable(by_address("verify-full").await, "127.0.0.1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_certificate_is_shown_where_it_is_asked_for() {
    let servers = PrivateServers::start("make_certificates start_postgres");
    let guarded = async |parameters: &str| connect(&servers, "localhost", "guarded", parameters).await;
    let path = |file| servers.certificate(file).display().to_string();
    let own = format!("sslmode=require&sslcert={}&sslkey={}", path("client.pem"), path("client.key"));
    assert_eq!(guarded(&own).await, Ok(()));
    assert_unavailable(guarded("sslmode=require").await, "certificate");
    let foreign = format!("sslmode=require&sslcert={}&sslkey={}", path("stranger.pem"), path("stranger.key"));
    assert_unavailable(guarded(&foreign).await, "UnknownCA");
    let mixed = format!("sslmode=require&sslcert={}&sslkey={}", path("client.pem"), path("stranger.key"));
    let error = guarded(&mixed).await.unwrap_err();
    assert!(matches!(&error, StoreError::BadUrl(text) if text.contains("stranger.key")), "{error}");
}

async fn connect(
    servers: &PrivateServers,
    host: &str,
    database: &str,
    parameters: &str,
) -> Result<(), StoreError> {
    let mut url: url::Url = servers.get("DATABASE_URL").parse().unwrap();
    url.set_host(Some(host)).unwrap();
    url.set_path(database);
    url.set_query(Some(parameters));
    open(&url.as_str().parse().unwrap(), OpenMode::Migrate).await.map(drop)
}

fn assert_unavailable(outcome: Result<(), StoreError>, why: &str) {
    let error = outcome.unwrap_err();
    assert!(matches!(&error, StoreError::Unavailable { problem, .. } if problem.contains(why)), "{error}");
}
