//! Whether a client's certificate chains to an authority, looked at before anybody connects.

use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, UnixTime};

/// Whether the first certificate of a file is good for client authentication at a time (seconds since
/// 1970) and signed, by way of the others, by an authority of the roots.
pub fn is_signed_by(certificate_pem: &[u8], roots_pem: &[u8], now_seconds: u64) -> bool {
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(roots_pem).flatten() {
        let _ = roots.add(root); // one that cannot be used signs nothing
    }
    let chain: Vec<CertificateDer<'_>> = CertificateDer::pem_slice_iter(certificate_pem).flatten().collect();
    let Some((leaf, rest)) = chain.split_first() else { return false };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
    let now = UnixTime::since_unix_epoch(Duration::from_secs(now_seconds));
    verifier.is_ok_and(|verifier| verifier.verify_client_cert(leaf, rest, now).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::certs::{CertificateAuthority, Validity, request};
    use crate::crypto::random::SystemRandom;
    use crate::domain::ids::AgencyCode;
    use crate::domain::time::Timestamp;

    #[test]
    fn only_the_authority_that_signed_it_vouches_for_it_and_only_in_its_time() {
        let (now, random) = (Timestamp::from_micros(1_800_000_000_000_000), SystemRandom::new());
        let authority =
            || CertificateAuthority::create("an authority", Validity::days(now, 30), true, &random).expect("made");
        let (ours, theirs) = (authority(), authority());
        let agency = AgencyCode::parse("hearth").expect("a code");
        let asked = request(&agency).expect("a request");
        let issued = ours.client(&asked.pem, &agency, Validity::days(now, 3), &random).expect("issued");
        let seconds = now.as_seconds().unsigned_abs();
        let signed = |roots: &CertificateAuthority, at| {
            is_signed_by(issued.pem.as_bytes(), roots.certificate().pem.as_bytes(), at)
        };
        assert!(signed(&ours, seconds));
        assert!(!signed(&theirs, seconds));
        assert!(!signed(&ours, seconds + 4 * 86_400));
        assert!(!is_signed_by(b"", ours.certificate().pem.as_bytes(), seconds));
    }
}
