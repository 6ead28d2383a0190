//! What the tests stand on: servers that can be killed, wires that can be cut, sites, and the ledger.

pub(crate) mod fleet;
pub(crate) mod invariant;
pub(crate) mod ledger;
pub(crate) mod postgres;
pub(crate) mod rabbit;
pub(crate) mod world;

pub(crate) use linkbeat_testbed::{
    PATIENCE, crowd as site, database, eventually, free_port, process, proxy, queues,
};
