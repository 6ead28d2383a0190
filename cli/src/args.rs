//! Flags that several commands share. They are read into the shape of [`crate::settings::Settings`], so that
//! they merge with file and environment; what was not given is left out.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use ipnet::IpNet;
use linkbeat_shared::{Lang, RequestOptions, RunId, Timeout, as_text};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Value, json};

use crate::exit::Failure;
use crate::input::{self, BadRows, Input, NearRows, Source};
use crate::listed::Listed;
use crate::logging::{LogFormat, print_note};
use crate::output::FormatName;
use crate::settings::{Origin, Secret, Settings, origins};

#[derive(Debug, Args, Serialize)]
#[command(next_help_heading = "Global options")]
pub(crate) struct GlobalArgs {
    /// Settings file (TOML) [default: linkbeat.toml, where it exists]
    #[arg(long, global = true, value_name = "FILE")]
    #[serde(skip)]
    pub(crate) config: Option<PathBuf>,
    /// Database: sqlite://FILE or postgres://… [env: LINKBEAT_DATABASE_URL] [default: sqlite://linkbeat.db]
    #[arg(long, global = true, value_name = "URL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) database_url: Option<Secret>,
    /// Broker: amqp://… or amqps://…, a cluster's nodes separated by commas; not used by `check` [env: LINKBEAT_BROKER_URL]
    #[arg(long, global = true, value_name = "URL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) broker_url: Option<Secret>,
    /// PEM file of authorities trusted besides the system's, for amqps:// [env: LINKBEAT_BROKER_CA]
    #[arg(long, global = true, hide_short_help = true, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) broker_ca: Option<PathBuf>,
    /// PEM file of the client certificate shown to the broker [env: LINKBEAT_BROKER_CERTIFICATE]
    #[arg(long, global = true, hide_short_help = true, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) broker_certificate: Option<PathBuf>,
    /// PEM file of that certificate's private key [env: LINKBEAT_BROKER_KEY]
    #[arg(long, global = true, hide_short_help = true, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) broker_key: Option<PathBuf>,
    /// Prefix of every exchange and queue. A worker may serve several: a,b [env: LINKBEAT_NAMESPACE] [default: linkbeat]
    #[arg(long, global = true, hide_short_help = true, value_name = "NAME")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) namespace: Option<String>,
    /// Log level or filter, such as debug or linkbeat_worker=debug,warn [env: LINKBEAT_LOG]
    #[arg(long, global = true, hide_short_help = true, value_name = "FILTER")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) log: Option<String>,
    /// When words are coloured [default: auto]
    #[arg(long, global = true, value_name = "WHEN")]
    #[serde(skip)]
    pub(crate) color: Option<ColorWhen>,
    /// Language of help, notes, errors, reasons and headings: en or zh [default: that of LC_ALL or LANG]
    #[arg(long, global = true, value_name = "LANG")]
    #[serde(skip)]
    pub(crate) lang: Option<Lang>,
    /// How log lines are written
    #[arg(long, global = true, hide_short_help = true, value_name = "FORMAT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) log_format: Option<LogFormat>,
}

/// What only the operator of a worker may say; never a request.
#[derive(Debug, Default, Args, Serialize)]
#[command(next_help_heading = "What the worker may do")]
pub(crate) struct WorkerArgs {
    /// Links checked at once [default: 6144, less where descriptors are short]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    concurrency: Option<u32>,
    /// Links of one host checked at once [default: 8]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    per_host: Option<u32>,
    /// Time between the starts of two requests to one host, such as 500ms [default: none]
    #[arg(long, value_name = "TIME")]
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text::optional::serialize")]
    min_interval: Option<Timeout>,
    /// Network that may be fetched from although it is not public, such as 10.0.0.0/8 (repeatable)
    #[arg(long, value_name = "CIDR")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) allow_network: Vec<IpNet>,
    /// DNS server, such as 192.0.2.53:53 (repeatable) [default: the system's]
    #[arg(long, value_name = "ADDRESS")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    resolver: Vec<SocketAddr>,
    /// Most bytes of a page that are searched for the backlink [default: 2097152]
    #[arg(long, value_name = "BYTES")]
    #[serde(skip_serializing_if = "Option::is_none")]
    max_body: Option<u64>,
    /// Most bytes of memory that large answers take, all together [default: 268435456]
    #[arg(long, value_name = "BYTES")]
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<u64>,
    /// How linkbeat names itself to sites
    #[arg(long, value_name = "TEXT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
    /// Header sent with every request, such as 'Accept-Language: en' (repeatable)
    #[arg(long = "header", value_name = "HEADER")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    headers: Vec<Secret>,
    /// HTTP proxy for every request; it looks names up and guards its own networks [default: https_proxy and such of the environment]
    #[arg(long, value_name = "URL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    proxy: Option<Secret>,
}

