//! Certificates: the issuing authority of a programme's agencies, what it issues and revokes.
//!
//! Identity on the wire is the SHA-256 of a client certificate, looked up on every request; names
//! inside certificates are for people to read.

mod summary;

use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertificateSigningRequestParams,
    CustomExtension, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PublicKeyData as _, RevokedCertParams, SerialNumber,
    date_time_ymd,
};
use sha2::{Digest as _, Sha256};
use x509_parser::prelude::FromDer as _;
use zeroize::Zeroizing;

use self::summary::DEVELOPMENT_ONLY;
pub use self::summary::{
    CertificateSummary, RevocationSummary, der_of_pem, fingerprint, revocation_lists_of_pem, subject, summarise,
};
use super::random::{Random, random_bytes};
use crate::domain::ids::AgencyCode;
use crate::domain::time::Timestamp;

/// Why a certificate cannot be made or read. Carries no content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CertError {
    /// The request is malformed, its signature does not hold, or it asks for an extension that we
    /// do not read.
    #[error("certificate request is malformed or not signed by its own key")]
    Request,
    /// The request's key is of a kind that we do not accept.
    #[error("certificate request must have a P-256 or Ed25519 key")]
    RequestKey,
    /// A name is not a DNS name or address.
    #[error("server name is not a DNS name or IP address")]
    Name,
    /// The times are in the wrong order or out of range.
    #[error("certificate must end after it begins, between 1970 and 2200")]
    Validity,
    /// The text or bytes are not a certificate.
    #[error("not a certificate")]
    Malformed,
    /// The authority's key does not belong to its certificate, or cannot sign.
    #[error("authority's key and certificate do not belong together")]
    Authority,
}

/// From when until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// The first instant.
    pub from: Timestamp,
    /// The last instant.
    pub until: Timestamp,
}

impl Validity {
    /// A number of days from now, beginning five minutes early for clocks that are behind.
    pub fn days(now: Timestamp, days: u32) -> Self {
        Self { from: now.plus_seconds(-300), until: now.plus_seconds(i64::from(days) * 86_400) }
    }
}

/// A certificate or revocation list in both encodings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// DER.
    pub der: Vec<u8>,
    /// PEM.
    pub pem: String,
}

/// A certificate and the private key that was made for it.
pub struct WithKey {
    /// The certificate.
    pub certificate: Encoded,
    /// The private key, PKCS#8 in PEM.
    pub key_pem: Zeroizing<String>,
}

/// A certificate that is no longer good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revoked {
    /// Its serial number, as [`CertificateSummary`] gives it.
    pub serial: Vec<u8>,
    /// Since when.
    pub at: Timestamp,
}

/// Issues the certificates of a programme's gateway and agencies.
pub struct CertificateAuthority {
    issuer: Issuer<'static, KeyPair>,
    certificate: Encoded,
    /// Whether everything that it issues is stamped for development only.
    is_development: bool,
}

