//! Where the gateway is, and how an agency's command line proves who it is: a client certificate,
//! and with it a signed assertion that is exchanged for a short-lived access token.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

use super::key_file;
use super::tokenise::read_file;
use crate::cli::output::Failure;
use crate::client::{CallHeaders, Client, ClientError, ClientIdentity, ClientOptions};
use crate::crypto::certs::revocation_lists_of_pem;
use crate::crypto::jwt::{ClientKey, make_assertion};
use crate::crypto::random::SystemRandom;
use crate::domain::policy_file;
use crate::domain::time::Timestamp;

/// A token is not used any more when it has less than this left.
const SPARE: Duration = Duration::from_secs(20);

/// The connection file: TOML, unknown keys refused, paths relative to the file itself.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Connection {
    /// The gateway's address, such as `https://gateway.example:8443`.
    pub gateway: String,
    /// The gateway's issuer id: what the assertion is for.
    pub issuer: String,
    /// The authority that signed the gateway's certificate, in PEM.
    pub root: PathBuf,
    /// Revocation lists of that authority, in PEM; without them a stolen key of the gateway is good
    /// until its certificate ends.
    #[serde(default)]
    pub revocation_lists: Option<PathBuf>,
    /// The client certificate, in PEM.
    pub certificate: PathBuf,
    /// Its private key, in PEM.
    pub private_key: PathBuf,
    /// The client's id, as the gateway's operator enrolled it.
    pub client_id: String,
    /// The private key of assertions, PKCS#8 in PEM.
    pub assertion_key: PathBuf,
    /// The assertion key's id, if not its thumbprint.
    pub key_id: Option<String>,
}

/// A gateway to which we have proved who we are.
pub(crate) struct Session {
    client: Client,
    key: ClientKey,
    kid: String,
    client_id: String,
    issuer: String,
    token: Option<Token>,
}

struct Token {
    text: String,
    ends: Instant,
}

impl Connection {
    /// Reads a connection file.
    ///
    /// # Errors
    ///
    /// [`Failure`] with exit code 78, naming the line.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let mut connection: Self = policy_file::read(&read_file(path)?)
            .map_err(|faults| Failure::unusable(format!("connection.malformed: {}: {faults}", path.display())))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        for file in [
            &mut connection.root,
            &mut connection.certificate,
            &mut connection.private_key,
            &mut connection.assertion_key,
        ] {
            *file = folder.join(&*file);
        }
        connection.revocation_lists.iter_mut().for_each(|file| *file = folder.join(&*file));
        Ok(connection)
    }

    /// Reads certificate and keys; connects to nothing yet.
    pub(crate) fn open(&self) -> Result<Session, Failure> {
        let private_key = key_file::read_secret(&self.private_key).map_err(Failure::unusable)?;
        let private_key = std::str::from_utf8(&private_key)
            .map_err(|_| Failure::unusable(format!("{}: not PEM", self.private_key.display())))?;
        let identity = ClientIdentity {
            certificate_pem: read_file(&self.certificate)?,
            private_key_pem: SecretString::from(private_key),
        };
        let options = ClientOptions::new(self.gateway.as_str(), read_file(&self.root)?).with_identity(identity);
        let options = match &self.revocation_lists {
            Some(path) => {
                let lists = read_file(path)?;
                // Without a list nothing would be looked up, and the connection would be made all the same.
                if !revocation_lists_of_pem(&lists).is_ok_and(|lists| !lists.is_empty()) {
                    let said = format!("connection.revocation_lists: {} holds no revocation list", path.display());
                    return Err(Failure::unusable(said).next(
                        "name the file of the authority's list, as the operator publishes it: PEM, `BEGIN X509 CRL`",
                    ));
                }
                options.with_revocation_lists(lists)
            }
            None => options,
        };
        let client = Client::new(options).map_err(Failure::unusable)?;
        let pem = key_file::read_secret(&self.assertion_key).map_err(Failure::unusable)?;
        let refused =
            || Failure::unusable(format!("{}: no Ed25519 or P-256 key in PKCS#8 PEM", self.assertion_key.display()));
        let der = PrivatePkcs8KeyDer::from_pem_slice(&pem).map_err(|_| refused())?;
        let key = ClientKey::from_pkcs8(&Zeroizing::new(der.secret_pkcs8_der().to_vec())).map_err(|_| refused())?;
        let kid = self.key_id.clone().unwrap_or_else(|| key.public().thumbprint());
        let (client_id, issuer) = (self.client_id.clone(), self.issuer.clone());
        Ok(Session { client, key, kid, client_id, issuer, token: None })
    }
}

