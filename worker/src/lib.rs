//! JOB -> CHECK -> RESULTS.
//!
//! A [`Worker`] takes jobs from the broker. Its [`Engine`] checks their links at the same time, and the worker
//! publishes the results. It acknowledges a job only after the broker has confirmed the results.
//!
//! The one decision worth knowing: whatever a site does is a verdict, and whatever is our own fault never is.
//! An [`OwnFault`] sends the job back, turns [`Health`] red, and makes the worker pause.
//!
//! The folders in the order of the data: `job` takes and settles jobs, `check` judges one link, `fetch` gets its
//! page, `limits` says how much may happen at once.

mod check;
mod explain;
mod fault;
mod fetch;
mod job;
mod limits;
mod settings;
mod setup;

pub use check::{Engine, Outcome};
pub use explain::{HeaderLine, Spent, Step, Told};
pub use fault::OwnFault;
#[cfg(feature = "pieces")]
pub use fetch::PageSearch;
pub use fetch::{NameServer, name_servers};
pub use job::{Health, MAX_FAULTS, MAX_LOSSES, Worker};
pub use settings::{
    BadHeader, BadProxyUrl, BadVariable, DEFAULT_CONCURRENCY, EnvironmentProxies, Header, ProxyUrl,
    WorkerSettings,
};
pub use setup::SetupError;