impl CertificateAuthority {
    /// Makes a new authority with a P-256 key. `development` stamps it, and all it issues, with an
    /// extension that production refuses.
    ///
    /// # Errors
    ///
    /// [`CertError::Validity`].
    pub fn create(name: &str, validity: Validity, development: bool, random: &dyn Random) -> Result<Self, CertError> {
        let key = new_key()?;
        let mut params = params(name, validity, development, random)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).map_err(|_| CertError::Authority)?;
        let certificate = encoded(&certificate);
        Ok(Self { issuer: Issuer::new(params, key), certificate, is_development: development })
    }

    /// Reads an authority back from its certificate and private key.
    ///
    /// # Errors
    ///
    /// [`CertError::Malformed`], or [`CertError::Authority`] if the two do not belong together.
    pub fn from_pem(certificate_pem: &str, key_pem: &str) -> Result<Self, CertError> {
        let der = der_of_pem(certificate_pem)?;
        let summary = summarise(&der)?;
        let key = KeyPair::from_pem(key_pem).map_err(|_| CertError::Authority)?;
        if Sha256::digest(key.subject_public_key_info())[..] != summary.public_key_fingerprint {
            return Err(CertError::Authority);
        }
        let issuer = Issuer::from_ca_cert_pem(certificate_pem, key).map_err(|_| CertError::Malformed)?;
        let certificate = Encoded { der, pem: certificate_pem.to_owned() };
        Ok(Self { issuer, certificate, is_development: summary.is_development })
    }

    /// The authority's own certificate.
    pub fn certificate(&self) -> &Encoded {
        &self.certificate
    }

    /// The authority's private key, PKCS#8 in PEM.
    pub fn key_pem(&self) -> Zeroizing<String> {
        Zeroizing::new(self.issuer.key().serialize_pem())
    }

    /// Issues the gateway's server certificate for DNS names and addresses, with a fresh key.
    ///
    /// # Errors
    ///
    /// [`CertError::Name`] or [`CertError::Validity`].
    pub fn server(&self, names: &[String], validity: Validity, random: &dyn Random) -> Result<WithKey, CertError> {
        let first = names.first().ok_or(CertError::Name)?;
        let key = new_key()?;
        let mut params = params(first, validity, self.is_development, random)?;
        params.subject_alt_names = CertificateParams::new(names).map_err(|_| CertError::Name)?.subject_alt_names;
        for_leaf(&mut params, ExtendedKeyUsagePurpose::ServerAuth);
        let certificate = params.signed_by(&key, &self.issuer).map_err(|_| CertError::Authority)?;
        Ok(WithKey { certificate: encoded(&certificate), key_pem: Zeroizing::new(key.serialize_pem()) })
    }

    /// Issues an agency's client certificate. Nothing of the request but its public key is used:
    /// name, purpose and times are ours.
    ///
    /// # Errors
    ///
    /// [`CertError::Request`], [`CertError::RequestKey`] or [`CertError::Validity`].
    pub fn client(
        &self,
        request_pem: &str,
        agency: &AgencyCode,
        validity: Validity,
        random: &dyn Random,
    ) -> Result<Encoded, CertError> {
        let mut request = CertificateSigningRequestParams::from_pem(request_pem).map_err(|_| CertError::Request)?;
        let algorithm = request.public_key.algorithm();
        if *algorithm != PKCS_ECDSA_P256_SHA256 && *algorithm != PKCS_ED25519 {
            return Err(CertError::RequestKey);
        }
        request.params = params(agency.as_str(), validity, self.is_development, random)?;
        for_leaf(&mut request.params, ExtendedKeyUsagePurpose::ClientAuth);
        request.signed_by(&self.issuer).map(|certificate| encoded(&certificate)).map_err(|_| CertError::Authority)
    }

    /// Issues a revocation list. `number` grows with every list. The listener refuses a list past
    /// `next_update`, so issue the next one before that.
    ///
    /// # Errors
    ///
    /// [`CertError::Validity`] if `next_update` is not after `this_update`.
    pub fn revocation_list(
        &self,
        number: u64,
        revoked: &[Revoked],
        this_update: Timestamp,
        next_update: Timestamp,
    ) -> Result<Encoded, CertError> {
        let mut revoked_certs = Vec::with_capacity(revoked.len());
        for certificate in revoked {
            revoked_certs.push(RevokedCertParams {
                serial_number: SerialNumber::from_slice(&certificate.serial),
                revocation_time: date_time_ymd(1970, 1, 1) + since_epoch(certificate.at)?,
                reason_code: None,
                invalidity_date: None,
            });
        }
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(1970, 1, 1) + since_epoch(this_update)?,
            next_update: date_time_ymd(1970, 1, 1) + since_epoch(next_update)?,
            crl_number: SerialNumber::from(number),
            issuing_distribution_point: None,
            revoked_certs,
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = list.signed_by(&self.issuer).map_err(|_| CertError::Validity)?;
        let pem = list.pem().map_err(|_| CertError::Authority)?;
        Ok(Encoded { der: list.der().to_vec(), pem })
    }
}

/// The common name in a certificate request whose own key signed it.
///
/// # Errors
///
/// [`CertError::Request`] if it is malformed, not signed by its own key, or names nobody.
pub fn name_in_request(request_pem: &str) -> Result<String, CertError> {
    CertificateSigningRequestParams::from_pem(request_pem).map_err(|_| CertError::Request)?;
    let (_, pem) = x509_parser::pem::parse_x509_pem(request_pem.as_bytes()).map_err(|_| CertError::Request)?;
    let (_, request) = x509_parser::certification_request::X509CertificationRequest::from_der(&pem.contents)
        .map_err(|_| CertError::Request)?;
    let mut names = request.certification_request_info.subject.iter_common_name();
    let name = names.next().and_then(|name| name.as_str().ok()).ok_or(CertError::Request)?;
    if names.next().is_some() { Err(CertError::Request) } else { Ok(name.to_owned()) }
}

/// A certificate request that an agency sends, and the private key that it keeps.
pub struct Request {
    /// The request, in PEM.
    pub pem: String,
    /// The private key, PKCS#8 in PEM.
    pub key_pem: Zeroizing<String>,
}

/// Makes an agency's key and certificate request, on the agency's machine.
///
/// # Errors
///
/// [`CertError::Authority`] if the operating system gives no randomness.
pub fn request(agency: &AgencyCode) -> Result<Request, CertError> {
    let key = new_key()?;
    let mut params = CertificateParams::default();
    params.distinguished_name = named(agency.as_str());
    let request = params.serialize_request(&key).and_then(|request| request.pem());
    Ok(Request { pem: request.map_err(|_| CertError::Authority)?, key_pem: Zeroizing::new(key.serialize_pem()) })
}

