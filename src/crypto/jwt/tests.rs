//! What is accepted and, row by row, what is refused.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::crypto::random::{CountingRandom, SystemRandom};
use crate::crypto::sign::SigningKey;
use crate::domain::time::Timestamp;
use crate::domain::token::encode_base64url;

const ISSUER: &str = "https://porth.example";
const NOW_S: i64 = 1_790_000_000;
const NOW: Timestamp = Timestamp::from_micros(NOW_S * 1_000_000);

fn key() -> ClientKey {
    ClientKey::generate(&CountingRandom::from(7))
}

fn registered(key: &ClientKey) -> RegisteredKey {
    RegisteredKey { client_id: "early-help".into(), kid: key.public().thumbprint(), key: key.public() }
}

fn header(key: &ClientKey) -> Value {
    let algorithm = key.public().algorithm().name();
    json!({ "alg": algorithm, "typ": "client-authentication+jwt", "kid": key.public().thumbprint() })
}

fn claims() -> Value {
    json!({
        "iss": "early-help", "sub": "early-help", "aud": ISSUER,
        "iat": NOW_S, "exp": NOW_S + 60, "jti": "0123456789abcdef",
    })
}

/// Signs whatever JSON text it is given, well-formed or not.
fn signed(header: &str, payload: &str, key: &ClientKey) -> String {
    install();
    let message = format!("{}.{}", encode_base64url(header.as_bytes()), encode_base64url(payload.as_bytes()));
    let algorithm = key.public().algorithm().into();
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key.encoding_key(), algorithm).expect("signs");
    format!("{message}.{signature}")
}

fn verify(token: &str, key: &RegisteredKey, now: Timestamp) -> Result<Assertion, JwtError> {
    AssertionVerifier::new(ISSUER).verify(&UnverifiedAssertion::parse(token)?, key, now)
}

fn with(mut object: Value, member: &str, value: Value) -> Value {
    object[member] = value;
    object
}

fn without(mut object: Value, member: &str) -> Value {
    object.as_object_mut().expect("an object").remove(member);
    object
}

#[test]
fn what_our_own_clients_make_is_accepted() {
    for key in [key(), ClientKey::generate_p256().expect("a key")] {
        let registered = registered(&key);
        let token = make_assertion(&key, &registered.kid, "early-help", ISSUER, NOW, &SystemRandom::new());
        let token = token.expect("signs");
        let unverified = UnverifiedAssertion::parse(&token).expect("well-formed");
        assert_eq!((unverified.client_id(), unverified.kid()), ("early-help", registered.kid.as_str()));
        let assertion = AssertionVerifier::new(ISSUER).verify(&unverified, &registered, NOW).expect("verifies");
        assert_eq!(assertion.client_id, "early-help");
        assert_eq!(assertion.jti.len(), 22);
        assert_eq!(assertion.keep_until, NOW.plus_seconds(65));
        let again = ClientKey::from_pkcs8(&key.to_pkcs8()).expect("its own form");
        assert_eq!(again.public(), key.public());
    }
}

#[test]
fn two_assertions_never_share_an_id() {
    let make = || {
        let token = make_assertion(&key(), "k", "early-help", ISSUER, NOW, &SystemRandom::new()).expect("signs");
        verify(&token, &RegisteredKey { kid: "k".into(), ..registered(&key()) }, NOW).expect("verifies").jti
    };
    assert_ne!(make(), make());
}

