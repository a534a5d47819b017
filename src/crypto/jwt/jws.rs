//! The compact form, taken apart with every check that comes before a claim is looked at.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::error::{ClaimFault, JwtError, JwtPart};
use super::jwk::PublicKey;
use crate::domain::time::Timestamp;

/// The longest token that is looked at.
pub(super) const MAX_LENGTH: usize = 4_096;

/// Header members that change how a token is read or bring their own key.
const REFUSED_MEMBERS: [&str; 7] = ["crit", "b64", "zip", "jku", "x5u", "x5c", "jwk"];

/// A token taken apart; its signature is not verified yet.
pub(super) struct Compact {
    pub(super) kid: String,
    pub(super) algorithm: String,
    pub(super) claims: Claims,
    signed: String,
    signature: String,
}

impl Compact {
    /// Takes a token apart: size, three parts, alphabet of each, JSON without duplicates, header
    /// members.
    pub(super) fn parse(token: &str, typ: &'static str) -> Result<Self, JwtError> {
        let (token, header) = Self::take_apart(token, MAX_LENGTH)?;
        if header_text(&header, "typ")? != typ {
            return Err(JwtError::Header { member: "typ", fault: ClaimFault::Value(typ) });
        }
        token.with_header(&header)
    }

    /// As [`Compact::parse`], for a token of somebody else's making: providers of sign-in leave `typ`
    /// out, and list many groups.
    pub(super) fn parse_foreign(token: &str, most: usize) -> Result<Self, JwtError> {
        let (token, header) = Self::take_apart(token, most)?;
        token.with_header(&header)
    }

    fn take_apart(token: &str, most: usize) -> Result<(Self, Map<String, Value>), JwtError> {
        if token.len() > most {
            return Err(JwtError::TooLong(most));
        }
        let parts: Vec<&str> = token.split('.').collect();
        let [header, payload, signature] = parts[..] else {
            return Err(JwtError::Form);
        };
        // The alphabet of all three first: a lenient decoder later could read what we did not check.
        let header = decode(header, JwtPart::Header)?;
        let payload_bytes = decode(payload, JwtPart::Payload)?;
        decode(signature, JwtPart::Signature)?;
        let header = object(&header, JwtPart::Header)?;
        if let Some(member) = REFUSED_MEMBERS.into_iter().find(|&member| header.contains_key(member)) {
            return Err(JwtError::HeaderRefused(member));
        }
        let taken = Self {
            kid: String::new(),
            algorithm: String::new(),
            claims: Claims(object(&payload_bytes, JwtPart::Payload)?),
            signed: token[..token.len() - signature.len() - 1].to_owned(),
            signature: signature.to_owned(),
        };
        Ok((taken, header))
    }

    fn with_header(self, header: &Map<String, Value>) -> Result<Self, JwtError> {
        let kid = header_text(header, "kid")?;
        if !(1..=64).contains(&kid.len()) || !kid.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        {
            let fault = ClaimFault::Value("1 to 64 letters, digits, '-' or '_'");
            return Err(JwtError::Header { member: "kid", fault });
        }
        Ok(Self { kid: kid.to_owned(), algorithm: header_text(header, "alg")?.to_owned(), ..self })
    }

    /// What was signed, and the signature in base64url.
    pub(super) fn signed(&self) -> (&str, &str) {
        (&self.signed, &self.signature)
    }

    /// Checks algorithm and signature against the one key that may have signed it.
    pub(super) fn verify(&self, key: &PublicKey) -> Result<(), JwtError> {
        let algorithm = key.algorithm();
        if self.algorithm != algorithm.name() {
            return Err(JwtError::Algorithm(algorithm.name()));
        }
        super::install();
        let verified = jsonwebtoken::crypto::verify(
            &self.signature,
            self.signed.as_bytes(),
            &key.decoding_key(),
            algorithm.into(),
        );
        if verified.is_ok_and(|holds| holds) { Ok(()) } else { Err(JwtError::Signature) }
    }
}

/// The claims of a token, read one by one with their exact type.
pub(super) struct Claims(Map<String, Value>);

