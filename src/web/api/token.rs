//! `POST /oauth/token`: a client assertion for a five-minute access token (RFC 6749, RFC 7523).
//!
//! An error is a problem document like every other of this gateway, and has the two members that
//! RFC 6749 asks for besides, so that both kinds of client understand it.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};

use super::caller::{certificate_of, note_share};
use super::failures::assertion_problem;
use super::{Api, form};
use crate::app::policies::hex;
use crate::crypto::jwt::UnverifiedAssertion;
use crate::web::body::{BodyLimit, read_whole};
use crate::web::json::Json;
use crate::web::problem::{Problem, kinds};

const FORM: &str = "application/x-www-form-urlencoded";
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const SCOPE: &str = "agency";
const BODY_BYTES: usize = 16 * 1024;

/// A token request; form-encoded on the wire.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
pub struct TokenRequest {
    /// `client_credentials`.
    pub grant_type: String,
    /// `urn:ietf:params:oauth:client-assertion-type:jwt-bearer`.
    pub client_assertion_type: String,
    /// The signed assertion; `aud` is the gateway's issuer id, `exp` at most 120 seconds after `iat`.
    pub client_assertion: String,
    /// May be left out; the same as the assertion's `sub` if it is there.
    pub client_id: Option<String>,
    /// May be left out; `agency` if it is there.
    pub scope: Option<String>,
}

/// An access token.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub struct TokenView {
    /// Sent as `Authorization: Bearer …`, over the same client certificate.
    pub access_token: String,
    /// `Bearer`.
    pub token_type: String,
    /// Seconds until it ends.
    pub expires_in: u32,
    /// `agency`.
    pub scope: String,
}

/// Fetches an access token bound to the connection's client certificate.
#[utoipa::path(post, path = "/oauth/token", operation_id = "fetch_token", tag = "access", security(()),
    request_body(content = TokenRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "The token, good for five minutes with this certificate only", body = TokenView),
        (status = 400, description = "Not a token request of the one kind that is taken"),
        (status = 401, description = "Certificate, client or assertion is not accepted; a wrong clock is told by how much"),
    ))]
pub async fn create(
    State(api): State<Api>,
    request: Request,
) -> Result<(StatusCode, [(HeaderName, HeaderValue); 1], Json<TokenView>), Problem> {
    let (parts, body) = request.into_parts();
    let certificate = certificate_of(&parts).map_err(|problem| refused(problem, "invalid_client"))?;
    let share = api.parts.certificates.check(&hex(&certificate));
    note_share(&parts, share);
    share.into_result()?;
    let assertion = read_request(&parts.headers, body).await?;
    let issued = api.gateway().issue_token(&assertion, &certificate).await;
    let issued = issued.map_err(|error| refused(assertion_problem(error), "invalid_client"))?;
    let view = TokenView {
        access_token: issued.token,
        token_type: "Bearer".to_owned(),
        expires_in: issued.expires_in,
        scope: SCOPE.to_owned(),
    };
    let pragma = (header::PRAGMA, HeaderValue::from_static("no-cache"));
    Ok((StatusCode::OK, [pragma], Json(view)))
}

/// The assertion of a request that is otherwise as it should be.
async fn read_request(headers: &HeaderMap, body: Body) -> Result<String, Problem> {
    let bad = |detail: &str, error| refused(Problem::new(kinds::REQUEST_REFUSED).detail(detail), error);
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !media_type.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(FORM) {
        let problem = Problem::new(kinds::UNSUPPORTED_MEDIA_TYPE).detail("this path takes a form");
        return Err(refused(problem, "invalid_request"));
    }
    let bytes = read_whole(headers, body, BodyLimit::bytes(BODY_BYTES)).await?;
    let text = std::str::from_utf8(&bytes).map_err(|_| bad("the form is not UTF-8", "invalid_request"))?;
    let pairs = form::parse(text).map_err(|error| bad(&error.to_string(), "invalid_request"))?;
    let given = |name: &str| pairs.get(name).map(|value| &**value);
    if given("grant_type") != Some("client_credentials") {
        let is_missing = given("grant_type").is_none();
        let error = if is_missing { "invalid_request" } else { "unsupported_grant_type" };
        return Err(bad("grant_type must be client_credentials", error));
    }
    if given("client_assertion_type") != Some(JWT_BEARER) {
        return Err(bad(&format!("client_assertion_type must be {JWT_BEARER}"), "invalid_request"));
    }
    if given("scope").is_some_and(|scope| scope != SCOPE) {
        return Err(bad("scope must be agency, or left out", "invalid_scope"));
    }
    let assertion = given("client_assertion").ok_or_else(|| bad("client_assertion is missing", "invalid_request"))?;
    if let Some(client) = given("client_id") {
        let unverified = UnverifiedAssertion::parse(assertion)
            .map_err(|error| refused(assertion_problem(error.into()), "invalid_client"))?;
        if unverified.client_id() != client {
            return Err(bad("client_id is not the assertion's sub", "invalid_request"));
        }
    }
    Ok(assertion.to_owned())
}

/// Adds the members of RFC 6749 to a problem that is the caller's to solve.
fn refused(problem: Problem, error: &'static str) -> Problem {
    if problem.status().is_server_error() {
        return problem;
    }
    let document = problem.document(None);
    let description = document.detail.unwrap_or_else(|| document.title.to_owned());
    problem.with(|extras| {
        extras.error = Some(error);
        extras.error_description = Some(description);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn error_of(form: &str) -> Option<&'static str> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(FORM));
        match read_request(&headers, Body::from(form.to_owned())).await {
            Ok(_) => None,
            Err(problem) => problem.document(None).extras.error,
        }
    }

    #[tokio::test]
    async fn each_wrong_request_has_the_error_of_the_standard() {
        let start = format!("grant_type=client_credentials&client_assertion_type={JWT_BEARER}");
        assert_eq!(error_of(&format!("{start}&client_assertion=a.b.c")).await, None);
        assert_eq!(error_of(&format!("{start}&client_assertion=a.b.c&scope=agency")).await, None);
        let cases = [
            (String::new(), "invalid_request"),
            ("grant_type=password".to_owned(), "unsupported_grant_type"),
            ("grant_type=client_credentials&client_secret=x".to_owned(), "invalid_request"),
            (start.clone(), "invalid_request"),
            (format!("{start}&client_assertion=a.b.c&scope=admin"), "invalid_scope"),
            (format!("{start}&client_assertion=a.b.c&client_assertion=a.b.c"), "invalid_request"),
            (format!("{start}&client_assertion=a.b.c&client_id=other"), "invalid_client"),
        ];
        for (form, expected) in cases {
            assert_eq!(error_of(&form).await, Some(expected), "{form}");
        }
    }
}
