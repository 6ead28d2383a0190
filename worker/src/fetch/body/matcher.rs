//! The backlink pattern as a machine that reads a page piece by piece.
//!
//! A deterministic automaton needs a single number of memory per page, and never looks back: so what it
//! says of pieces is what the regular expression says of the whole text, however the text is cut. Where
//! no automaton of a bearable size exists (such as for `\b`, which has to look up what a letter is), the
//! text is kept, up to the cap on pages, and searched by a [`Finder`](super::finder::Finder).

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;

use linkbeat_shared::{BacklinkPattern, steps};
use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson::NFA;
use regex_automata::util::prefilter::Prefilter;
use regex_automata::util::primitives::StateID;
use regex_automata::util::{start, syntax};
use regex_automata::{Anchored, MatchKind, Span};
use tokio::sync::Semaphore;

use super::lazy::Lazy;

/// Most memory an automaton may take, in bytes; most patterns need some kilobytes.
const MAX_AUTOMATON: usize = 1 << 20;
/// Most memory that making one may take, in bytes. Bounds the time as well, to some milliseconds.
const MAX_CONSTRUCTION: usize = 4 << 20;
/// Patterns whose matchers are kept. All links of a run share one.
const KEPT: usize = 16;

/// Matchers by pattern, so that each is made once and not for every check.
#[derive(Debug)]
pub(crate) struct Matchers {
    kept: Mutex<VecDeque<Arc<Matcher>>>,
    slow: Arc<Semaphore>,
}

/// One pattern, ready to be searched in any number of pages.
#[derive(Debug)]
pub(crate) struct Matcher {
    pattern: BacklinkPattern,
    /// These are made when they are first asked for.
    machine: OnceLock<Option<Arc<Machine>>>,
    nfa: OnceLock<Option<NFA>>,
    lazy: OnceLock<Option<Lazy>>,
    /// A search took long, so the next ones may, too.
    is_slow: AtomicBool,
    /// Places for searches that take long. All patterns share them.
    slow: Arc<Semaphore>,
}

#[derive(Debug)]
pub(super) struct Machine {
    dfa: dense::DFA<Vec<u32>>,
    start: StateID,
    /// Finds quickly where a match may begin. Only where the machine begins everywhere alike.
    prefilter: Option<Prefilter>,
    /// Whether a match can be told without the byte behind it: no assertion such as `$` looks there.
    decided_by_its_end: bool,
}

/// A search by the automaton. What it keeps is one number.
#[derive(Debug)]
pub(super) struct Scan {
    machine: Arc<Machine>,
    state: StateID,
}

impl Default for Matchers {
    fn default() -> Self {
        // Half of the machine stays for all else.
        let half = thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(2));
        Self { kept: Mutex::default(), slow: Arc::new(Semaphore::new(half)) }
    }
}

impl Matchers {
    /// The matcher for this pattern.
    pub(crate) fn get(&self, pattern: &BacklinkPattern) -> Arc<Matcher> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(matcher) = kept.iter().find(|matcher| matcher.pattern == *pattern) {
            return Arc::clone(matcher);
        }
        kept.truncate(KEPT - 1);
        let matcher = Arc::new(Matcher::new(pattern.clone(), Arc::clone(&self.slow)));
        kept.push_front(Arc::clone(&matcher));
        matcher
    }
}

impl Matcher {
    pub(super) fn new(pattern: BacklinkPattern, slow: Arc<Semaphore>) -> Self {
        let (machine, nfa, lazy) = Default::default();
        Self { pattern, machine, nfa, lazy, is_slow: AtomicBool::new(false), slow }
    }

    /// The whole automaton, where it is of a bearable size.
    pub(super) fn machine(&self) -> Option<&Arc<Machine>> {
        self.machine.get_or_init(|| Machine::new(self.nfa()?, self.pattern.as_str()).map(Arc::new)).as_ref()
    }

    /// The automaton that is made as far as a text needs it.
    pub(super) fn lazy(&self) -> Option<&Lazy> {
        self.lazy.get_or_init(|| Lazy::new(self.nfa()?, prefilter(self.pattern.as_str()))).as_ref()
    }

    /// The automaton with all its choices.
    pub(super) fn nfa(&self) -> Option<&NFA> {
        self.nfa.get_or_init(|| steps::automaton(self.pattern.as_str())).as_ref()
    }

    /// Whether some page took long.
    pub(super) fn is_slow(&self) -> bool {
        self.is_slow.load(Ordering::Relaxed)
    }

