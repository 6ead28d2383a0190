//! Delays: a message waits in the broker, on the rungs of a ladder, and nobody holds it meanwhile.
//!
//! RabbitMQ expires the messages of a queue from its head, so each rung is a queue of one fixed time, and
//! a longer time is made of several rungs, largest first. What is left to wait travels in the message as
//! a length of time: no clocks are compared.

use std::time::Duration;

use crate::{Broker, Delivery, PublishError, Target, move_to};

/// Header: how long the message has still to wait, in milliseconds.
pub(crate) const LEFT: &str = "linkbeat-delay-left-ms";
/// Headers that RabbitMQ adds to a message that has waited.
const LEFT_BY_RABBITMQ: [&str; 2] = ["x-first-death-", "x-last-death-"];

/// One fixed time to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rung {
    /// Ends the name of its queue, such as `10s` in `linkbeat.delay.10s`.
    pub(crate) name: &'static str,
    pub(crate) time: Duration,
}

/// All rungs, largest first.
pub(crate) const RUNGS: [Rung; 5] = [
    Rung { name: "1h", time: Duration::from_secs(60 * 60) },
    Rung { name: "10m", time: Duration::from_secs(10 * 60) },
    Rung { name: "1m", time: Duration::from_secs(60) },
    Rung { name: "10s", time: Duration::from_secs(10) },
    SHORTEST,
];
const SHORTEST: Rung = Rung { name: "1s", time: Duration::from_secs(1) };

/// The rung to wait on next, and the milliseconds that are left after it, rounded up.
pub(crate) fn next_rung(delay: Duration) -> (Rung, u128) {
    let rung = RUNGS.into_iter().find(|rung| rung.time <= delay).unwrap_or(SHORTEST);
    (rung, delay.saturating_sub(rung.time).as_nanos().div_ceil(1_000_000))
}

/// Gives back a delivery whose time has come, without the marks of its delay. One that has still to wait is
/// sent on to the next rung, and nothing is given back.
pub async fn due(broker: &dyn Broker, mut delivery: Delivery) -> Result<Option<Delivery>, PublishError> {
    let left = delivery.message.header(LEFT).and_then(|text| text.parse().ok()).unwrap_or(0);
    let headers = &mut delivery.message.headers;
    headers.retain(|(name, _)| name != LEFT && !LEFT_BY_RABBITMQ.iter().any(|mark| name.starts_with(mark)));
    if left == 0 {
        return Ok(Some(delivery));
    }
    let (message, target) = (delivery.message.clone(), Target::Delayed(Duration::from_millis(left)));
    move_to(broker, delivery, &target, message).await?;
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rungs on which a message waits so long.
    fn rungs(mut delay: Duration) -> Vec<&'static str> {
        let mut names = Vec::new();
        while !delay.is_zero() {
            let (rung, left) = next_rung(delay);
            names.push(rung.name);
            delay = Duration::from_millis(left.try_into().unwrap());
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
