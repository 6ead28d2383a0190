use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Message, Unreadable, default_true, schema_of};
use crate::{
    AcceptedStatuses, BacklinkIn, BacklinkPattern, CheckSpec, Job, JobId, JobLink, LinkId, LinkUrl, Retries,
    RunId, Timeout,
};

/// `linkbeat.job/1`, on the queue `linkbeat.jobs`: some links of one run, for one worker.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct JobMessage {
    /// `linkbeat.job/1`
    pub schema: String,
    /// The run it belongs to.
    pub run_id: Uuid,
    /// Its own id.
    pub job_id: Uuid,
    /// The absolute deadline of each link, in milliseconds from the start of its check.
    pub timeout_ms: u64,
    /// How often a transient failure is tried again within the deadline.
    pub retries: u8,
    /// Statuses that count as an answer, such as `200,204,300-399`.
    pub accept: String,
    /// A regular expression that must be found in each page; absent: the status alone decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backlink: Option<String>,
    /// Where in the page it is searched; absent: `text`.
    #[serde(default)]
    pub backlink_in: BacklinkIn,
    /// The links; links of one host stay together.
    pub links: Vec<JobLinkMessage>,
}

// Its URLs are texts: whoever makes a job takes them as they are stored, and only the worker that fetches them parses
// them.
/// One link of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JobLinkMessage {
    /// Its id.
    pub id: Uuid,
    /// What to fetch.
    pub url: String,
    /// The page on which the backlink must stand, where it is not `url` itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page_url: Option<String>,
    /// Whether a backlink is asked of it.
    #[serde(default = "default_true")]
    pub backlink: bool,
}

impl Message for JobMessage {
    const SCHEMA: &'static str = "linkbeat.job";
    const MAX_BYTES: usize = 4 << 20;

    fn schema(&self) -> &str {
        &self.schema
    }
}

impl JobMessage {
    /// A job of these links.
    pub fn new(run: RunId, job: JobId, check: &CheckSpec, links: Vec<JobLinkMessage>) -> Self {
        Self {
            schema: schema_of::<Self>(),
            run_id: run.0,
            job_id: job.0,
            timeout_ms: check.timeout.as_millis(),
            retries: check.retries.get(),
            accept: check.accept.to_string(),
            backlink: check.backlink.as_ref().map(|pattern| pattern.as_str().to_owned()),
            backlink_in: check.backlink_in,
            links,
        }
    }
}

impl From<&Job> for JobMessage {
    fn from(job: &Job) -> Self {
        Self::new(job.run_id, job.id, &job.check, job.links.iter().map(JobLinkMessage::from).collect())
    }
}

impl From<&JobLink> for JobLinkMessage {
    fn from(link: &JobLink) -> Self {
        Self {
            id: link.id.0,
            url: link.url.expose().to_owned(),
            page_url: link.page_url.as_ref().map(|url| url.expose().to_owned()),
            backlink: link.backlink,
        }
    }
}

impl TryFrom<JobMessage> for Job {
    type Error = Unreadable;

    fn try_from(message: JobMessage) -> Result<Self, Unreadable> {
        Ok(Self {
            id: JobId(message.job_id),
            run_id: RunId(message.run_id),
            check: CheckSpec {
                backlink: message
                    .backlink
                    .map(|text| BacklinkPattern::parse(&text))
                    .transpose()
                    .map_err(invalid)?,
                backlink_in: message.backlink_in,
                timeout: Timeout::from_millis(message.timeout_ms).map_err(invalid)?,
                retries: Retries::try_from(message.retries).map_err(invalid)?,
                accept: message.accept.parse::<AcceptedStatuses>().map_err(invalid)?,
            },
            links: message.links.into_iter().map(JobLink::try_from).collect::<Result<_, _>>()?,
        })
    }
}

impl TryFrom<JobLinkMessage> for JobLink {
    type Error = Unreadable;

    fn try_from(message: JobLinkMessage) -> Result<Self, Unreadable> {
        Ok(Self {
            id: LinkId(message.id),
            url: LinkUrl::parse(&message.url).map_err(invalid)?,
            page_url: message.page_url.map(|url| LinkUrl::parse(&url)).transpose().map_err(invalid)?,
            backlink: message.backlink,
        })
    }
}

fn invalid(error: impl std::fmt::Display) -> Unreadable {
    Unreadable::Invalid(error.to_string())
}
