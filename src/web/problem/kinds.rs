//! The closed table of what can go wrong at the HTTP edge.

use axum::http::StatusCode;

/// One kind of problem: what its status is and what the caller should do next.
///
/// The table below is closed: nothing outside this file can make another kind.
#[derive(Debug, PartialEq, Eq)]
pub struct ProblemKind {
    slug: &'static str,
    status: u16,
    title: &'static str,
    next: &'static str,
}

impl ProblemKind {
    /// The short stable name, the last part of the `type` URI.
    pub fn slug(&self) -> &'static str {
        self.slug
    }

    /// The HTTP status that goes with it.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// What happened, in one sentence that is the same every time.
    pub fn title(&self) -> &'static str {
        self.title
    }

    /// What to do next.
    pub fn next(&self) -> &'static str {
        self.next
    }

    /// The kind of this name, if the table has one.
    pub fn by_slug(slug: &str) -> Option<&'static Self> {
        ALL.iter().copied().find(|kind| kind.slug == slug)
    }
}

macro_rules! problem_kinds {
    ($($name:ident = $slug:literal, $status:literal, $title:literal, $next:literal;)*) => {
        $(
            #[doc = $title]
            pub const $name: &ProblemKind =
                &ProblemKind { slug: $slug, status: $status, title: $title, next: $next };
        )*

        /// Every kind, in the order of the documentation.
        pub const ALL: &[&ProblemKind] = &[$($name),*];
    };
}

