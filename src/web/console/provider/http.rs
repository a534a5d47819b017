//! The few calls that the console makes to the provider: small, short, over TLS, never redirected.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{Request, Response, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use oauth2::AsyncHttpClient;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use super::ProviderError;

/// The longest call, its answer included.
const LONGEST: Duration = Duration::from_secs(10);
/// The largest answer that is read.
const MOST_BYTES: usize = 256 * 1024;

/// An HTTP client towards one provider.
pub(super) struct ProviderHttp {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    may_be_plain: bool,
}

impl ProviderHttp {
    /// Trusts these authorities; `may_be_plain` for a provider on this machine itself.
    pub(super) fn new(roots: &[u8], may_be_plain: bool) -> Result<Self, ProviderError> {
        let mut store = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(roots).flatten() {
            let _ = store.add(certificate); // a bundle may hold some of a kind that is not known
        }
        if store.is_empty() && !may_be_plain {
            return Err(ProviderError::Unreachable("the file of roots holds no certificate"));
        }
        let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|_| ProviderError::Unreachable("TLS 1.3 is not available"))?
            .with_root_certificates(store)
            .with_no_client_auth();
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(LONGEST));
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(tcp);
        Ok(Self { client: Client::builder(TokioExecutor::new()).build(connector), may_be_plain })
    }

    /// Fetches an address.
    pub(super) async fn get(&self, address: &str) -> Result<Vec<u8>, ProviderError> {
        let request = Request::get(address).body(Vec::new());
        let answer = self.send(request.map_err(|_| ProviderError::Unreachable("an address is malformed"))?).await?;
        if !answer.status().is_success() {
            return Err(ProviderError::Unreachable("it answers with an error"));
        }
        Ok(answer.into_body())
    }

    /// Sends a request.
    pub(super) async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, ProviderError> {
        if !is_taken(request.uri(), self.may_be_plain) {
            return Err(ProviderError::Unreachable("an address in its configuration is not https"));
        }
        let request = request.map(|body| Full::new(Bytes::from(body)));
        let exchange = async {
            let answer = self.client.request(request).await;
            let answer = answer.map_err(|_| ProviderError::Unreachable("no connection"))?;
            let (parts, body) = answer.into_parts();
            let body = Limited::new(body, MOST_BYTES).collect().await;
            let body = body.map_err(|_| ProviderError::Unreachable("its answer broke off or is too long"))?;
            Ok(Response::from_parts(parts, body.to_bytes().to_vec()))
        };
        tokio::time::timeout(LONGEST, exchange).await.map_err(|_| ProviderError::Unreachable("no answer in time"))?
    }
}

impl<'c> AsyncHttpClient<'c> for ProviderHttp {
    type Error = ProviderError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Vec<u8>>, ProviderError>> + Send + 'c>>;

    fn call(&'c self, request: Request<Vec<u8>>) -> Self::Future {
        Box::pin(self.send(request))
    }
}

fn is_taken(address: &Uri, may_be_plain: bool) -> bool {
    let is_this_machine = matches!(address.host(), Some("localhost" | "127.0.0.1"));
    match address.scheme_str() {
        Some("https") => true,
        Some("http") => may_be_plain && is_this_machine,
        _ => false,
    }
}
