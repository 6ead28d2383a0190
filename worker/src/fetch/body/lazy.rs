//! A pattern as an automaton that is made while it runs: for patterns of which the whole automaton would be too large.
//!
//! It is fast as long as a text needs few of its states. It gives up on other texts, and on characters beyond ASCII
//! where the pattern has to know whether they are letters (`\b`). So it never takes long.

use std::sync::{Mutex, PoisonError};

use regex_automata::hybrid::dfa::{Cache, Config, DFA};
use regex_automata::nfa::thompson::NFA;
use regex_automata::util::prefilter::Prefilter;
use regex_automata::{Input, hybrid};

/// Most memory for its states, in bytes. Bounds the time to make them as well, to some milliseconds.
const MAX_STATES: usize = 512 << 10;
/// How often it may throw them away and begin anew in one search.
const MAX_CLEARED: usize = 1;
/// States that are kept for the next searches: as many as run at once, but for a rush.
const KEPT: usize = 8;

/// A pattern that can be searched in any number of texts.
#[derive(Debug)]
pub(super) struct Lazy {
    dfa: DFA,
    states: Mutex<Vec<Cache>>,
}

/// The text asks for more than this automaton can do.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct GaveUp;

impl Lazy {
    /// `None`: even one state would be too large.
    pub(super) fn new(nfa: &NFA, prefilter: Option<Prefilter>) -> Option<Self> {
        let config = Config::new()
            .prefilter(prefilter)
            .unicode_word_boundary(true)
            .cache_capacity(MAX_STATES)
            .minimum_cache_clear_count(Some(MAX_CLEARED));
        let dfa = hybrid::dfa::Builder::new().configure(config).build_from_nfa(nfa.clone()).ok()?;
        Some(Self { dfa, states: Mutex::default() })
    }

    /// Where the first match from `at` on ends.
    pub(super) fn next_end(&self, text: &str, at: usize) -> Result<Option<usize>, GaveUp> {
        let kept = self.states.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut states = kept.unwrap_or_else(|| self.dfa.create_cache());
        let input = Input::new(text).range(at..).earliest(true);
        let Ok(found) = self.dfa.try_search_fwd(&mut states, &input) else { return Err(GaveUp) };
        let mut kept = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT {
            kept.push(states);
        }
        drop(kept);
        Ok(found.map(|found| found.offset()))
    }
}
