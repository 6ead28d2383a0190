//! linkbeat's contract: the words every crate speaks and the messages they exchange.
//!
//! Nothing here does I/O. Only a new id reads the clock: it is a UUIDv7, which begins with the time ([`RunId::new`]).
//! Every other time comes in as a value.
//!
//! Values are parsed once, into types that cannot be wrong ([`LinkUrl`], [`BacklinkPattern`], [`Timeout`], …). The
//! other crates do not check them again. Messages between processes have types of their own, in [`wire`].

mod accept;
mod as_parsed;
mod attributes;
mod backlink;
pub mod derived_id;
mod details;
mod fields;
mod given_links;
mod held_back;
pub mod history;
mod id;
mod job;
mod known;
mod length;
mod link;
mod link_url;
mod options;
mod pattern_cost;
mod pause;
mod phases;
mod pin;
mod public_url;
mod readable;
mod reason;
mod reason_text;
mod report;
mod request;
mod result;
mod run;
mod run_size;
pub mod schedule;
pub mod steps;
mod trace;
mod verdict;
pub mod wire;

pub use accept::{AcceptedStatuses, BadStatuses};
pub use attributes::{
    Attributes, BadText, Description, GroupName, Place, ShortText, Tag, Tags, TooManyTags, Without,
};
pub use backlink::{BacklinkIn, BacklinkPattern, BadPattern};
pub use details::{Certificate, Details, FailedPage, Note};
pub use given_links::{GivenLinks, LinkSource};
pub use held_back::{Alike, BadPercent, Decision, HeldBack, HoldBack, Percent};
pub use id::{JobId, LinkId, RequestId, RunId, ScheduleId};
pub use job::{BadRetries, CheckSpec, Job, JobLink, Retries};
pub use known::{Kept, Known};
pub use length::{
    BadInterval, BadJitter, BadLength, BadRecheckAfter, BadReuseWithin, BadTickDeadline, BadTimeout,
    Interval, Jitter, RecheckAfter, ReuseWithin, TickDeadline, Timeout, as_text,
};
pub use link::{BadName, Link, LinkName, LinkState, NewLink};
pub use link_url::{BadUrl, LinkUrl};
pub use options::{RequestOptions, Resolved};
pub use pause::{BadPauseEnd, check_pause_end, pause_end};
pub use phases::Phases;
pub use pin::{BadPin, Pin, Pinned};
pub use public_url::PublicUrl;
pub use readable::{readable_host, readable_url};
pub use reason::{BadUrlKind, BodyKind, ConnectKind, DnsKind, Phase, Reason, RedirectKind, TlsKind};
pub use reason_text::Lang;
pub use report::{Counts, LinkReport, Report, RunSummary};
pub use request::{LinkFilter, LinkSelection, OnBlocked, OnSign, Request, ShowRules, WhiteList};
pub use result::{Change, CheckResult};
pub use run::{Asker, ReplyTo, Run, RunState};
pub use run_size::RunSize;
pub use trace::TraceContext;
pub use verdict::Verdict;
