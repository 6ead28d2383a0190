//! Checks that several runs want at the same moment are done once.
//!
//! A link wishes for a check when it begins to wait for its turn. Whoever has a turn first carries the check out. The
//! others take its outcome if the check was under way at any moment at which they waited.
//!
//! Small and large runs share nothing with each other, so nobody waits for a place that only a flood waits for.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use linkbeat_shared::{CheckResult, Job, JobLink, RunSize};
use tokio::sync::watch;

use crate::check::Outcome;

/// The checks that are wished for. Each namespace has its own: what one may fetch is no other's business.
#[derive(Debug, Default)]
pub(crate) struct Wishes(Mutex<HashMap<Key, Wanted>>);

/// A check, as far as it decides what comes of it: the pages, and how they are checked.
#[derive(Debug, Clone)]
struct Key {
    job: Arc<Job>,
    link: usize,
    size: RunSize,
}

impl Key {
    fn link(&self) -> &JobLink {
        &self.job.links[self.link]
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        let (link, others) = (self.link(), other.link());
        self.size == other.size
            && link.url == others.url
            && link.page_url == others.page_url
            && link.backlink == others.backlink
            && (Arc::ptr_eq(&self.job, &other.job) || self.job.check == other.job.check)
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.link().url.expose().hash(state);
    }
}

/// What becomes of one check.
#[derive(Debug, Default)]
struct Wanted {
    wishes: usize,
    /// The check is under way. It tells its outcome here.
    under_way: Option<watch::Receiver<Option<Outcome>>>,
    /// What it came to. The number is that of the first wish that was made later.
    ended: Option<(u64, Outcome)>,
    /// How many wishes there were.
    made: u64,
}

/// A link waits for its check.
#[derive(Debug)]
pub(crate) struct Wish {
    wishes: Arc<Wishes>,
    key: Key,
    number: u64,
}

/// What is to be done about a link whose turn has come.
#[derive(Debug)]
pub(crate) enum Claim {
    /// It is checked now.
    Check(Promise),
    /// Another run's check of it is under way.
    Await(Awaited),
    /// Another run's check of it ended while it waited. In a box: few links come here, and all would be larger for it.
    Known(Box<Outcome>),
}

/// The outcome will be told to all who wish for it. If this is dropped before, they check for themselves.
#[derive(Debug)]
pub(crate) struct Promise {
    wish: Wish,
    told: watch::Sender<Option<Outcome>>,
}

/// A check that is under way.
#[derive(Debug)]
pub(crate) struct Awaited {
    wish: Wish,
    told: watch::Receiver<Option<Outcome>>,
}

