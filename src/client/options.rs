//! Where the gateway is, whom to trust, and who we are.

use std::sync::Arc;
use std::time::Duration;

use hyper::Uri;
use rustls::client::WebPkiServerVerifier;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use secrecy::{ExposeSecret as _, SecretString};

use super::ClientError;

/// What a client proves itself with.
pub struct ClientIdentity {
    /// The certificate, leaf first, in PEM.
    pub certificate_pem: Vec<u8>,
    /// Its private key, in PEM.
    pub private_key_pem: SecretString,
}

/// How to reach a gateway.
pub struct ClientOptions {
    /// Scheme, host and port, such as `https://gateway.example:8443`. Plain `http` is taken only for
    /// the loopback interface.
    pub address: String,
    /// The authority that signed the gateway's certificate, in PEM. No other is trusted.
    pub roots_pem: Vec<u8>,
    /// Revocation lists of that authority, in PEM. None: the gateway's certificate is not looked up.
    pub revocation_lists_pem: Vec<u8>,
    /// The client certificate, if there is one.
    pub identity: Option<ClientIdentity>,
    /// The longest wait for a connection.
    pub connect_timeout: Duration,
    /// The longest call, its answer included.
    pub call_timeout: Duration,
    /// The longest call that sends a stream.
    pub upload_timeout: Duration,
    /// The largest answer that is read.
    pub answer_bytes: usize,
}

impl ClientOptions {
    /// Usual limits for this gateway and this authority, without a client certificate.
    pub fn new(address: impl Into<String>, roots_pem: impl Into<Vec<u8>>) -> Self {
        Self {
            address: address.into(),
            roots_pem: roots_pem.into(),
            revocation_lists_pem: Vec::new(),
            identity: None,
            connect_timeout: Duration::from_secs(10),
            call_timeout: Duration::from_mins(1),
            upload_timeout: Duration::from_hours(1),
            answer_bytes: 64 << 20,
        }
    }

    /// Adds revocation lists: a gateway whose certificate is on one is not spoken to.
    pub fn with_revocation_lists(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.revocation_lists_pem = pem.into();
        self
    }

    /// Adds the client certificate.
    pub fn with_identity(mut self, identity: ClientIdentity) -> Self {
        self.identity = Some(identity);
        self
    }
}

/// Takes `https` with any host, and `http` only towards this machine.
pub(super) fn check_address(address: &str) -> Result<(), ClientError> {
    let malformed = ClientError::Options("the address is not of the form https://host:port");
    let Ok(uri) = address.parse::<Uri>() else { return Err(malformed) };
    let (Some(scheme), Some(host)) = (uri.scheme_str(), uri.host()) else { return Err(malformed) };
    if uri.path() != "/" || uri.query().is_some() {
        return Err(malformed);
    }
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let is_this_machine =
        bare == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    match scheme {
        "https" => Ok(()),
        "http" if is_this_machine => Ok(()),
        "http" => Err(ClientError::Options("plain http is only for this machine itself; use https")),
        _ => Err(malformed),
    }
}

pub(super) fn tls_config(options: &ClientOptions) -> Result<ClientConfig, ClientError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&options.roots_pem) {
        let certificate = certificate.map_err(|_| ClientError::Options("the roots file is not PEM"))?;
        roots.add(certificate).map_err(|_| ClientError::Options("the roots file holds no usable certificate"))?;
    }
    if roots.is_empty() && options.address.starts_with("https") {
        return Err(ClientError::Options("the roots file holds no certificate"));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|_| ClientError::Options("TLS 1.3 is not available"))?;
    let lists: Vec<CertificateRevocationListDer<'static>> =
        CertificateRevocationListDer::pem_slice_iter(&options.revocation_lists_pem)
            .collect::<Result<_, _>>()
            .map_err(|_| ClientError::Options("the file of revocation lists is not PEM"))?;
    let builder = if lists.is_empty() {
        builder.with_root_certificates(roots)
    } else {
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .with_crls(lists)
            .only_check_end_entity_revocation()
            .build()
            .map_err(|_| ClientError::Options("the revocation lists cannot be used with these roots"))?;
        builder.with_webpki_verifier(verifier)
    };
    let mut config = match &options.identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let chain = CertificateDer::pem_slice_iter(&identity.certificate_pem)
                .collect::<Result<Vec<_>, _>>()
                .ok()
                .filter(|chain| !chain.is_empty())
                .ok_or(ClientError::Options("the certificate file holds no certificate in PEM"))?;
            let key = PrivateKeyDer::from_pem_slice(identity.private_key_pem.expose_secret().as_bytes())
                .map_err(|_| ClientError::Options("the key file holds no private key in PEM"))?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|_| ClientError::Options("the client certificate and its key do not belong together"))?
        }
    };
    config.resumption = rustls::client::Resumption::disabled();
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_only_for_this_machine() {
        for good in ["https://gateway.example:8443", "http://127.0.0.1:80", "http://localhost:1", "http://[::1]:1"] {
            assert!(check_address(good).is_ok(), "{good}");
        }
        for bad in ["http://gateway.example", "ftp://x", "gateway.example", "https://x/path", "https://x?y", ""] {
            assert!(check_address(bad).is_err(), "{bad}");
        }
    }
}
