//! STORED -> SHOWN: pages for people, a JSON API for programs, and feeds for blogs, over HTTP.
//!
//! It reads through the small traits of the store, and writes by filing requests and by the few actions that it has. It
//! knows no broker and no worker: what it needs of them comes in as [`Ports`].

mod access;
mod api;
mod connections;
mod counts;
mod csv;
mod feeds;
mod fresh;
mod live;
mod pages;
mod ports;
mod serve;
mod settings;

pub use access::{
    BadHost, BadOrigin, BadPasswordHash, HostName, NewToken, PasswordHash, SHORTEST_PASSWORD, TrustedOrigin,
    Unprotected,
};
pub use connections::Limits;
pub use ports::{
    BadList, CannotAsk, CannotFile, Desk, Facts, ParkedMessage, ParkedMessages, Ports, QueueDepth, Queues,
    ScheduleRun, Setting, WorkerSeen,
};
pub use serve::Dashboard;
pub use settings::{BadBasePath, BasePath, DashboardSettings};