fn params(
    name: &str,
    validity: Validity,
    development: bool,
    random: &dyn Random,
) -> Result<CertificateParams, CertError> {
    if validity.until <= validity.from {
        return Err(CertError::Validity);
    }
    let mut params = CertificateParams::default();
    params.distinguished_name = named(name);
    params.not_before = date_time_ymd(1970, 1, 1) + since_epoch(validity.from)?;
    params.not_after = date_time_ymd(1970, 1, 1) + since_epoch(validity.until)?;
    let mut serial: [u8; 16] = random_bytes(random);
    serial[0] = serial[0] & 0x7f | 0x40; // positive, and always 16 bytes long
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    if development {
        let words = b"development only";
        let mut content = vec![0x0c, words.len() as u8]; // UTF8String
        content.extend_from_slice(words);
        params.custom_extensions.push(CustomExtension::from_oid_content(&DEVELOPMENT_ONLY, content));
    }
    Ok(params)
}

fn for_leaf(params: &mut CertificateParams, purpose: ExtendedKeyUsagePurpose) {
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![purpose];
    params.use_authority_key_identifier_extension = true;
}

fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

fn new_key() -> Result<KeyPair, CertError> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|_| CertError::Authority)
}

fn encoded(certificate: &rcgen::Certificate) -> Encoded {
    Encoded { der: certificate.der().to_vec(), pem: certificate.pem() }
}

