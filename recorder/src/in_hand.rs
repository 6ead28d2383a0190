//! The runs of the results that are being stored and told right now.
//!
//! First come the changes of a run, then its end. So the end of a run waits for these batches, and for no other ones.

use std::collections::HashMap;

use linkbeat_shared::RunId;
use tokio::sync::watch;

/// Counts for each run the batches in hand that hold results of it.
#[derive(Debug, Default)]
pub(crate) struct InHand(watch::Sender<HashMap<RunId, usize>>);

/// The runs of one batch, until it is dropped.
pub(crate) struct Batch<'a> {
    in_hand: &'a InHand,
    runs: Vec<RunId>,
}

impl InHand {
    /// A batch with results of these runs is taken in hand.
    pub(crate) fn take(&self, runs: impl Iterator<Item = RunId>) -> Batch<'_> {
        let runs: Vec<RunId> = runs.collect();
        self.0.send_modify(|held| runs.iter().for_each(|run| *held.entry(*run).or_default() += 1));
        Batch { in_hand: self, runs }
    }

    /// Waits until no batch with results of this run is in hand.
    pub(crate) async fn let_go(&self, run: RunId) {
        // Its sender lives as long as this.
        let _ = self.0.subscribe().wait_for(|held| !held.contains_key(&run)).await;
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        self.in_hand.0.send_modify(|held| {
            for run in &self.runs {
                if let Some(batches) = held.get_mut(run) {
                    *batches -= 1;
                    if *batches == 0 {
                        held.remove(run);
                    }
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn a_run_is_let_go_when_its_last_batch_is() {
        let (in_hand, run, other) = (InHand::default(), RunId::new(), RunId::new());
        let first = in_hand.take([run, run].into_iter());
        let second = in_hand.take([run, other].into_iter());
        drop(first);
        assert!(in_hand.let_go(run).now_or_never().is_none());
        assert!(in_hand.let_go(RunId::new()).now_or_never().is_some(), "of another run nothing is in hand");
        drop(second);
        assert!(in_hand.let_go(run).now_or_never().is_some() && in_hand.0.borrow().is_empty());
    }
}
