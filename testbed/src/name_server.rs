//! A fake name server: answers by the name asked for, and where a test wants it by the type.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hickory_proto::op::{Message, OpCode};
use hickory_proto::rr::rdata::{CNAME, NS, SOA};
use hickory_proto::rr::{Name, RData, Record};
use tokio::net::UdpSocket;
use tokio_util::task::AbortOnDropHandle;

pub use hickory_proto::op::ResponseCode;
pub use hickory_proto::rr::RecordType;

/// What the server is asked.
#[derive(Debug, Clone)]
pub struct Question {
    /// The name without its last dot. The root is empty.
    pub name: String,
    /// A, AAAA and so on.
    pub kind: RecordType,
    /// Whether it came with EDNS (RFC 6891), which some old servers answer with FORMERR.
    pub edns: bool,
}

/// What the server says about a name.
#[derive(Debug, Clone)]
pub enum Says {
    /// These addresses, each family where it is asked for.
    Addresses(Vec<IpAddr>),
    /// The same, for this moment only: nobody may keep the answer.
    Momentary(Vec<IpAddr>),
    /// It is an alias of this name.
    Alias(&'static str),
    /// An answer without records, of this kind.
    Code(ResponseCode),
    /// Nothing at all.
    Silence,
    /// The same after a while. Meanwhile others are answered.
    After(Duration, Box<Says>),
}

/// A name server that is there until it is dropped.
pub struct NameServer {
    address: SocketAddr,
    queries: Arc<AtomicUsize>,
    _task: AbortOnDropHandle<()>,
}

impl NameServer {
    /// `says` gets each name without its last dot; the root is empty.
    pub async fn that(says: impl Fn(&str) -> Says + Send + Sync + 'static) -> Self {
        Self::at(SocketAddr::from(([127, 0, 0, 1], 0)), says).await
    }

    /// The same, at an address of its own.
    pub async fn at(address: SocketAddr, says: impl Fn(&str) -> Says + Send + Sync + 'static) -> Self {
        Self::answering(address, move |question| says(&question.name)).await
    }

    /// `says` gets the whole question.
    pub async fn answering(
        address: SocketAddr,
        says: impl Fn(&Question) -> Says + Send + Sync + 'static,
    ) -> Self {
        let socket = Arc::new(UdpSocket::bind(address).await.unwrap());
        let address = socket.local_addr().unwrap();
        let queries = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&queries);
        let task = tokio::spawn(async move {
            let mut buffer = [0; 4_096];
            loop {
                let (length, client) = socket.recv_from(&mut buffer).await.unwrap();
                counter.fetch_add(1, Ordering::SeqCst);
                let query = Message::from_vec(&buffer[..length]).unwrap();
                let said = says(&question(&query));
                tokio::spawn(send(Arc::clone(&socket), client, query, said));
            }
        });
        Self { address, queries, _task: AbortOnDropHandle::new(task) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Queries so far.
    pub fn queries(&self) -> usize {
        self.queries.load(Ordering::SeqCst)
    }
}

fn question(query: &Message) -> Question {
    let asked = &query.queries[0];
    Question {
        name: asked.name().to_string().trim_end_matches('.').to_owned(),
        kind: asked.query_type(),
        edns: query.edns.is_some(),
    }
}

async fn send(socket: Arc<UdpSocket>, client: SocketAddr, query: Message, mut says: Says) {
    while let Says::After(delay, then) = says {
        tokio::time::sleep(delay).await;
        says = *then;
    }
    if let Some(reply) = reply(&query, says) {
        socket.send_to(&reply, client).await.unwrap();
    }
}

fn reply(query: &Message, says: Says) -> Option<Vec<u8>> {
    let question = query.queries[0].clone();
    let mut reply = Message::response(query.metadata.id, OpCode::Query);
    let name = question.name().clone();
    let family = question.query_type();
    reply.add_query(question);
    let ttl = if matches!(says, Says::Momentary(_)) { 0 } else { 60 };
    let record = |data| Record::from_rdata(name.clone(), ttl, data);
    match says {
        // `send` has waited already.
        Says::Silence | Says::After(..) => return None,
        Says::Code(code) => reply.metadata.response_code = code,
        Says::Alias(of) => {
            reply.add_answer(record(RData::CNAME(CNAME(Name::from_ascii(of).unwrap()))));
        }
        Says::Addresses(_) if family == RecordType::NS => {
            reply.add_answer(record(RData::NS(NS(Name::root()))));
        }
        Says::Addresses(addresses) | Says::Momentary(addresses) => {
            let of_family = |address: &IpAddr| address.is_ipv4() == (family == RecordType::A);
            let found = addresses.into_iter().filter(of_family).map(|address| record(address.into()));
            reply.add_answers(found);
            // How long an empty answer may be kept (RFC 2308 §3).
            let start = SOA::new(Name::root(), Name::root(), 1, 60, 60, 60, 60);
            reply.add_authority(Record::from_rdata(Name::root(), 60, RData::SOA(start)));
        }
    }
    Some(reply.to_vec().unwrap())
}
