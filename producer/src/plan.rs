//! How the links of a run are cut into jobs.
//!
//! Links of one host stay together, so that one worker sees to its politeness. Beyond that, jobs are as
//! small as the run allows: 24 links are 24 jobs that all workers share, a million links are jobs of 16,
//! which cost one message for 16 checks.

use chrono::Utc;
use linkbeat_shared::wire::{self, JobMessage, ResultsMessage};
use linkbeat_shared::{CheckResult, CheckSpec, Details, Job, JobId, JobLink, Link, RunId, WhiteList};
use linkbeat_store::{JobKind, PlannedJob, Planner};

/// Most links of a job that covers several hosts.
const JOB_LINKS_MAX: u64 = 16;
/// Most links of a job that covers a single host; its worker checks only a few of them at once.
const HOST_JOB_LINKS_MAX: usize = 64;
/// Runs up to `JOBS_WANTED * JOB_LINKS_MAX` links are spread over about so many jobs.
const JOBS_WANTED: u64 = 128;
/// Most white-listed links in one message to the recorder.
const WHITE_LISTED_MAX: usize = 500;

/// Cuts one run into jobs.
#[derive(Debug)]
pub(crate) struct JobPlanner {
    check: CheckSpec,
    white_list: WhiteList,
    run_id: RunId,
    /// How many links a job over several hosts gets in this run.
    target: usize,
    /// Whole hosts, waiting for more to join them.
    hosts: Vec<JobLink>,
    /// The host that is being read.
    host: Vec<JobLink>,
    white_listed: Vec<Link>,
}

impl JobPlanner {
    /// A planner for a run of these checks.
    pub(crate) fn new(check: CheckSpec, white_list: WhiteList) -> Self {
        Self {
            check,
            white_list,
            run_id: RunId::new(),
            target: 1,
            hosts: Vec::new(),
            host: Vec::new(),
            white_listed: Vec::new(),
        }
    }

    /// The host is complete: it joins others, or becomes a job of its own when it is large.
    fn end_host(&mut self) -> Vec<PlannedJob> {
        let host = std::mem::take(&mut self.host);
        if host.is_empty() {
            return Vec::new();
        }
        if host.len() >= self.target {
            return vec![self.job(host)];
        }
        let mut complete = Vec::new();
        if self.hosts.len() + host.len() > self.target {
            let hosts = std::mem::take(&mut self.hosts);
            complete.push(self.job(hosts));
        }
        self.hosts.extend(host);
        complete
    }

    fn job(&self, links: Vec<JobLink>) -> PlannedJob {
        let job = Job { id: JobId::new(), run_id: self.run_id, check: self.check.clone(), links };
        PlannedJob {
            id: job.id,
            kind: JobKind::Check,
            links: job.links.iter().map(|link| link.id).collect(),
            body: wire::encode(&JobMessage::from(&job)),
        }
    }

    /// White-listed links are not fetched: their results are known and go straight to the recorder.
    fn white_listed_job(&mut self) -> PlannedJob {
        let links = std::mem::take(&mut self.white_listed);
        let ids: Vec<_> = links.into_iter().map(|link| link.id).collect();
        let result = |&link_id| CheckResult {
            link_id,
            verdict: None,
            reason: None,
            status: None,
            elapsed_ms: 0,
            checked_at: Utc::now(),
            details: Details::default(),
        };
        let id = JobId::new();
        let message = ResultsMessage::new(self.run_id, id, ids.iter().map(result).collect());
        PlannedJob { id, kind: JobKind::WhiteListed, links: ids, body: wire::encode(&message) }
    }
}

impl Planner for JobPlanner {
    fn begin(&mut self, run: RunId, links: u64) {
        self.run_id = run;
        let target = links.div_ceil(JOBS_WANTED).clamp(1, JOB_LINKS_MAX);
        self.target = usize::try_from(target).unwrap_or(1);
    }