#[test]
fn every_claim_outside_the_profile_is_refused_by_name() {
    let missing = |claim| JwtError::Claim { claim, fault: ClaimFault::Missing };
    let text = |claim| JwtError::Claim { claim, fault: ClaimFault::Type("one string") };
    let seconds = |claim| JwtError::Claim { claim, fault: ClaimFault::Type("whole seconds since 1970") };
    let value = |claim, wanted| JwtError::Claim { claim, fault: ClaimFault::Value(wanted) };
    let issuer = value("iss", "the client id, the same as 'sub'");
    let subject = value("sub", "a client id: 1 to 64 letters, digits, '-', '_' or '.'");
    let audience = value("aud", "this gateway's issuer id, as one string");
    let life = value("exp", "1 to 120 seconds after 'iat'");
    let jti = value("jti", "16 to 128 visible ASCII characters");
    let cases = [
        ("iss", None, missing("iss")),
        ("iss", Some(json!(7)), text("iss")),
        ("iss", Some(json!(["early-help"])), text("iss")),
        ("iss", Some(json!("housing")), issuer),
        ("sub", None, missing("sub")),
        ("sub", Some(json!(["early-help"])), text("sub")),
        ("sub", Some(json!("")), subject),
        ("sub", Some(json!("' OR 1=1 --")), subject),
        ("aud", None, missing("aud")),
        ("aud", Some(json!(7)), text("aud")),
        ("aud", Some(json!([ISSUER])), text("aud")),
        ("aud", Some(json!([ISSUER, "https://evil.example"])), text("aud")),
        ("aud", Some(json!("https://evil.example")), audience),
        ("aud", Some(json!("https://porth.example/")), audience),
        ("nbf", Some(json!("soon")), seconds("nbf")),
        ("nbf", Some(json!(null)), seconds("nbf")),
        ("nbf", Some(json!(NOW_S + 6)), JwtError::ClockAhead { claim: "nbf", seconds: 6 }),
        ("nbf", Some(json!(NOW_S + 900_000)), JwtError::ClockAhead { claim: "nbf", seconds: 900_000 }),
        ("exp", None, missing("exp")),
        ("exp", Some(json!("1790000060")), seconds("exp")),
        ("exp", Some(json!(-1)), seconds("exp")),
        ("exp", Some(json!(1e300)), seconds("exp")),
        ("exp", Some(json!(1_790_000_060.5)), seconds("exp")),
        ("exp", Some(json!(NOW_S + 121)), life),
        ("exp", Some(json!(NOW_S + 315_360_000)), life),
        ("exp", Some(json!(NOW_S)), life),
        ("iat", None, missing("iat")),
        ("iat", Some(json!("now")), seconds("iat")),
        ("iat", Some(json!(NOW_S + 31)), JwtError::ClockAhead { claim: "iat", seconds: 31 }),
        ("iat", Some(json!(NOW_S - 31)), JwtError::ClockBehind { seconds: 31 }),
        ("jti", None, missing("jti")),
        ("jti", Some(json!(7)), text("jti")),
        ("jti", Some(json!("0123456789abcde")), jti),
        ("jti", Some(json!("x".repeat(129))), jti),
        ("jti", Some(json!("0123456789 abcdef")), jti),
    ];
    let key = key();
    for (claim, replaced, expected) in cases {
        let payload = match &replaced {
            Some(value) => with(claims(), claim, value.clone()),
            None => without(claims(), claim),
        };
        let token = signed(&header(&key).to_string(), &payload.to_string(), &key);
        assert_eq!(verify(&token, &registered(&key), NOW), Err(expected), "{claim} = {replaced:?}");
    }
}

