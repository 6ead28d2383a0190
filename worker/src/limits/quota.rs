//! Which of the worker's slots a check may take.
//!
//! Some slots are kept free for small runs, and some for each other namespace. So whoever floods the worker never has all
//! of them, and others begin at once.

use std::sync::Arc;

use linkbeat_shared::RunSize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::ready::{InLine, Ready};

/// One slot in so many is kept for small runs.
pub(crate) const KEPT_FOR_SMALL: usize = 16;
/// One slot in so many, shared by all namespaces, is kept for whichever of them has nothing to do.
const KEPT_FOR_NAMESPACES: usize = 4;

/// The gates that a check passes before it takes a slot, the narrowest first.
#[derive(Debug, Clone)]
pub(crate) struct Quota {
    size: RunSize,
    gates: [Option<Arc<Semaphore>>; 2],
    /// `None`: nobody looks at how many wait to begin.
    ready: Option<Arc<Ready>>,
}

/// Any slot.
pub(crate) static ANY: Quota = Quota { size: RunSize::Small, gates: [None, None], ready: None };

/// What was passed, until the slots are free again.
#[derive(Debug)]
pub(crate) struct Passed([Option<OwnedSemaphorePermit>; 2]);

/// The quotas of one namespace.
#[derive(Debug, Clone)]
pub(crate) struct Quotas {
    small: Quota,
    large: Quota,
    /// Checks of large runs.
    ready: Arc<Ready>,
}

impl Quotas {
    /// For the only namespace.
    pub(crate) fn alone(slots: usize) -> Self {
        Self::new(gate_of_large(slots), None)
    }

    /// For each of `namespaces`, which share the slots.
    pub(crate) fn shared(slots: usize, namespaces: usize) -> Vec<Self> {
        let large = gate_of_large(slots);
        let kept = slots / KEPT_FOR_NAMESPACES / namespaces.max(1) * namespaces.saturating_sub(1);
        (0..namespaces).map(|_| Self::new(large.clone(), gate(slots, kept))).collect()
    }

    fn new(large: Option<Arc<Semaphore>>, namespace: Option<Arc<Semaphore>>) -> Self {
        let ready = Ready::new();
        Self {
            small: Quota { size: RunSize::Small, gates: [None, namespace.clone()], ready: None },
            large: Quota { size: RunSize::Large, gates: [large, namespace], ready: Some(Arc::clone(&ready)) },
            ready,
        }
    }

    pub(crate) fn of_run(&self, size: RunSize) -> &Quota {
        match size {
            RunSize::Small => &self.small,
            RunSize::Large => &self.large,
        }
    }

    /// The checks of large runs that could begin.
    pub(crate) fn ready(&self) -> &Arc<Ready> {
        &self.ready
    }
}

fn gate_of_large(slots: usize) -> Option<Arc<Semaphore>> {
    gate(slots, slots / KEPT_FOR_SMALL)
}

/// `None` where nothing can be kept: there are too few slots.
fn gate(slots: usize, kept: usize) -> Option<Arc<Semaphore>> {
    let most = (slots - kept).min(Semaphore::MAX_PERMITS);
    (kept > 0).then(|| Arc::new(Semaphore::new(most)))
}

impl Quota {
    pub(crate) fn size(&self) -> RunSize {
        self.size
    }

    /// Counts a check that could begin, until it does.
    pub(crate) fn in_line(&self) -> Option<InLine> {
        self.ready.as_ref().map(Ready::check)
    }

    /// Waits until so many slots may be taken. The order is the same for all, so that nobody waits in a circle.
    pub(crate) async fn pass(&self, slots: u32) -> Passed {
        let mut passed = [None, None];
        for (gate, passed) in self.gates.iter().zip(&mut passed) {
            if let Some(gate) = gate {
                // Nobody closes it.
                *passed = Arc::clone(gate).acquire_many_owned(slots).await.ok();
            }
        }
        Passed(passed)
    }
}

impl Passed {
    /// For the second of two slots.
    pub(crate) fn split(&mut self) -> Self {
        Self(self.0.each_mut().map(|passed| passed.as_mut().and_then(|passed| passed.split(1))))
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    /// How many slots may be taken at once.
    fn most(quota: &Quota) -> usize {
        let passed: Vec<Passed> = std::iter::from_fn(|| quota.pass(1).now_or_never()).take(1_000).collect();
        passed.len()
    }

    #[test]
    fn large_runs_leave_some_slots_to_small_ones() {
        let quotas = Quotas::alone(160);
        assert_eq!(most(quotas.of_run(RunSize::Large)), 150);
        assert_eq!(most(quotas.of_run(RunSize::Small)), 1_000, "only the slots themselves are their limit");
        let few = Quotas::alone(2);
        assert_eq!(most(few.of_run(RunSize::Large)), 1_000, "of two slots none can be kept");
    }

    #[test]
    fn each_namespace_leaves_some_slots_to_each_other() {
        let quotas = Quotas::shared(160, 2);
        let held = quotas[0].small.pass(140).now_or_never();
        assert!(held.is_some() && quotas[0].small.pass(1).now_or_never().is_none());
        assert!(quotas[1].small.pass(140).now_or_never().is_some(), "the other one has a gate of its own");
        // 160 slots, less a fourth of their share for each of the three others.
        assert_eq!(most(&Quotas::shared(160, 4)[0].small), 130);
    }

    #[test]
    fn two_slots_are_given_back_one_by_one() {
        let quotas = Quotas::alone(32);
        let large = quotas.of_run(RunSize::Large);
        let mut both = large.pass(2).now_or_never().unwrap();
        let second = both.split();
        assert_eq!(most(large), 28);
        drop(second);
        assert_eq!(most(large), 29);
        drop(both);
        assert_eq!(most(large), 30);
    }
}