impl Session {
    /// The client, for calls with [`Session::headers`].
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// The headers of a call, with an access token that lasts a while yet.
    pub(crate) async fn headers(&mut self, idempotency_key: Option<String>) -> Result<CallHeaders, Failure> {
        self.try_headers(idempotency_key).await.map_err(|error| failure(&error))
    }

    /// Likewise, for callers that try again: fetching the token is a call like any other.
    pub(in crate::cli) async fn try_headers(
        &mut self,
        idempotency_key: Option<String>,
    ) -> Result<CallHeaders, ClientError> {
        let is_good = |token: &Token| token.ends.saturating_duration_since(Instant::now()) > SPARE;
        let token = match self.token.take().filter(is_good) {
            Some(token) => token,
            None => self.fetch_token().await?,
        };
        let bearer = Some(SecretString::from(token.text.as_str()));
        self.token = Some(token);
        Ok(CallHeaders { bearer, idempotency_key })
    }

    /// Forgets the access token: the gateway did not take it. False when there was none, so that another
    /// try would be the same.
    pub(in crate::cli) fn forget_token(&mut self) -> bool {
        self.token.take().is_some()
    }

    async fn fetch_token(&self) -> Result<Token, ClientError> {
        let cannot_sign = |_| ClientError::Options("the assertion key cannot sign");
        let assertion =
            make_assertion(&self.key, &self.kid, &self.client_id, &self.issuer, now(), &SystemRandom::new())
                .map_err(cannot_sign)?;
        // The alphabet of an assertion is base64url and dots: nothing in it needs escaping in a form.
        let form = format!(
            "grant_type=client_credentials\
             &client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer\
             &client_assertion={assertion}"
        );
        let media_type = "application/x-www-form-urlencoded";
        let asked = Instant::now();
        let answer = self.client.post_bytes("/oauth/token", &CallHeaders::default(), media_type, form.into()).await?;
        let value: Value = answer.json()?;
        let text = value["access_token"].as_str().ok_or(ClientError::NotUnderstood { what: "answer" })?;
        let seconds = value["expires_in"].as_u64().unwrap_or(60);
        Ok(Token { text: text.to_owned(), ends: asked + Duration::from_secs(seconds) })
    }
}

/// What a failed call becomes: a refusal if the gateway says so, with what it says to do next.
pub(in crate::cli) fn failure(error: &ClientError) -> Failure {
    match error.problem() {
        Some(problem) if (400..500).contains(&problem.status) => {
            let detail = problem.detail.as_ref().map(|detail| format!(" ({detail})")).unwrap_or_default();
            let id = problem.request_id.as_ref().map(|id| format!(" [request {id}]")).unwrap_or_default();
            let refused =
                Failure::refused(format!("{}: {}{detail}{id}", problem.kind, problem.title)).answered(problem);
            let next = match problem.kind.as_str() {
                // What is wrong stands in the message then, and not in a list.
                "invalid-field" if problem.errors.is_empty() && problem.detail.is_some() => {
                    "correct what the message names; the OpenAPI document gives each field's form"
                }
                _ => problem.next.as_str(),
            };
            if next.is_empty() { refused } else { refused.next(next) }
        }
        _ => Failure::failed(error),
    }
}

/// This machine's time: for the assertion's claims and for ages, never for a decision.
pub(in crate::cli) fn now() -> Timestamp {
    #[expect(
        clippy::disallowed_methods,
        reason = "a client has only its own clock; the gateway judges the claims by its own"
    )]
    let now = jiff::Timestamp::now();
    Timestamp::from_micros(now.as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_from_the_folder_of_the_file_and_unknown_keys_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("connection.toml");
        let text = "gateway = 'https://gateway.example'\nissuer = 'https://gateway.example'\nroot = 'ca.pem'\n\
            certificate = 'client.pem'\nprivate_key = '/etc/porth/client.key'\nclient_id = 'a'\nassertion_key = 'k.pem'\n";
        std::fs::write(&path, text).expect("writes");
        let connection = Connection::read(&path).expect("well-formed");
        assert_eq!(connection.root, folder.path().join("ca.pem"));
        assert_eq!(connection.private_key, Path::new("/etc/porth/client.key"));
        std::fs::write(&path, format!("{text}password = 'x'\n")).expect("writes");
        assert!(Connection::read(&path).is_err());
    }
}
