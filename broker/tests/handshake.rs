//! A server that accepts and then says nothing. In a binary of its own, for it counts this process's threads.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::time::Duration;

use linkbeat_broker::{BrokerSettings, ConnectError, Namespace, RabbitBroker};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};

const TRIES: usize = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_server_is_given_up_in_time_and_leaves_no_thread_behind() {
    given_up_in_time("amqp").await;
    given_up_in_time("amqps").await;
}

async fn given_up_in_time(scheme: &str) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("{scheme}://me:hunter2@{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let mut held = Vec::new();
        while held.len() < TRIES {
            held.push(listener.accept().await.unwrap());
        }
        held
    });
    for _ in 0..TRIES {
        let mut settings = BrokerSettings::new(url.parse().unwrap(), Namespace::default(), "linkbeat test");
        settings.connect_timeout = Duration::from_millis(200);
        let error = RabbitBroker::connect(settings).await.unwrap_err();
        assert!(matches!(error, ConnectError::TimedOut { .. }), "{error}");
    }
    let _held = server.await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while lapin_threads() > 0 {
        assert!(Instant::now() < deadline, "{} threads are left", lapin_threads());
        sleep(Duration::from_millis(20)).await;
    }
}

/// Threads of lapin in this process; Linux tells their names.
fn lapin_threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").expect("this test needs Linux's /proc");
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|name| name.starts_with("lapin")).count()
}
