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

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;

use linkbeat_broker::{BrokerTls, Namespace};
use linkbeat_producer::ProducerSettings;
use linkbeat_recorder::RecorderSettings;
use linkbeat_shared::{
    AcceptedStatuses, BacklinkIn, BacklinkPattern, CheckSpec, Lang, OnBlocked, RecheckAfter, Retries,
    ShowRules, Timeout, WhiteList, as_text,
};
use linkbeat_store::DatabaseUrl;
use linkbeat_worker::WorkerSettings;
use serde::{Deserialize, Serialize};

use crate::logging::LogFormat;
use crate::output::FormatName;

pub(crate) use broker_address::BrokerAddress;
pub(crate) use load::load;
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
    /// Prefixes every exchange and queue.
    #[serde(with = "as_text")]
    pub(crate) namespace: Namespace,
    /// A level such as `info`, or a filter such as `linkbeat_worker=debug,warn`; empty: by command.
    pub(crate) log: String,
    /// Where `/live` and `/ready` are served; none: nowhere.
    pub(crate) health_addr: Option<SocketAddr>,
    /// How log lines are written.
    pub(crate) log_format: LogFormat,
    /// How results are written.
    pub(crate) output: OutputSettings,
    /// What runs filed from the command line ask for.
    pub(crate) check: CheckSettings,
    /// What the operator of a worker decides.
    pub(crate) worker: WorkerSettings,
    /// What the operator of a producer decides.
    pub(crate) producer: ProducerSettings,
    /// What the operator of a recorder decides.
    pub(crate) recorder: RecorderSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            database_url: default_database(),
            broker_url: BrokerAddress::Memory,
            broker_ca: None,
            broker_certificate: None,
            broker_key: None,
            namespace: Namespace::default(),
            log: String::new(),
            health_addr: None,
            log_format: LogFormat::default(),
            output: OutputSettings::default(),
            check: CheckSettings::default(),
            worker: WorkerSettings::default(),
            producer: ProducerSettings::default(),
            recorder: RecorderSettings::default(),
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
    pub(crate) lang: Lang,
    /// 0: no warnings ahead.
    pub(crate) warn_certificate_days: u32,
}

impl Default for OutputSettings {
    fn default() -> Self {
        Self { format: FormatName::Table, lang: Lang::En, warn_certificate_days: WARN_CERTIFICATE_DAYS }
    }
}

/// What a run asks for, unless a request says otherwise.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct CheckSettings {
    pub(crate) backlink: Option<BacklinkPattern>,
    pub(crate) backlink_in: BacklinkIn,
    pub(crate) white_list: BTreeSet<String>,
    #[serde(with = "as_text")]
    pub(crate) timeout: Timeout,
    pub(crate) retries: Retries,
    pub(crate) accept: AcceptedStatuses,
    pub(crate) hide_after: NonZeroU32,
    pub(crate) show_after: NonZeroU32,
    pub(crate) on_blocked: OnBlocked,
    #[serde(with = "as_text::optional")]
    pub(crate) recheck_after: Option<RecheckAfter>,
}

impl Default for CheckSettings {
    fn default() -> Self {
        let (spec, rules) = (CheckSpec::default(), ShowRules::default());
        Self {
            backlink: spec.backlink,
            backlink_in: spec.backlink_in,
            white_list: BTreeSet::new(),
            timeout: spec.timeout,
            retries: spec.retries,
            accept: spec.accept,
            hide_after: rules.hide_after,
            show_after: rules.show_after,
            on_blocked: rules.on_blocked,
            recheck_after: rules.recheck_after,
        }
    }
}

impl CheckSettings {
    pub(crate) fn spec(&self) -> CheckSpec {
        CheckSpec {
            backlink: self.backlink.clone(),
            backlink_in: self.backlink_in,
            timeout: self.timeout,
            retries: self.retries,
            accept: self.accept.clone(),
        }
    }

    pub(crate) fn rules(&self) -> ShowRules {
        ShowRules {
            hide_after: self.hide_after,
            show_after: self.show_after,
            on_blocked: self.on_blocked,
            recheck_after: self.recheck_after,
        }
    }

    pub(crate) fn white_list(&self) -> WhiteList {
        WhiteList(self.white_list.clone())
    }
}

#[cfg(test)]
mod tests;
