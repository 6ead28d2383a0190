//! linkbeat's queues: RabbitMQ and the in-process queue behind one trait.
//!
//! The only crate that names lapin. Roles see a [`Broker`]: publishing returns once the broker has taken
//! responsibility for the message, and a [`Subscription`] goes on over lost connections by itself. The one
//! decision worth knowing: a delivery is acknowledged only on the session it came by. When that session
//! is lost, the broker delivers the message again, and [`Delivery::session`] tells whoever works on it.

mod broker;
mod dead;
mod delay;
mod delivery;
mod headers;
mod memory;
mod message;
mod moving;
mod namespace;
mod queue;
mod rabbit;
mod watched;

pub use broker::{
    Broadcast, Broadcasts, Broker, BrokerClosed, Event, Events, MOST_LANES, PublishError, SharedBroker,
    Subscription,
};
pub use dead::{DeadLetter, dead_letters, park};
pub use delay::due;
pub use delivery::{Delivery, SessionLost};
pub use headers::{HeaderValue, Headers};
pub use memory::MemoryBroker;
pub use message::{Message, Target};
pub use moving::move_to;
pub use namespace::{BadNamespace, Namespace, Namespaces};
pub use queue::{Exchange, ForeignExchange, ForeignExchangeKind, Queue, QueueKind};
pub use rabbit::{
    Access, BadBrokerTls, BadBrokerUrl, BrokerInspection, BrokerItem, BrokerItemKind, BrokerItemState,
    BrokerSettings, BrokerTls, BrokerUrl, BrokerUrls, ConnectError, NodeInspection, RabbitBroker, Right,
    inspect_broker, missing_rights,
};
pub use watched::WatchedBroker;
