//! What a server's certificate says that people want to know: until when, and by whom.

use chrono::DateTime;
use linkbeat_shared::Certificate;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate, X509Name};

/// Longest issuer kept, in characters.
const MAX_ISSUER: usize = 200;

/// Reads a certificate in DER (RFC 5280 §4.1); `None`: it is none.
pub(super) fn read(der: &[u8]) -> Option<Certificate> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let expires_at = DateTime::from_timestamp(certificate.validity().not_after.timestamp(), 0)?;
    Some(Certificate { expires_at, issuer: name(certificate.issuer()) })
}

/// Whether a certificate is for this host by one of its DNS names (RFC 6125 §6.4): a `*` stands for one whole label.
pub(super) fn is_for(der: &[u8], host: &str) -> bool {
    let Ok((_, certificate)) = X509Certificate::from_der(der) else { return false };
    let Ok(Some(names)) = certificate.subject_alternative_name() else { return false };
    names
        .value
        .general_names
        .iter()
        .any(|name| matches!(name, GeneralName::DNSName(name) if covers(name, host)))
}

fn covers(name: &str, host: &str) -> bool {
    match name.strip_prefix("*.") {
        Some(domain) => host.split_once('.').is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(domain)),
        None => name.eq_ignore_ascii_case(host),
    }
}

/// The organization, else the common name, else all there is. Control characters are left out: the text is
/// whatever the server likes.
fn name(issuer: &X509Name<'_>) -> String {
    let known = issuer.iter_organization().chain(issuer.iter_common_name()).find_map(|it| it.as_str().ok());
    let text = known.map_or_else(|| issuer.to_string(), str::to_owned);
    text.chars().filter(|c| !c.is_control()).take(MAX_ISSUER).collect()
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};

    use super::*;

    fn issued_by(names: &[(DnType, &str)]) -> Certificate {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        for (kind, value) in names {
            params.distinguished_name.push(kind.clone(), *value);
        }
        params.not_after = date_time_ymd(2031, 2, 3);
        read(params.self_signed(&KeyPair::generate().unwrap()).unwrap().der()).unwrap()
    }

    #[test]
    fn a_certificate_is_for_its_names_and_one_label_of_a_wildcard() {
        let params = CertificateParams::new(vec!["-a.test".to_owned(), "*.b.test".to_owned()]).unwrap();
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        for (host, expected) in [
            ("-a.test", true),
            ("-x-.B.test", true),
            ("y.-x-.b.test", false),
            ("b.test", false),
            ("a.test", false),
        ] {
            assert_eq!(is_for(certificate.der(), host), expected, "{host}");
        }
    }

    #[test]
    fn the_expiry_and_the_most_telling_name_of_the_issuer_are_read() {
        let organization = (DnType::OrganizationName, "Let's Encrypt");
        let common_name = (DnType::CommonName, "R11");
        let both = issued_by(&[common_name.clone(), organization]);
        assert_eq!(
            (both.issuer.as_str(), both.expires_at.to_rfc3339().as_str()),
            ("Let's Encrypt", "2031-02-03T00:00:00+00:00")
        );
        assert_eq!(issued_by(&[common_name]).issuer, "R11");
        assert_eq!(issued_by(&[(DnType::CountryName, "AQ")]).issuer, "C=AQ");
        assert_eq!(issued_by(&[(DnType::CommonName, &"é\u{7}".repeat(300))]).issuer, "é".repeat(MAX_ISSUER));
        assert_eq!(read(b"no certificate"), None);
    }
}
