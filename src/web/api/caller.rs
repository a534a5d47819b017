//! Who calls. A handler that names [`AgencyCaller`] as an argument cannot run unauthenticated.

use std::sync::{Arc, OnceLock};

use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;

use super::Api;
use super::failures::access_problem;
use crate::app::authenticate::AuthError;
use crate::app::caller::AgencyCaller;
use crate::app::policies::hex;
use crate::web::limits::RateDecision;
use crate::web::problem::{Problem, kinds};
use crate::web::serve::PeerCertificate;

impl FromRequestParts<Api> for AgencyCaller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let certificate = certificate_of(parts)?;
        match authenticated(&parts.headers, &certificate, api).await {
            Ok(caller) => {
                let share = api.parts.clients.check(&caller.client);
                note_share(parts, share);
                share.into_result()?;
                Ok(caller)
            }
            Err(problem) => {
                // Whoever keeps failing is told to wait, by certificate: no client is known yet.
                let share = api.parts.certificates.check(&hex(&certificate));
                note_share(parts, share);
                share.into_result()?;
                Err(problem)
            }
        }
    }
}

async fn authenticated(headers: &HeaderMap, certificate: &[u8; 32], api: &Api) -> Result<AgencyCaller, Problem> {
    let token = bearer(headers).ok_or_else(|| Problem::new(kinds::UNAUTHENTICATED))?;
    api.gateway().authenticate(token, certificate).await.map_err(access_problem)
}

/// The SHA-256 of the certificate that the peer proved to hold.
pub(super) fn certificate_of(parts: &Parts) -> Result<[u8; 32], Problem> {
    let certificate = parts.extensions.get::<PeerCertificate>();
    certificate.map(|certificate| certificate.sha256).ok_or_else(|| access_problem(AuthError::NoCertificate))
}

/// The token of the one `Authorization` header, if it is of the `Bearer` scheme.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty())
}

/// Where an extractor leaves the caller's share for the answer's headers.
#[derive(Clone, Default)]
struct Share(Arc<OnceLock<RateDecision>>);

pub(super) fn note_share(parts: &Parts, decision: RateDecision) {
    if let Some(Share(slot)) = parts.extensions.get() {
        let _ = slot.set(decision); // one extractor runs for each request
    }
}

/// Middleware: tells callers on every answer how many requests they have left.
pub async fn tell_share(mut request: Request, next: Next) -> Response {
    let share = Share::default();
    request.extensions_mut().insert(share.clone());
    let mut response = next.run(request).await;
    if let Some(decision) = share.0.get() {
        decision.write_headers(response.headers_mut());
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_bearer_header_counts() {
        let headers = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::AUTHORIZATION, value.parse().expect("a header value"));
            }
            headers
        };
        assert_eq!(bearer(&headers(&["Bearer abc"])), Some("abc"));
        assert_eq!(bearer(&headers(&["bearer  abc "])), Some("abc"));
        for none in [&[][..], &["Bearer"], &["Bearer "], &["Basic abc"], &["Bearer abc", "Bearer abc"]] {
            assert_eq!(bearer(&headers(none)), None, "{none:?}");
        }
    }
}
