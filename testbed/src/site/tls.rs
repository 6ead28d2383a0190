//! Certificates of every kind, and a site that shows them.

use std::io::Write;
use std::net::Ipv4Addr;
use std::sync::Arc;

use chrono::{Datelike, NaiveDate};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, IsCa, Issuer, KeyPair, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::NamedTempFile;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::{Site, Visit};

/// A private certificate authority.
pub struct Authority {
    certificate: CertificateDer<'static>,
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate chain and its key.
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Authority {
    /// Nobody trusts it unless told to.
    pub fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        Self {
            certificate: certificate.der().clone(),
            pem: certificate.pem(),
            issuer: Issuer::new(params, key),
        }
    }

    /// Its certificate in PEM.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Its certificate as a file, for `extra_ca`.
    pub fn file(&self) -> NamedTempFile {
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(self.pem.as_bytes()).unwrap();
        file
    }

    /// A certificate for a host, changed as a test wants it. The chain holds the authority's own as well.
    pub fn vouches_for(&self, host: &str, change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let key = KeyPair::generate().unwrap();
        let mut params = params(host);
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let chain = vec![certificate.der().clone(), self.certificate.clone()];
        Identity { chain, key: PrivateKeyDer::try_from(key.serialize_der()).unwrap() }
    }
}

impl Identity {
    /// Vouched for by nobody but itself.
    pub fn self_signed(host: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = params(host).self_signed(&key).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        Self { chain: vec![certificate.der().clone()], key }
    }

    /// Only the site's own certificate, as a careless administrator installs it.
    pub fn without_its_issuer(mut self) -> Self {
        self.chain.truncate(1);
        self
    }

    /// The site's own certificate a second time, in its issuer's place.
    pub fn twice(mut self) -> Self {
        self.chain.truncate(1);
        self.chain.push(self.chain[0].clone());
        self
    }

    fn acceptor(self, alpn: &[&[u8]]) -> TlsAcceptor {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(self.chain, self.key)
            .unwrap();
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }
}

fn params(host: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, host);
    params
}

/// Valid until 2001.
pub fn expired(params: &mut CertificateParams) {
    params.not_before = date_time_ymd(2000, 1, 1);
    params.not_after = date_time_ymd(2001, 1, 1);
}

/// Valid until midnight (UTC) of this day.
pub fn until(day: NaiveDate) -> impl FnOnce(&mut CertificateParams) {
    move |params| {
        let (month, of_month) = (u8::try_from(day.month()).unwrap(), u8::try_from(day.day()).unwrap());
        params.not_after = date_time_ymd(day.year(), month, of_month);
    }
}

/// Valid from 2999 on.
pub fn not_yet_valid(params: &mut CertificateParams) {
    params.not_before = date_time_ymd(2999, 1, 1);
    params.not_after = date_time_ymd(3000, 1, 1);
}

/// Says where its issuer's certificate is: authorityInfoAccess (RFC 5280 §4.2.2.1), `caIssuers` at
/// `http://a.test/`.
pub fn names_its_issuer(params: &mut CertificateParams) {
    let ca_issuers = [0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x02];
    let location = [&[0x86, 14][..], b"http://a.test/"].concat();
    let description = [&[0x30, 26][..], &ca_issuers, &location].concat();
    let access = [&[0x30, 28][..], &description].concat();
    let oid = [1, 3, 6, 1, 5, 5, 7, 1, 1];
    params.custom_extensions.push(CustomExtension::from_oid_content(&oid, access));
}

impl Site {
    /// Plays `play` on every connection whose handshake succeeds, under this identity.
    pub async fn plays_over_tls<F, P>(identity: Identity, alpn: &[&[u8]], play: F) -> Self
    where
        F: Fn(Visit<TlsStream<TcpStream>>) -> P + Send + Sync + 'static,
        P: Future<Output = ()> + Send + 'static,
    {
        Self::plays_over_tls_at(Ipv4Addr::LOCALHOST, identity, alpn, play).await
    }

    /// The same at another address of loopback.
    pub async fn plays_over_tls_at<F, P>(
        address: Ipv4Addr,
        identity: Identity,
        alpn: &[&[u8]],
        play: F,
    ) -> Self
    where
        F: Fn(Visit<TlsStream<TcpStream>>) -> P + Send + Sync + 'static,
        P: Future<Output = ()> + Send + 'static,
    {
        let acceptor = identity.acceptor(alpn);
        let play = Arc::new(play);
        Self::plays_at(address, move |visit, _| {
            let (acceptor, play) = (acceptor.clone(), Arc::clone(&play));
            async move {
                if let Ok(stream) = acceptor.accept(visit.stream).await {
                    play(Visit { stream }).await;
                }
            }
        })
        .await
    }
}
