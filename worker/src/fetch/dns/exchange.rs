//! One question to one name server: over UDP, and over TCP where the answer was cut (RFC 1035, RFC 7766).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::super::failure::own_fault;
use crate::fault::OwnFault;

/// Longest answer taken over UDP. Longer ones are cut by the server.
const MAX_UDP: usize = 4_096;
/// What is offered with EDNS: fits into one packet on every path (dnsflagday.net/2020).
const EDNS_PAYLOAD: u16 = 1_232;

/// Why a server gave no answer.
#[derive(Debug)]
pub(super) enum NoAnswer {
    /// None came in time.
    Timeout,
    /// Its machine says that nobody listens there, or it cannot be reached.
    Unreachable(io::Error),
    /// We lack descriptors, buffers or memory.
    Own(OwnFault),
}

impl From<io::Error> for NoAnswer {
    fn from(error: io::Error) -> Self {
        own_fault(&error).map_or_else(|| Self::Unreachable(error), Self::Own)
    }
}

/// How a server is asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    /// How long it is waited for.
    pub(super) timeout: Duration,
    /// Offer EDNS.
    pub(super) edns: bool,
    /// Over TCP only.
    pub(super) tcp: bool,
}

/// Asks, and gives whatever the server answers.
pub(super) async fn ask(
    server: SocketAddr,
    name: &Name,
    records: RecordType,
    manner: Manner,
) -> Result<Message, NoAnswer> {
    let answer = timeout(manner.timeout, converse(server, name, records, manner)).await;
    answer.unwrap_or(Err(NoAnswer::Timeout))
}

async fn converse(
    server: SocketAddr,
    name: &Name,
    records: RecordType,
    manner: Manner,
) -> Result<Message, NoAnswer> {
    let answer = once(server, &question(name, records, manner.edns), manner).await?;
    let code = answer.metadata.response_code;
    // Old servers do not know EDNS (RFC 6891 §7).
    if manner.edns && matches!(code, ResponseCode::FormErr | ResponseCode::NotImp | ResponseCode::BADVERS) {
        return once(server, &question(name, records, false), manner).await;
    }
    Ok(answer)
}

fn question(name: &Name, records: RecordType, edns: bool) -> Message {
    let mut question = Message::new(rand::random(), MessageType::Query, OpCode::Query);
    question.metadata.recursion_desired = true;
    question.add_query(Query::query(name.clone(), records));
    if edns {
        let mut offer = Edns::new();
        offer.set_max_payload(EDNS_PAYLOAD);
        question.set_edns(offer);
    }
    question
}

async fn once(server: SocketAddr, question: &Message, manner: Manner) -> Result<Message, NoAnswer> {
    let packet = question.to_vec().map_err(io::Error::other)?;
    if manner.tcp {
        return over_tcp(server, question, &packet).await;
    }
    let answer = over_udp(server, question, &packet).await?;
    if !answer.metadata.truncation {
        return Ok(answer);
    }
    // Some of the records are better than none. Many firewalls drop this.
    let some = !answer.answers.is_empty();
    match timeout(manner.timeout / 2, over_tcp(server, question, &packet)).await {
        Err(_) | Ok(Err(_)) if some => Ok(answer),
        Err(_) => Err(NoAnswer::Timeout),
        Ok(whole) => whole,
    }
}

/// A socket of its own for each question: its random port makes a forged answer unlikely (RFC 5452 §9.2).
async fn over_udp(server: SocketAddr, question: &Message, packet: &[u8]) -> Result<Message, NoAnswer> {
    let local: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((local, 0)).await?;
    socket.connect(server).await?;
    socket.send(packet).await?;
    let mut buffer = vec![0; MAX_UDP];
    loop {
        let length = socket.recv(&mut buffer).await?;
        if let Some(answer) = read(&buffer[..length], question) {
            return Ok(answer);
        }
    }
}

async fn over_tcp(server: SocketAddr, question: &Message, packet: &[u8]) -> Result<Message, NoAnswer> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(packet.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), packet].concat()).await?;
    let mut answer = vec![0; stream.read_u16().await?.into()];
    stream.read_exact(&mut answer).await?;
    read(&answer, question).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData).into())
}

/// The answer to this question; `None`: something else.
fn read(packet: &[u8], question: &Message) -> Option<Message> {
    let answer = Message::from_vec(packet).ok()?;
    let mine = answer.metadata.id == question.metadata.id
        && answer.metadata.message_type == MessageType::Response
        // Servers that cannot read a question do not repeat it.
        && answer.queries.first().is_none_or(|query| same(query, &question.queries[0]));
    mine.then_some(answer)
}

fn same(query: &Query, asked: &Query) -> bool {
    query.query_type() == asked.query_type() && query.name().to_lowercase() == asked.name().to_lowercase()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use hickory_proto::rr::RData;
    use linkbeat_testbed::resolver::{Reply, Resolver};

    use super::*;

    const HOME: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    /// What a server answers that takes EDNS like this, and whether each question over UDP and TCP had it.
    async fn asked(manner: Manner, with_edns: Option<ResponseCode>) -> (Message, Vec<bool>) {
        let questions = Arc::new(Mutex::new(Vec::new()));
        let seen = questions.clone();
        let server = Resolver::that(move |question| {
            seen.lock().unwrap().push(question.edns);
            Some(match with_edns.filter(|_| question.edns) {
                Some(code) => Reply::code(code),
                None => Reply::addresses(question, &[HOME]),
            })
        })
        .await;
        let name = Name::from_ascii("a.test.").unwrap();
        let answer = ask(server.address(), &name, RecordType::A, manner).await.unwrap();
        let questions = questions.lock().unwrap().clone();
        (answer, questions)
    }

    #[tokio::test]
    async fn a_server_that_does_not_know_edns_is_asked_again_without() {
        for tcp in [false, true] {
            let manner = Manner { timeout: Duration::from_secs(5), edns: true, tcp };
            for code in [ResponseCode::FormErr, ResponseCode::NotImp] {
                let (answer, questions) = asked(manner, Some(code)).await;
                assert_eq!(questions, [true, false], "{code} {tcp}");
                assert_eq!(answer.answers[0].data, RData::from(HOME), "{code} {tcp}");
            }
            let (answer, questions) = asked(manner, None).await;
            assert_eq!((questions, answer.answers.len()), (vec![true], 1), "one that knows it is asked once");
            // Other failures say nothing about EDNS.
            let (answer, questions) = asked(manner, Some(ResponseCode::ServFail)).await;
            assert_eq!((questions, answer.metadata.response_code), (vec![true], ResponseCode::ServFail));
        }
    }

    #[tokio::test]
    async fn without_edns_a_server_is_asked_once() {
        let manner = Manner { timeout: Duration::from_secs(5), edns: false, tcp: false };
        let (answer, questions) = asked(manner, Some(ResponseCode::FormErr)).await;
        assert_eq!((questions, answer.answers.len()), (vec![false], 1));
    }
}
