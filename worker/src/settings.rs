mod environment;
mod header;
mod proxy;

use std::net::SocketAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use linkbeat_shared::{Timeout, as_text};
use serde::{Deserialize, Serialize};

pub use environment::{BadVariable, EnvironmentProxies};
pub use header::{BadHeader, Header};
pub use proxy::{BadProxyUrl, ProxyUrl};

/// Links checked at once, where enough open files are allowed: so many that sites which never answer do
/// not hold up the others. What they cost while they wait is memory, about 30 KiB each.
pub const DEFAULT_CONCURRENCY: usize = 6_144;
/// Requests at once to one host.
const DEFAULT_PER_HOST: usize = 8;
/// Bytes of a page, after decompression, that are searched for the backlink: 2 MiB.
const DEFAULT_MAX_BODY: usize = 2 << 20;
/// Bytes that large answers may take in memory, all together: 256 MiB.
const DEFAULT_MEMORY: usize = 256 << 20;
/// How long a job is held at most, in milliseconds: with the drain far below RabbitMQ's `consumer_timeout` of
/// half an hour.
const DEFAULT_MAX_HOLD_MS: u64 = 300_000;
/// The longest deadline that a job may ask for, in milliseconds.
const DEFAULT_MAX_TIMEOUT_MS: u64 = 60_000;
/// Names the tool. An operator may add a page where people can read about it; linkbeat has none of its own.
const DEFAULT_USER_AGENT: &str = concat!("linkbeat/", env!("CARGO_PKG_VERSION"));

/// What the operator of a worker may set; never a request, or anybody could open our networks.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorkerSettings {
    /// What the worker is called in connections, logs, its health and `linkbeat workers list`; absent: its host and
    /// process.
    pub name: Option<String>,
    /// Links checked at once; lowered when the system allows too few open files for it.
    pub concurrency: usize,
    /// Requests at once to one host, over all jobs and redirects.
    pub per_host: usize,
    /// Time between the starts of two requests to one host, over all jobs and redirects; absent: none.
    #[serde(with = "as_text::optional")]
    pub min_interval: Option<Timeout>,
    /// Networks that may be dialled although they are not public.
    pub allow_network: Vec<IpNet>,
    /// DNS servers to ask; empty: the system's (`/etc/resolv.conf`). `/etc/hosts` goes before either.
    pub resolver: Vec<SocketAddr>,
    /// Most bytes of a page, after decompression, that are searched for the backlink.
    pub max_body: usize,
    /// Most bytes of memory that large answers take, all together: what is decompressed, kept or has a large head.
    /// Beside it each check needs some 30 KiB.
    pub memory: usize,
    /// The header `User-Agent`.
    pub user_agent: String,
    /// Sent with every request, to every site.
    pub headers: Vec<Header>,
    /// The proxy over which every request goes; absent: those of the environment, if any.
    ///
    /// A proxy looks up the names itself, so which addresses a name may lead to is for the proxy to
    /// decide: neither `resolver` nor the check of addresses applies, except to addresses written in URLs.
    pub proxy: Option<ProxyUrl>,
    /// The proxies of the environment. Whoever starts a worker fills them in; they are no setting.
    #[serde(skip)]
    pub environment: EnvironmentProxies,
    /// The longest deadline per link; what jobs ask beyond it is lowered to it.
    #[serde(with = "as_text")]
    pub max_timeout: Timeout,
    /// How long a job is held at most; then what was found is published, and the links that wait for their
    /// turn at a slow host go back to the queue. Absent: for as long as it takes.
    #[serde(with = "as_text::optional")]
    pub max_hold: Option<Timeout>,
    /// How long running checks may go on after a shutdown was asked for; absent: the job's deadline per
    /// link and five seconds.
    #[serde(with = "as_text::optional")]
    pub drain_timeout: Option<Timeout>,
    /// A PEM file of certificate authorities to trust besides the system's.
    pub extra_ca: Option<PathBuf>,
}

impl Default for WorkerSettings {
    fn default() -> Self {
        Self {
            concurrency: DEFAULT_CONCURRENCY,
            per_host: DEFAULT_PER_HOST,
            min_interval: None,
            allow_network: Vec::new(),
            resolver: Vec::new(),
            max_body: DEFAULT_MAX_BODY,
            memory: DEFAULT_MEMORY,
            name: None,
            user_agent: DEFAULT_USER_AGENT.to_owned(),
            headers: Vec::new(),
            proxy: None,
            environment: EnvironmentProxies::default(),
            max_timeout: constant(DEFAULT_MAX_TIMEOUT_MS),
            max_hold: Some(constant(DEFAULT_MAX_HOLD_MS)),
            drain_timeout: None,
            extra_ca: None,
        }
    }
}

#[expect(clippy::expect_used, reason = "a constant within the limits of a timeout")]
fn constant(ms: u64) -> Timeout {
    Timeout::from_millis(ms).expect("a valid timeout")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read_as_people_write_them() {
        let settings: WorkerSettings = serde_json::from_str(
            r#"{"max_timeout":"2m","drain_timeout":"1500ms","allow_network":["127.0.0.0/8"],
                "min_interval":"250ms","headers":["From: me@my.blog"],"proxy":"http://proxy:3128"}"#,
        )
        .unwrap();
        assert_eq!(settings.max_timeout.as_millis(), 120_000);
        assert_eq!(settings.drain_timeout.map(Timeout::as_millis), Some(1_500));
        assert_eq!(settings.min_interval.map(Timeout::as_millis), Some(250));
        assert_eq!(settings.headers, ["From: me@my.blog".parse().unwrap()]);
        assert_eq!(settings.per_host, DEFAULT_PER_HOST);
        assert!(serde_json::from_str::<WorkerSettings>(r#"{"max_timeout":"soon"}"#).is_err());
    }

    #[test]
    fn what_is_written_is_read_again() {
        let json = serde_json::to_string(&WorkerSettings::default()).unwrap();
        let read: WorkerSettings = serde_json::from_str(&json).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), json);
    }
}
