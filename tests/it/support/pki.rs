//! Certificate authorities, certificates and revocation lists for tests, made afresh each time.

use std::sync::atomic::{AtomicU64, Ordering};

use porth::client::ClientIdentity;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevocationReason, RevokedCertParams, SerialNumber, date_time_ymd,
};

/// An authority that issues certificates and revocation lists.
pub(crate) struct Authority {
    pub(crate) pem: String,
    issuer: Issuer<'static, KeyPair>,
    last_serial: AtomicU64,
}

/// A certificate and its key.
pub(crate) struct Identity {
    pub(crate) certificate_pem: String,
    pub(crate) key_pem: String,
    pub(crate) der: Vec<u8>,
    serial: u64,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("randomness");
        let pem = params.self_signed(&key).expect("valid parameters").pem();
        Self { pem, issuer: Issuer::new(params, key), last_serial: AtomicU64::new(100) }
    }

    /// A certificate for a listener on this machine, under the name `localhost` only.
    pub(crate) fn server(&self) -> Identity {
        self.issue("localhost", ExtendedKeyUsagePurpose::ServerAuth, 2040)
    }

    /// A certificate for a client.
    pub(crate) fn client(&self, name: &str) -> Identity {
        self.issue(name, ExtendedKeyUsagePurpose::ClientAuth, 2040)
    }

    /// A client's certificate that lapsed years ago.
    pub(crate) fn lapsed_client(&self, name: &str) -> Identity {
        self.issue(name, ExtendedKeyUsagePurpose::ClientAuth, 2021)
    }

    fn issue(&self, name: &str, usage: ExtendedKeyUsagePurpose, lapses: i32) -> Identity {
        let serial = self.last_serial.fetch_add(1, Ordering::Relaxed);
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a host name");
        params.distinguished_name.push(DnType::CommonName, name);
        params.serial_number = Some(SerialNumber::from(serial));
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(lapses, 1, 1);
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate().expect("randomness");
        let certificate = params.signed_by(&key, &self.issuer).expect("valid parameters");
        Identity {
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
            der: certificate.der().to_vec(),
            serial,
        }
    }

    /// A revocation list in force, with these certificates on it.
    pub(crate) fn list(&self, revoked: &[&Identity]) -> String {
        self.list_until(2040, revoked)
    }

    /// A revocation list whose date has passed.
    pub(crate) fn lapsed_list(&self) -> String {
        self.list_until(2022, &[])
    }

    fn list_until(&self, year: i32, revoked: &[&Identity]) -> String {
        let revoked_certs = revoked.iter().map(|identity| RevokedCertParams {
            serial_number: SerialNumber::from(identity.serial),
            revocation_time: date_time_ymd(2021, 6, 1),
            reason_code: Some(RevocationReason::KeyCompromise),
            invalidity_date: None,
        });
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2021, 6, 1),
            next_update: date_time_ymd(year, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked_certs.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer).expect("valid parameters").pem().expect("PEM")
    }
}

impl Identity {
    /// The identity as the client takes it.
    pub(crate) fn for_client(&self) -> ClientIdentity {
        ClientIdentity {
            certificate_pem: self.certificate_pem.clone().into_bytes(),
            private_key_pem: self.key_pem.clone().into(),
        }
    }
}
