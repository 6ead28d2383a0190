//! How the links of a run are cut into jobs.
//!
//! Links of one host stay together, so that one worker is polite to it. Otherwise jobs are as small as the run allows.
//! 24 hosts are 24 jobs, which all workers share. A million links become jobs of up to 64, so that one message serves
//! 64 checks.

use chrono::Utc;
use linkbeat_shared::wire::{self, JobLinkMessage, JobMessage, ResultsMessage};
use linkbeat_shared::{CheckResult, CheckSpec, Details, JobId, LinkId, RunId, WhiteList};
use linkbeat_store::{JobKind, PlannedJob, Planner};

/// Most links of a job that covers several hosts.
const JOB_LINKS_MAX: u64 = 64;
/// Most links of a job that covers a single host; its worker checks only a few of them at once.
const HOST_JOB_LINKS_MAX: usize = 64;
/// Runs up to `JOBS_WANTED * JOB_LINKS_MAX` links are spread over about so many jobs.
const JOBS_WANTED: u64 = 128;
/// Most known results in one message to the recorder.
const KNOWN_MAX: usize = 256;

/// Cuts one run into jobs.
#[derive(Debug)]
pub(crate) struct JobPlanner {
    check: CheckSpec,
    white_list: WhiteList,
    run_id: RunId,
    /// How many links a job over several hosts gets in this run.
    target: usize,
    /// Whole hosts, waiting for more to join them.
    hosts: Vec<JobLinkMessage>,
    /// The host that is being read.
    host: Vec<JobLinkMessage>,
    /// Results of links that nobody fetches.
    known: Vec<CheckResult>,
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
            known: Vec::new(),
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

    fn job(&self, links: Vec<JobLinkMessage>) -> PlannedJob {
        let id = JobId::new();
        PlannedJob {
            id,
            kind: JobKind::Check,
            links: links.iter().map(|link| LinkId(link.id)).collect(),
            body: wire::encode(&JobMessage::new(self.run_id, id, &self.check, links)),
        }
    }

    /// The host that is fetched for this link: that of the page where a backlink must stand, if one is asked for.
    fn fetched_host<'a>(&self, link: &'a JobLinkMessage) -> &'a str {
        let asked = self.check.backlink.is_some() && link.backlink;
        host_of(link.page_url.as_ref().filter(|_| asked).unwrap_or(&link.url))
    }

    /// Some links are not fetched: their results are known and go straight to the recorder.
    fn know(&mut self, result: CheckResult) -> Vec<PlannedJob> {
        self.known.push(result);
        if self.known.len() < KNOWN_MAX { Vec::new() } else { vec![self.known_job()] }
    }

    fn known_job(&mut self) -> PlannedJob {
        let results = std::mem::take(&mut self.known);
        let (id, links) = (JobId::new(), results.iter().map(|result| result.link_id).collect());
        let message = ResultsMessage::new(self.run_id, id, results);
        PlannedJob { id, kind: JobKind::Known, links, body: wire::encode(&message) }
    }
}

impl Planner for JobPlanner {
    fn begin(&mut self, run: RunId, links: u64) {
        self.run_id = run;
        let target = links.div_ceil(JOBS_WANTED).clamp(1, JOB_LINKS_MAX);
        self.target = usize::try_from(target).unwrap_or(1);
    }

    fn add(&mut self, name: &str, link: JobLinkMessage, fresh: Option<CheckResult>) -> Vec<PlannedJob> {
        if self.white_list.contains(name) {
            return self.know(white_listed(LinkId(link.id)));
        }
        if let Some(result) = fresh {
            return self.know(result);
        }
        let same_host =
            self.host.last().is_some_and(|last| self.fetched_host(last) == self.fetched_host(&link));
        let complete =
            if same_host && self.host.len() < HOST_JOB_LINKS_MAX { Vec::new() } else { self.end_host() };
        self.host.push(link);
        complete
    }

    fn is_white_listed(&self, name: &str) -> bool {
        self.white_list.contains(name)
    }

    fn finish(&mut self) -> Vec<PlannedJob> {
        let mut jobs = self.end_host();
        if !self.hosts.is_empty() {
            let hosts = std::mem::take(&mut self.hosts);
            jobs.push(self.job(hosts));
        }
        if !self.known.is_empty() {
            jobs.push(self.known_job());
        }
        jobs
    }
}

fn white_listed(link_id: LinkId) -> CheckResult {
    CheckResult {
        link_id,
        verdict: None,
        reason: None,
        status: None,
        elapsed_ms: 0,
        checked_at: Utc::now(),
        details: Details::default(),
        phases: None,
    }
}

