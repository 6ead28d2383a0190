//! A site over TLS, whose authority nobody trusts unless told to.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Datelike, Utc};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// Who vouches for every site.
pub(crate) const AUTHORITY: &str = "Authority of the tests";

/// One site.
pub(crate) struct SecureSite {
    pub(crate) url: String,
    /// Its authority's certificate, for `worker.extra_ca`.
    pub(crate) authority: String,
    /// When its certificate ends.
    pub(crate) expires_at: DateTime<Utc>,
}

impl SecureSite {
    /// Gives this answer to every request, with a certificate that ends at midnight (UTC) after so many days.
    pub(crate) fn open(days: i64, answer: String) -> Self {
        let ends = (Utc::now() + chrono::Duration::days(days)).date_naive();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, AUTHORITY);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = params.self_signed(&key).unwrap().pem();
        let config = Arc::new(config(ends, &Issuer::new(params, key)));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://{}/", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (config, answer) = (config.clone(), answer.clone());
                std::thread::spawn(move || serve(stream, config, &answer));
            }
        });
        Self { url, authority, expires_at: ends.and_time(chrono::NaiveTime::MIN).and_utc() }
    }
}

fn config(ends: chrono::NaiveDate, issuer: &Issuer<'_, KeyPair>) -> ServerConfig {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let (month, day) = (u8::try_from(ends.month()).unwrap(), u8::try_from(ends.day()).unwrap());
    params.not_after = date_time_ymd(ends.year(), month, day);
    let certificate = params.signed_by(&key, issuer).unwrap();
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap()
}

/// A visitor that does not accept the certificate goes away early, as it should.
fn serve(stream: TcpStream, config: Arc<ServerConfig>, answer: &str) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut stream = StreamOwned::new(ServerConnection::new(config).map_err(std::io::Error::other)?, stream);
    let (mut head, mut buffer) = (Vec::new(), [0; 1_024]);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            read => head.extend_from_slice(&buffer[..read]),
        }
    }
    stream.write_all(answer.as_bytes())?;
    stream.conn.send_close_notify();
    stream.flush()
}
