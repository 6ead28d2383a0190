//! Events in memory. All listeners read one bounded stream, each at its own place, and pick what they asked for.

use async_trait::async_trait;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::{Receiver, Sender};
use tokio_util::sync::CancellationToken;

use crate::{Event, Events, Message};

/// An event and its routing key.
pub(super) type Published = (String, Message);

/// One who listens.
pub(super) struct MemoryEvents {
    events: Receiver<Published>,
    pattern: String,
    /// That the listening begins, or goes on after a gap, was said.
    listening: bool,
    closed: CancellationToken,
}

impl MemoryEvents {
    pub(super) fn new(events: &Sender<Published>, pattern: &str, closed: CancellationToken) -> Self {
        Self { events: events.subscribe(), pattern: pattern.to_owned(), listening: false, closed }
    }
}

#[async_trait]
impl Events for MemoryEvents {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if self.closed.is_cancelled() {
                return None;
            }
            if !std::mem::replace(&mut self.listening, true) {
                return Some(Event::Listening);
            }
            match self.closed.run_until_cancelled(self.events.recv()).await? {
                Ok((key, message)) if matches(&self.pattern, &key) => {
                    return Some(Event::Published { key, message });
                }
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => self.listening = false,
                Err(RecvError::Closed) => return None,
            }
        }
    }
}

/// As a topic exchange does it: `*` is one word, `#` any number of them
/// (<https://www.rabbitmq.com/tutorials/tutorial-five-python>).
fn matches(pattern: &str, key: &str) -> bool {
    let words: Vec<_> = key.split('.').collect();
    // For each number of first words, whether the pattern so far stands for just those.
    let mut fits = vec![false; words.len() + 1];
    fits[0] = true;
    for part in pattern.split('.') {
        let mut next = vec![false; words.len() + 1];
        for (taken, _) in fits.iter().enumerate().filter(|(_, fits)| **fits) {
            match (part, words.get(taken)) {
                ("#", _) => next[taken..].fill(true),
                ("*", Some(_)) => next[taken + 1] = true,
                (part, Some(word)) if part == *word => next[taken + 1] = true,
                _ => {}
            }
        }
        fits = next;
    }
    fits[words.len()]
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_pattern_matches_as_on_a_topic_exchange() {
        let cases = [
            ("run.finished", "run.finished", true),
            ("run.*", "run.finished", true),
            ("run.*", "run", false),
            ("run.*", "run.finished.late", false),
            ("*", "run.finished", false),
            ("#", "run.finished", true),
            ("run.#", "run", true),
            ("#.late", "run.finished.late", true),
            ("#.a.#.b", "x.a.y.z.b", true),
            ("#.a.#.b", "x.a.y.z", false),
            ("link.*", "run.finished", false),
        ];
        for (pattern, key, expected) in cases {
            assert_eq!(matches(pattern, key), expected, "{pattern} and {key}");
        }
    }
}