#[test]
fn every_header_outside_the_profile_is_refused_by_name() {
    let missing = |member| JwtError::Header { member, fault: ClaimFault::Missing };
    let text = |member| JwtError::Header { member, fault: ClaimFault::Type("a string") };
    let value = |member, wanted| JwtError::Header { member, fault: ClaimFault::Value(wanted) };
    let typ = value("typ", "client-authentication+jwt");
    let kid = value("kid", "1 to 64 letters, digits, '-' or '_'");
    let algorithm = JwtError::Algorithm("EdDSA");
    let cases = [
        ("alg", None, missing("alg")),
        ("alg", Some(json!("none")), algorithm),
        ("alg", Some(json!("None")), algorithm),
        ("alg", Some(json!("HS256")), algorithm),
        ("alg", Some(json!("ES256")), algorithm),
        ("alg", Some(json!("RS256")), algorithm),
        ("alg", Some(json!("eddsa")), algorithm),
        ("alg", Some(json!(["EdDSA"])), text("alg")),
        ("typ", None, missing("typ")),
        ("typ", Some(json!("JWT")), typ),
        ("typ", Some(json!("at+jwt")), typ),
        ("kid", None, missing("kid")),
        ("kid", Some(json!(1)), text("kid")),
        ("kid", Some(json!("")), kid),
        ("kid", Some(json!("../../etc/passwd")), kid),
        ("kid", Some(json!("x' UNION SELECT 1 --")), kid),
        ("kid", Some(json!("a".repeat(65))), kid),
        ("kid", Some(json!("another-key")), JwtError::KeyId),
        ("crit", Some(json!(["exp"])), JwtError::HeaderRefused("crit")),
        ("crit", Some(json!([])), JwtError::HeaderRefused("crit")),
        ("b64", Some(json!(false)), JwtError::HeaderRefused("b64")),
        ("zip", Some(json!("DEF")), JwtError::HeaderRefused("zip")),
        ("jku", Some(json!("https://evil.example/jwks")), JwtError::HeaderRefused("jku")),
        ("x5u", Some(json!("https://evil.example/x5")), JwtError::HeaderRefused("x5u")),
        ("x5c", Some(json!([])), JwtError::HeaderRefused("x5c")),
        ("jwk", Some(key().public().to_jwk()), JwtError::HeaderRefused("jwk")),
    ];
    let key = key();
    for (member, replaced, expected) in cases {
        let header = match &replaced {
            Some(value) => with(header(&key), member, value.clone()),
            None => without(header(&key), member),
        };
        let token = signed(&header.to_string(), &claims().to_string(), &key);
        assert_eq!(verify(&token, &registered(&key), NOW), Err(expected), "{member} = {replaced:?}");
    }
}

#[test]
fn a_forged_or_missing_signature_is_refused() {
    let key = key();
    let good = signed(&header(&key).to_string(), &claims().to_string(), &key);
    assert!(verify(&good, &registered(&key), NOW).is_ok());
    let (message, signature) = good.rsplit_once('.').expect("three parts");
    let forgeries = [
        ("empty", format!("{message}.")),
        ("zeros", format!("{message}.{}", "A".repeat(86))),
        ("of another message", {
            let other = signed(&header(&key).to_string(), &with(claims(), "x", json!(1)).to_string(), &key);
            format!("{message}.{}", other.rsplit_once('.').expect("three parts").1)
        }),
        ("of another key", {
            let other = ClientKey::generate(&CountingRandom::from(99));
            signed(&header(&key).to_string(), &claims().to_string(), &other)
        }),
        ("over other claims", {
            let payload = encode_base64url(with(claims(), "scope", json!("all")).to_string().as_bytes());
            format!("{}.{payload}.{signature}", message.split_once('.').expect("two parts").0)
        }),
    ];
    for (name, token) in forgeries {
        assert_eq!(verify(&token, &registered(&key), NOW), Err(JwtError::Signature), "{name}");
    }
}

#[test]
fn an_hmac_made_with_the_public_key_is_refused() {
    let key = key();
    let PublicKey::Ed25519(public) = key.public() else { unreachable!("generated as Ed25519") };
    let header = with(header(&key), "alg", json!("HS256")).to_string();
    let message =
        format!("{}.{}", encode_base64url(header.as_bytes()), encode_base64url(claims().to_string().as_bytes()));
    let mac = ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, public.as_bytes()), message.as_bytes());
    let token = format!("{message}.{}", encode_base64url(mac.as_ref()));
    assert_eq!(verify(&token, &registered(&key), NOW), Err(JwtError::Algorithm("EdDSA")));
    // The same bytes under the registered algorithm's name are no Ed25519 signature.
    let renamed = signed(&self::header(&key).to_string(), &claims().to_string(), &key);
    let token = format!("{}.{}", renamed.rsplit_once('.').expect("parts").0, encode_base64url(mac.as_ref()));
    assert_eq!(verify(&token, &registered(&key), NOW), Err(JwtError::Signature));
}

#[test]
fn the_algorithm_is_the_registered_keys_and_no_other() {
    let (ed25519, p256) = (key(), ClientKey::generate_p256().expect("a key"));
    let token = signed(&with(header(&p256), "kid", json!("shared")).to_string(), &claims().to_string(), &p256);
    let as_ed25519 = RegisteredKey { kid: "shared".into(), ..registered(&ed25519) };
    assert_eq!(verify(&token, &as_ed25519, NOW), Err(JwtError::Algorithm("EdDSA")));
    let as_p256 = RegisteredKey { kid: "shared".into(), ..registered(&p256) };
    assert!(verify(&token, &as_p256, NOW).is_ok());
}

