//! A regular expression carried out byte by byte, so that its work can be counted and broken off.
//!
//! The source is K. Thompson, "Regular expression search algorithm", CACM 11 (1968): keep the set of all states that the
//! automaton may be in. A byte then costs one visit for each state of the set, and never more than the automaton has
//! states. Other engines are faster on most texts. This one has a known worst case.

use regex_automata::nfa::thompson::{self, NFA, State, WhichCaptures};
use regex_automata::util::look::Look;
use regex_automata::util::primitives::StateID;

/// A search under way. Its memory is a few words for each state.
#[derive(Debug)]
pub struct Steps {
    nfa: NFA,
    /// States that the latest byte led to.
    reached: StateSet,
    /// Those, and all that follow from them without a byte.
    settled: StateSet,
    stack: Vec<StateID>,
    /// The bytes with which a match can begin. `None`: a match may be empty.
    first: Option<Box<[bool; 256]>>,
}

/// The automaton of an expression; `None`: the text is no expression.
pub fn automaton(pattern: &str) -> Option<NFA> {
    let config = thompson::Config::new().which_captures(WhichCaptures::None);
    thompson::Compiler::new().configure(config).build(pattern).ok()
}

impl Steps {
    /// A search for a match that begins anywhere.
    pub fn new(nfa: &NFA) -> Self {
        let states = nfa.states().len();
        let mut steps = Self {
            nfa: nfa.clone(),
            reached: StateSet::new(states),
            settled: StateSet::new(states),
            stack: Vec::new(),
            first: None,
        };
        if !steps.settle(|_| true) {
            let mut first = Box::new([false; 256]);
            for byte in 0..=u8::MAX {
                steps.read(byte);
                first[usize::from(byte)] = !steps.reached.is_empty();
                steps.reached.clear();
            }
            steps.first = Some(first);
        }
        steps
    }

    /// Forgets all matches that have begun.
    pub fn clear(&mut self) {
        self.reached.clear();
    }

    /// How many of these bytes can be passed over, because no match has begun and none begins with them.
    pub fn skip(&self, bytes: &[u8]) -> usize {
        match &self.first {
            Some(first) if self.reached.is_empty() => {
                bytes.iter().position(|byte| first[usize::from(*byte)]).unwrap_or(bytes.len())
            }
            _ => 0,
        }
    }

    /// Follows all that needs no byte. `holds` tells whether an assertion such as `\b` holds here. Returns whether a
    /// match ends here.
    pub fn settle(&mut self, mut holds: impl FnMut(Look) -> bool) -> bool {
        self.settled.clear();
        let mut matches = false;
        self.stack.push(self.nfa.start_anchored());
        self.stack.extend(self.reached.iter());
        while let Some(id) = self.stack.pop() {
            if !self.settled.insert(id) {
                continue;
            }
            match self.nfa.state(id) {
                State::ByteRange { .. } | State::Sparse(_) | State::Dense(_) | State::Fail => {}
                State::Look { look, next } => {
                    if holds(*look) {
                        self.stack.push(*next);
                    }
                }
                State::Union { alternates } => self.stack.extend(alternates.iter().copied()),
                State::BinaryUnion { alt1, alt2 } => self.stack.extend([*alt1, *alt2]),
                State::Capture { next, .. } => self.stack.push(*next),
                State::Match { .. } => matches = true,
            }
        }
        matches
    }

    /// Reads a byte, after [`Steps::settle`].
    pub fn read(&mut self, byte: u8) {
        self.reached.clear();
        for id in self.settled.iter() {
            let next = match self.nfa.state(id) {
                State::ByteRange { trans } => trans.matches_byte(byte).then_some(trans.next),
                State::Sparse(transitions) => transitions.matches_byte(byte),
                State::Dense(transitions) => transitions.matches_byte(byte),
                _ => None,
            };
            if let Some(next) = next {
                self.reached.insert(next);
            }
        }
    }

    /// The states that were visited for the latest byte.
    pub fn visits(&self) -> usize {
        self.settled.states.len()
    }

    /// The byte that leads to most states from here. For a text that costs much.
    pub(crate) fn worst_byte(&self) -> u8 {
        let mut changes = [0i32; 257];
        let mut add = |start: u8, end: u8| {
            changes[usize::from(start)] += 1;
            changes[usize::from(end) + 1] -= 1;
        };
        for id in self.settled.iter() {
            match self.nfa.state(id) {
                State::ByteRange { trans } => add(trans.start, trans.end),
                State::Sparse(sparse) => {
                    sparse.transitions.iter().for_each(|trans| add(trans.start, trans.end));
                }
                _ => {}
            }
        }
        let (mut worst, mut most, mut now) = (0, 0, 0);
        for byte in 0..=u8::MAX {
            now += changes[usize::from(byte)];
            if now > most {
                (worst, most) = (byte, now);
            }
        }
        worst
    }
}

/// A set of states that is emptied at no cost (Briggs and Torczon, 1993).
#[derive(Debug)]
struct StateSet {
    states: Vec<StateID>,
    place: Vec<u32>,
}

impl StateSet {
    fn new(states: usize) -> Self {
        Self { states: Vec::new(), place: vec![0; states] }
    }

    /// Whether it was not in there.
    fn insert(&mut self, id: StateID) -> bool {
        let place = self.place[id.as_usize()] as usize;
        if self.states.get(place) == Some(&id) {
            return false;
        }
        // There are fewer states than fit into an id of 32 bits.
        self.place[id.as_usize()] = u32::try_from(self.states.len()).unwrap_or(u32::MAX);
        self.states.push(id);
        true
    }

    fn iter(&self) -> impl Iterator<Item = StateID> + '_ {
        self.states.iter().copied()
    }

    fn is_empty(&self) -> bool {
        self.states.is_empty()
    }

    fn clear(&mut self) {
        self.states.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pattern: &str, text: &str) -> bool {
        let nfa = automaton(pattern).unwrap();
        let (mut steps, bytes) = (Steps::new(&nfa), text.as_bytes());
        (0..=bytes.len()).any(|at| {
            let matches = steps.settle(|look| nfa.look_matcher().matches(look, bytes, at));
            if let Some(byte) = bytes.get(at) {
                steps.read(*byte);
            }
            matches
        })
    }

    #[test]
    fn a_match_is_found_wherever_it_begins() {
        assert!(found(r"\bme\.example$", "at me.example"));
        assert!(found("(?:a?){3}a{3}Z", "aaaaZ") && !found("(?:a?){3}a{3}Z", "aaZ"));
        assert!(found("友情", "友友情") && !found("友情", "友"));
        assert!(found("x*", ""));
    }

    #[test]
    fn only_bytes_with_which_no_match_begins_are_passed_over() {
        let mut steps = Steps::new(&automaton("[xy]z").unwrap());
        assert_eq!((steps.skip(b"abcxy"), steps.skip(b"abc")), (3, 3));
        steps.settle(|_| true);
        steps.read(b'x');
        assert_eq!(steps.skip(b"abc"), 0, "one has begun");
        assert_eq!(Steps::new(&automaton("x*").unwrap()).skip(b"abc"), 0);
    }
}