impl Claims {
    pub(super) fn text(&self, claim: &'static str) -> Result<&str, JwtError> {
        match self.0.get(claim) {
            None => Err(JwtError::Claim { claim, fault: ClaimFault::Missing }),
            Some(Value::String(text)) => Ok(text),
            Some(_) => Err(JwtError::Claim { claim, fault: ClaimFault::Type("one string") }),
        }
    }

    /// A text that must be exactly this one.
    pub(super) fn exactly(&self, claim: &'static str, value: &str, wanted: &'static str) -> Result<(), JwtError> {
        if self.text(claim)? == value {
            Ok(())
        } else {
            Err(JwtError::Claim { claim, fault: ClaimFault::Value(wanted) })
        }
    }

    /// A time in whole seconds since 1970, up to the year 9999.
    pub(super) fn time(&self, claim: &'static str) -> Result<Timestamp, JwtError> {
        let fault = ClaimFault::Type("whole seconds since 1970");
        let value = self.0.get(claim).ok_or(JwtError::Claim { claim, fault: ClaimFault::Missing })?;
        let seconds = value.as_i64().filter(|seconds| (0..=253_402_300_799).contains(seconds));
        seconds.map(|s| Timestamp::from_micros(s * 1_000_000)).ok_or(JwtError::Claim { claim, fault })
    }

    pub(super) fn optional_time(&self, claim: &'static str) -> Result<Option<Timestamp>, JwtError> {
        if self.0.contains_key(claim) { self.time(claim).map(Some) } else { Ok(None) }
    }

    /// The unique id: 16 to 128 visible ASCII characters.
    pub(super) fn jti(&self) -> Result<&str, JwtError> {
        let jti = self.text("jti")?;
        if (16..=128).contains(&jti.len()) && jti.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(jti)
        } else {
            Err(JwtError::Claim { claim: "jti", fault: ClaimFault::Value("16 to 128 visible ASCII characters") })
        }
    }

    /// A claim as it is.
    pub(super) fn get(&self, claim: &str) -> Option<&Value> {
        self.0.get(claim)
    }

    pub(super) fn into_value(self) -> Value {
        Value::Object(self.0)
    }
}

/// Whole seconds from `earlier` to `later`, rounded up so that 30.2 s late never reads as 30.
pub(super) fn seconds_between(earlier: Timestamp, later: Timestamp) -> i64 {
    let micros = later.as_micros() - earlier.as_micros();
    micros.div_euclid(1_000_000) + i64::from(micros.rem_euclid(1_000_000) != 0)
}

/// Signs a header and claims into the compact form.
pub(super) fn sign(
    header: &Value,
    claims: &Value,
    key: &jsonwebtoken::EncodingKey,
    algorithm: jsonwebtoken::Algorithm,
) -> Result<String, jsonwebtoken::errors::Error> {
    use crate::domain::token::encode_base64url;

    super::install();
    let signed = format!(
        "{}.{}",
        encode_base64url(header.to_string().as_bytes()),
        encode_base64url(claims.to_string().as_bytes())
    );
    let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), key, algorithm)?;
    Ok(format!("{signed}.{signature}"))
}

fn decode(part: &str, name: JwtPart) -> Result<Vec<u8>, JwtError> {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    URL_SAFE_NO_PAD.decode(part).map_err(|_| JwtError::Encoding(name))
}

fn object(bytes: &[u8], part: JwtPart) -> Result<Map<String, Value>, JwtError> {
    match serde_json::from_slice(bytes) {
        Ok(Strict(Value::Object(members))) => Ok(members),
        Err(error) if error.to_string().starts_with(DUPLICATE) => Err(JwtError::Duplicate(part)),
        _ => Err(JwtError::Json(part)),
    }
}

fn header_text<'a>(header: &'a Map<String, Value>, member: &'static str) -> Result<&'a str, JwtError> {
    match header.get(member) {
        None => Err(JwtError::Header { member, fault: ClaimFault::Missing }),
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(JwtError::Header { member, fault: ClaimFault::Type("a string") }),
    }
}

const DUPLICATE: &str = "duplicate member";

/// A JSON value in which no object, at any depth, names a member twice. Two readers of such an
/// object could each believe another value.
pub(super) struct Strict(pub(super) Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Strict)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((name, Strict(value))) = members.next_entry::<String, Strict>()? {
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom(DUPLICATE));
            }
        }
        Ok(Value::Object(object))
    }
}
