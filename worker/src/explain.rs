//! A check that tells its steps as it takes them.
//!
//! Whoever listens is found by a task-local, as the progress of a check is (`fetch/progress.rs`): the layers below reqwest
//! have no other way to say anything. A check to which nobody listens keeps an empty pointer more.

mod public;
mod text;

use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use linkbeat_shared::{BacklinkPattern, Certificate, LinkUrl, Phase, Reason};
use reqwest::header::{HeaderMap, SET_COOKIE};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::{Duration, Instant};

use public::{refresh_without_user, without_user};
use text::Text;

tokio::task_local! {
    static LISTENER: Arc<Listener>;
}

/// The most characters of a header's value.
const LONGEST_VALUE: usize = 300;

/// The headers that say what became of a request.
const TELLING: [&str; 11] = [
    "location",
    "server",
    "content-type",
    "content-encoding",
    "content-length",
    "retry-after",
    "refresh",
    "www-authenticate",
    "cf-mitigated",
    "cf-ray",
    "via",
];

/// A step, and when it was taken.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Told {
    /// Milliseconds since the check began.
    pub at_ms: u64,
    /// Which page, or which try of it: 1 is the first. Where a link has two pages, their steps come mixed.
    pub chain: u32,
    /// The step.
    #[serde(flatten)]
    pub step: Step,
}

/// What a check does.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step {
    /// It asks for this URL: the link's own, or where a redirect leads.
    Asks {
        /// Without user and password.
        url: String,
    },
    /// It dials these addresses, the first at once and the others if that one does not answer.
    Dials {
        /// Those that may be dialled.
        addresses: Vec<IpAddr>,
    },
    /// The server shows a certificate.
    Certificate(Certificate),
    /// The head of an answer is there.
    Answers {
        /// The HTTP status.
        status: u16,
        /// The address that answered; `None`: a proxy did.
        address: Option<IpAddr>,
        /// Over a connection that was there before.
        kept: bool,
        /// The headers that matter. Of cookies only the names.
        headers: Vec<HeaderLine>,
        /// How long it took.
        phases: Vec<Spent>,
    },
    /// No answer came.
    NoAnswer {
        /// Why; `None`: by our own fault.
        reason: Option<Reason>,
        /// How long what took.
        phases: Vec<Spent>,
    },
    /// The page was read, as far as needed.
    Reads {
        /// Bytes that came, as they were sent.
        bytes: u64,
        /// Bytes of its text.
        text_bytes: u64,
        /// How long it took.
        elapsed_ms: u64,
    },
    /// The page was searched for the backlink.
    Searches {
        /// The backlink is there.
        found: bool,
        /// Only in links with `nofollow`, `ugc` or `sponsored`.
        nofollow: bool,
        /// Where it begins, in bytes of the text; `None`: it is written in another way, such as in character references.
        offset: Option<u64>,
        /// It and what stands beside it.
        context: Option<String>,
    },
    /// The failure may pass: it tries again after so long.
    TriesAgain {
        /// Milliseconds.
        after_ms: u64,
    },
}

/// A header of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HeaderLine {
    /// Its name.
    pub name: String,
    /// Its value, cut where it is very long.
    pub value: String,
}

/// How long a phase took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Spent {
    /// The phase. `headers` is the time until the first byte.
    pub phase: Phase,
    /// Milliseconds.
    pub ms: u64,
}

#[derive(Debug)]
struct Listener {
    began: Instant,
    to: mpsc::Sender<Told>,
    chains: AtomicU32,
}

/// Carries out a check to which somebody listens. A listener that is too slow misses steps; the check does not wait.
pub(crate) async fn listened<F: Future>(to: mpsc::Sender<Told>, check: F) -> F::Output {
    let listener = Listener { began: Instant::now(), to, chains: AtomicU32::new(0) };
    LISTENER.scope(Arc::new(listener), check).await
}

/// Says that what this chain came to is tried again.
pub(crate) fn tries_again(chain: u32, pause: Duration) {
    let _ = LISTENER.try_with(|listener| {
        listener.tell(chain, Step::TriesAgain { after_ms: millis(pause) });
    });
}

impl Listener {
    fn tell(&self, chain: u32, step: Step) {
        let _ = self.to.try_send(Told { at_ms: millis(self.began.elapsed()), chain, step });
    }
}

