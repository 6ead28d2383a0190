//! A name server that does as a test writes, over UDP and TCP: failures, lies, delays, cut answers.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hickory_proto::op::{Message, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{CNAME, NS, SOA};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio_util::task::AbortOnDropHandle;

/// A question as the server sees it.
pub struct Question {
    /// Without the last dot; the root is empty.
    pub name: String,
    /// A, AAAA and so on.
    pub family: RecordType,
    /// With EDNS.
    pub edns: bool,
    /// Over TCP.
    pub tcp: bool,
}

/// An answer, put together by a test.
pub struct Reply {
    code: ResponseCode,
    records: Vec<(Option<String>, RData)>,
    /// The zone that denies, as text.
    zone: Option<&'static str>,
    cut: bool,
    after: Duration,
}

impl Reply {
    /// Nothing but a code.
    pub fn code(code: ResponseCode) -> Self {
        Self { code, records: Vec::new(), zone: None, cut: false, after: Duration::ZERO }
    }

    /// Addresses of the family that was asked for, or nothing in the name of the root.
    pub fn addresses(question: &Question, addresses: &[IpAddr]) -> Self {
        let fits = |address: &&IpAddr| address.is_ipv4() == (question.family == RecordType::A);
        let records = addresses.iter().filter(fits).map(|address| (None, RData::from(*address)));
        Self { records: records.collect(), zone: Some("."), ..Self::code(ResponseCode::NoError) }
    }

    /// The name does not exist, says this zone.
    pub fn denied(zone: &'static str) -> Self {
        Self { zone: Some(zone), ..Self::code(ResponseCode::NXDomain) }
    }

    /// What every resolver has of the root.
    pub fn root() -> Self {
        let records = vec![(None, RData::NS(NS(Name::root())))];
        Self { records, ..Self::code(ResponseCode::NoError) }
    }

    /// An alias in front of the other records, which belong to its target.
    pub fn behind_alias(mut self, target: &str) -> Self {
        self.records.iter_mut().for_each(|(owner, _)| *owner = Some(target.to_owned()));
        self.records.insert(0, (None, RData::CNAME(CNAME(Name::from_ascii(target).unwrap()))));
        self
    }

    /// The same, after a while.
    pub fn after(self, after: Duration) -> Self {
        Self { after, ..self }
    }

    /// With the flag that more would come over TCP.
    pub fn cut(self) -> Self {
        Self { cut: true, ..self }
    }
}

/// A server that is there until it is dropped.
pub struct Resolver {
    address: SocketAddr,
    questions: Arc<AtomicUsize>,
    _tasks: [AbortOnDropHandle<()>; 2],
}

impl Resolver {
    /// `None`: no answer at all.
    pub async fn that(answer: impl Fn(&Question) -> Option<Reply> + Send + Sync + 'static) -> Self {
        let (udp, tcp) = same_port().await;
        let address = udp.local_addr().unwrap();
        let (answer, questions) = (Arc::new(answer), Arc::new(AtomicUsize::new(0)));
        let (counter, over_tcp) = (Arc::clone(&questions), Arc::clone(&answer));
        let udp = tokio::spawn(async move {
            let mut buffer = [0; 4_096];
            loop {
                let (length, client) = udp.recv_from(&mut buffer).await.unwrap();
                counter.fetch_add(1, Ordering::SeqCst);
                let (socket, answer, query) = (udp.clone(), answer.clone(), buffer[..length].to_vec());
                tokio::spawn(async move {
                    if let Some(reply) = reply(&query, false, &*answer).await {
                        let _ = socket.send_to(&reply, client).await;
                    }
                });
            }
        });
        let tcp = tokio::spawn(async move {
            loop {
                let (mut stream, _) = tcp.accept().await.unwrap();
                let answer = over_tcp.clone();
                tokio::spawn(async move {
                    let mut query = vec![0; stream.read_u16().await.unwrap().into()];
                    stream.read_exact(&mut query).await.unwrap();
                    if let Some(reply) = reply(&query, true, &*answer).await {
                        stream.write_u16(reply.len().try_into().unwrap()).await.unwrap();
                        stream.write_all(&reply).await.unwrap();
                    }
                });
            }
        });
        let _tasks = [udp, tcp].map(AbortOnDropHandle::new);
        Self { address, questions, _tasks }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Questions over UDP so far.
    pub fn questions(&self) -> usize {
        self.questions.load(Ordering::SeqCst)
    }
}

/// A port that is free for both.
async fn same_port() -> (Arc<UdpSocket>, TcpListener) {
    loop {
        let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
            return (Arc::new(udp), tcp);
        }
    }
}

async fn reply(query: &[u8], tcp: bool, answer: &impl Fn(&Question) -> Option<Reply>) -> Option<Vec<u8>> {
    let query = Message::from_vec(query).unwrap();
    let asked = query.queries[0].clone();
    let name = asked.name().to_string().trim_end_matches('.').replace('\\', "");
    let question = Question { name, family: asked.query_type(), edns: query.edns.is_some(), tcp };
    let reply = answer(&question)?;
    tokio::time::sleep(reply.after).await;
    let mut message = Message::response(query.metadata.id, OpCode::Query);
    message.metadata.response_code = reply.code;
    message.metadata.truncation = reply.cut && !tcp;
    let owner = asked.name().clone();
    message.add_query(asked);
    for (name, data) in reply.records {
        let name = name.map_or_else(|| owner.clone(), |name| Name::from_ascii(name).unwrap());
        message.add_answer(Record::from_rdata(name, 60, data));
    }
    if let Some(zone) = reply.zone.filter(|_| message.answers.is_empty()) {
        let start = SOA::new(Name::root(), Name::root(), 1, 60, 60, 60, 60);
        message.add_authority(Record::from_rdata(Name::from_ascii(zone).unwrap(), 60, RData::SOA(start)));
    }
    Some(message.to_vec().unwrap())
}
