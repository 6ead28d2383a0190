//! A job: some links of one run, for one worker.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{AcceptedStatuses, BacklinkIn, BacklinkPattern, JobId, LinkId, LinkUrl, RunId, Timeout};

/// Some links of one run; links of one host stay together.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// The run it belongs to.
    pub run_id: RunId,
    /// How each link is checked.
    pub check: CheckSpec,
    /// The links.
    pub links: Vec<JobLink>,
}

/// One link of a job: all that a worker needs to know of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobLink {
    /// Its id.
    pub id: LinkId,
    /// What to fetch.
    pub url: LinkUrl,
    /// The page on which the backlink must stand, where it is not `url` itself.
    pub page_url: Option<LinkUrl>,
    /// Whether a backlink is asked of it, when the run asks for backlinks.
    pub backlink: bool,
}

impl JobLink {
    /// The backlink that this link must carry, by what the run asks for.
    pub fn backlink<'a>(&self, check: &'a CheckSpec) -> Option<&'a BacklinkPattern> {
        check.backlink.as_ref().filter(|_| self.backlink)
    }

    /// The page on which the backlink is searched, where one is asked for and it stands on another page than the
    /// link's own. Then both pages are fetched and judged.
    pub fn links_page(&self, check: &CheckSpec) -> Option<&LinkUrl> {
        self.page_url.as_ref().filter(|page| **page != self.url && self.backlink(check).is_some())
    }

    /// The page that is searched for the backlink; the link's own where that is asked of no other.
    pub fn page(&self, check: &CheckSpec) -> &LinkUrl {
        self.links_page(check).unwrap_or(&self.url)
    }
}

/// How each link of a run is checked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CheckSpec {
    /// What a page must contain; `None`: the status alone decides.
    pub backlink: Option<BacklinkPattern>,
    /// Where in the page it is searched.
    pub backlink_in: BacklinkIn,
    /// The absolute deadline of one link.
    #[serde(rename = "timeout_ms")]
    pub timeout: Timeout,
    /// How often a transient failure is tried again within the deadline.
    pub retries: Retries,
    /// Which statuses count as an answer.
    pub accept: AcceptedStatuses,
}

/// How often a transient failure is tried again: 0 to 10, 1 by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Retries(u8);

/// More retries than anybody should ask of a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("retries must be a number from 0 to 10")]
pub struct BadRetries;

impl Retries {
    /// The number of further tries.
    pub fn get(self) -> u8 {
        self.0
    }
}

impl Default for Retries {
    fn default() -> Self {
        Self(1)
    }
}

impl TryFrom<u8> for Retries {
    type Error = BadRetries;
    fn try_from(count: u8) -> Result<Self, BadRetries> {
        if count <= 10 { Ok(Self(count)) } else { Err(BadRetries) }
    }
}

impl FromStr for Retries {
    type Err = BadRetries;
    fn from_str(text: &str) -> Result<Self, BadRetries> {
        text.parse::<u8>().map_err(|_| BadRetries).and_then(Self::try_from)
    }
}

impl From<Retries> for u8 {
    fn from(retries: Retries) -> Self {
        retries.0
    }
}
