//! Which name servers would be asked, and whether each of them answers.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{Name, RecordType};
use tokio::task::JoinSet;

use super::exchange::{Manner, NoAnswer, ask};
use super::system::System;

/// How long each server is waited for.
const PATIENCE: Duration = Duration::from_secs(4);

/// One name server, and how it took a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameServer {
    /// Its address.
    pub address: SocketAddr,
    /// How long its answer took, whatever it says; or why none came or it would not answer.
    pub answer: Result<Duration, String>,
}

/// Asks each server for the root's servers (RFC 8109), which every resolver knows. That there are none is an
/// answer as well. `servers` empty: the system's. Takes as long as the slowest, at most a few seconds.
pub async fn name_servers(servers: &[SocketAddr]) -> Vec<NameServer> {
    let servers = if servers.is_empty() { System::read().servers } else { servers.to_vec() };
    let mut asked: JoinSet<_> = servers
        .into_iter()
        .enumerate()
        .map(
            |(place, address)| async move { (place, NameServer { address, answer: try_out(address).await }) },
        )
        .collect();
    let mut answers = Vec::new();
    while let Some(answer) = asked.join_next().await {
        answers.extend(answer.ok());
    }
    answers.sort_by_key(|(place, _)| *place);
    answers.into_iter().map(|(_, server)| server).collect()
}

async fn try_out(server: SocketAddr) -> Result<Duration, String> {
    let start = Instant::now();
    let manner = Manner { timeout: PATIENCE, edns: false, tcp: false };
    match ask(server, &Name::root(), RecordType::NS, manner).await {
        Ok(answer) => match answer.metadata.response_code {
            ResponseCode::NoError | ResponseCode::NXDomain => Ok(start.elapsed()),
            code => Err(format!("it answers: {code}")),
        },
        Err(NoAnswer::Timeout) => Err("no answer came".to_owned()),
        Err(NoAnswer::Unreachable(error)) => Err(error.to_string()),
        Err(NoAnswer::Own(fault)) => Err(format!("it could not be asked: {}", fault.as_str())),
    }
}