    /// A page takes long.
    pub(super) fn note_slow(&self) {
        self.is_slow.store(true, Ordering::Relaxed);
    }

    pub(super) fn slow(&self) -> &Arc<Semaphore> {
        &self.slow
    }
}

fn prefilter(pattern: &str) -> Option<Prefilter> {
    Prefilter::from_hir_prefix(MatchKind::LeftmostFirst, &syntax::parse(pattern).ok()?)
}

impl Machine {
    fn new(nfa: &NFA, pattern: &str) -> Option<Self> {
        let hir = syntax::parse(pattern).ok()?;
        // Where nothing is a match, it must not be one inside a character; the expression sees to that.
        if hir.properties().minimum_len() == Some(0) {
            return None;
        }
        let config = dense::Config::new()
            .start_kind(StartKind::Unanchored)
            .accelerate(false)
            .dfa_size_limit(Some(MAX_AUTOMATON))
            .determinize_size_limit(Some(MAX_CONSTRUCTION));
        let dfa = dense::Builder::new().configure(config).build_from_nfa(nfa).ok()?;
        let start = dfa.start_state(&start::Config::new().anchored(Anchored::No)).ok()?;
        let everywhere = dfa.universal_start_state(Anchored::No).is_some();
        let prefilter =
            everywhere.then(|| Prefilter::from_hir_prefix(MatchKind::LeftmostFirst, &hir)).flatten();
        Some(Self { dfa, start, prefilter, decided_by_its_end: hir.properties().look_set().is_empty() })
    }

    /// The state after more text, and how much of the text was read. A match ends the run early.
    fn run(&self, mut state: StateID, text: &[u8]) -> (StateID, usize) {
        let mut prefilter = self.prefilter.as_ref();
        let mut at = 0;
        while at < text.len() {
            if state == self.start
                && let Some(candidates) = prefilter
            {
                if let Some(candidate) = candidates.find(text, Span::from(at..text.len())) {
                    at = candidate.start;
                } else {
                    // One may begin in what is too short to show it.
                    at = at.max((text.len() + 1).saturating_sub(candidates.max_needle_len()));
                    prefilter = None;
                    continue;
                }
            }
            state = self.dfa.next_state(state, text[at]);
            if self.dfa.is_special_state(state)
                && (self.dfa.is_match_state(state) || self.dfa.is_dead_state(state))
            {
                return (state, at);
            }
            at += 1;
        }
        (state, text.len())
    }

    /// Whether a text that is there as a whole matches.
    pub(super) fn is_match(&self, text: &str) -> bool {
        let (state, _) = self.run(self.start, text.as_bytes());
        self.dfa.is_match_state(state) || self.found_at_the_end(state)
    }

    fn found(&self, state: StateID) -> bool {
        self.dfa.is_match_state(state) || (self.decided_by_its_end && self.found_at_the_end(state))
    }

    fn found_at_the_end(&self, state: StateID) -> bool {
        self.dfa.is_match_state(self.dfa.next_eoi_state(state))
    }
}

impl Scan {
    pub(super) fn new(machine: &Arc<Machine>) -> Self {
        Self { state: machine.start, machine: Arc::clone(machine) }
    }

    /// Reads more of the text, up to the first match. Returns where in `more` the match ends. The search then
    /// begins anew: what stands behind the match is to be pushed next.
    pub(super) fn push(&mut self, more: &str) -> Option<usize> {
        let (state, read) = self.machine.run(self.state, more.as_bytes());
        let found = self.machine.found(state);
        self.state = if found { self.machine.start } else { state };
        found.then_some(read)
    }

