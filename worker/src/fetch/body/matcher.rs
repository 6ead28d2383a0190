//! The backlink pattern as a machine that reads a page piece by piece.
//!
//! A deterministic automaton needs a single number of memory per page, and never looks back: so what it
//! says of pieces is what the regular expression says of the whole text, however the text is cut. Where
//! no automaton of a bearable size exists (such as for `\b`, which has to look up what a letter is), the
//! text is kept, up to the cap on pages, and the expression itself is asked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use linkbeat_shared::BacklinkPattern;
use regex_automata::MatchKind;
use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson::{self, WhichCaptures};
use regex_automata::util::prefilter::Prefilter;
use regex_automata::util::primitives::StateID;
use regex_automata::util::{start, syntax};
use regex_automata::{Anchored, Span};

use super::found::Found;
use super::segment::{MAX, cut, followed};

/// Most memory an automaton may take, in bytes; most patterns need some kilobytes.
const MAX_AUTOMATON: usize = 1 << 20;
/// Most memory that making one may take, in bytes. Bounds the time as well, to some milliseconds.
const MAX_CONSTRUCTION: usize = 4 << 20;
/// Patterns whose matchers are kept. All links of a run share one.
const KEPT: usize = 16;
/// Length in bytes at which a kept text is searched for the first time, and then whenever it has doubled:
/// so that the cost stays linear in its length.
const FIRST_SEARCH: usize = 16 << 10;

/// Matchers by pattern, so that each is made once and not for every check.
#[derive(Debug, Default)]
pub(crate) struct Matchers(Mutex<VecDeque<Arc<Matcher>>>);

/// One pattern, ready to be searched in any number of pages.
#[derive(Debug)]
pub(crate) struct Matcher {
    pattern: BacklinkPattern,
    /// Made when it is first asked for.
    machine: OnceLock<Option<Arc<Machine>>>,
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

/// One search in one page.
#[derive(Debug)]
pub(super) enum Search {
    /// By the automaton.
    Running(Scan),
    /// In the text, which is kept.
    Keeping(Kept),
}

/// A search by the automaton. What it keeps is one number.
#[derive(Debug)]
pub(super) struct Scan {
    machine: Arc<Machine>,
    state: StateID,
}

/// A search in a text that is kept as a whole.
#[derive(Debug)]
pub(super) struct Kept {
    matcher: Arc<Matcher>,
    text: String,
    search_at: usize,
}

impl Matchers {
    /// The matcher for this pattern.
    pub(crate) fn get(&self, pattern: &BacklinkPattern) -> Arc<Matcher> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(matcher) = kept.iter().find(|matcher| matcher.pattern == *pattern) {
            return Arc::clone(matcher);
        }
        kept.truncate(KEPT - 1);
        let matcher = Arc::new(Matcher::new(pattern.clone()));
        kept.push_front(Arc::clone(&matcher));
        matcher
    }
}

impl Matcher {
    pub(super) fn new(pattern: BacklinkPattern) -> Self {
        Self { pattern, machine: OnceLock::new() }
    }

    /// Whether a text that is there as a whole matches.
    pub(super) fn is_match(&self, text: &str) -> bool {
        self.pattern.regex().is_match(text)
    }

    fn machine(&self) -> Option<Arc<Machine>> {
        self.machine.get_or_init(|| Machine::new(self.pattern.as_str()).map(Arc::new)).clone()
    }
}

impl Machine {
    fn new(pattern: &str) -> Option<Self> {
        let hir = syntax::parse(pattern).ok()?;
        // Where nothing is a match, it must not be one inside a character; the expression sees to that.
        if hir.properties().minimum_len() == Some(0) {
            return None;
        }
        let nfa = thompson::Compiler::new()
            .configure(thompson::Config::new().which_captures(WhichCaptures::None))
            .build_from_hir(&hir)
            .ok()?;
        let config = dense::Config::new()
            .start_kind(StartKind::Unanchored)
            .accelerate(false)
            .dfa_size_limit(Some(MAX_AUTOMATON))
            .determinize_size_limit(Some(MAX_CONSTRUCTION));
        let dfa = dense::Builder::new().configure(config).build_from_nfa(&nfa).ok()?;
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

    fn found(&self, state: StateID) -> bool {
        self.dfa.is_match_state(state) || (self.decided_by_its_end && self.found_at_the_end(state))
    }

    fn found_at_the_end(&self, state: StateID) -> bool {
        self.dfa.is_match_state(self.dfa.next_eoi_state(state))
    }
}

impl Search {
    pub(super) fn new(matcher: Arc<Matcher>) -> Self {
        match matcher.machine() {
            Some(machine) => Self::Running(Scan { state: machine.start, machine }),
            None => Self::Keeping(Kept { matcher, text: String::new(), search_at: FIRST_SEARCH }),
        }
    }
}

impl Scan {
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

impl Kept {
    /// Reads more of the text. Returns what is settled by now.
    pub(super) fn push(&mut self, more: &str) -> Option<Found> {
        self.text.push_str(more);
        if self.text.len() < self.search_at {
            return None;
        }
        self.search_at = self.text.len() * 2;
        // At the end of a part, `$` and `\b` may yet turn out otherwise.
        self.search(|end| end < self.text.len())
    }

