//! TLS as a checker needs it: every handshake verifies the certificate, and every failure has a kind.

use std::io;
use std::path::Path;
use std::sync::Arc;

use linkbeat_shared::{Phase, TlsKind};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::client::{ClientSessionStore, Resumption, WebPkiServerVerifier};
use rustls::client::{Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, Error, NamedGroup, OtherError,
    PeerIncompatible, PeerMisbehaved, RootCertStore, SignatureScheme,
};

use super::{certificate, progress};
use crate::setup::SetupError;

/// id-ad-caIssuers (RFC 5280 §4.2.2.1) in DER: where the issuer's certificate can be fetched. Certificates
/// of public authorities carry it; those a private authority or a tool made seldom do.
const CA_ISSUERS: [u8; 10] = [0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x02];

/// Certificates of a chain that are looked at.
const MAX_CHAIN: usize = 6;

/// TLS with the system's certificate authorities, and those of the operator.
#[derive(Clone)]
pub(super) struct Tls {
    /// For hosts that can be asked for by name.
    pub(super) config: ClientConfig,
    provider: Arc<CryptoProvider>,
    roots: Arc<RootCertStore>,
}

impl Tls {
    /// `extra_ca`: a PEM file of further authorities.
    pub(super) fn new(extra_ca: Option<&Path>) -> Result<Self, SetupError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let roots = Arc::new(roots(extra_ca)?);
        let verifier = Verifier::new(&roots, &provider, None)?;
        let mut config = config(&provider, verifier)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { config, provider, roots })
    }

    /// For a host whose name rustls cannot send: one with a label that begins or ends with a hyphen. Its
    /// certificate must be for that name all the same.
    pub(super) fn without_name(&self, host: String) -> Result<ClientConfig, SetupError> {
        let verifier = Verifier::new(&self.roots, &self.provider, Some(host))?;
        let mut config = config(&self.provider, verifier)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

fn config(provider: &Arc<CryptoProvider>, verifier: Arc<Verifier>) -> Result<ClientConfig, SetupError> {
    let mut config = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.resumption = Resumption::store(Arc::new(NoSessions));
    Ok(config)
}

fn roots(extra_ca: Option<&Path>) -> Result<RootCertStore, SetupError> {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    // Systems ship a few that rustls cannot parse; the others serve.
    roots.add_parsable_certificates(system.certs);
    if let Some(path) = extra_ca {
        let unreadable = |source| SetupError::ExtraCa { path: path.to_owned(), source };
        for certificate in
            CertificateDer::pem_file_iter(path).map_err(|error| unreadable(pem_error(error)))?
        {
            let certificate = certificate.map_err(|error| unreadable(pem_error(error)))?;
            roots.add(certificate).map_err(|error| unreadable(io::Error::other(error)))?;
        }
    }
    if roots.is_empty() { Err(SetupError::NoRoots) } else { Ok(roots) }
}

fn pem_error(error: rustls::pki_types::pem::Error) -> io::Error {
    match error {
        rustls::pki_types::pem::Error::Io(error) => error,
        other => io::Error::other(other.to_string()),
    }
}

/// What kind of failure a TLS error is.
pub(crate) fn kind(error: &Error) -> TlsKind {
    match error {
        Error::InvalidCertificate(error) => certificate_kind(error),
        Error::AlertReceived(AlertDescription::ProtocolVersion)
        | Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => TlsKind::OldProtocol,
        Error::PeerIncompatible(
            PeerIncompatible::NoCipherSuitesInCommon
            | PeerIncompatible::NoKxGroupsInCommon
            | PeerIncompatible::NoSignatureSchemesInCommon
            | PeerIncompatible::KeyShareExtensionRequired
            | PeerIncompatible::NamedGroupsExtensionRequired,
        )
        | Error::PeerMisbehaved(
            PeerMisbehaved::SelectedUnofferedCipherSuite | PeerMisbehaved::SelectedUnofferedKxGroup,
        ) => TlsKind::NoCommonCipher,
        // RFC 5246 §7.2.2, RFC 8446 §6.2: no acceptable set of parameters among those that were offered. Behind a
        // certificate it means other things, such as that the server wants one of ours.
        Error::AlertReceived(AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity)
            if !progress::saw_certificate() =>
        {
            TlsKind::NoCommonCipher
        }
        _ => TlsKind::Other,
    }
}

fn certificate_kind(error: &CertificateError) -> TlsKind {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsKind::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => TlsKind::NotYetValid,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            TlsKind::WrongHost
        }
        CertificateError::UnknownIssuer => TlsKind::UnknownIssuer,
        CertificateError::Revoked => TlsKind::Revoked,
        CertificateError::Other(OtherError(cause)) => {
            cause.downcast_ref().map_or(TlsKind::Other, |Untrusted(kind)| *kind)
        }
        _ => TlsKind::Other,
    }
}

