//! The OpenID Connect provider by which people sign in: authorisation code with PKCE and nonce.

mod http;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse, BasicTokenType,
};
use oauth2::{
    AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet, EndpointSet, ExtraTokenFields,
    PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope, StandardRevocableToken, StandardTokenResponse, TokenUrl,
};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use self::http::ProviderHttp;
use crate::app::console::Begun;
use crate::config::ProviderConfig;
use crate::crypto::jwt::{Expected, JwtError, ProviderKeys, SignedIn};
use crate::domain::time::Timestamp;
use crate::store::SignIn;

/// For how long the provider may remember somebody: a working day.
const MOST_SECONDS_SIGNED_IN: &str = "43200";
/// How long the provider's configuration and keys are taken as they were read.
const KEPT: Duration = Duration::from_hours(1);
/// How soon they may be read anew because a token names a key that is not there.
const SOONEST: Duration = Duration::from_secs(30);

/// Why the provider could not be asked, or its answer is not taken. Nothing of an answer is in it.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// A file that must be there.
    #[error("cannot read {path}: {kind}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the operating system said.
        kind: std::io::ErrorKind,
    },
    /// It did not answer, or not as a provider does.
    #[error("the sign-in provider cannot be reached or does not answer as one: {0}")]
    Unreachable(&'static str),
    /// It refused the code, as for one that was used before.
    #[error("the sign-in provider refused the exchange")]
    Refused,
    /// The identity token does not hold.
    #[error("the identity token does not hold: {0}")]
    Token(#[from] JwtError),
}

impl ProviderError {
    /// A word of a closed list, for the operator's log.
    pub fn code(&self) -> &'static str {
        match self {
            Self::File { .. } => "file",
            Self::Unreachable(_) => "unreachable",
            Self::Refused => "refused",
            Self::Token(error) => error.code(),
        }
    }

    /// What did not hold, in words that are written here and nowhere else.
    pub const fn what(&self) -> &'static str {
        match self {
            Self::File { .. } => "a file of the configuration cannot be read",
            Self::Unreachable(what) => what,
            Self::Refused => "the exchange of the code was refused",
            Self::Token(_) => "the identity token does not hold",
        }
    }
}

/// The provider.
pub struct Provider {
    config: ProviderConfig,
    redirect: String,
    secret: ClientSecret,
    http: ProviderHttp,
    known: Mutex<Option<Known>>,
}

struct Known {
    read_at: Instant,
    authorization: String,
    token: String,
    keys: std::sync::Arc<ProviderKeys>,
}

/// What is read of a provider's configuration.
#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct IdToken {
    id_token: String,
}

impl ExtraTokenFields for IdToken {}

type OidcClient<Auth, Token> = oauth2::Client<
    BasicErrorResponse,
    StandardTokenResponse<IdToken, BasicTokenType>,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    Auth,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    Token,
>;

impl Provider {
    /// Reads the files that the configuration names; asks nobody yet.
    ///
    /// # Errors
    ///
    /// [`ProviderError::File`].
    pub fn new(config: &ProviderConfig, console: &str) -> Result<Self, ProviderError> {
        let read = |path: &PathBuf| {
            std::fs::read_to_string(path)
                .map_err(|error| ProviderError::File { path: path.clone(), kind: error.kind() })
        };
        let secret = read(&config.client_secret_file)?;
        let is_local = config.issuer.starts_with("http://localhost:") || config.issuer.starts_with("http://127.0.0.1:");
        let roots = if is_local { String::new() } else { read(&config.roots)? };
        Ok(Self {
            redirect: format!("{console}/sign-in/back"),
            secret: ClientSecret::new(secret.trim().to_owned()),
            http: ProviderHttp::new(roots.as_bytes(), is_local)?,
            config: config.clone(),
            known: Mutex::new(None),
        })
    }

    /// The provider's issuer.
    pub fn issuer(&self) -> &str {
        &self.config.issuer
    }