/// The same for the daemon. `check` is not given `--drain-timeout`: it ends within seconds, and its run can be
/// resumed.
#[derive(Debug, Default, Args, Serialize)]
#[command(next_help_heading = "What the worker may do")]
pub(crate) struct WorkerDaemonArgs {
    #[command(flatten)]
    #[serde(flatten)]
    worker: WorkerArgs,
    /// What the worker is called in connections, logs, health and `linkbeat workers list` [default: its host and process]
    #[arg(long, value_name = "NAME")]
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// How long running checks may go on after SIGTERM; what is not done then goes back to the queue
    /// [default: the check's timeout + 5 s]
    #[arg(long, value_name = "TIME")]
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text::optional::serialize")]
    drain_timeout: Option<Timeout>,
}

/// The links to work on.
#[derive(Debug, Args)]
pub(crate) struct InputArgs {
    /// Lists of links in any shape (CSV, JSON, YAML, Markdown, …), or URLs; `-` is standard input
    #[arg(value_name = "INPUT")]
    input: Vec<PathBuf>,
    /// Import the good rows of a list that has bad ones
    #[arg(long)]
    skip_bad_rows: bool,
    /// Make one link of those that differ only in http or https, www., a slash at the end or the spelling of escapes
    #[arg(long)]
    merge_duplicates: bool,
    /// Remove the stored links that INPUT no longer has, after saying which
    #[arg(long)]
    prune: bool,
    /// Ask nothing before that
    #[arg(long, short = 'y')]
    pub(crate) yes: bool,
}

impl InputArgs {
    /// The list that INPUT is; without INPUT the one on standard input, if there is any. `None`: all stored links are
    /// meant. What people should know of it is told on standard error, unless that is to be quiet.
    pub(crate) fn read(&self, is_quiet: bool) -> Result<Option<Listed>, Failure> {
        match self.named() {
            sources if sources.is_empty() => self.read_all(&Vec::from_iter(Source::redirected()), is_quiet),
            sources => self.read_all(&sources, is_quiet),
        }
    }

    /// The same for commands that take nothing from standard input unless they are told to.
    pub(crate) fn read_named(&self) -> Result<Option<Listed>, Failure> {
        self.read_all(&self.named(), false)
    }

    fn named(&self) -> Vec<Source> {
        self.input.iter().map(|path| Source::from_path(path)).collect()
    }

    fn read_all(&self, sources: &[Source], is_quiet: bool) -> Result<Option<Listed>, Failure> {
        if sources.is_empty() {
            return if self.prune { Err(nothing_to_keep()) } else { Ok(None) };
        }
        let bad_rows = if self.skip_bad_rows { BadRows::Skip } else { BadRows::Refuse };
        let near_rows = if self.merge_duplicates { NearRows::Merge } else { NearRows::Tell };
        let input = input::read_all(sources, bad_rows, near_rows)?;
        if !is_quiet {
            self.tell(&input);
        }
        let (merge, prune) = (self.merge_duplicates, self.prune);
        Ok(Some(Listed { input, merge, prune, is_sure: self.yes, is_quiet }))
    }

    fn tell(&self, input: &Input) {
        for read in input.read.iter().filter(|read| !read.is_expected) {
            print_note(read);
        }
        if input.skipped.total() > 0 {
            print_note(format_args!("skipped {}", input.skipped));
        }
        let near = &input.near;
        match near.total() {
            0 => {}
            count if self.merge_duplicates => {
                print_note(format_args!("merged near duplicates: {count}{near}"));
            }
            count => print_note(format_args!(
                "near duplicates: {count}{near}\n--merge-duplicates takes only the first of each"
            )),
        }
    }
}

fn nothing_to_keep() -> Failure {
    Failure::usage("--prune needs a list: without INPUT nothing says which links to keep")
        .advise("name it, such as `linkbeat links import friends.csv --prune`")
}

/// When words are coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorWhen {
    /// At a terminal, unless NO_COLOR is set or TERM is dumb
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl ColorWhen {
    /// From now on it is so.
    pub(crate) fn apply(self) {
        match self {
            Self::Auto => anstream::ColorChoice::Auto,
            Self::Always => anstream::ColorChoice::Always,
            Self::Never => anstream::ColorChoice::Never,
        }
        .write_global();
    }
}

/// When a run with links that did not pass ends a command with exit status 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FailOn {
    /// Some link did not pass
    #[default]
    Down,
    /// Some link was hidden or shown
    Change,
    /// Never
    Never,
}

