//! What the gateway stores and checks of a certificate.

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer};
use sha2::{Digest as _, Sha256};

use super::{CertError, Validity};
use crate::domain::time::Timestamp;

/// What the gateway stores and checks of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateSummary {
    /// SHA-256 of the certificate's DER: the identity on the wire.
    pub fingerprint: [u8; 32],
    /// SHA-256 of its public key, as SubjectPublicKeyInfo in DER.
    pub public_key_fingerprint: [u8; 32],
    /// Its serial number.
    pub serial: Vec<u8>,
    /// From when until when.
    pub validity: Validity,
    /// Whether it is stamped for development only.
    pub is_development: bool,
}

/// SHA-256 of a certificate's DER.
pub fn fingerprint(der: &[u8]) -> [u8; 32] {
    Sha256::digest(der).into()
}

/// Reads what the gateway needs of a certificate. This verifies nothing.
///
/// # Errors
///
/// [`CertError::Malformed`] if it is not one certificate and nothing else.
pub fn summarise(der: &[u8]) -> Result<CertificateSummary, CertError> {
    let (rest, certificate) = x509_parser::parse_x509_certificate(der).map_err(|_| CertError::Malformed)?;
    if !rest.is_empty() {
        return Err(CertError::Malformed);
    }
    let instant =
        |time: x509_parser::time::ASN1Time| Timestamp::from_micros(time.timestamp().saturating_mul(1_000_000));
    Ok(CertificateSummary {
        fingerprint: fingerprint(der),
        public_key_fingerprint: Sha256::digest(certificate.public_key().raw).into(),
        serial: certificate.raw_serial().to_vec(),
        validity: Validity {
            from: instant(certificate.validity().not_before),
            until: instant(certificate.validity().not_after),
        },
        is_development: certificate
            .extensions()
            .iter()
            .any(|extension| extension.oid.as_bytes() == DEVELOPMENT_ONLY_DER),
    })
}

/// What is read of a revocation list. This verifies nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevocationSummary {
    /// Whose list it is: the authority's name in DER.
    pub issuer: Vec<u8>,
    /// When the next list is due; none where the list does not say.
    pub next_update: Option<Timestamp>,
}

/// The revocation lists of a PEM text: none, if it holds other things alone.
///
/// # Errors
///
/// [`CertError::Malformed`] if one of them cannot be read.
pub fn revocation_lists_of_pem(pem: &[u8]) -> Result<Vec<RevocationSummary>, CertError> {
    let read = |der: Result<CertificateRevocationListDer<'_>, _>| {
        let der = der.map_err(|_| CertError::Malformed)?;
        let (_, list) = x509_parser::parse_x509_crl(&der).map_err(|_| CertError::Malformed)?;
        let next_update =
            list.next_update().map(|time| Timestamp::from_micros(time.timestamp().saturating_mul(1_000_000)));
        Ok(RevocationSummary { issuer: list.issuer().as_raw().to_vec(), next_update })
    };
    CertificateRevocationListDer::pem_slice_iter(pem).map(read).collect()
}

/// The name of a certificate's holder, in DER.
///
/// # Errors
///
/// [`CertError::Malformed`] if it is no certificate.
pub fn subject(der: &[u8]) -> Result<Vec<u8>, CertError> {
    let (_, certificate) = x509_parser::parse_x509_certificate(der).map_err(|_| CertError::Malformed)?;
    Ok(certificate.subject().as_raw().to_vec())
}

/// The DER of the first certificate in a PEM text.
///
/// # Errors
///
/// [`CertError::Malformed`] if there is none.
pub fn der_of_pem(pem: &str) -> Result<Vec<u8>, CertError> {
    CertificateDer::from_pem_slice(pem.as_bytes()).map(|der| der.to_vec()).map_err(|_| CertError::Malformed)
}

/// The development stamp: below the arc that X.660 sets aside for examples.
///
/// It is not marked critical: webpki refuses a certificate with a critical extension that it does
/// not know, so a critical stamp would keep the demonstration itself from connecting.
pub(super) const DEVELOPMENT_ONLY: [u64; 4] = [2, 999, 80, 1];
/// The same as DER spells it: 2 and 999 share one number, 2 * 40 + 999, in base 128.
const DEVELOPMENT_ONLY_DER: [u8; 4] = [0x88, 0x37, 80, 1];
