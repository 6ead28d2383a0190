//! Where the broker is, as a setting.

use std::fmt;
use std::str::FromStr;

use linkbeat_broker::{BadBrokerUrl, BrokerUrls};

/// The in-process queue, or RabbitMQ. As text and in `Debug` it leaves passwords out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BrokerAddress {
    /// `memory://`: no server. `linkbeat check` and `linkbeat up` work without one.
    Memory,
    /// `amqp://…` or `amqps://…`, several nodes of a cluster separated by commas.
    Rabbit(BrokerUrls),
}

impl FromStr for BrokerAddress {
    type Err = BadBrokerUrl;

    fn from_str(text: &str) -> Result<Self, BadBrokerUrl> {
        if text.starts_with("memory:") { Ok(Self::Memory) } else { text.parse().map(Self::Rabbit) }
    }
}

impl fmt::Display for BrokerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory://"),
            Self::Rabbit(urls) => urls.fmt(f),
        }
    }
}
