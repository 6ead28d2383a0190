//! What a pattern costs on the worst text, as far as that can be known in a few milliseconds.

use crate::steps::{Steps, automaton};

/// Most states that a byte of a page may visit. At a few nanoseconds each, 2 MiB of such a page take some seconds.
const MOST_VISITS: usize = 1_000;
/// Bytes of the text that is made up against the pattern: as many as it can count, and some.
const MOST_BYTES: usize = 1_500;

/// Whether there is a text on which the pattern costs too much. The text is made up byte by byte. Each byte is the one
/// that keeps most states alive. A small automaton needs no such text: it has fewer states than may be visited.
pub(crate) fn costs_too_much(pattern: &str) -> bool {
    let Some(nfa) = automaton(pattern).filter(|nfa| nfa.states().len() > MOST_VISITS) else { return false };
    let mut steps = Steps::new(&nfa);
    (0..MOST_BYTES).any(|_| {
        steps.settle(|_| true);
        steps.read(steps.worst_byte());
        steps.visits() > MOST_VISITS
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_that_keeps_a_thousand_places_in_mind_costs_too_much() {
        for slow in
            [r"(?:a?){400}a{400}Z\b", "[ab]*a[ab]{1200}c", r"(?s)(?:.{0,99}x){9}y", "(?:x{0,40}y?){40}"]
        {
            assert!(costs_too_much(slow), "{slow}");
        }
    }

    #[test]
    fn patterns_that_people_write_do_not() {
        let names = (0..70).map(|n| format!("friend{n}\\.example")).collect::<Vec<_>>().join("|");
        for fine in [
            r"https?://(www\.)?me\.example/?",
            r"\bme\.example\b",
            r#"(?i)<a[^>]+href=["']?https?://me\.example"#,
            r"href=.{0,200}me\.example",
            r"\w+@\w+\.\w+",
            r"\p{Han}{2,8}的博客",
            &names,
        ] {
            assert!(!costs_too_much(fine), "{fine}");
        }
    }
}
