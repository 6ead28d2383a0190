//! Messages in any order, with repeats, end in the same state with exact counts: each case is made from a
//! seed and compared with what a plain model says.

use std::collections::HashMap;
use std::sync::Arc;

use linkbeat_shared::{
    JobId, LinkId, LinkSelection, NewLink, RecheckAfter, RunId, RunState, ShowRules, Verdict,
};
use linkbeat_store::{JobResults, NewRun, OpenJobs, ParkingNotice, PlannedJob, SharedStore};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use uuid::Uuid;

use crate::consistent;
use crate::database::TestDatabase;
use crate::make::{self, link, new_run, result};

cases![any_order_and_any_repeats_end_the_same];

/// How many runs are played, on each database.
const CASES: u64 = 120;

async fn any_order_and_any_repeats_end_the_same(database: Arc<TestDatabase>) {
    let store = database.open().await;
    for seed in 0..CASES {
        Case::new(&store, StdRng::seed_from_u64(seed), seed).await.play().await;
    }
    consistent::assert(&database).await;
}

/// What comes on the queue of results.
#[derive(Clone)]
enum Message {
    Results(JobResults),
    Parking(ParkingNotice),
}

/// One link, and what its looks see.
struct Looked {
    shown_before: bool,
    first: Verdict,
    second: Verdict,
    /// Its job's results never come, and its job stays parked.
    withheld: bool,
}

struct Case {
    store: SharedStore,
    seed: u64,
    random: StdRng,
    run: RunId,
    looks_again: bool,
    jobs: Vec<PlannedJob>,
    links: HashMap<LinkId, Looked>,
    cancelled: bool,
}

impl Case {
    async fn new(store: &SharedStore, mut random: StdRng, seed: u64) -> Self {
        let count = random.random_range(1..=8);
        let given: Vec<NewLink> = (0..count)
            .map(|n| NewLink {
                shown: Some(random.random_bool(0.7)),
                ..link(&format!("https://link-{n}.case-{seed}.example/"))
            })
            .collect();
        let looks_again = random.random_bool(0.5);
        let recheck_after = looks_again.then(|| RecheckAfter::from_millis(60_000).unwrap());
        let rules = ShowRules { recheck_after, ..ShowRules::default() };
        let run = NewRun { rules, ..new_run(LinkSelection::given(given)) };
        let (filed, plan) = make::file(store, run, random.random_range(1..=3)).await;
        let mut links = HashMap::new();
        for job in &plan.jobs {
            let withheld = random.random_bool(0.2);
            for id in &job.links {
                let stored = store.find_links(&id.to_string()).await.unwrap();
                let (first, second) = (verdict(&mut random), verdict(&mut random));
                links.insert(*id, Looked { shown_before: stored[0].state.shown, first, second, withheld });
            }
        }
        let (run, jobs, store) = (filed.run.id, plan.jobs, store.clone());
        Self { store, seed, random, run, looks_again, jobs, links, cancelled: false }
    }

    async fn play(mut self) {
        let first_looks = self.first_looks();
        let cancel = self.random.random_bool(0.2);
        self.deliver(first_looks.clone(), cancel).await;
        let mut second_looks = self.second_looks().await;
        second_looks.extend(first_looks);
        self.deliver(second_looks, false).await;
        self.store.close_runs(100).await.unwrap();
        self.check().await;
    }

    /// Each job's results in one or two messages, and notices that it was parked and put back.
    fn first_looks(&mut self) -> Vec<Message> {
        let mut messages = Vec::new();
        for job in self.jobs.clone() {
            let withheld = self.links[&job.links[0]].withheld;
            let put_back = self.random.random_range(0..=2);
            let parked = if withheld { put_back + 1 } else { self.random.random_range(0..=2) };
            messages.extend((0..parked).map(|_| notice(job.id, true)));
            messages.extend((0..put_back).map(|_| notice(job.id, false)));
            if !withheld {
                let (one, other) = job.links.split_at(self.random.random_range(0..=job.links.len()));
                for part in [one, other].into_iter().filter(|part| !part.is_empty()) {
                    let results = part.iter().map(|id| result(*id, self.links[id].first)).collect();
                    messages.push(Message::Results(JobResults { run_id: self.run, job_id: job.id, results }));
                }
            }
        }
        messages
    }

