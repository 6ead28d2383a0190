//! What linkbeat's tests stand on. There is one of each kind, and every test uses the same.
//!
//! | module | what it has |
//! | --- | --- |
//! | [`site`] | one site that plays a script, byte by byte: HTTP/1.1, HTTP/2, TLS, and as an HTTP proxy |
//! | [`street`] | sites with names, whose answers a test changes at any time |
//! | [`crowd`] | thousands of sites whose answer stands in their URL |
//! | [`name_server`] | a name server that plays a script |
//! | [`resolver`] | a name server that fails, lies, is late or cuts its answers, over UDP and TCP |
//! | [`proxy`] | a TCP proxy that cuts, delays, freezes and forgets |
//! | [`servers`] | a RabbitMQ and a PostgreSQL of one test's own |
//! | [`database`], [`queues`] | a database and a namespace of one test's own on the servers that all tests share |
//! | [`command`], [`process`], [`fleet`] | the built binary: as a command, as a process, as a fleet |
//! | [`raw_amqp`] | a publisher of messages that no library would write |
//! | [`free_port`] | a port that no other test gets |
//! | [`broker`] | a broker that shows a test what passes, and can stop it |
//!
//! Fake servers begin in `async` functions and run on the runtime of their caller. A test without a runtime
//! starts them with [`background`]. docs/testing.md shows a test of each kind.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]
#![allow(clippy::print_stderr, reason = "a test that fails tells what the process said")]

pub mod broker;
pub mod command;
pub mod crowd;
pub mod database;
pub mod fleet;
pub mod name_server;
mod ports;
pub mod process;
pub mod proxy;
pub mod queues;
pub mod raw_amqp;
pub mod resolver;
pub mod servers;
pub mod site;
pub mod street;
mod wait;

pub use ports::free_port;
pub use wait::{PATIENCE, background, eventually, eventually_blocking};

/// The value of a variable that names a server which all tests share.
///
/// # Panics
/// If it is not set: `scripts/test` sets it.
pub fn shared_server(variable: &str) -> String {
    std::env::var(variable)
        .unwrap_or_else(|_| panic!("{variable} is not set: this test needs real servers; run scripts/test"))
}
