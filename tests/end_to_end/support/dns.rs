//! A name server of the test's own.

use std::net::{SocketAddr, UdpSocket};

/// Answers until the test ends.
pub(crate) struct Resolver(SocketAddr);

impl Resolver {
    /// A name server that knows no name at all.
    pub(crate) fn answering_nxdomain() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        std::thread::spawn(move || {
            let mut query = [0; 512];
            while let Ok((length, asker)) = socket.recv_from(&mut query) {
                let _ = socket.send_to(&nxdomain(&query[..length]), asker);
            }
        });
        Self(address)
    }

    pub(crate) fn address(&self) -> String {
        self.0.to_string()
    }
}

/// RFC 1035 §4.1: the header and the question given back, as a response with RCODE 3.
fn nxdomain(query: &[u8]) -> Vec<u8> {
    let mut end = 12;
    while query[end] != 0 {
        end += usize::from(query[end]) + 1;
    }
    let question = &query[12..end + 5];
    let header = [query[0], query[1], 0x81, 0x83, 0, 1, 0, 0, 0, 0, 0, 0];
    [&header, question].concat()
}