    fn add(&mut self, link: &Link) -> Vec<PlannedJob> {
        if self.white_list.contains(link.name.as_str()) {
            self.white_listed.push(link.clone());
            return if self.white_listed.len() < WHITE_LISTED_MAX {
                Vec::new()
            } else {
                vec![self.white_listed_job()]
            };
        }
        let link = JobLink {
            id: link.id,
            url: link.url.clone(),
            page_url: link.page_url.clone(),
            backlink: link.backlink,
        };
        let same_host = self
            .host
            .last()
            .is_some_and(|last| last.page(&self.check).host() == link.page(&self.check).host());
        let complete =
            if same_host && self.host.len() < HOST_JOB_LINKS_MAX { Vec::new() } else { self.end_host() };
        self.host.push(link);
        complete
    }

    fn finish(&mut self) -> Vec<PlannedJob> {
        let mut jobs = self.end_host();
        if !self.hosts.is_empty() {
            let hosts = std::mem::take(&mut self.hosts);
            jobs.push(self.job(hosts));
        }
        if !self.white_listed.is_empty() {
            jobs.push(self.white_listed_job());
        }
        jobs
    }
}

#[cfg(test)]
mod tests {
    use linkbeat_shared::{LinkId, LinkName, LinkState, LinkUrl};

    use super::*;

    fn link(name: &str, url: &str) -> Link {
        Link {
            id: LinkId::new(),
            name: LinkName::parse(name).unwrap(),
            url: LinkUrl::parse(url).unwrap(),
            page_url: None,
            active: true,
            backlink: true,
            state: LinkState::default(),
        }
    }

    fn plan(links: &[Link], white_list: &[&str]) -> Vec<PlannedJob> {
        let names = white_list.iter().map(ToString::to_string).collect();
        let mut planner = JobPlanner::new(CheckSpec::default(), WhiteList(names));
        planner.begin(RunId::new(), links.len() as u64);
        let mut jobs: Vec<_> = links.iter().flat_map(|link| planner.add(link)).collect();
        jobs.extend(planner.finish());
        let covered: Vec<_> = jobs.iter().flat_map(|job| job.links.clone()).collect();
        assert_eq!(covered.len(), links.len(), "every link is in exactly one job");
        assert!(links.iter().all(|link| covered.contains(&link.id)));
        jobs
    }

    fn sizes(jobs: &[PlannedJob]) -> Vec<usize> {
        jobs.iter().map(|job| job.links.len()).collect()
    }

    #[test]
    fn a_small_run_is_shared_by_all_workers() {
        let links: Vec<_> = (0..24).map(|n| link("a", &format!("http://h{n}.example/"))).collect();
        assert_eq!(sizes(&plan(&links, &[])), [1; 24]);
    }

    #[test]
    fn a_large_run_has_jobs_of_sixteen_with_hosts_kept_whole() {
        let links: Vec<_> = (0..1_000)
            .flat_map(|host| (0..5).map(move |n| link("a", &format!("http://h{host:04}.example/{n}"))))
            .collect();
        let jobs = plan(&links, &[]);
        let (last, others) =
            sizes(&jobs).split_last().map(|(last, others)| (*last, others.to_vec())).unwrap();
        assert!(others.iter().all(|&size| size == 15), "three hosts of five links each");
        assert_eq!(last, 5, "the thousandth host");
    }

    #[test]
    fn a_large_host_is_cut_into_jobs_of_its_own() {
        let mut links = vec![link("a", "http://a.example/")];
        links.extend((0..150).map(|n| link("b", &format!("http://b.example/{n}"))));
        links.push(link("c", "http://c.example/"));
        assert_eq!(sizes(&plan(&links, &[])), [64, 64, 22, 2], "a and c share the last job");
    }

    #[test]
    fn white_listed_links_go_straight_to_the_recorder() {
        let links = [link("friend", "http://a.example/"), link("other", "http://a.example/2")];
        let jobs = plan(&links, &["friend"]);
        let kinds: Vec<_> = jobs.iter().map(|job| job.kind).collect();
        assert_eq!(kinds, [JobKind::Check, JobKind::WhiteListed]);
        assert_eq!(jobs[1].links, [links[0].id]);
        let results: ResultsMessage = wire::decode(&jobs[1].body).unwrap();
        assert_eq!(results.results[0].verdict, None);
    }
}
