//! One connection to Redis (<https://redis.io/docs/latest/develop/reference/protocol-spec/>, RESP 2).

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::address::RedisAddress;
use crate::doors::celery::backend::Untold;

/// How long connecting may take, until the server lets us in.
const CONNECTING: Duration = Duration::from_secs(5);
/// The longest line of an answer, and the longest value.
const LINE: u64 = 64 << 10;
const VALUE: usize = 64 << 20;
/// Parts of one answer, at most.
const PARTS: usize = 64;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection that was let in.
pub(super) struct Connection(BufReader<Box<dyn Stream>>);

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connection")
    }
}

/// What the server says.
#[derive(Debug)]
pub(super) enum Reply {
    /// A word or a number.
    Simple,
    /// A value; `None`: there is none.
    Bulk(Option<Vec<u8>>),
    /// A transaction was carried out. One that was given up gives no value.
    Done,
}

impl Connection {
    pub(super) async fn open(address: &RedisAddress) -> Result<Self, Untold> {
        let opening = timeout(CONNECTING, Self::open_patiently(address)).await;
        opening.unwrap_or_else(|_| {
            Err(Untold(format!("{address} did not answer within {} s", CONNECTING.as_secs())))
        })
    }

    async fn open_patiently(address: &RedisAddress) -> Result<Self, Untold> {
        let failed = |error: io::Error| Untold(format!("{address} cannot be reached: {error}"));
        let stream = TcpStream::connect((address.host.as_str(), address.port)).await.map_err(failed)?;
        let stream: Box<dyn Stream> = match &address.tls {
            None => Box::new(stream),
            Some(tls) => {
                let name =
                    ServerName::try_from(address.host.clone()).map_err(|error| Untold(error.to_string()))?;
                let connector = TlsConnector::from(Arc::new(config(tls.authorities.as_deref())?));
                Box::new(connector.connect(name, stream).await.map_err(failed)?)
            }
        };
        let mut connection = Self(BufReader::new(stream));
        if let Some(password) = &address.password {
            match &address.user {
                Some(user) => connection.ask(&[&["AUTH", user, password]]).await?,
                None => connection.ask(&[&["AUTH", password]]).await?,
            };
        }
        if address.database > 0 {
            connection.ask(&[&["SELECT", &address.database.to_string()]]).await?;
        }
        Ok(connection)
    }

    /// Sends commands and gives the answers. One that is refused is an error; the connection is not to be used then.
    pub(super) async fn ask(&mut self, commands: &[&[&str]]) -> Result<Vec<Reply>, Untold> {
        let failed = |error: io::Error| Untold(format!("Redis cannot be asked: {error}"));
        let mut bytes = Vec::new();
        for command in commands {
            bytes.extend(format!("*{}\r\n", command.len()).into_bytes());
            for word in *command {
                bytes.extend(format!("${}\r\n", word.len()).into_bytes());
                bytes.extend(word.as_bytes());
                bytes.extend(b"\r\n");
            }
        }
        self.0.write_all(&bytes).await.map_err(failed)?;
        self.0.flush().await.map_err(failed)?;
        let mut replies = Vec::new();
        for _ in commands {
            replies.push(self.reply().await?);
        }
        Ok(replies)
    }

    async fn reply(&mut self) -> Result<Reply, Untold> {
        let line = self.line().await?;
        match line.strip_prefix('*') {
            None => self.simple(&line).await,
            Some("-1") => Ok(Reply::Bulk(None)),
            Some(count) => {
                let count: usize = count.parse().ok().filter(|count| *count <= PARTS).ok_or_else(strange)?;
                for _ in 0..count {
                    let line = self.line().await?;
                    self.simple(&line).await?;
                }
                Ok(Reply::Done)
            }
        }
    }

    async fn simple(&mut self, line: &str) -> Result<Reply, Untold> {
        match line.as_bytes().first() {
            Some(b'+' | b':') => Ok(Reply::Simple),
            Some(b'-') => Err(Untold(format!("Redis refuses: {}", line[1..].escape_debug()))),
            Some(b'$') if line == "$-1" => Ok(Reply::Bulk(None)),
            Some(b'$') => {
                let length: usize =
                    line[1..].parse().ok().filter(|length| *length <= VALUE).ok_or_else(strange)?;
                let mut value = vec![0; length + 2];
                self.0.read_exact(&mut value).await.map_err(|error| Untold(error.to_string()))?;
                value.truncate(length);
                Ok(Reply::Bulk(Some(value)))
            }
            _ => Err(strange()),
        }
    }

    async fn line(&mut self) -> Result<String, Untold> {
        let mut line = Vec::new();
        let read = (&mut self.0).take(LINE).read_until(b'\n', &mut line).await;
        read.map_err(|error| Untold(format!("Redis cannot be asked: {error}")))?;
        match line.strip_suffix(b"\r\n") {
            Some(line) => Ok(String::from_utf8_lossy(line).into_owned()),
            None => Err(Untold("Redis closed the connection".to_owned())),
        }
    }
}

fn strange() -> Untold {
    Untold("the server does not answer as Redis does".to_owned())
}

/// `authorities` is a PEM file; without one the system's are trusted.
fn config(authorities: Option<&Path>) -> Result<ClientConfig, Untold> {
    let mut roots = RootCertStore::empty();
    match authorities {
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        Some(file) => {
            let unreadable = |error: &dyn std::fmt::Display| Untold(format!("{}: {error}", file.display()));
            for certificate in CertificateDer::pem_file_iter(file).map_err(|error| unreadable(&error))? {
                let certificate = certificate.map_err(|error| unreadable(&error))?;
                roots.add(certificate).map_err(|error| unreadable(&error))?;
            }
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| Untold(error.to_string()))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
