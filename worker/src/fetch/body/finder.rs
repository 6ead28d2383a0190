//! A pattern in a text that is there as a whole, for a bounded amount of work.

use std::sync::Arc;

use linkbeat_shared::steps::Steps;

use super::matcher::Matcher;
use super::work::Work;

/// Bytes that a fast automaton reads while another one visits a state.
const BYTES_PER_VISIT: usize = 8;

/// Searches for one pattern in one page. Once its work is done it finds nothing more.
#[derive(Debug)]
pub(super) struct Finder {
    matcher: Arc<Matcher>,
    work: Work,
    /// What is used since the fast automaton gave up on this page.
    steps: Option<Box<Steps>>,
}

impl Finder {
    pub(super) fn new(matcher: Arc<Matcher>, work: Work) -> Self {
        Self { matcher, work, steps: None }
    }

    /// Whether it has given up.
    pub(super) fn is_exhausted(&self) -> bool {
        self.work.is_done()
    }

    /// Counts work beside the search.
    pub(super) fn spend(&mut self, work: usize) {
        self.work.spend(work);
    }

    /// Whether the text matches.
    pub(super) fn is_match(&mut self, text: &str) -> bool {
        if self.work.is_done() {
            return false;
        }
        match self.matcher.machine() {
            Some(machine) => {
                self.work.spend(1 + text.len() / BYTES_PER_VISIT);
                machine.is_match(text)
            }
            None => self.next_end(text, 0).is_some(),
        }
    }

    /// Where the first match from `at` on ends. Only for patterns without a machine.
    pub(super) fn next_end(&mut self, text: &str, at: usize) -> Option<usize> {
        if self.steps.is_none()
            && !self.work.is_done()
            && let Some(lazy) = self.matcher.lazy()
            && let Ok(found) = lazy.next_end(text, at)
        {
            self.work.spend(1 + (found.unwrap_or(text.len()) - at) / BYTES_PER_VISIT);
            return found;
        }
        self.next_end_by_steps(text, at)
    }

    pub(super) fn next_end_by_steps(&mut self, text: &str, mut at: usize) -> Option<usize> {
        let nfa = self.matcher.nfa()?;
        let steps = self.steps.get_or_insert_with(|| Box::new(Steps::new(nfa)));
        let (looks, bytes) = (nfa.look_matcher(), text.as_bytes());
        steps.clear();
        while !self.work.is_done() {
            let passed = steps.skip(&bytes[at..]);
            at += passed;
            let matches = steps.settle(|look| looks.matches(look, bytes, at));
            self.work.spend(1 + steps.visits() + passed / BYTES_PER_VISIT);
            // Where nothing is a match, it must not be one inside a character.
            if matches && text.is_char_boundary(at) {
                return Some(at);
            }
            steps.read(*bytes.get(at)?);
            at += 1;
        }
        None
    }
}