/// The requests for one page, to which somebody listens.
#[derive(Debug)]
pub(crate) struct Chain {
    listener: Arc<Listener>,
    number: u32,
    phase: Cell<Option<(Phase, Instant)>>,
    spent: RefCell<Vec<Spent>>,
    answered: Cell<Option<Instant>>,
    bytes: Cell<u64>,
    text: RefCell<Text>,
}

impl Chain {
    /// `None`: nobody listens.
    pub(crate) fn begin() -> Option<Box<Self>> {
        let listener = LISTENER.try_with(Arc::clone).ok()?;
        Some(Box::new(Self {
            number: listener.chains.fetch_add(1, Relaxed) + 1,
            listener,
            phase: Cell::default(),
            spent: RefCell::default(),
            answered: Cell::default(),
            bytes: Cell::default(),
            text: RefCell::default(),
        }))
    }

    fn tell(&self, step: Step) {
        self.listener.tell(self.number, step);
    }

    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// A request begins.
    pub(crate) fn asks(&self, url: &LinkUrl) {
        self.enters(Phase::Queue);
        self.spent.borrow_mut().clear();
        self.bytes.set(0);
        self.text.take();
        self.tell(Step::Asks { url: url.to_string() });
    }

    /// Something else is waited for now.
    pub(crate) fn enters(&self, phase: Phase) {
        let now = Instant::now();
        if let Some((former, since)) = self.phase.replace(Some((phase, now))) {
            let mut spent = self.spent.borrow_mut();
            let ms = millis(now - since);
            match spent.iter_mut().find(|spent| spent.phase == former) {
                Some(spent) => spent.ms += ms,
                None => spent.push(Spent { phase: former, ms }),
            }
        }
    }

    pub(crate) fn dials(&self, addresses: &[IpAddr]) {
        self.enters(Phase::Connect);
        self.tell(Step::Dials { addresses: addresses.to_vec() });
    }

    pub(crate) fn shows(&self, certificate: Certificate) {
        self.tell(Step::Certificate(certificate));
    }

    pub(crate) fn answers(&self, status: u16, address: Option<IpAddr>, kept: bool, headers: &HeaderMap) {
        let phases = self.phases();
        self.answered.set(Some(Instant::now()));
        self.tell(Step::Answers { status, address, kept, headers: telling(headers), phases });
    }

    pub(crate) fn fails(&self, reason: Option<Reason>) {
        let phases = self.phases();
        self.tell(Step::NoAnswer { reason, phases });
    }

    fn phases(&self) -> Vec<Spent> {
        self.enters(Phase::Body);
        self.spent.take()
    }

    /// A piece of the page came.
    pub(crate) fn comes(&self, bytes: usize) {
        self.bytes.set(self.bytes.get() + bytes as u64);
    }

    /// Its text is searched for this.
    pub(crate) fn will_search(&self, pattern: &BacklinkPattern) {
        *self.text.borrow_mut() = Text::searched_for(pattern);
    }

    /// A piece of the page's text.
    pub(crate) fn reads(&self, text: &str) {
        self.text.borrow_mut().push(text);
    }

    /// The page is read.
    pub(crate) fn has_read(&self) {
        let elapsed = self.answered.get().map(|at| at.elapsed()).unwrap_or_default();
        let text_bytes = self.text.borrow().bytes();
        self.tell(Step::Reads { bytes: self.bytes.get(), text_bytes, elapsed_ms: millis(elapsed) });
    }

    /// The page was searched. `found`: whether only in links that do not count.
    pub(crate) fn searched(&self, found: Option<bool>) {
        let place = self.text.take().place().filter(|_| found.is_some());
        self.tell(Step::Searches {
            found: found.is_some(),
            nofollow: found == Some(true),
            offset: place.as_ref().map(|place| place.offset),
            context: place.map(|place| place.context),
        });
    }
}

fn telling(headers: &HeaderMap) -> Vec<HeaderLine> {
    let lines = headers.iter().filter_map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes());
        let value = match name {
            name if *name == SET_COOKIE => value.split('=').next().unwrap_or_default().to_owned(),
            name if name == "location" => without_user(&value),
            name if name == "refresh" => refresh_without_user(&value),
            name if TELLING.contains(&name.as_str()) => value.into_owned(),
            _ => return None,
        };
        Some(HeaderLine { name: name.to_string(), value: value.chars().take(LONGEST_VALUE).collect() })
    });
    lines.collect()
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
