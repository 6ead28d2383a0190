//! The certificates of the street, made afresh for each demonstration.

use std::sync::Arc;

use chrono::{Datelike, Days, Utc};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// TLS acceptors for `127.0.0.1`.
pub(crate) struct Certificates {
    /// Its time was over at the end of 2020.
    pub(crate) expired: TlsAcceptor,
    /// Has five days left, and some hours.
    pub(crate) ending: TlsAcceptor,
    /// The authority of the second certificate, in PEM. Nobody trusts it by default.
    pub(crate) authority: String,
}

impl Certificates {
    pub(crate) fn make() -> anyhow::Result<Self> {
        let (authority, issuer) = authority()?;
        Ok(Self { expired: expired()?, ending: ending(&issuer)?, authority })
    }
}

fn authority() -> anyhow::Result<(String, Issuer<'static, KeyPair>)> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, "Authority of the street");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Ok((params.self_signed(&key)?.pem(), Issuer::new(params, key)))
}

fn expired() -> anyhow::Result<TlsAcceptor> {
    let key = KeyPair::generate()?;
    let mut params = params()?;
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2020, 12, 31);
    acceptor(params.self_signed(&key)?.der(), &key)
}

fn ending(issuer: &Issuer<'_, KeyPair>) -> anyhow::Result<TlsAcceptor> {
    let key = KeyPair::generate()?;
    let mut params = params()?;
    let last = Utc::now().date_naive() + Days::new(6);
    params.not_after = date_time_ymd(last.year(), last.month().try_into()?, last.day().try_into()?);
    acceptor(params.signed_by(&key, issuer)?.der(), &key)
}

fn params() -> anyhow::Result<CertificateParams> {
    Ok(CertificateParams::new(vec!["127.0.0.1".to_owned()])?)
}

fn acceptor(certificate: &CertificateDer<'static>, key: &KeyPair) -> anyhow::Result<TlsAcceptor> {
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
