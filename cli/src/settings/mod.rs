//! Settings: from a flag, the environment, the file, or the default, in this order.
//!
//! A setting's variable is its path: `check.timeout` is `LINKBEAT_CHECK_TIMEOUT`. The file is TOML
//! (`linkbeat.toml`, or `--config FILE`) with a section for each role.
//!
//! Every value is parsed when the settings are loaded. Those that may hold a password have types that never show it:
//! neither in `Debug` nor in an error.

mod broker_address;
mod environment;
mod load;
mod origins;
mod secret;
mod source;

use std::net::SocketAddr;
use std::path::PathBuf;

use linkbeat_broker::{BrokerTls, Namespaces};
use linkbeat_dashboard::DashboardSettings;
use linkbeat_producer::{CelerySettings, ProducerSettings};
use linkbeat_recorder::{HistorySettings, RecorderSettings};
use linkbeat_shared::{Lang, RequestOptions, as_text};
use linkbeat_store::DatabaseUrl;
use linkbeat_worker::WorkerSettings;
use serde::{Deserialize, Serialize};

use crate::args::FailOn;
use crate::logging::LogFormat;
use crate::output::FormatName;

pub(crate) use broker_address::BrokerAddress;
pub(crate) use load::{load, unknown_variables};
pub(crate) use origins::{Origin, origins};
pub(crate) use secret::{HIDDEN, Secret, without_userinfo};

/// Everything that can be set, a section per concern.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// `sqlite://FILE` or `postgres://…`.
    #[serde(with = "as_text")]
    pub(crate) database_url: DatabaseUrl,
    /// `memory://`, or `amqp://…` or `amqps://…`, several nodes of a cluster separated by commas.
    #[serde(with = "as_text")]
    pub(crate) broker_url: BrokerAddress,
    /// PEM file of authorities trusted besides the system's for `amqps://`.
    pub(crate) broker_ca: Option<PathBuf>,
    /// PEM file of the client certificate for `amqps://`.
    pub(crate) broker_certificate: Option<PathBuf>,
    /// PEM file of its private key.
    pub(crate) broker_key: Option<PathBuf>,
    /// Prefixes every exchange and queue. A worker may serve several, separated by commas.
    #[serde(with = "as_text")]
    pub(crate) namespace: Namespaces,
    /// A level such as `info`, or a filter such as `linkbeat_worker=debug,warn`; empty: by command.
    pub(crate) log: String,
    /// Where `/live` and `/ready` are served; none: nowhere.
    pub(crate) health_addr: Option<SocketAddr>,
    /// How log lines are written.
    pub(crate) log_format: LogFormat,
    /// How results are written.
    pub(crate) output: OutputSettings,
    /// What runs filed from the command line ask for.
    pub(crate) check: RequestOptions,
    /// What the operator of a worker decides.
    pub(crate) worker: WorkerSettings,
    /// What the operator of a producer decides.
    pub(crate) producer: ProducerSettings,
    /// Tasks of Celery clients.
    pub(crate) celery: CelerySettings,
    /// What the operator of a recorder decides.
    pub(crate) recorder: RecorderSettings,
    /// For how long history is kept.
    pub(crate) history: HistorySettings,
    /// What the operator of a dashboard decides.
    pub(crate) dashboard: DashboardSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            database_url: default_database(),
            broker_url: BrokerAddress::Memory,
            broker_ca: None,
            broker_certificate: None,
            broker_key: None,
            namespace: Namespaces::default(),
            log: String::new(),
            health_addr: None,
            log_format: LogFormat::default(),
            output: OutputSettings::default(),
            check: RequestOptions::defaults(),
            worker: WorkerSettings::default(),
            producer: ProducerSettings::default(),
            celery: CelerySettings::default(),
            recorder: RecorderSettings::default(),
            history: HistorySettings::default(),
            dashboard: DashboardSettings::default(),
        }
    }
}

#[expect(clippy::expect_used, reason = "a constant")]
fn default_database() -> DatabaseUrl {
    "sqlite://linkbeat.db".parse().expect("a valid URL")
}

impl Settings {
    pub(crate) fn broker_tls(&self) -> BrokerTls {
        BrokerTls {
            ca: self.broker_ca.clone(),
            certificate: self.broker_certificate.clone(),
            key: self.broker_key.clone(),
        }
    }
}

/// A certificate that ends within so many days is remarked on.
const WARN_CERTIFICATE_DAYS: u32 = 14;

/// How results are written.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct OutputSettings {
    pub(crate) format: FormatName,
    #[serde(with = "as_text")]
    pub(crate) lang: Lang,
    /// When a run ends a command with exit status 1.
    pub(crate) fail_on: FailOn,
    /// 0: no warnings ahead.
    pub(crate) warn_certificate_days: u32,
}

impl Default for OutputSettings {
    fn default() -> Self {
        Self {
            format: FormatName::Table,
            lang: Lang::En,
            fail_on: FailOn::Down,
            warn_certificate_days: WARN_CERTIFICATE_DAYS,
        }
    }
}

#[cfg(test)]
mod tests;
