//! TLS for the two listeners.
//!
//! The agency listener takes TLS 1.3 with a client certificate that one of the agency issuing
//! authorities signed and that is on none of their revocation lists. A list past its date refuses
//! everybody rather than nobody. Sessions are never resumed: a resumed session would skip the check
//! of the certificate, so somebody revoked a minute ago could come back in. The console listener
//! asks for no certificate. The two share nothing.

use std::sync::Arc;

use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;
use x509_parser::prelude::FromDer as _;
use zeroize::Zeroizing;

pub mod reload;

pub use reload::{TlsFiles, TlsReloader};

/// Why TLS cannot be set up. Names the file and what to do, never what is in it.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("tls-file-unreadable: cannot read {file} ({kind}); check the path and the permissions")]
    Unreadable {
        /// Which file.
        file: String,
        /// What the system says.
        kind: std::io::ErrorKind,
    },
    /// A file holds something else than it should.
    #[error("tls-file-malformed: {file} holds no {wanted} in PEM or DER; check that it is the right file and whole")]
    Malformed {
        /// Which file.
        file: String,
        /// What it should hold.
        wanted: &'static str,
    },
    /// The certificate and the key do not belong together.
    #[error("tls-key-mismatch: the key in {key} is not the key of the certificate in {certificate}")]
    KeyMismatch {
        /// The certificate's file.
        certificate: String,
        /// The key's file.
        key: String,
    },
    /// The key is of a kind that cannot be used.
    #[error("tls-key-unusable: the key in {file} cannot be used; make an Ed25519 or ECDSA P-256 key in PKCS #8")]
    KeyUnusable {
        /// Which file.
        file: String,
    },
    /// The agency listener has no issuing authority to trust.
    #[error("tls-no-roots: no agency issuing authority is configured; without one no agency can connect")]
    NoRoots,
    /// An issuing authority has no revocation list.
    #[error(
        "tls-no-revocation-list: no revocation list is signed by the authority in {file}; \
         fetch its list, because its certificates are refused without one"
    )]
    NoRevocationList {
        /// The authority's file.
        file: String,
    },
    /// The parts are right one by one but the TLS library refuses them together.
    #[error("tls-refused: the certificates cannot be used for a listener")]
    Refused(#[source] rustls::Error),
}

/// Bytes of a file and its name for error messages. The bytes are wiped when dropped.
pub struct NamedBytes {
    name: String,
    bytes: Zeroizing<Vec<u8>>,
}

impl NamedBytes {
    /// Names some bytes.
    pub fn new(name: impl Into<String>, bytes: Vec<u8>) -> Self {
        Self { name: name.into(), bytes: Zeroizing::new(bytes) }
    }
}

/// Whom the agency listener lets in.
pub struct ClientTrust {
    /// The agency issuing authorities' certificates.
    pub roots: Vec<NamedBytes>,
    /// Their revocation lists.
    pub revocation_lists: Vec<NamedBytes>,
}

/// Everything a listener's TLS is made from.
pub struct TlsMaterial {
    /// The listener's certificate, leaf first.
    pub certificate: NamedBytes,
    /// Its private key.
    pub private_key: NamedBytes,
    /// For the agency listener, whom it lets in; `None` for the console listener.
    pub clients: Option<ClientTrust>,
}

/// A listener's TLS, ready for new connections.
#[derive(Clone)]
pub struct ListenerTls {
    pub(crate) config: Arc<ServerConfig>,
    /// Cancelled when a newer configuration takes over.
    pub(crate) superseded: CancellationToken,
    /// When the first of the revocation lists lapses, in seconds since 1970; `None` without clients' certificates.
    pub revocation_lists_lapse_at: Option<i64>,
    /// When the listener's own certificate lapses, in seconds since 1970.
    pub certificate_lapses_at: i64,
}