/// Added to 1970 in the time type that `rcgen` takes and does not name to us.
fn since_epoch(time: Timestamp) -> Result<Duration, CertError> {
    const YEAR_2200_S: i64 = 7_258_118_400;
    let seconds = time.as_seconds();
    if (0..YEAR_2200_S).contains(&seconds) {
        Ok(Duration::from_secs(seconds.unsigned_abs()))
    } else {
        Err(CertError::Validity)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::RootCertStore;
    use rustls::server::WebPkiClientVerifier;
    use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};

    use super::*;
    use crate::crypto::random::SystemRandom;

    const NOW: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);

    fn agency() -> AgencyCode {
        AgencyCode::parse("early-help").expect("a code")
    }

    fn authority(development: bool) -> CertificateAuthority {
        let validity = Validity::days(NOW, 365);
        CertificateAuthority::create("Demo issuing authority", validity, development, &SystemRandom::new())
            .expect("makes")
    }

    fn client(authority: &CertificateAuthority) -> Encoded {
        let request = request(&agency()).expect("makes");
        authority.client(&request.pem, &agency(), Validity::days(NOW, 90), &SystemRandom::new()).expect("issues")
    }

    /// Asks rustls, set up as the agency listener is, whether it lets a client in at an instant.
    fn admits(authority: &CertificateAuthority, list: &Encoded, client: &Encoded, now: Timestamp) -> bool {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(authority.certificate().der.clone())).expect("a usable root");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
            .with_crls([CertificateRevocationListDer::from(list.der.clone())])
            .enforce_revocation_expiration()
            .build()
            .expect("builds");
        let now = UnixTime::since_unix_epoch(Duration::from_secs(now.as_seconds().unsigned_abs()));
        verifier.verify_client_cert(&CertificateDer::from(client.der.clone()), &[], now).is_ok()
    }

    #[test]
    fn a_client_is_admitted_until_it_is_revoked_or_the_list_is_stale() {
        for development in [false, true] {
            let authority = authority(development);
            let client = client(&authority);
            let day = 86_400;
            let empty = authority.revocation_list(1, &[], NOW, NOW.plus_seconds(day)).expect("issues");
            assert!(admits(&authority, &empty, &client, NOW.plus_seconds(60)), "development: {development}");
            assert!(!admits(&authority, &empty, &client, NOW.plus_seconds(day + 60)), "the list is stale");
            let serial = summarise(&client.der).expect("a certificate").serial;
            let revoked = [Revoked { serial, at: NOW }];
            let list = authority.revocation_list(2, &revoked, NOW, NOW.plus_seconds(day)).expect("issues");
            assert!(!admits(&authority, &list, &client, NOW.plus_seconds(60)), "revoked");
            assert!(!admits(&self::authority(development), &empty, &client, NOW.plus_seconds(60)), "another authority");
        }
    }

    #[test]
    fn a_critical_stamp_would_keep_the_demonstration_from_connecting() {
        let authority = authority(true);
        let list = authority.revocation_list(1, &[], NOW, NOW.plus_seconds(3_600)).expect("issues");
        for (critical, admitted) in [(false, true), (true, false)] {
            let mut params = params("early-help", Validity::days(NOW, 1), true, &SystemRandom::new()).expect("good");
            for_leaf(&mut params, ExtendedKeyUsagePurpose::ClientAuth);
            params.custom_extensions[0].set_criticality(critical);
            let issued = params.signed_by(&new_key().expect("a key"), &authority.issuer).expect("issues");
            assert_eq!(admits(&authority, &list, &encoded(&issued), NOW.plus_seconds(60)), admitted);
        }
    }

    #[test]
    fn a_server_certificate_is_no_client_certificate() {
        let authority = authority(false);
        let names = ["porth.example".to_owned(), "127.0.0.1".to_owned()];
        let server = authority.server(&names, Validity::days(NOW, 90), &SystemRandom::new()).expect("issues");
        let list = authority.revocation_list(1, &[], NOW, NOW.plus_seconds(3_600)).expect("issues");
        assert!(!admits(&authority, &list, &server.certificate, NOW.plus_seconds(60)));
        let (_, parsed) = x509_parser::parse_x509_certificate(&server.certificate.der).expect("a certificate");
        let names = parsed.subject_alternative_name().expect("well-formed").expect("has names");
        assert_eq!(names.value.general_names.len(), 2);
        assert!(server.key_pem.contains("PRIVATE KEY"));
    }

    #[test]
    fn a_request_gives_its_key_and_nothing_else() {
        let authority = authority(false);
        let key = new_key().expect("a key");
        let mut greedy = CertificateParams::new(vec!["evil.example".to_owned()]).expect("a name");
        greedy.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        greedy.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let request = greedy.serialize_request(&key).and_then(|request| request.pem()).expect("a request");
        let issued = authority.client(&request, &agency(), Validity::days(NOW, 90), &SystemRandom::new());
        let issued = issued.expect("issues");
        let (_, parsed) = x509_parser::parse_x509_certificate(&issued.der).expect("a certificate");
        assert!(!parsed.is_ca());
        assert_eq!(parsed.subject_alternative_name(), Ok(None));
        let purposes = parsed.extended_key_usage().expect("well-formed").expect("present").value;
        assert!(purposes.client_auth && !purposes.server_auth);
        assert_eq!(parsed.subject().to_string(), "CN=early-help");
        let spki: [u8; 32] = Sha256::digest(key.subject_public_key_info()).into();
        assert_eq!(summarise(&issued.der).expect("a certificate").public_key_fingerprint, spki);
    }

    #[test]
    fn a_forged_or_foreign_request_is_refused() {
        let authority = authority(false);
        let issue = |pem: &str| authority.client(pem, &agency(), Validity::days(NOW, 1), &SystemRandom::new());
        assert_eq!(issue("no request").err(), Some(CertError::Request));
        let good = request(&agency()).expect("makes").pem;
        let lines: Vec<&str> = good.lines().collect();
        let swapped = request(&agency()).expect("makes").pem;
        let other: Vec<&str> = swapped.lines().collect();
        // The head of one request over the signature of another.
        let middle = lines.len() / 2;
        let forged = [&lines[..middle], &other[middle..]].concat().join("\n");
        assert_eq!(issue(&forged).err(), Some(CertError::Request));
        let p384 = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).expect("a key");
        let p384 = CertificateParams::default().serialize_request(&p384).and_then(|r| r.pem()).expect("a request");
        assert_eq!(issue(&p384).err(), Some(CertError::RequestKey));
    }

    #[test]
    fn an_authority_reads_back_and_refuses_another_key() {
        let made = authority(true);
        let read = CertificateAuthority::from_pem(&made.certificate().pem, &made.key_pem()).expect("reads");
        assert!(summarise(&client(&read).der).expect("a certificate").is_development, "the stamp is handed on");
        let list = read.revocation_list(1, &[], NOW, NOW.plus_seconds(60)).expect("issues");
        assert!(admits(&made, &list, &client(&read), NOW.plus_seconds(1)));
        let other = authority(true);
        let mixed = CertificateAuthority::from_pem(&made.certificate().pem, &other.key_pem());
        assert_eq!(mixed.err(), Some(CertError::Authority));
    }

    #[test]
    fn a_summary_says_what_was_asked_for() {
        for development in [false, true] {
            let certificate = client(&authority(development));
            let summary = summarise(&certificate.der).expect("a certificate");
            assert_eq!(summary.is_development, development);
            assert_eq!(summary.validity, Validity::days(NOW, 90));
            assert_eq!(summary.serial.len(), 16);
            assert_eq!(summary.fingerprint, fingerprint(&der_of_pem(&certificate.pem).expect("PEM")));
        }
        assert_eq!(summarise(b"no certificate"), Err(CertError::Malformed));
        let backwards = Validity { from: NOW, until: NOW };
        let made = CertificateAuthority::create("A", backwards, false, &SystemRandom::new());
        assert_eq!(made.err(), Some(CertError::Validity));
    }
}
