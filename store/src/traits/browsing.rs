use std::fmt::Debug;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use linkbeat_shared::history::Share;
use linkbeat_shared::{
    Change, Counts, Details, GroupName, JobId, Link, LinkId, LinkName, LinkReport, PublicUrl, Reason, Run,
    RunId, RunState, Verdict,
};

use super::{JobKind, LinkQuery, ReportLinks};
use crate::{Cursor, Result};

/// Reads lists page by page, for people and for programs. The work for a page does not grow with its list, as far as an
/// index serves the filter.
///
/// A [`Cursor`] of another list or of another order is refused ([`crate::StoreError::BadCursor`]).
#[async_trait]
pub trait Browsing: Send + Sync + Debug {
    /// Links that match, in this order. The order of the query itself does not matter here.
    async fn browse_links(
        &self,
        query: &LinkQuery,
        sort: LinkSort,
        page: &PageOf,
    ) -> Result<Page<ListedLink>>;

    /// As [`Browsing::browse_links`], and how many links match: they are counted one by one up to `most`. If they are no
    /// more than that, it does not matter where in this order they lie.
    async fn browse_counted_links(
        &self,
        query: &LinkQuery,
        sort: LinkSort,
        page: &PageOf,
        most: u32,
    ) -> Result<(Page<ListedLink>, Count)>;

    /// One link.
    async fn listed_link(&self, id: LinkId) -> Result<Option<ListedLink>>;

    /// How many links match. They are counted one by one up to `most`.
    async fn count_links(&self, query: &LinkQuery, most: u32) -> Result<Count>;

    /// The ids of links that match, in the order of their ids: those after `after`, at most `limit`.
    async fn matching_ids(&self, query: &LinkQuery, after: Option<LinkId>, limit: u32)
    -> Result<Vec<LinkId>>;

    /// How many links there are of each kind. It reads all links: one poller asks for all views.
    async fn link_totals(&self) -> Result<Vec<LinkTotal>>;

    /// The groups of links and how many links each has, in the order of their names. It reads all links.
    async fn link_groups(&self, limit: u32) -> Result<Vec<(GroupName, u64)>>;

    /// Active links whose server's certificate ends before this moment, or has ended. The earliest first.
    async fn certificates_ending(&self, before: DateTime<Utc>, limit: u32) -> Result<Vec<ListedLink>>;

    /// Changes that match, newest first.
    async fn browse_changes(&self, query: &ChangeQuery, page: &PageOf) -> Result<Page<ListedChange>>;

    /// Runs, newest first; with `state`, those in this state.
    async fn browse_runs(&self, state: Option<RunState>, page: &PageOf) -> Result<Page<ListedRun>>;

    /// The checks of a link that are kept, those of the newest run first.
    async fn browse_checks(&self, link: LinkId, page: &PageOf) -> Result<Page<ListedCheck>>;

    /// Links of a run that have a result.
    async fn browse_run_links(
        &self,
        run: RunId,
        which: ReportLinks,
        sort: RunLinkSort,
        page: &PageOf,
    ) -> Result<Page<LinkReport>>;

    /// Jobs that are parked, in the order in which they were made.
    async fn browse_parked(&self, page: &PageOf) -> Result<Page<ParkedJob>>;
}

/// Which page of a list is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageOf {
    /// Where the page before it ended; `None`: the first.
    pub after: Option<Cursor>,
    /// How much is on it at most.
    pub limit: u32,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Where it ends; `None`: there is nothing after it.
    pub next: Option<Cursor>,
}

/// A count that may not be exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// So many.
    Exactly(u64),
    /// More than so many.
    MoreThan(u64),
    /// About so many, as the database's statistics say.
    About(u64),
}

/// The order of a list of links.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LinkSort {
    /// What they are sorted by.
    pub by: SortLinksBy,
    /// The other way round.
    pub reverse: bool,
}

/// What links are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum SortLinksBy {
    /// As they were added.
    #[default]
    Added,
    /// By name.
    Name,
    /// By host.
    Host,
    /// By the word for the verdict; those that were never checked last.
    Verdict,
    /// By the word for the reason; those without one last.
    Reason,
    /// By the time at which the verdict became what it is: the latest first, those that were never checked last.
    Since,
    /// By the share of checks of the last 30 days that reached them: the least first, those without any last. It is as of
    /// the last rolling up.
    Reachable,
}

