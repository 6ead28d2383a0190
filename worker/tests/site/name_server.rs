//! A fake name server: answers by the name asked for.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hickory_resolver::proto::op::{Message, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::{CNAME, NS, SOA};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use tokio::net::UdpSocket;
use tokio_util::task::AbortOnDropHandle;

/// What the server says about a name.
pub(crate) enum Says {
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
}

/// A name server that is there until it is dropped.
pub(crate) struct NameServer {
    address: SocketAddr,
    queries: Arc<AtomicUsize>,
    _task: AbortOnDropHandle<()>,
}

impl NameServer {
    /// `says` gets each name without its last dot; the root is empty.
    pub(crate) async fn that(says: impl Fn(&str) -> Says + Send + Sync + 'static) -> Self {
        Self::at(SocketAddr::from(([127, 0, 0, 1], 0)), says).await
    }

    /// The same, at an address of its own.
    pub(crate) async fn at(address: SocketAddr, says: impl Fn(&str) -> Says + Send + Sync + 'static) -> Self {
        let socket = UdpSocket::bind(address).await.unwrap();
        let address = socket.local_addr().unwrap();
        let queries = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&queries);
        let task = tokio::spawn(async move {
            let mut buffer = [0; 4_096];
            loop {
                let (length, client) = socket.recv_from(&mut buffer).await.unwrap();
                counter.fetch_add(1, Ordering::SeqCst);
                if let Some(reply) = reply(&buffer[..length], &says) {
                    socket.send_to(&reply, client).await.unwrap();
                }
            }
        });
        Self { address, queries, _task: AbortOnDropHandle::new(task) }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Queries so far.
    pub(crate) fn queries(&self) -> usize {
        self.queries.load(Ordering::SeqCst)
    }
}

fn reply(query: &[u8], says: &impl Fn(&str) -> Says) -> Option<Vec<u8>> {
    let query = Message::from_vec(query).unwrap();
    let question = query.queries[0].clone();
    let mut reply = Message::response(query.metadata.id, OpCode::Query);
    let name = question.name().clone();
    let family = question.query_type();
    reply.add_query(question);
    let says = says(name.to_string().trim_end_matches('.'));
    let ttl = if matches!(says, Says::Momentary(_)) { 0 } else { 60 };
    let record = |data| Record::from_rdata(name.clone(), ttl, data);
    match says {
        Says::Silence => return None,
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
