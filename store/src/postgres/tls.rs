//! Encryption to the server, in libpq's terms:
//! <https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-PROTECTION>.
//!
//! The files are read for each connection anew, so that renewed certificates are used without a restart.

use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::Fault;
use crate::server::{Tls, TlsMode};

impl Tls {
    /// Encrypts as the URL says. Reads the files.
    pub(super) fn connector(&self) -> Result<MakeRustlsConnect, Fault> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| Fault::BadUrl(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(self.verifier(provider)?);
        let config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = certificates("sslcert", certificate)?;
                let private =
                    PrivateKeyDer::from_pem_file(key).map_err(|error| bad("sslkey", key, &error))?;
                builder.with_client_auth_cert(chain, private).map_err(|error| bad("sslkey", key, &error))?
            }
        };
        Ok(MakeRustlsConnect::new(config))
    }

    /// As in libpq, whoever names authorities has the server verified by them in every mode, and a name is
    /// verified by `verify-full` only.
    fn verifier(&self, provider: Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, Fault> {
        let roots = match (&self.authorities, self.mode) {
            (Some(path), _) => authorities(path)?,
            (None, TlsMode::VerifyCa | TlsMode::VerifyFull) => system_authorities()?,
            (None, _) => return Ok(Arc::new(AnyName { chain: None, provider })),
        };
        let chain = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
            .build()
            .map_err(|error| Fault::BadUrl(error.to_string()))?;
        if self.mode == TlsMode::VerifyFull {
            return Ok(chain);
        }
        Ok(Arc::new(AnyName { chain: Some(chain), provider }))
    }
}

fn authorities(path: &Path) -> Result<RootCertStore, Fault> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates("sslrootcert", path)? {
        roots.add(certificate).map_err(|error| bad("sslrootcert", path, &error))?;
    }
    Ok(roots)
}

fn system_authorities() -> Result<RootCertStore, Fault> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(Fault::BadUrl(
            "the system has no certificates to verify the server by; install ca-certificates, or name a file in \
             sslrootcert or SSL_CERT_FILE"
                .to_owned(),
        ));
    }
    Ok(roots)
}

fn certificates(parameter: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = read.map_err(|error| bad(parameter, path, &error))?;
    if certificates.is_empty() {
        Err(bad(parameter, path, &"no certificate in PEM"))
    } else {
        Ok(certificates)
    }
}

fn bad(parameter: &str, path: &Path, problem: &dyn Display) -> Fault {
    Fault::BadUrl(format!("{parameter}={}: {}", path.display(), problem))
}

/// Takes a server whatever its name, but only if it holds its certificate's key.
#[derive(Debug)]
struct AnyName {
    /// Says which authorities must vouch for the certificate; `None`: any will do.
    chain: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(chain) = &self.chain else { return Ok(ServerCertVerified::assertion()) };
        // The name is looked at last: when that is all that is wrong, the chain is sound.
        match chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