problem_kinds! {
    // The request cannot be read.
    MALFORMED_BODY = "malformed-body", 400,
        "The body is not well-formed JSON.",
        "Correct the text at the line and column given, then send it again.";
    INVALID_FIELD = "invalid-field", 422,
        "A field is missing or has a value that is not allowed.",
        "Correct the fields listed under `errors`; the OpenAPI document gives each field's form.";
    INVALID_ROWS = "invalid-rows", 422,
        "Some rows were refused, and the submission asked for all rows or none.",
        "Correct the rows listed under `errors`, or ask for good rows to land alone.";
    INVALID_QUESTIONS = "invalid-questions", 422,
        "Some questions of the screening were refused; nothing of it was taken.",
        "Correct the rows listed under `errors`, then send the whole again.";
    NOT_A_TOKEN = "not-a-token", 422,
        "A value in a token field is not a token.",
        "Make tokens with `porth tokenise` on your own machine; never send names, dates or numbers in clear.";
    WRONG_KEY_CHECK = "wrong-key-check", 409,
        "The tokens were made with a different linkage key.",
        "Ask your key custodian which linkage key and epoch are current, then tokenise again.";
    UNCHECKED_TOKENS = "unchecked-tokens", 409,
        "This agency's system has not shown that it makes the programme's tokens.",
        "Run `porth check-tokens`, or send your system's tokens of the test people to POST /v1/token-checks; then send the file again.";
    WRONG_EPOCH = "wrong-epoch", 409,
        "The programme accepts no tokens of this epoch.",
        "Tokenise again under an epoch that the programme lists as open.";
    MATCH_KEYS_MISMATCH = "match-keys-mismatch", 409,
        "The batch was made with other match keys than the programme uses.",
        "Fetch the programme's current match-key file, then tokenise again.";
    UNSUPPORTED_SCHEME = "unsupported-scheme", 422,
        "This gateway does not accept the token scheme or the normalisation version.",
        "Update the `porth` command line, then tokenise again.";
    INVALID_CURSOR = "invalid-cursor", 400,
        "The page cursor is not one that this gateway gave out, or it has lapsed.",
        "Start again from the first page.";

    // A code that this gateway does not know.
    UNKNOWN_PROGRAMME = "unknown-programme", 422,
        "No programme has this code.",
        "Check the programme code in your agreement.";
    UNKNOWN_AGENCY = "unknown-agency", 422,
        "No agency of the programme has this code.",
        "Check the agency code against the agreements register.";
    UNKNOWN_AGREEMENT = "unknown-agreement", 422,
        "No agreement of yours has this code and version.",
        "List your agreements with GET /v1/agreements.";
    UNKNOWN_FEED = "unknown-feed", 422,
        "The agreement names no feed with this code.",
        "Check the feed codes in your agreement's supply terms.";
    UNKNOWN_CRITERION = "unknown-criterion", 422,
        "The programme has no criterion with this code.",
        "Check the criterion codes in the programme file.";
    UNKNOWN_PURPOSE = "unknown-purpose", 422,
        "The programme has no purpose with this code.",
        "Check the purposes in your agreement's receive clauses.";

    // Refusals that follow from the agreements, and from nothing else.
    NO_AGREEMENT = "no-agreement", 403,
        "No agreement in force covers what was asked.",
        "Read the rules listed, try POST /v1/policy/explain, or ask your information-governance officer.";
    CEILING_REACHED = "ceiling-reached", 403,
        "The agreement's ceiling on enquiries has been reached.",
        "Wait for the period in the agreement to end, or ask your information-governance officer.";
    ROLE_NOT_ALLOWED = "role-not-allowed", 403,
        "The agreement does not let this role do this.",
        "Ask a colleague in a role that the agreement names.";

    NOT_CUSTODIAN = "not-custodian", 409,
        "The caller's agency is not a key custodian of the programme.",
        "Ask the programme's key custodians to hand the keys over; the agency's policy file names who they are.";

    // Who is calling.
    UNAUTHENTICATED = "unauthenticated", 401,
        "The call carries no access token.",
        "Fetch an access token from POST /oauth/token over the same client certificate.";
    TOKEN_INVALID = "token-invalid", 401,
        "The access token is not valid here.",
        "Fetch a new access token; one token works only with the certificate that fetched it, for five minutes.";
    ASSERTION_INVALID = "assertion-invalid", 401,
        "The client assertion is not well-formed or its signature does not agree.",
        "Sign with the registered key and algorithm, `kid` and `typ` set, and `iss` equal to `sub`.";
    ASSERTION_AUDIENCE = "assertion-audience", 401,
        "The client assertion is meant for somebody else.",
        "Set `aud` to this gateway's issuer identifier, as one string and not as a list.";
    ASSERTION_EXPIRED = "assertion-expired", 401,
        "The client assertion is outside its time, or lives too long.",
        "Check this machine's clock; let `exp` be at most 120 seconds after `iat`.";
    ASSERTION_REPLAYED = "assertion-replayed", 401,
        "The client assertion was used before.",
        "Make a new assertion with a new `jti` for every token request.";
    CLIENT_UNKNOWN = "client-unknown", 401,
        "No client is registered under this name and key.",
        "Check the client id and key id that the gateway's operator gave you.";
    CERTIFICATE_UNKNOWN = "certificate-unknown", 401,
        "The client certificate is not enrolled.",
        "Send your certificate's SHA-256 fingerprint to the gateway's operator.";
    CERTIFICATE_SUSPENDED = "certificate-suspended", 401,
        "The client certificate is suspended.",
        "Speak to the gateway's operator; nothing sent with it will be accepted.";
    AGENCY_SUSPENDED = "agency-suspended", 401,
        "The agency is suspended from the programme.",
        "Speak to your information-governance officer.";

    // The shape of the request.
    NOT_FOUND = "not-found", 404,
        "There is nothing here that you may see.",
        "Check the path and the id against the OpenAPI document and your earlier answers.";
    METHOD_NOT_ALLOWED = "method-not-allowed", 405,
        "This path does not take this method.",
        "Use a method that the Allow header lists.";
    REQUEST_REFUSED = "request-refused", 400,
        "The request is not one that this gateway understands.",
        "Check the path, the headers and the body against the OpenAPI document.";
    UNSUPPORTED_MEDIA_TYPE = "unsupported-media-type", 415,
        "The body is of a media type that this path does not take.",
        "Send the media type that the OpenAPI document gives for this path.";
    UNSUPPORTED_CODING = "unsupported-coding", 415,
        "Compressed bodies are not accepted.",
        "Send the body without Content-Encoding.";
    TOO_LARGE = "too-large", 413,
        "The body is larger than this path accepts.",
        "Split it into smaller requests.";
    LINE_TOO_LONG = "line-too-long", 413,
        "A line is longer than any record can be.",
        "Check that the file has one record a line.";
    TOO_MANY_ROWS = "too-many-rows", 413,
        "The body has more rows than one request may carry.",
        "Split it into smaller requests.";
    BODY_TIMEOUT = "body-timeout", 408,
        "The body arrived too slowly.",
        "Check the network, then send the request again with the same Idempotency-Key.";
    BODY_INCOMPLETE = "body-incomplete", 400,
        "The body ended before it was complete.",
        "Check the network, then send the request again with the same Idempotency-Key.";
    TIMEOUT = "timeout", 503,
        "The request took too long.",
        "Send it again with the same Idempotency-Key: what was done will not be done twice.";
    RATE_LIMITED = "rate-limited", 429,
        "Too many requests in too short a time.",
        "Wait as long as Retry-After says.";

    // Repeats and races.
    IDEMPOTENCY_KEY_MISSING = "idempotency-key-missing", 400,
        "The call needs an Idempotency-Key.",
        "Send a fresh random Idempotency-Key, and the same one when you repeat the call.";
    IDEMPOTENCY_KEY_INVALID = "idempotency-key-invalid", 400,
        "The Idempotency-Key is not well-formed.",
        "Use 16 to 128 letters, digits, hyphens and underscores, such as a random UUID.";
    IDEMPOTENCY_CONFLICT = "idempotency-conflict", 409,
        "The Idempotency-Key was used for a different request.",
        "Use a fresh Idempotency-Key for every new request.";
    IDEMPOTENCY_LAPSED = "idempotency-lapsed", 409,
        "The answer given under this Idempotency-Key may no longer be repeated: agreements or records changed since.",
        "Ask again with a fresh Idempotency-Key; that is a new disclosure.";
    STILL_IN_PROGRESS = "still-in-progress", 409,
        "The first request with this Idempotency-Key has not ended.",
        "Wait, then send the same request with the same Idempotency-Key.";
    EMERGENCY_UNREVIEWED = "emergency-unreviewed", 409,
        "An emergency enquiry of this system was not reviewed by the end of its day.",
        "Have somebody who did not ask review it with `porth emergency review`, then ask again; meanwhile ask on another ground.";
    STATE_CONFLICT = "state-conflict", 409,
        "What the call would change is no longer in a state that allows it.",
        "Read its present state, then decide again.";

    // The gateway itself.
    STORAGE_UNAVAILABLE = "storage-unavailable", 503,
        "The gateway cannot reach its database, so nothing was released.",
        "Send the request again later with the same Idempotency-Key.";
    STORAGE_FULL = "storage-full", 503,
        "The gateway has no room to write its log, so nothing was released.",
        "Tell the gateway's operator; send the request again later with the same Idempotency-Key.";
    KEYS_CHANGING = "keys-changing", 503,
        "The gateway is changing its blinding key, so nothing was looked up or released.",
        "Send the request again later with the same Idempotency-Key.";
    WITNESSES_MISSING = "witnesses-missing", 503,
        "Too few witnesses have confirmed the log, so nothing is released.",
        "Send the request again later with the same Idempotency-Key.";
    DRAINING = "draining", 503,
        "The gateway is shutting down.",
        "Send the request again; another instance or the restarted gateway will answer.";
    INTERNAL = "internal", 500,
        "Something went wrong inside the gateway.",
        "Give the request id to the gateway's operator; the cause is in their log.";
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_kind_has_its_own_slug_a_valid_error_status_and_words() {
        let mut seen = HashSet::new();
        for kind in ALL {
            assert!(seen.insert(kind.slug), "{} is there twice", kind.slug);
            assert!(kind.slug.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{}", kind.slug);
            assert_eq!(kind.status().as_u16(), kind.status, "{}", kind.slug);
            assert!((400..600).contains(&kind.status), "{}", kind.slug);
            assert!(kind.title.ends_with('.') && kind.next.ends_with('.'), "{}", kind.slug);
            assert_eq!(ProblemKind::by_slug(kind.slug), Some(*kind));
        }
    }

    #[test]
    fn only_refusals_that_follow_from_an_agreement_are_403() {
        let forbidden: Vec<_> = ALL.iter().filter(|kind| kind.status == 403).map(|kind| kind.slug).collect();
        assert_eq!(forbidden, ["no-agreement", "ceiling-reached", "role-not-allowed"]);
    }
}