/// The host in a URL of the canonical form in which it is stored, without parsing it whole.
fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    match host.rsplit_once(':') {
        // Not one of the colons within the brackets of an IPv6 address.
        Some((host, port)) if !port.ends_with(']') => host,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use linkbeat_shared::LinkUrl;

    use super::*;

    type Named = (&'static str, JobLinkMessage);

    fn link(name: &'static str, url: &str) -> Named {
        let url = LinkUrl::parse(url).unwrap().expose().to_owned();
        (name, JobLinkMessage { id: LinkId::new().0, url, page_url: None, backlink: true })
    }

    #[test]
    fn a_host_is_found_without_parsing() {
        for url in [
            "http://a.example",
            "https://me:p%40ss@a.example:8080/x:y@z?q=/@",
            "http://[::1]/",
            "http://[::1]:81/a",
            "http://127.0.0.1?a",
            "http://例え.jp/",
        ] {
            let url = LinkUrl::parse(url).unwrap();
            assert_eq!(host_of(url.expose()), url.host(), "{}", url.expose());
        }
    }

    #[test]
    fn links_stay_with_the_host_that_is_fetched() {
        let mut links: Vec<Named> = (0..3).map(|n| link("a", &format!("http://h{n}.example/"))).collect();
        for (_, link) in &mut links {
            link.page_url = Some("http://page.example/".to_owned());
        }
        let check = |backlink: Option<&str>| CheckSpec {
            backlink: backlink.map(|text| text.parse().unwrap()),
            ..CheckSpec::default()
        };
        assert_eq!(sizes(&plan_as(check(Some("me")), &links, &[])), [3]);
        assert_eq!(sizes(&plan_as(check(None), &links, &[])), [1; 3]);
    }

    fn plan(links: &[Named], white_list: &[&str]) -> Vec<PlannedJob> {
        plan_as(CheckSpec::default(), links, white_list)
    }

    fn plan_as(check: CheckSpec, links: &[Named], white_list: &[&str]) -> Vec<PlannedJob> {
        let names = white_list.iter().map(ToString::to_string).collect();
        let mut planner = JobPlanner::new(check, WhiteList(names));
        planner.begin(RunId::new(), links.len() as u64);
        let mut jobs: Vec<_> =
            links.iter().flat_map(|(name, link)| planner.add(name, link.clone(), None)).collect();
        jobs.extend(planner.finish());
        let covered: Vec<_> = jobs.iter().flat_map(|job| job.links.clone()).collect();
        assert_eq!(covered.len(), links.len(), "every link is in exactly one job");
        assert!(links.iter().all(|(_, link)| covered.contains(&LinkId(link.id))));
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
    fn a_large_run_has_jobs_of_up_to_64_links_with_hosts_kept_whole() {
        let links: Vec<_> = (0..2_000)
            .flat_map(|host| (0..5).map(move |n| link("a", &format!("http://h{host:04}.example/{n}"))))
            .collect();
        let jobs = plan(&links, &[]);
        let (last, others) =
            sizes(&jobs).split_last().map(|(last, others)| (*last, others.to_vec())).unwrap();
        assert!(others.iter().all(|&size| size == 60), "twelve hosts of five links each");
        assert_eq!(last, 40, "the last eight hosts");
    }

    #[test]
    fn a_large_host_is_cut_into_jobs_of_its_own() {
        let mut links = vec![link("a", "http://a.example/")];
        links.extend((0..150).map(|n| link("b", &format!("http://b.example/{n}"))));
        links.push(link("c", "http://c.example/"));
        assert_eq!(sizes(&plan(&links, &[])), [64, 64, 22, 2], "a and c share the last job");
    }

    #[test]
    fn what_is_fresh_is_not_fetched_unless_its_name_is_on_the_white_list() {
        let white_list = WhiteList(["white".to_owned()].into());
        let mut planner = JobPlanner::new(CheckSpec::default(), white_list);
        planner.begin(RunId::new(), 3);
        let known =
            |id| CheckResult { verdict: Some(linkbeat_shared::Verdict::Up), ..white_listed(LinkId(id)) };
        for name in ["fresh", "white", "old"] {
            let (name, link) = link(name, "https://a.example/");
            let fresh = (name != "old").then(|| known(link.id));
            assert!(planner.add(name, link, fresh).is_empty());
        }
        let jobs = planner.finish();
        let kinds: Vec<_> = jobs.iter().map(|job| (job.kind, job.links.len())).collect();
        assert_eq!(kinds, [(JobKind::Check, 1), (JobKind::Known, 2)]);
        let message: serde_json::Value = serde_json::from_slice(&jobs[1].body).unwrap();
        let verdicts: Vec<_> = message["results"].as_array().unwrap().iter().map(|r| &r["verdict"]).collect();
        assert_eq!(verdicts, [&serde_json::json!("up"), &serde_json::Value::Null]);
    }

    #[test]
    fn white_listed_links_go_straight_to_the_recorder() {
        let links = [link("friend", "http://a.example/"), link("other", "http://a.example/2")];
        let jobs = plan(&links, &["friend"]);
        let kinds: Vec<_> = jobs.iter().map(|job| job.kind).collect();
        assert_eq!(kinds, [JobKind::Check, JobKind::Known]);
        assert_eq!(jobs[1].links, [LinkId(links[0].1.id)]);
        let results: ResultsMessage = wire::decode(&jobs[1].body).unwrap();
        assert_eq!(results.results[0].verdict, None);
    }
}