    async fn second_looks(&self) -> Vec<Message> {
        let rechecks = self.store.open_jobs(OpenJobs::RechecksOfRun(self.run), None, 100).await.unwrap();
        let look = |job: linkbeat_store::StoredJob| {
            let id = make::recheck(&job).0;
            let results = vec![result(id, self.links[&id].second)];
            Message::Results(JobResults { run_id: self.run, job_id: job.id, results })
        };
        rechecks.into_iter().map(look).collect()
    }

    /// Every message once or more, in batches, in any order; runs are closed in between.
    async fn deliver(&mut self, messages: Vec<Message>, cancel: bool) {
        let mut deliveries = messages.clone();
        deliveries.extend(messages.into_iter().filter(|_| self.random.random_bool(0.5)));
        deliveries.shuffle(&mut self.random);
        let cancel_at = self.random.random_range(0..=deliveries.len());
        let mut delivered = 0;
        while delivered < deliveries.len() {
            if cancel && delivered >= cancel_at && !self.cancelled {
                let run = self.store.cancel_run(self.run).await.unwrap().unwrap();
                self.cancelled = run.state == RunState::Cancelled;
            }
            let size = self.random.random_range(1..=4).min(deliveries.len() - delivered);
            self.store_batch(&deliveries[delivered..delivered + size]).await;
            delivered += size;
            if self.random.random_bool(0.3) {
                self.store.close_runs(100).await.unwrap();
            }
        }
    }

    async fn store_batch(&mut self, batch: &[Message]) {
        let (mut results, mut notices) = (Vec::new(), Vec::new());
        for message in batch {
            match message {
                Message::Results(message) => results.push(message.clone()),
                Message::Parking(notice) => notices.push(notice.clone()),
            }
        }
        if self.random.random_bool(0.5) {
            self.store.note_parkings(&notices).await.unwrap();
            self.store.record(&results, make::judge()).await.unwrap();
        } else {
            self.store.record(&results, make::judge()).await.unwrap();
            self.store.note_parkings(&notices).await.unwrap();
        }
    }

    async fn check(&self) {
        let seed = self.seed;
        let run = self.store.run(self.run).await.unwrap().unwrap();
        let counts = make::counts(&self.store, self.run).await;
        let mut shown = HashMap::new();
        for job in &self.jobs {
            for id in &job.links {
                let found = self.store.find_links(&id.to_string()).await.unwrap();
                shown.insert(*id, found[0].state.shown);
            }
        }
        let changed = |to: bool| {
            shown.iter().filter(|(id, now)| **now == to && self.links[id].shown_before != to).count() as u64
        };
        assert_eq!((counts.to_show, counts.to_not_show), (changed(true), changed(false)), "seed {seed}");
        assert_eq!(run.done, counts.checked, "seed {seed}: each link is counted once");
        if self.cancelled {
            assert_eq!((run.state, run.missing), (RunState::Cancelled, 0), "seed {seed}");
            return;
        }
        let withheld = self.links.values().filter(|link| link.withheld).count() as u64;
        let state = if withheld == 0 { RunState::Finished } else { RunState::Incomplete };
        assert_eq!(
            (run.state, run.missing, run.done),
            (state, withheld, run.links - withheld),
            "seed {seed}"
        );
        for (id, link) in &self.links {
            let expected =
                if link.withheld { link.shown_before } else { self.last_look(link) == Verdict::Up };
            assert_eq!(shown[id], expected, "seed {seed}");
        }
        let up = self.links.values().filter(|link| !link.withheld && self.last_look(link) == Verdict::Up);
        assert_eq!(counts.up, up.count() as u64, "seed {seed}");
    }

    /// The look that decides on a link.
    fn last_look(&self, link: &Looked) -> Verdict {
        let again = self.looks_again && link.shown_before && link.first == Verdict::Down;
        if again { link.second } else { link.first }
    }
}

fn verdict(random: &mut StdRng) -> Verdict {
    if random.random_bool(0.5) { Verdict::Up } else { Verdict::Down }
}

fn notice(job_id: JobId, parked: bool) -> Message {
    Message::Parking(ParkingNotice { id: Uuid::now_v7(), job_id, parked, cause: String::new() })
}