    /// Where it is, now that the text is over.
    pub(super) fn finish(self) -> Option<Found> {
        self.search(|_| true)
    }

    fn search(&self, counts: impl Fn(usize) -> bool) -> Option<Found> {
        let mut found = None;
        for place in self.matcher.pattern.regex().find_iter(&self.text) {
            if !counts(place.end()) {
                break;
            }
            let start = self.text[..place.end()].rfind('<').unwrap_or(0);
            found = found.max(followed(cut(&self.text[start..], MAX)).or(Some(Found::Followed)));
            if found == Some(Found::Followed) {
                break;
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matcher(pattern: &str) -> Arc<Matcher> {
        Arc::new(Matcher::new(BacklinkPattern::parse(pattern).unwrap()))
    }

    fn found_in<'a>(pattern: &str, pieces: impl IntoIterator<Item = &'a str>) -> bool {
        let mut search = Search::new(matcher(pattern));
        let found = pieces.into_iter().any(|piece| pushed(&mut search, piece));
        found || finished(search)
    }

    fn pushed(search: &mut Search, piece: &str) -> bool {
        match search {
            Search::Running(scan) => scan.push(piece).is_some(),
            Search::Keeping(kept) => kept.push(piece).is_some(),
        }
    }

    fn finished(search: Search) -> bool {
        match search {
            Search::Running(scan) => scan.ends_with_match(),
            Search::Keeping(kept) => kept.finish().is_some(),
        }
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
        let mut search = Search::new(matcher("me.example"));
        assert!(!pushed(&mut search, "<a href=https://me.exampl"));
        assert!(pushed(&mut search, "e"));
        let mut search = Search::new(matcher("me.example$"));
        assert!(!pushed(&mut search, "https://me.example"));
        assert!(finished(search));
    }

    #[test]
    fn the_end_of_a_part_is_not_the_end() {
        let part = "x".repeat(FIRST_SEARCH - 2);
        for (pattern, rest, expected) in
            [("me$", "you", false), (r"\bme\b", "you", false), (r"\bme\b", " ", true), ("me$", "", true)]
        {
            assert_eq!(found_in(pattern, [&part, " me", rest]), expected, "{pattern} {rest:?}");
        }
    }

    #[test]
    fn a_place_inside_a_character_is_none() {
        assert!(!found_in(r"(?-u:\B)", ["aé", "a"]));
        assert!(found_in(r"(?-u:\B)", ["aé", "éa"]));
    }

    #[test]
    fn a_matcher_is_made_once_and_no_more_than_some_are_kept() {
        let matchers = Matchers::default();
        let pattern = |number: usize| BacklinkPattern::parse(&format!("me{number}")).unwrap();
        let first = matchers.get(&pattern(0));
        assert!(Arc::ptr_eq(&first, &matchers.get(&pattern(0))));
        (1..=KEPT).for_each(|number| drop(matchers.get(&pattern(number))));
        assert!(!Arc::ptr_eq(&first, &matchers.get(&pattern(0))));
        assert_eq!(matchers.0.lock().unwrap().len(), KEPT);
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
            let matcher = Arc::new(Matcher::new(parsed));
            for pieces in texts {
                let expected = matcher.is_match(&pieces.concat());
                let keeping = Kept { matcher: Arc::clone(&matcher), text: String::new(), search_at: 1 };
                for mut search in [Search::new(Arc::clone(&matcher)), Search::Keeping(keeping)] {
                    let found = pieces.iter().any(|piece| pushed(&mut search, piece));
                    prop_assert!(!found || expected, "found too early in {:?}", pieces);
                    prop_assert_eq!(found || finished(search), expected, "{:?}", pieces);
                }
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