    /// Where a browser goes to sign in. `fresh` asks the provider for a new proof, whomever it remembers.
    ///
    /// # Errors
    ///
    /// [`ProviderError`].
    pub async fn address(&self, begun: &Begun, fresh: bool) -> Result<String, ProviderError> {
        let (authorization, token, _) = self.known(KEPT).await?;
        let client = self.client(authorization, token)?;
        let verifier = PkceCodeVerifier::new(begun.verifier.clone());
        let state = begun.state.clone();
        let request = client
            .authorize_url(move || CsrfToken::new(state))
            .add_scope(Scope::new("openid".to_owned()))
            .add_scope(Scope::new("profile".to_owned()))
            .add_extra_param("nonce", begun.nonce.clone())
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier));
        // Asked for an age, a provider has to say when it last saw the person (OpenID Connect Core, section 2).
        let request = if fresh {
            request.add_extra_param("prompt", "login").add_extra_param("max_age", "0")
        } else {
            request.add_extra_param("max_age", MOST_SECONDS_SIGNED_IN)
        };
        Ok(request.url().0.to_string())
    }

    /// Exchanges the code that came back, and says who signed in.
    ///
    /// # Errors
    ///
    /// [`ProviderError`].
    pub async fn person(&self, sign_in: &SignIn, code: &str, now: Timestamp) -> Result<SignedIn, ProviderError> {
        let (authorization, token, keys) = self.known(KEPT).await?;
        let client = self.client(authorization, token)?;
        let answer = client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .set_pkce_verifier(PkceCodeVerifier::new(sign_in.verifier.clone()))
            .request_async(&self.http)
            .await;
        let answer = answer.map_err(|error| match error {
            oauth2::RequestTokenError::ServerResponse(_) => ProviderError::Refused,
            oauth2::RequestTokenError::Request(error) => error,
            _ => ProviderError::Unreachable("its answer to the code cannot be read"),
        })?;
        let token = &answer.extra_fields().id_token;
        // Providers change their keys: a name that is not known yet is worth another look, not often.
        let keys = if keys.has(token) { keys } else { self.known(SOONEST).await?.2 };
        let expected =
            Expected { issuer: &self.config.issuer, client_id: &self.config.client_id, nonce: &sign_in.nonce, now };
        Ok(keys.verify(token, &expected, &self.config.roles_claim)?)
    }

    fn client(
        &self,
        authorization: String,
        token: String,
    ) -> Result<OidcClient<EndpointSet, EndpointSet>, ProviderError> {
        let malformed = |_| ProviderError::Unreachable("an address in its configuration is malformed");
        let client: OidcClient<EndpointNotSet, EndpointNotSet> =
            oauth2::Client::new(ClientId::new(self.config.client_id.clone()));
        Ok(client
            .set_client_secret(self.secret.clone())
            .set_auth_uri(AuthUrl::new(authorization).map_err(malformed)?)
            .set_token_uri(TokenUrl::new(token).map_err(malformed)?)
            .set_redirect_uri(RedirectUrl::new(self.redirect.clone()).map_err(malformed)?))
    }

    /// The provider's addresses and keys, read anew when what is known is older than that.
    async fn known(&self, oldest: Duration) -> Result<(String, String, std::sync::Arc<ProviderKeys>), ProviderError> {
        let mut known = self.known.lock().await;
        if known.as_ref().is_none_or(|known| known.read_at.elapsed() >= oldest) {
            *known = Some(self.discover().await?);
        }
        let known = known.as_ref().ok_or(ProviderError::Unreachable("nothing is known of it"))?;
        Ok((known.authorization.clone(), known.token.clone(), known.keys.clone()))
    }

    async fn discover(&self) -> Result<Known, ProviderError> {
        let address = format!("{}/.well-known/openid-configuration", self.config.issuer.trim_end_matches('/'));
        let text = self.http.get(&address).await?;
        let found: Discovery = serde_json::from_slice(&text)
            .map_err(|_| ProviderError::Unreachable("its configuration cannot be read"))?;
        if found.issuer != self.config.issuer {
            return Err(ProviderError::Unreachable("its configuration names another issuer than ours does"));
        }
        let keys = self.http.get(&found.jwks_uri).await?;
        let keys = std::str::from_utf8(&keys).ok().and_then(|text| ProviderKeys::from_jwks(text).ok());
        Ok(Known {
            read_at: Instant::now(),
            authorization: found.authorization_endpoint,
            token: found.token_endpoint,
            keys: std::sync::Arc::new(keys.ok_or(ProviderError::Unreachable("its keys cannot be read"))?),
        })
    }
}
