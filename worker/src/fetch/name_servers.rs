//! Which name servers would be asked, and whether each of them answers.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::rr::{Name, RecordType};
use tokio::task::JoinSet;

use super::resolver;
use super::sockets::Sockets;

/// One name server, and how it took a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameServer {
    /// Its address.
    pub address: SocketAddr,
    /// How long its answer took, whatever it says; or why none came or it would not answer.
    pub answer: Result<Duration, String>,
}

/// Asks each server for the root's servers (RFC 8109), which every resolver knows; that there are none is an
/// answer as well. `servers` empty: the system's. Takes as long as the slowest, at most a few seconds.
pub async fn name_servers(servers: &[SocketAddr]) -> Vec<NameServer> {
    let servers = if servers.is_empty() { resolver::system_servers() } else { servers.to_vec() };
    let mut asked: JoinSet<_> = servers
        .into_iter()
        .enumerate()
        .map(|(place, address)| async move { (place, NameServer { address, answer: ask(address).await }) })
        .collect();
    let mut answers = Vec::new();
    while let Some(answer) = asked.join_next().await {
        answers.extend(answer.ok());
    }
    answers.sort_by_key(|(place, _)| *place);
    answers.into_iter().map(|(_, server)| server).collect()
}

async fn ask(server: SocketAddr) -> Result<Duration, String> {
    let mut builder =
        hickory_resolver::Resolver::builder_with_config(resolver::asking(&[server]), Sockets::default());
    resolver::limit(builder.options_mut());
    let asking = builder.build().map_err(|error| error.to_string())?;
    let start = Instant::now();
    match asking.lookup(Name::root(), RecordType::NS).await {
        Ok(_) => Ok(start.elapsed()),
        Err(error) if error.is_no_records_found() => Ok(start.elapsed()),
        Err(NetError::Dns(DnsError::ResponseCode(code))) => Err(format!("it answers: {code}")),
        Err(error) => Err(error.to_string()),
    }
}