impl Wishes {
    /// This link of a job of a run of this size waits for its check from now on.
    pub(crate) fn make(self: &Arc<Self>, job: &Arc<Job>, link: usize, size: RunSize) -> Wish {
        let key = Key { job: Arc::clone(job), link, size };
        let mut wanted = self.lock();
        let entry = wanted.entry(key.clone()).or_default();
        let number = entry.made;
        entry.made += 1;
        entry.wishes += 1;
        drop(wanted);
        Wish { wishes: Arc::clone(self), key, number }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Wanted>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wish {
    /// The link's turn has come.
    pub(crate) fn claim(self) -> Claim {
        let mut all = self.wishes.lock();
        let wanted = all.entry(self.key.clone()).or_default();
        if let Some((later, outcome)) = &wanted.ended
            && self.number < *later
        {
            let outcome = of_link(outcome.clone(), self.key.link());
            drop(all);
            return Claim::Known(Box::new(outcome));
        }
        if let Some(told) = wanted.under_way.clone() {
            drop(all);
            return Claim::Await(Awaited { wish: self, told });
        }
        let told = watch::Sender::new(None);
        wanted.under_way = Some(told.subscribe());
        drop(all);
        Claim::Check(Promise { wish: self, told })
    }
}

impl Drop for Wish {
    fn drop(&mut self) {
        if let Entry::Occupied(mut entry) = self.wishes.lock().entry(self.key.clone()) {
            let wanted = entry.get_mut();
            wanted.wishes -= 1;
            if wanted.wishes == 0 {
                entry.remove();
            }
        }
    }
}

impl Promise {
    /// The check has ended.
    pub(crate) fn keep(self, outcome: &Outcome) {
        if let Some(wanted) = self.wish.wishes.lock().get_mut(&self.wish.key)
            && wanted.wishes > 1
        {
            wanted.ended = Some((wanted.made, outcome.clone()));
            self.told.send_replace(Some(outcome.clone()));
        }
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        if let Some(wanted) = self.wish.wishes.lock().get_mut(&self.wish.key) {
            wanted.under_way = None;
        }
    }
}

impl Awaited {
    /// The outcome of the check. If it came to none, the link still wishes for one.
    pub(crate) async fn outcome(mut self) -> Result<Outcome, Wish> {
        let told = self.told.wait_for(Option::is_some).await.ok().and_then(|told| told.clone());
        match told {
            Some(outcome) => Ok(of_link(outcome, self.wish.key.link())),
            None => Err(self.wish),
        }
    }
}

/// The outcome as that of another link with the same pages.
fn of_link(outcome: Outcome, link: &JobLink) -> Outcome {
    match outcome {
        Outcome::Judged(result) => Outcome::Judged(CheckResult { link_id: link.id, ..result }),
        Outcome::OwnFault(fault) => Outcome::OwnFault(fault),
    }
}

#[cfg(test)]
mod tests {
    use linkbeat_shared::{CheckSpec, JobId, LinkId, LinkUrl, RunId, Timeout};

    use super::*;
    use crate::fault::OwnFault;

    fn job(url: &str, check: CheckSpec) -> Arc<Job> {
        let url = LinkUrl::parse(url).unwrap();
        let link = JobLink { id: LinkId::new(), url, page_url: None, backlink: true };
        Arc::new(Job { id: JobId::new(), run_id: RunId::new(), check, links: vec![link] })
    }

    fn promise(wish: Wish) -> Promise {
        match wish.claim() {
            Claim::Check(promise) => promise,
            other => panic!("{other:?}"),
        }
    }

    fn outcome() -> Outcome {
        Outcome::OwnFault(OwnFault::Offline)
    }

    #[tokio::test]
    async fn who_waits_meanwhile_gets_the_outcome_and_who_comes_later_does_not() {
        let wishes = Arc::new(Wishes::default());
        let wish = || wishes.make(&job("http://a.test/", CheckSpec::default()), 0, RunSize::Small);
        let (first, waiting, slow) = (wish(), wish(), wish());
        let first = promise(first);
        let during = wish();
        let Claim::Await(waiting) = waiting.claim() else { panic!("it is under way") };
        first.keep(&outcome());
        assert_eq!(waiting.outcome().await.ok(), Some(outcome()));
        let later = wish();
        assert!(matches!(slow.claim(), Claim::Known(_)), "it waited while the check was under way");
        assert!(matches!(during.claim(), Claim::Known(_)));
        drop(promise(later));
        assert!(wishes.lock().is_empty(), "nothing is left of it");
    }

    #[tokio::test]
    async fn a_check_that_comes_to_nothing_is_done_by_the_next() {
        let wishes = Arc::new(Wishes::default());
        let wish = || wishes.make(&job("http://a.test/", CheckSpec::default()), 0, RunSize::Small);
        let (first, second, third) = (promise(wish()), wish(), wish());
        let Claim::Await(second) = second.claim() else { panic!("it is under way") };
        drop(first);
        let again = second.outcome().await.unwrap_err();
        let again = promise(again);
        assert!(matches!(third.claim(), Claim::Await(_)), "one does it for the others");
        drop(again);
        assert!(wishes.lock().is_empty());
    }

    #[test]
    fn only_the_same_check_is_shared() {
        let wishes = Arc::new(Wishes::default());
        let other = CheckSpec { timeout: Timeout::from_millis(1).unwrap(), ..CheckSpec::default() };
        let jobs = [
            job("http://a.test/", CheckSpec::default()),
            job("http://me@a.test/", CheckSpec::default()),
            job("http://a.test/", other),
        ];
        let wishes_of = |size| jobs.iter().map(move |job| (job, size)).collect::<Vec<_>>();
        let all = [wishes_of(RunSize::Small), wishes_of(RunSize::Large)].concat();
        let promises: Vec<_> =
            all.into_iter().map(|(job, size)| promise(wishes.make(job, 0, size))).collect();
        assert_eq!(wishes.lock().len(), promises.len());
    }
}