/// Why nobody we trust vouches for a certificate, on its way through rustls.
#[derive(Debug, thiserror::Error)]
#[error("nobody trusted vouches for the certificate: {}", .0.as_str())]
struct Untrusted(TlsKind);

/// webpki's verdict, and a closer look where it only says that the issuer is unknown.
#[derive(Debug)]
struct Verifier {
    webpki: Arc<WebPkiServerVerifier>,
    /// The host, where rustls cannot be told its name.
    unnamed: Option<Unnamed>,
}

#[derive(Debug)]
struct Unnamed {
    host: String,
    roots: Arc<RootCertStore>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    fn new(
        roots: &Arc<RootCertStore>,
        provider: &Arc<CryptoProvider>,
        unnamed: Option<String>,
    ) -> Result<Arc<Self>, SetupError> {
        let webpki = WebPkiServerVerifier::builder_with_provider(Arc::clone(roots), Arc::clone(provider))
            .build()
            .map_err(|error| SetupError::Tls(Error::General(error.to_string())))?;
        let algorithms = provider.signature_verification_algorithms;
        let unnamed = unnamed.map(|host| Unnamed { host, roots: Arc::clone(roots), algorithms });
        Ok(Arc::new(Self { webpki, unnamed }))
    }
}

impl Unnamed {
    /// As webpki does it, but for any name. A server that was not asked for a name may show another's certificate,
    /// and that says nothing about the host.
    fn verify(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let parsed = ParsedCertificate::try_from(end_entity)?;
        verify_server_cert_signed_by_trust_anchor(
            &parsed,
            &self.roots,
            intermediates,
            now,
            self.algorithms.all,
        )?;
        if certificate::is_for(end_entity, &self.host) {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::Other(OtherError(Arc::new(Untrusted(TlsKind::UnsupportedName)))).into())
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        progress::shown(end_entity);
        let verified = match &self.unnamed {
            Some(unnamed) => unnamed.verify(end_entity, intermediates, now),
            None => {
                self.webpki.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            }
        };
        verified.map_err(|error| match closer(&error, end_entity, intermediates) {
            Some(kind) => CertificateError::Other(OtherError(Arc::new(Untrusted(kind)))).into(),
            None => error,
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
    }
}

/// A closer kind than webpki gives. `Other` is looked at too: a self-signed certificate that may also sign
/// others is turned down for that before anybody looks for its issuer.
fn closer(
    error: &Error,
    end_entity: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
) -> Option<TlsKind> {
    let Error::InvalidCertificate(error @ (CertificateError::UnknownIssuer | CertificateError::Other(_))) =
        error
    else {
        return None;
    };
    let certificate = webpki::EndEntityCert::try_from(end_entity).ok()?;
    if certificate.issuer() == certificate.subject() {
        return Some(TlsKind::SelfSigned);
    }
    let incomplete = *error == CertificateError::UnknownIssuer && is_incomplete(end_entity, intermediates);
    incomplete.then_some(TlsKind::IncompleteChain)
}

/// Whether the issuer of the chain's last certificate is missing, and that certificate names where it can be fetched. What
/// else was sent is no part of the chain: many servers send their own certificate twice.
fn is_incomplete(end_entity: &CertificateDer<'_>, intermediates: &[CertificateDer<'_>]) -> bool {
    let mut last = end_entity;
    for _ in 0..MAX_CHAIN {
        let Ok(certificate) = webpki::EndEntityCert::try_from(last) else { return false };
        let is_issuer = |other: &&CertificateDer<'_>| {
            webpki::EndEntityCert::try_from(*other).is_ok_and(|other| other.subject() == certificate.issuer())
        };
        let Some(issuer) = intermediates.iter().find(is_issuer) else { break };
        last = issuer;
    }
    last.windows(CA_ISSUERS.len()).any(|bytes| bytes == CA_ISSUERS)
}

/// Keeps no session, because a resumed one would skip looking at the certificate. Being asked for one tells
/// that a ClientHello is being made: the TCP connection stands, and the handshake begins.
#[derive(Debug)]
struct NoSessions;

impl ClientSessionStore for NoSessions {
    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        progress::enter(Phase::Tls);
        None
    }

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        None
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        None
    }

    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}
    fn set_tls12_session(&self, _: ServerName<'static>, _: Tls12ClientSessionValue) {}
    fn remove_tls12_session(&self, _: &ServerName<'static>) {}
    fn insert_tls13_ticket(&self, _: ServerName<'static>, _: Tls13ClientSessionValue) {}
}