impl ListenerTls {
    /// Builds the configuration of a listener.
    pub fn new(material: &TlsMaterial) -> Result<Self, TlsError> {
        let builder = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(TlsError::Refused)?;
        let mut revocation_lists_lapse_at = None;
        let builder = match &material.clients {
            None => builder.with_no_client_auth(),
            Some(trust) => {
                let (roots, lists) = trusted(trust)?;
                revocation_lists_lapse_at = lists.iter().map(|list| list.lapses_at).min();
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
                    .with_crls(lists.into_iter().map(|list| list.der))
                    .enforce_revocation_expiration() // the default accepts a list that lapsed long ago
                    .build()
                    .map_err(|error| TlsError::Refused(rustls::Error::General(error.to_string())))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let chain = certificates(&material.certificate)?;
        let certificate_lapses_at = not_after(&chain[0]).ok_or_else(|| malformed(&material.certificate))?;
        let key = private_key(&material.private_key)?;
        let mut config = builder.with_single_cert(chain, key).map_err(|error| key_error(error, material))?;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config.max_early_data_size = 0;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let superseded = CancellationToken::new();
        Ok(Self { config: Arc::new(config), superseded, revocation_lists_lapse_at, certificate_lapses_at })
    }
}

/// The only cryptography that TLS uses here, named at each use instead of set for the process.
pub(crate) fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// The SHA-256 of a certificate's DER form: how an agency's certificate is known.
pub fn fingerprint(certificate: &CertificateDer<'_>) -> [u8; 32] {
    Sha256::digest(certificate).into()
}

struct RevocationList {
    der: CertificateRevocationListDer<'static>,
    issuer: Vec<u8>,
    lapses_at: i64,
}

fn trusted(trust: &ClientTrust) -> Result<(RootCertStore, Vec<RevocationList>), TlsError> {
    let mut lists = Vec::new();
    for file in &trust.revocation_lists {
        lists.extend(revocation_lists(file)?);
    }
    let mut roots = RootCertStore::empty();
    for file in &trust.roots {
        for certificate in certificates(file)? {
            let subject = subject(&certificate).ok_or_else(|| malformed(file))?;
            if !lists.iter().any(|list| list.issuer == subject) {
                return Err(TlsError::NoRevocationList { file: file.name.clone() });
            }
            roots.add(certificate).map_err(|_| malformed(file))?;
        }
    }
    if roots.is_empty() { Err(TlsError::NoRoots) } else { Ok((roots, lists)) }
}

fn certificates(file: &NamedBytes) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found = objects::<CertificateDer<'static>>(file, |der| not_after(&der).is_some().then_some(der));
    found.ok_or_else(|| malformed(file))
}

fn revocation_lists(file: &NamedBytes) -> Result<Vec<RevocationList>, TlsError> {
    let error = || TlsError::Malformed { file: file.name.clone(), wanted: "revocation list with a next-update date" };
    let ders = objects::<CertificateRevocationListDer<'static>>(file, Some).ok_or_else(error)?;
    ders.into_iter()
        .map(|der| {
            let (_, list) = x509_parser::revocation_list::CertificateRevocationList::from_der(&der).ok()?;
            let lapses_at = list.next_update()?.timestamp();
            let issuer = list.issuer().as_raw().to_vec();
            Some(RevocationList { der, issuer, lapses_at })
        })
        .collect::<Option<_>>()
        .ok_or_else(error)
}

fn private_key(file: &NamedBytes) -> Result<PrivateKeyDer<'static>, TlsError> {
    let malformed = |()| TlsError::Malformed { file: file.name.clone(), wanted: "private key" };
    if is_pem(&file.bytes) {
        return PrivateKeyDer::from_pem_slice(&file.bytes).map_err(|_| malformed(()));
    }
    PrivateKeyDer::try_from(file.bytes.to_vec()).map_err(|_| malformed(()))
}

/// Every object of one sort in a file, PEM or DER; `None` if there is none or one is broken.
fn objects<T: PemObject + From<Vec<u8>>>(file: &NamedBytes, check: impl Fn(T) -> Option<T>) -> Option<Vec<T>> {
    let found: Vec<T> = if is_pem(&file.bytes) {
        T::pem_slice_iter(&file.bytes).map(|object| check(object.ok()?)).collect::<Option<_>>()?
    } else {
        vec![check(T::from(file.bytes.to_vec()))?]
    };
    (!found.is_empty()).then_some(found)
}

fn is_pem(bytes: &[u8]) -> bool {
    bytes.windows(11).any(|window| window == b"-----BEGIN ")
}

fn not_after(der: &CertificateDer<'_>) -> Option<i64> {
    let (rest, certificate) = x509_parser::certificate::X509Certificate::from_der(der).ok()?;
    rest.is_empty().then(|| certificate.validity().not_after.timestamp())
}

fn subject(der: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let (_, certificate) = x509_parser::certificate::X509Certificate::from_der(der).ok()?;
    Some(certificate.subject().as_raw().to_vec())
}

