//! Delays: a message waits in queues of the broker, and no worker holds it meanwhile.
//!
//! RabbitMQ expires messages only at the head of a queue. So each delay queue, called a rung, has one fixed time. A
//! longer delay takes several rungs, largest first. The message says what is left as a length of time, so no clocks
//! are compared.

use std::time::Duration;

use crate::{Broker, Delivery, PublishError, Queue, Target, move_to};

/// One fixed time to wait, and the queue in which a message waits for so long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rung {
    pub(crate) queue: Queue,
    pub(crate) time: Duration,
}

impl Rung {
    const fn new(name: &'static str, seconds: u64) -> Self {
        let time = Duration::from_secs(seconds);
        Self { queue: Queue::rung(name, time), time }
    }
}

/// All rungs, largest first.
pub(crate) const RUNGS: [Rung; 5] = [
    Rung::new("delay.1h", 60 * 60),
    Rung::new("delay.10m", 10 * 60),
    Rung::new("delay.1m", 60),
    Rung::new("delay.10s", 10),
    SHORTEST,
];
const SHORTEST: Rung = Rung::new("delay.1s", 1);

/// The rung to wait on next, and what is left after it, rounded up to milliseconds: so it travels.
pub(crate) fn next_rung(delay: Duration) -> (Rung, Duration) {
    let rung = RUNGS.into_iter().find(|rung| rung.time <= delay).unwrap_or(SHORTEST);
    let left = delay.saturating_sub(rung.time).as_nanos().div_ceil(1_000_000);
    (rung, Duration::from_millis(u64::try_from(left).unwrap_or(u64::MAX)))
}

/// Gives back a delivery whose time has come, without the marks of its delay. One that has still to wait is
/// sent on to the next rung, and nothing is given back.
pub async fn due(broker: &dyn Broker, mut delivery: Delivery) -> Result<Option<Delivery>, PublishError> {
    let left = std::mem::take(&mut delivery.message.headers.delay_left);
    // RabbitMQ took it out of a rung, as it should.
    delivery.message.headers.removed = None;
    if left.is_zero() {
        return Ok(Some(delivery));
    }
    let message = delivery.message.clone();
    move_to(broker, delivery, &Target::Delayed(left), message).await?;
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rungs on which a message waits so long.
    fn rungs(mut delay: Duration) -> Vec<String> {
        let mut names = Vec::new();
        while !delay.is_zero() {
            let (rung, left) = next_rung(delay);
            names.push(rung.queue.to_string().replace("delay.", ""));
            delay = left;
        }
        names
    }

    #[test]
    fn a_delay_is_made_of_rungs_and_never_shorter_than_asked_for() {
        let cases: [(u64, &[&str]); 6] = [
            (1, &["1s"]),
            (1_000, &["1s"]),
            (2_500, &["1s", "1s", "1s"]),
            (10_001, &["10s", "1s"]),
            (75_000, &["1m", "10s", "1s", "1s", "1s", "1s", "1s"]),
            (7_800_000, &["1h", "1h", "10m"]),
        ];
        for (millis, expected) in cases {
            assert_eq!(rungs(Duration::from_millis(millis)), expected, "{millis} ms");
        }
        assert_eq!(rungs(Duration::from_nanos(1_000_000_001)), ["1s", "1s"]);
    }
}