impl SortLinksBy {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Added, Self::Name, Self::Host, Self::Verdict, Self::Reason, Self::Since, Self::Reachable];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Name => "name",
            Self::Host => "host",
            Self::Verdict => "verdict",
            Self::Reason => "reason",
            Self::Since => "since",
            Self::Reachable => "reachable",
        }
    }
}

impl std::str::FromStr for SortLinksBy {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|sort| sort.as_str() == text);
        found.ok_or_else(|| format!("`{text}` is no order of links"))
    }
}

/// A link with since when it is as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedLink {
    /// The link.
    pub link: Link,
    /// The host of the page that is fetched.
    pub host: String,
    /// When it was last hidden or shown; before that, when it was added.
    pub shown_since: DateTime<Utc>,
    /// When its verdict last became another; `None` before the first check.
    pub verdict_since: Option<DateTime<Utc>>,
    /// When it was added.
    pub created_at: DateTime<Utc>,
    /// When an import or a person last changed it.
    pub updated_at: DateTime<Utc>,
    /// The share of checks of the last 30 days that reached it, as of the last rolling up; `None`: none can tell.
    pub reachable: Option<Share>,
}

/// How many links are of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkTotal {
    /// Whether runs check them.
    pub active: bool,
    /// Whether they are shown.
    pub shown: bool,
    /// Their latest verdict.
    pub verdict: Option<Verdict>,
    /// How many they are.
    pub links: u64,
}

/// Which changes are wanted. What is `None` does not matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ChangeQuery {
    /// What became of the link.
    pub kind: Option<ChangeKind>,
    /// Of this link.
    pub link: Option<LinkId>,
    /// Found by this run.
    pub run: Option<RunId>,
    /// The verdict after it.
    pub verdict: Option<Verdict>,
    /// No earlier than this.
    pub since: Option<DateTime<Utc>>,
    /// Before this.
    pub until: Option<DateTime<Utc>>,
}

/// What became of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    /// It was hidden.
    Hidden,
    /// It was shown.
    Shown,
    /// Only its verdict became another.
    Verdict,
}

/// A link was hidden or shown, or its verdict became another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedChange {
    /// Grows from change to change.
    pub id: i64,
    /// The link.
    pub link_id: LinkId,
    /// What it is called now, or was called when it was removed.
    pub name: LinkName,
    /// What is or was fetched.
    pub url: PublicUrl,
    /// The run that found it; `None`: a person did it.
    pub run_id: Option<RunId>,
    /// When the check ended, or when the person did it.
    pub at: DateTime<Utc>,
    /// What became of it; `None`: only its verdict changed.
    pub change: Option<Change>,
    /// Whether it was shown after that.
    pub shown: bool,
    /// The verdict before.
    pub former_verdict: Option<Verdict>,
    /// The verdict after.
    pub verdict: Option<Verdict>,
    /// Why that is not `up`.
    pub reason: Option<Reason>,
}

/// A run with its counts.
#[derive(Debug, Clone)]
pub struct ListedRun {
    /// The run.
    pub run: Run,
    /// What its checks came to.
    pub counts: Counts,
}

/// A check of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedCheck {
    /// Its run.
    pub run_id: RunId,
    /// When it ended.
    pub checked_at: DateTime<Utc>,
    /// The judgement; `None`: on the white list, not fetched.
    pub verdict: Option<Verdict>,
    /// Why it is not `up`.
    pub reason: Option<Reason>,
    /// The final HTTP status.
    pub status: Option<u16>,
    /// How long it took, in milliseconds; `None`: it was not fetched.
    pub elapsed_ms: Option<u32>,
    /// Whether the link was shown after it.
    pub shown: bool,
    /// What it did to the link.
    pub change: Option<Change>,
    /// What it would do to the link, while that is not decided.
    pub proposed: Option<Change>,
    /// What else it saw.
    pub details: Details,
}

/// The order of the links of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RunLinkSort {
    /// As they were added.
    #[default]
    Added,
    /// Those that did not pass first, and of each kind the slowest first. It reads all results of the run.
    WorstFirst,
}

/// A job that somebody is to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedJob {
    /// The job.
    pub id: JobId,
    /// Its run.
    pub run_id: RunId,
    /// What it does.
    pub kind: JobKind,
    /// So many of its links lack a result.
    pub missing: u64,
    /// Why it was parked.
    pub cause: Option<String>,
}