fn malformed(file: &NamedBytes) -> TlsError {
    TlsError::Malformed { file: file.name.clone(), wanted: "certificate" }
}

fn key_error(error: rustls::Error, material: &TlsMaterial) -> TlsError {
    match error {
        rustls::Error::InconsistentKeys(_) => TlsError::KeyMismatch {
            certificate: material.certificate.name.clone(),
            key: material.private_key.name.clone(),
        },
        // The library's text for a key that it cannot load; it has no variant of its own.
        rustls::Error::General(_) => TlsError::KeyUnusable { file: material.private_key.name.clone() },
        error => TlsError::Refused(error),
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{
        BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer, KeyIdMethod,
        KeyPair, KeyUsagePurpose, SerialNumber, date_time_ymd,
    };

    use super::*;

    struct Made {
        root: String,
        list: String,
        certificate: String,
        key: String,
    }

    fn made(name: &str) -> Made {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let root_key = KeyPair::generate().expect("randomness");
        let root = params.self_signed(&root_key).expect("valid").pem();
        let issuer = Issuer::new(params, root_key);
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2025, 1, 1),
            next_update: date_time_ymd(2040, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: Vec::new(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = list.signed_by(&issuer).expect("valid").pem().expect("valid");
        let key = KeyPair::generate().expect("randomness");
        let leaf = CertificateParams::new(vec!["localhost".to_owned()]).expect("valid");
        let certificate = leaf.signed_by(&key, &issuer).expect("valid").pem();
        Made { root, list, certificate, key: key.serialize_pem() }
    }

    fn named(name: &str, text: &str) -> NamedBytes {
        NamedBytes::new(name, text.as_bytes().to_vec())
    }

    fn material(made: &Made, key: &str, roots: &[&str], lists: &[&str]) -> TlsMaterial {
        TlsMaterial {
            certificate: named("gateway.pem", &made.certificate),
            private_key: named("gateway.key", key),
            clients: Some(ClientTrust {
                roots: roots.iter().map(|text| named("roots.pem", text)).collect(),
                revocation_lists: lists.iter().map(|text| named("lists.pem", text)).collect(),
            }),
        }
    }

    #[test]
    fn good_material_says_when_it_lapses_and_resumes_nothing() {
        let made = made("Porth test authority");
        let tls = ListenerTls::new(&material(&made, &made.key, &[&made.root], &[&made.list])).expect("good");
        assert_eq!(tls.revocation_lists_lapse_at, Some(2_208_988_800));
        assert_eq!(tls.config.send_tls13_tickets, 0);
        assert_eq!(tls.config.max_early_data_size, 0);
        assert!(!tls.config.session_storage.can_cache());
        assert!(!tls.config.ticketer.enabled());
    }

    #[test]
    fn each_wrong_file_is_named_with_a_code_and_nothing_of_its_content() {
        let made = made("Porth test authority");
        let other = super::tests::made("Another authority");
        let (root, list) = (made.root.as_str(), made.list.as_str());
        let broken_key = made.key.replace("PRIVATE KEY", "PRIVATE THING");
        let cases = [
            (material(&made, &other.key, &[root], &[list]), "tls-key-mismatch"),
            (material(&made, &broken_key, &[root], &[list]), "tls-file-malformed"),
            (material(&made, &made.key, &[], &[list]), "tls-no-roots"),
            (material(&made, &made.key, &[root], &[]), "tls-no-revocation-list"),
            (material(&made, &made.key, &[root, &other.root], &[list]), "tls-no-revocation-list"),
            (material(&made, &made.key, &["junk"], &[list]), "tls-file-malformed"),
            (material(&made, &made.key, &[root], &["junk"]), "tls-file-malformed"),
            (material(&made, &made.key, &[root], &[root]), "tls-file-malformed"),
        ];
        let secret = made.key.lines().nth(1).expect("a PEM body");
        for (material, code) in cases {
            let error = ListenerTls::new(&material).map(drop).expect_err(code).to_string();
            assert!(error.starts_with(code), "{error}");
            assert!(!error.contains(secret) && !error.contains("junk"), "{error}");
        }
    }

    #[test]
    fn der_files_are_read_too() {
        let made = made("Porth test authority");
        let pem = named("root.pem", &made.root);
        let der = certificates(&pem).expect("good").remove(0).to_vec();
        assert_eq!(certificates(&NamedBytes::new("root.der", der)).expect("good").len(), 1);
    }
}
