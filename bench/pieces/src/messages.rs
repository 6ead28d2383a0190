//! The messages of a job and of its results.

use std::collections::BTreeSet;

use chrono::DateTime;
use linkbeat_shared::wire::{self, JobMessage, ResultsMessage, ToRecorder};
use linkbeat_shared::{
    BacklinkPattern, CheckResult, CheckSpec, Details, Job, JobId, JobLink, LinkId, LinkUrl, Note, Reason,
    RunId, Verdict,
};

use crate::Piece;
use crate::page::BACKLINK;
use crate::recorded::JOB;

pub(crate) fn pieces() -> anyhow::Result<Vec<Piece>> {
    let job = job()?;
    let results = ResultsMessage::new(job.run_id, job.id, results(&job));
    let job_bytes = wire::encode(&JobMessage::from(&job));
    let result_bytes = wire::encode(&results);
    Ok(vec![
        Piece::new("encode a job of 16 links", 200, move || wire::encode(&JobMessage::from(&job))),
        Piece::new("decode a job of 16 links", 200, move || {
            wire::decode::<JobMessage>(&job_bytes).map(Job::try_from)
        }),
        Piece::new("encode 16 results", 200, move || wire::encode(&results)),
        Piece::new("decode 16 results", 200, move || ToRecorder::decode(&result_bytes)),
    ])
}

fn job() -> anyhow::Result<Job> {
    let link = |number: usize| {
        let url = LinkUrl::parse(&format!("https://friend-{number}.example/links?page={number}"))?;
        anyhow::Ok(JobLink { id: LinkId::new(), url, page_url: None, backlink: true })
    };
    let check = CheckSpec { backlink: Some(BacklinkPattern::parse(BACKLINK)?), ..CheckSpec::default() };
    let links = (0..JOB).map(link).collect::<Result<_, _>>()?;
    Ok(Job { id: JobId::new(), run_id: RunId::new(), check, links })
}

/// Of every four links one lacks the backlink.
fn results(job: &Job) -> Vec<CheckResult> {
    let links = job.links.iter().enumerate();
    links.map(|(number, link)| if number % 4 == 3 { lacking(link.id) } else { up(link.id) }).collect()
}

pub(crate) fn up(link_id: LinkId) -> CheckResult {
    CheckResult {
        link_id,
        verdict: Some(Verdict::Up),
        reason: None,
        status: Some(200),
        elapsed_ms: 120,
        checked_at: DateTime::UNIX_EPOCH,
        details: Details::default(),
        phases: None,
    }
}

pub(crate) fn lacking(link_id: LinkId) -> CheckResult {
    CheckResult {
        verdict: Some(Verdict::NoBacklink),
        reason: Some(Reason::BacklinkMissing { truncated: false }),
        details: Details { notes: BTreeSet::from([Note::Scripted]), ..Details::default() },
        ..up(link_id)
    }
}
