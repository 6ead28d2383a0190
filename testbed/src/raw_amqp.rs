//! Publishes messages whose properties are any bytes, as no library lets one do.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::Url;

const METHOD: u8 = 1;
const HEADER: u8 = 2;
const BODY: u8 = 3;
const FRAME_END: u8 = 0xce;
/// `basic.ack` and `basic.nack`.
const CONFIRMATIONS: [[u8; 4]; 2] = [[0, 60, 0, 80], [0, 60, 0, 120]];

/// A connection with one channel that confirms.
#[derive(Debug)]
pub struct RawPublisher {
    stream: TcpStream,
}

impl RawPublisher {
    /// Connects as the user of this URL, to the virtual host `/`.
    ///
    /// # Panics
    /// If RabbitMQ does not do as asked, like all here.
    pub async fn connect(url: &str) -> Self {
        let url: Url = url.parse().unwrap();
        let at = (url.host_str().unwrap().to_owned(), url.port().unwrap_or(5_672));
        let mut publisher = Self { stream: TcpStream::connect(at).await.unwrap() };
        publisher.stream.write_all(b"AMQP\0\0\x09\x01").await.unwrap();
        publisher.expect([0, 10, 0, 10]).await;
        let login = format!("\0{}\0{}", url.username(), url.password().unwrap_or_default());
        let start_ok =
            [&[0, 10, 0, 11, 0, 0, 0, 0][..], &short(b"PLAIN"), &long(login.as_bytes()), &short(b"en")];
        publisher.method(0, &start_ok.concat()).await;
        let limits = publisher.expect([0, 10, 0, 30]).await;
        publisher.method(0, &[&[0, 10, 0, 31][..], &limits[4..10], &[0, 0]].concat()).await;
        publisher.method(0, &[&[0, 10, 0, 40][..], &short(b"/"), &[0, 0]].concat()).await;
        publisher.expect([0, 10, 0, 41]).await;
        publisher.method(1, &[0, 20, 0, 10, 0]).await;
        publisher.expect([0, 20, 0, 11]).await;
        publisher.method(1, &[0, 85, 0, 10, 0]).await;
        publisher.expect([0, 85, 0, 11]).await;
        publisher
    }

    /// Publishes a message with these properties: their flags, and the values. Returns once it is confirmed.
    pub async fn publish(&mut self, exchange: &str, routing_key: &[u8], properties: &[u8], body: &[u8]) {
        let to = [&short(exchange.as_bytes())[..], &short(routing_key), &[0]].concat();
        self.method(1, &[&[0, 60, 0, 40, 0, 0][..], &to].concat()).await;
        let size = u64::try_from(body.len()).unwrap().to_be_bytes();
        self.frame(HEADER, 1, &[&[0, 60, 0, 0][..], &size, properties].concat()).await;
        self.frame(BODY, 1, body).await;
        let answer = self.read().await;
        assert!(
            CONFIRMATIONS.contains(answer.first_chunk().unwrap()),
            "{}",
            String::from_utf8_lossy(&answer)
        );
    }

    async fn method(&mut self, channel: u16, payload: &[u8]) {
        self.frame(METHOD, channel, payload).await;
    }

    async fn frame(&mut self, kind: u8, channel: u16, payload: &[u8]) {
        let size = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let bytes = [&[kind][..], &channel.to_be_bytes(), &size, payload, &[FRAME_END]].concat();
        self.stream.write_all(&bytes).await.unwrap();
    }

    async fn expect(&mut self, method: [u8; 4]) -> Vec<u8> {
        let payload = self.read().await;
        assert_eq!(payload.first_chunk(), Some(&method), "{}", String::from_utf8_lossy(&payload));
        payload
    }

    /// The payload of the next method.
    async fn read(&mut self) -> Vec<u8> {
        loop {
            let mut before = [0; 7];
            self.stream.read_exact(&mut before).await.unwrap();
            let size = u32::from_be_bytes([before[3], before[4], before[5], before[6]]);
            let mut payload = vec![0; usize::try_from(size).unwrap() + 1];
            self.stream.read_exact(&mut payload).await.unwrap();
            payload.pop();
            if before[0] == METHOD {
                return payload;
            }
        }
    }
}

/// A short string.
pub fn short(text: &[u8]) -> Vec<u8> {
    [&[u8::try_from(text.len()).unwrap()], text].concat()
}

/// A long string, a table or an array.
pub fn long(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

/// Properties that are a table of headers alone: its inside.
pub fn headers(table: &[u8]) -> Vec<u8> {
    [&[0x20, 0][..], &long(table)].concat()
}

/// A header `a` with so many values in each other, of the kind `F` (tables) or `A` (arrays).
pub fn nested(kind: u8, depth: usize) -> Vec<u8> {
    let named = |value: &[u8]| [&short(b"a")[..], value].concat();
    let value = (0..depth).fold(b"t\x01".to_vec(), |inside, _| {
        let inside = if kind == b'F' { named(&inside) } else { inside };
        [&[kind][..], &long(&inside)].concat()
    });
    named(&value)
}

/// Messages that RabbitMQ takes and that cannot be read: a name, the properties, and a word of what is told.
pub fn poison() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let bad = short(b"caf\xe9");
    let text = |flag: u16| [&flag.to_be_bytes()[..], &bad].concat();
    let many: Vec<u8> =
        (0..2_000).flat_map(|n| [&short(format!("h{n}").as_bytes())[..], b"V"].concat()).collect();
    vec![
        ("tables in tables", headers(&nested(b'F', 1_100)), "nested"),
        ("arrays in arrays", headers(&nested(b'A', 1_100)), "nested"),
        ("a few too many", headers(&nested(b'F', 17)), "nested"),
        ("many headers", headers(&many), "more than"),
        ("a name of a header", headers(&[&bad[..], b"t\x01"].concat()), "name of a header"),
        (
            "a name within",
            headers(&[&short(b"a")[..], b"F", &long(&[&bad[..], b"V"].concat())].concat()),
            "name",
        ),
        ("content type", text(0x8000), "content type"),
        ("content encoding", text(0x4000), "content encoding"),
        ("correlation id", text(0x0400), "correlation id"),
        ("reply-to", text(0x0200), "reply-to"),
        ("message id", text(0x0080), "message id"),
        ("type", text(0x0020), "type"),
        ("app id", text(0x0008), "app id"),
        ("cluster id", text(0x0004), "cluster id"),
    ]
}