#[test]
fn a_token_of_another_form_is_refused_before_anything_is_read() {
    let key = key();
    let good = signed(&header(&key).to_string(), &claims().to_string(), &key);
    let parts: Vec<&str> = good.split('.').collect();
    let [h, p, s] = parts[..] else { unreachable!("three parts") };
    let header_text = header(&key).to_string();
    let duplicate_exp = claims().to_string().replacen('{', r#"{"exp":1,"#, 1);
    let nested = with(claims(), "x", json!({"a": 1})).to_string().replace(r#"{"a":1}"#, r#"{"a":1,"a":2}"#);
    let duplicate_alg = header_text.replacen('{', r#"{"alg":"none","#, 1);
    let cases = [
        ("empty", String::new(), JwtError::Form),
        ("two parts", format!("{h}.{p}"), JwtError::Form),
        ("four parts", format!("{good}."), JwtError::Form),
        ("five parts, encrypted", format!("{h}..{p}.{s}.{s}"), JwtError::Form),
        ("oversize", format!("{h}.{}.{s}", "A".repeat(4_096)), JwtError::TooLong(4_096)),
        ("padding", format!("{h}.{p}.{s}=="), JwtError::Encoding(JwtPart::Signature)),
        ("standard alphabet", format!("{h}.{p}.+{}", &s[1..]), JwtError::Encoding(JwtPart::Signature)),
        ("newline", format!("{h}.{p}\n.{s}"), JwtError::Encoding(JwtPart::Payload)),
        ("leading space", format!(" {good}"), JwtError::Encoding(JwtPart::Header)),
        ("trailing bits", format!("{h}.{p}.{}", trailing_bits(s)), JwtError::Encoding(JwtPart::Signature)),
        ("header no JSON", signed("alg", "{}", &key), JwtError::Json(JwtPart::Header)),
        ("header an array", signed("[]", "{}", &key), JwtError::Json(JwtPart::Header)),
        ("payload an array", signed(&header_text, "[]", &key), JwtError::Json(JwtPart::Payload)),
        ("text after payload", signed(&header_text, "{} {}", &key), JwtError::Json(JwtPart::Payload)),
        ("deep nesting", signed(&header_text, &"[".repeat(1_000), &key), JwtError::Json(JwtPart::Payload)),
        ("duplicate exp", signed(&header_text, &duplicate_exp, &key), JwtError::Duplicate(JwtPart::Payload)),
        ("nested duplicate", signed(&header_text, &nested, &key), JwtError::Duplicate(JwtPart::Payload)),
        ("duplicate alg", signed(&duplicate_alg, "{}", &key), JwtError::Duplicate(JwtPart::Header)),
    ];
    for (name, token, expected) in cases {
        assert_eq!(verify(&token, &registered(&key), NOW), Err(expected), "{name}");
    }
}

/// The last of 86 characters carries four bits; the next one up differs in a bit that is dropped.
fn trailing_bits(signature: &str) -> String {
    let last = signature.bytes().last().expect("not empty");
    format!("{}{}", &signature[..85], char::from(last + 1))
}

#[test]
fn the_clock_windows_end_where_they_should() {
    let key = key();
    let token = |iat: i64, life: i64| {
        let payload = with(with(claims(), "iat", json!(NOW_S + iat)), "exp", json!(NOW_S + iat + life));
        signed(&header(&key).to_string(), &payload.to_string(), &key)
    };
    let at = |iat, life, micros| {
        verify(&token(iat, life), &registered(&key), Timestamp::from_micros(NOW.as_micros() + micros))
    };
    assert!(at(0, 120, 0).is_ok());
    assert!(at(30, 60, 0).is_ok());
    assert!(at(-30, 60, 0).is_ok());
    assert_eq!(at(-30, 60, 1), Err(JwtError::ClockBehind { seconds: 31 }));
    assert_eq!(at(30, 60, -1), Err(JwtError::ClockAhead { claim: "iat", seconds: 31 }));
    assert!(at(-10, 6, 0).is_ok(), "expired 4 s ago, within the leeway");
    assert_eq!(at(-10, 5, 0), Err(JwtError::Expired { seconds: 5 }));
    let early = signed(&header(&key).to_string(), &with(claims(), "nbf", json!(NOW_S + 5)).to_string(), &key);
    assert!(verify(&early, &registered(&key), NOW).is_ok());
}

#[test]
fn a_clock_error_tells_the_skew_and_no_error_repeats_a_value() {
    let key = key();
    let payload = with(with(claims(), "iat", json!(NOW_S + 47)), "exp", json!(NOW_S + 100));
    let error = verify(&signed(&header(&key).to_string(), &payload.to_string(), &key), &registered(&key), NOW);
    let error = error.expect_err("47 s ahead");
    assert_eq!(error.code(), "token-clock-ahead");
    assert!(error.to_string().contains("47 s in the future"), "{error}");
    for (claim, value) in [("iss", "Jowan Trelawny"), ("sub", "Jowan Trelawny"), ("jti", "Jowan"), ("aud", "Jowan")] {
        let payload = with(claims(), claim, json!(value)).to_string();
        let token = signed(&header(&key).to_string(), &payload, &key);
        let error = verify(&token, &registered(&key), NOW).expect_err(claim);
        assert!(!format!("{error} {error:?}").contains("Jowan"), "{claim}");
    }
}

#[test]
fn a_loose_lookup_does_not_get_through() {
    let key = key();
    let token = signed(&header(&key).to_string(), &claims().to_string(), &key);
    let other_client = RegisteredKey { client_id: "housing".into(), ..registered(&key) };
    assert_eq!(verify(&token, &other_client, NOW), Err(JwtError::KeyId));
}

#[test]
fn the_signed_examples_of_the_standards_verify() {
    // RFC 8037, appendix A.4, and RFC 7515, appendix A.3.
    let ed25519 = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    let p256 = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
    let cases = [
        (
            ed25519,
            "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
        ),
        (
            p256,
            "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
            "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
        ),
    ];
    install();
    for (jwk, message, signature) in cases {
        let key = PublicKey::from_jwk(jwk).expect("well-formed");
        let verify = |message: &str| {
            let algorithm = key.algorithm().into();
            jsonwebtoken::crypto::verify(signature, message.as_bytes(), &key.decoding_key(), algorithm)
        };
        assert!(verify(message).expect("a Boolean"));
        assert!(!verify(&format!("{message}A")).expect("a Boolean"));
    }
}

fn access() -> AccessTokens {
    AccessTokens::new(ISSUER, &SigningKey::generate(&CountingRandom::from(1)))
}

fn issued(tokens: &AccessTokens, certificate: &[u8; 32]) -> String {
    let grant = AccessGrant {
        client_id: "early-help",
        key_id: "key-1",
        subject: "early-help",
        scope: "submit enquire",
        certificate,
    };
    tokens.issue(grant, NOW, &SystemRandom::new())
}

#[test]
fn an_access_token_is_good_for_five_minutes_over_its_own_certificate() {
    let tokens = access();
    let token = issued(&tokens, &[5; 32]);
    let claims = tokens.verify(&token, &[5; 32], NOW.plus_seconds(299)).expect("alive");
    assert_eq!((claims.client_id.as_str(), claims.scope.as_str()), ("early-help", "submit enquire"));
    assert_eq!(claims.expires, NOW.plus_seconds(300));
    assert_eq!(tokens.verify(&token, &[6; 32], NOW), Err(JwtError::Certificate));
    assert!(tokens.verify(&token, &[5; 32], NOW.plus_seconds(304)).is_ok(), "within the leeway");
    assert_eq!(tokens.verify(&token, &[5; 32], NOW.plus_seconds(305)), Err(JwtError::Expired { seconds: 5 }));
    let early = tokens.verify(&token, &[5; 32], NOW.plus_seconds(-6));
    assert_eq!(early, Err(JwtError::ClockAhead { claim: "iat", seconds: 6 }));
}

#[test]
fn another_gateways_or_an_older_keys_token_is_refused_unless_it_is_named() {
    let (old, new) = (SigningKey::generate(&CountingRandom::from(1)), SigningKey::generate(&CountingRandom::from(2)));
    let token = issued(&AccessTokens::new(ISSUER, &old), &[5; 32]);
    assert_eq!(AccessTokens::new(ISSUER, &new).verify(&token, &[5; 32], NOW), Err(JwtError::KeyId));
    let rotated = AccessTokens::new(ISSUER, &new).with_previous(old.verifying_key());
    assert!(rotated.verify(&token, &[5; 32], NOW).is_ok());
    let elsewhere = AccessTokens::new("https://other.example", &old).verify(&token, &[5; 32], NOW);
    let fault = ClaimFault::Value("this gateway's issuer id");
    assert_eq!(elsewhere, Err(JwtError::Claim { claim: "iss", fault }));
}

#[test]
fn an_access_token_and_an_assertion_are_never_taken_for_each_other() {
    let key = ClientKey::Ed25519(SigningKey::generate(&CountingRandom::from(1)));
    let typ = |wanted| Err(JwtError::Header { member: "typ", fault: ClaimFault::Value(wanted) });
    let assertion = make_assertion(&key, &key.public().thumbprint(), "early-help", ISSUER, NOW, &SystemRandom::new());
    assert_eq!(access().verify(&assertion.expect("signs"), &[5; 32], NOW), typ("at+jwt").map(|()| unreachable!()));
    let token = issued(&access(), &[5; 32]);
    assert_eq!(verify(&token, &registered(&key), NOW), typ("client-authentication+jwt").map(|()| unreachable!()));
}

#[test]
fn an_access_token_has_exactly_the_claims_that_we_issue() {
    let key = ClientKey::Ed25519(SigningKey::generate(&CountingRandom::from(1)));
    let header = json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": key.public().thumbprint() }).to_string();
    let good = json!({
        "iss": ISSUER, "aud": ISSUER, "sub": "early-help", "client_id": "early-help", "client_key": "k", "scope": "submit",
        "jti": "0123456789abcdef", "iat": NOW_S, "exp": NOW_S + 300, "cnf": { "x5t#S256": encode_base64url(&[5; 32]) },
    });
    let verify = |payload: &Value| access().verify(&signed(&header, &payload.to_string(), &key), &[5; 32], NOW);
    assert!(verify(&good).is_ok());
    for claim in ["iss", "aud", "sub", "client_id", "client_key", "scope", "jti", "iat", "exp", "cnf"] {
        assert!(matches!(verify(&without(good.clone(), claim)), Err(JwtError::Claim { .. })), "{claim} missing");
        assert!(matches!(verify(&with(good.clone(), claim, json!([1]))), Err(JwtError::Claim { .. })), "{claim} array");
    }
    for (claim, value) in [
        ("role", json!("admin")),
        ("exp", json!(NOW_S + 301)),
        ("exp", json!(NOW_S + 299)),
        ("aud", json!("https://other.example")),
        ("cnf", json!({ "x5t#S256": "short" })),
        ("cnf", json!({ "jkt": encode_base64url(&[5; 32]) })),
        ("cnf", json!({ "x5t#S256": encode_base64url(&[5; 32]), "jkt": "a" })),
    ] {
        assert!(matches!(verify(&with(good.clone(), claim, value)), Err(JwtError::Claim { .. })), "{claim}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_a_parser_panic(text in any::<String>(), parts in "[A-Za-z0-9_-]{0,40}\\.[A-Za-z0-9_-]{0,40}\\.[A-Za-z0-9_-]{0,90}") {
        prop_assert!(UnverifiedAssertion::parse(&text).is_err());
        prop_assert!(UnverifiedAssertion::parse(&parts).is_err());
        prop_assert!(access().verify(&parts, &[5; 32], NOW).is_err());
        prop_assert!(PublicKey::from_jwk(&text).is_err());
    }

    #[test]
    fn any_changed_character_is_refused(at in any::<prop::sample::Index>(), to in "[A-Za-z0-9_.=+/ -]") {
        let key = key();
        let good = signed(&header(&key).to_string(), &claims().to_string(), &key);
        let at = at.index(good.len());
        let changed = format!("{}{to}{}", &good[..at], &good[at + 1..]);
        if changed != good {
            prop_assert!(verify(&changed, &registered(&key), NOW).is_err());
        }
    }
}
