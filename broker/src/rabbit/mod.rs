//! RabbitMQ over lapin: one connection to publish, and one to consume, which is opened for the first reader.
//!
//! There are two because RabbitMQ stops reading from publishing connections while it is short of memory or disk:
//! acknowledgements on the other one still arrive.
//!
//! Everything worth knowing is logged here. lapin's own log lines (target `lapin`) repeat it, and hold
//! the bodies of returned messages, so whoever sets up logging should turn them off.

mod acks;
mod answers;
mod broker;
mod channel;
mod consumer;
mod direct;
mod error;
mod guard;
mod hindered;
mod inspect;
mod keep;
mod lane;
mod lanes;
mod listener;
mod parcel;
mod publisher;
mod reopen;
mod republisher;
mod rights;
mod session;
mod settings;
mod tls;
mod topology;

pub use broker::RabbitBroker;
pub use error::ConnectError;
pub use inspect::{
    BrokerInspection, BrokerItem, BrokerItemKind, BrokerItemState, NodeInspection, inspect_broker,
};
pub use rights::{Access, Right, missing_rights};
pub use settings::{BadBrokerUrl, BrokerSettings, BrokerUrl, BrokerUrls};
pub use tls::{BadBrokerTls, BrokerTls};