    /// Whether there is a match at the end, now that the text is over.
    pub(super) fn ends_with_match(&self) -> bool {
        self.machine.found_at_the_end(self.state)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::finder::Finder;
    use super::super::work::Work;
    use super::*;

    fn matcher(pattern: &str) -> Arc<Matcher> {
        Matchers::default().get(&BacklinkPattern::parse(pattern).unwrap())
    }

    fn scan(pattern: &str) -> Scan {
        Scan::new(matcher(pattern).machine().unwrap())
    }

    #[test]
    fn patterns_as_people_write_them_need_no_more_than_an_automaton() {
        for pattern in [
            r"https?://(www\.)?me\.example/?",
            r#"(?i)<a[^>]+href=["']?https?://me\.example"#,
            "我的链接",
            r"href=\S+me\.example",
            "(?m)^backlink$",
            r"me\.example|me\.test",
        ] {
            assert!(matcher(pattern).machine().is_some(), "{pattern}");
        }
        for pattern in [r"\bme\b", "x*", "a[ab]{20}"] {
            assert!(matcher(pattern).machine().is_none(), "{pattern}");
        }
    }

    #[test]
    fn a_match_is_known_as_soon_as_it_is_there() {
        let mut search = scan("me.example");
        assert_eq!(search.push("<a href=https://me.exampl"), None);
        assert!(search.push("e").is_some());
        let mut search = scan("me.example$");
        assert_eq!(search.push("https://me.example"), None);
        assert!(search.ends_with_match());
    }

    #[test]
    fn a_place_inside_a_character_is_none() {
        for (text, expected) in [("aéa", false), ("aééa", true)] {
            let matcher = matcher(r"(?-u:\B)");
            assert_eq!(Finder::new(matcher, Work::in_all()).is_match(text), expected, "{text}");
        }
    }

    #[test]
    fn a_matcher_is_made_once_and_no_more_than_some_are_kept() {
        let matchers = Matchers::default();
        let pattern = |number: usize| BacklinkPattern::parse(&format!("me{number}")).unwrap();
        let first = matchers.get(&pattern(0));
        assert!(Arc::ptr_eq(&first, &matchers.get(&pattern(0))));
        (1..=KEPT).for_each(|number| drop(matchers.get(&pattern(number))));
        assert!(!Arc::ptr_eq(&first, &matchers.get(&pattern(0))));
        assert_eq!(matchers.kept.lock().unwrap().len(), KEPT);
    }

    proptest! {
        #![proptest_config(ProptestConfig { max_global_rejects: 10_000, ..ProptestConfig::with_cases(1_000) })]

        /// Any pattern in any texts, cut anywhere: the oracle is the expression over the whole text.
        #[test]
        fn pieces_say_what_the_whole_says(
            pattern in pattern(),
            texts in prop::collection::vec(prop::collection::vec(piece(), 0..8), 1..20),
        ) {
            let Ok(parsed) = BacklinkPattern::parse(&pattern) else {
                return Err(TestCaseError::reject("no pattern"));
            };
            let matcher = Matchers::default().get(&parsed);
            for pieces in texts {
                let whole = pieces.concat();
                let expected = parsed.regex().is_match(&whole);
                if let Some(mut scan) = matcher.machine().map(Scan::new) {
                    let found = pieces.iter().any(|piece| scan.push(piece).is_some());
                    prop_assert!(!found || expected, "found too early in {:?}", pieces);
                    prop_assert_eq!(found || scan.ends_with_match(), expected, "{:?}", pieces);
                }
                let mut finder = Finder::new(Arc::clone(&matcher), Work::in_all());
                prop_assert_eq!(finder.is_match(&whole), expected, "as a whole: {:?}", whole);
                prop_assert_eq!(finder.next_end(&whole, 0).is_some(), expected, "lazily: {:?}", whole);
                let by_steps = finder.next_end_by_steps(&whole, 0);
                prop_assert_eq!(by_steps.is_some(), expected, "by steps: {:?}", whole);
            }
        }
    }

    /// Texts over few letters, so that patterns over the same letters are found now and then.
    fn piece() -> impl Strategy<Value = String> {
        "[ab链é\n -]{0,12}"
    }

    fn pattern() -> impl Strategy<Value = String> {
        let atom = prop::sample::select(vec![
            "a",
            "b",
            "ab",
            "ba",
            "链",
            "é",
            "链a",
            "É",
            "-",
            r"\n",
            ".",
            "[ab]",
            "[^a]",
            r"\w",
            r"\s",
            r"\W",
            "(?i:É)",
            "(?s:.)",
            "^",
            "$",
            r"\b",
            r"\B",
            r"(?-u:\b)",
            r"(?-u:\B)",
            r"\A",
            r"\z",
            "(?m:^)",
            "(?m:$)",
            r"\b{start}",
            "aab-ab",
            "",
        ])
        .prop_map(str::to_owned);
        atom.prop_recursive(4, 24, 4, |inner| {
            let repeat = prop::sample::select(vec!["*", "+", "?", "{2}", "{0,3}", "*?", "{2,}"]);
            prop_oneof![
                3 => prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| parts.concat()),
                1 => prop::collection::vec(inner.clone(), 2..4)
                    .prop_map(|parts| format!("({})", parts.join("|"))),
                1 => (inner, repeat).prop_map(|(part, repeat)| format!("(?:{part}){repeat}")),
            ]
        })
    }
}