/// How results are written.
#[derive(Debug, Default, Args, Serialize)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputArgs {
    /// How the result is written [default: table]
    #[arg(long, value_name = "FORMAT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) format: Option<FormatName>,
    /// Remark on certificates of links that are up and end within so many days; 0: no warning ahead [default: 14]
    #[arg(long, value_name = "DAYS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    warn_certificate_days: Option<u32>,
    /// When links that did not pass make the exit status 1 [default: down]
    #[arg(long, value_name = "WHEN")]
    #[serde(skip_serializing_if = "Option::is_none")]
    fail_on: Option<FailOn>,
    /// Begin a CSV with a byte order mark, by which Excel knows UTF-8
    #[arg(long)]
    #[serde(skip)]
    pub(crate) bom: bool,
    /// Write the result to a file instead of standard output
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub(crate) output: Option<PathBuf>,
    /// No progress bar and no notes. A report for people is printed only if something changed
    #[arg(long, short)]
    #[serde(skip)]
    pub(crate) quiet: bool,
}

/// What every daemon takes.
#[derive(Debug, Default, Args, Serialize)]
pub(crate) struct DaemonArgs {
    /// Serve /live and /ready on this address, such as 127.0.0.1:9180 [env: LINKBEAT_HEALTH_ADDR]
    #[arg(long, value_name = "ADDRESS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    health_addr: Option<SocketAddr>,
}

/// Where the dashboard is served.
#[derive(Debug, Default, Args, Serialize)]
pub(crate) struct DashboardArgs {
    /// Serve the dashboard on this address [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    listen: Option<SocketAddr>,
    /// The path under which a proxy serves it, such as /links
    #[arg(long, value_name = "PATH")]
    #[serde(skip_serializing_if = "Option::is_none")]
    base_path: Option<String>,
    /// Let everybody look. To change something still takes the password or a token
    #[arg(long)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    open_read: bool,
    /// Let everybody have the feeds and badges
    #[arg(long)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    public_feeds: bool,
}

/// The flags of one command, in the shape of [`Settings`].
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Flags<'a> {
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "without_absent")]
    pub(crate) check: Option<&'a RequestOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) worker: Option<&'a WorkerArgs>,
    #[serde(rename = "worker", skip_serializing_if = "Option::is_none")]
    pub(crate) worker_daemon: Option<&'a WorkerDaemonArgs>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) output: Option<&'a OutputArgs>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) dashboard: Option<&'a DashboardArgs>,
    #[serde(flatten)]
    pub(crate) daemon: Option<&'a DaemonArgs>,
}

/// Leaves out the flags that were not given, so that they do not override what file and environment say.
fn without_absent<S: Serializer>(flags: &impl Serialize, to: S) -> Result<S::Ok, S::Error> {
    let mut flags = serde_json::to_value(flags).map_err(serde::ser::Error::custom)?;
    if let Some(flags) = flags.as_object_mut() {
        flags.retain(|_, flag| !flag.is_null() && flag.as_array().is_none_or(|items| !items.is_empty()));
    }
    flags.serialize(to)
}

/// All flags, in the shape of [`Settings`].
#[derive(Serialize)]
struct All<'a> {
    #[serde(flatten)]
    global: &'a GlobalArgs,
    #[serde(flatten)]
    command: Flags<'a>,
}

impl GlobalArgs {
    /// All settings for a command with these flags. Logging starts with them, at `level` by default.
    pub(crate) fn settings(&self, flags: Flags<'_>, level: &str) -> Result<Settings, Failure> {
        let settings = crate::settings::load(self.config.as_deref(), &self.said(flags)?)?;
        crate::lang::speak(settings.output.lang);
        let filter = if settings.log.is_empty() { level } else { &settings.log };
        crate::logging::init(filter, settings.log_format)?;
        for (name, meant) in crate::settings::unknown_variables() {
            let meant = meant.map(|meant| format!("; did you mean {meant}?")).unwrap_or_default();
            crate::logging::print_warning(&format!("no setting has the variable {name}{meant}"));
        }
        Ok(settings)
    }

    /// Each of these settings with its value, and where that comes from.
    pub(crate) fn origins(&self, flags: Flags<'_>) -> Result<Vec<Origin>, Failure> {
        origins(self.config.as_deref(), &self.said(flags)?)
    }

    /// What all flags say, in the shape of [`Settings`].
    fn said(&self, command: Flags<'_>) -> Result<Value, Failure> {
        let said = serde_json::to_value(All { global: self, command });
        let mut said = said.map_err(|error| Failure::usage(error.to_string()))?;
        if let Some(lang) = self.lang {
            said["output"]["lang"] = json!(lang);
        }
        Ok(said)
    }

    /// Settings of a command without flags of its own.
    pub(crate) fn plain_settings(&self) -> Result<Settings, Failure> {
        self.settings(Flags::default(), "warn")
    }
}

/// The id of a run, for flags and arguments.
pub(crate) fn parse_run_id(text: &str) -> Result<RunId, String> {
    text.parse()
        .map_err(|_| format!("`{text}` is not a run id (such as 0198c5f0-7d2c-7cc1-a9f5-5f2c6c1b7e11)"))
}
