//! What can be wrong with a token or key, in codes and words that never repeat its content.

use std::fmt;

/// One of the three parts of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JwtPart {
    /// The first part.
    Header,
    /// The second part.
    Payload,
    /// The third part.
    Signature,
}

impl fmt::Display for JwtPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "header",
            Self::Payload => "payload",
            Self::Signature => "signature",
        })
    }
}

/// What is wrong with a claim, and so what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimFault {
    /// The claim is not there.
    Missing,
    /// The claim has another JSON type than the profile wants.
    Type(&'static str),
    /// The claim has the right type and a value that the profile does not allow.
    Value(&'static str),
}

impl fmt::Display for ClaimFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("is missing"),
            Self::Type(wanted) | Self::Value(wanted) => write!(f, "must be {wanted}"),
        }
    }
}

/// Why a token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwtError {
    /// Longer than any token of ours.
    #[error("token is longer than {0} characters")]
    TooLong(usize),
    /// Not three parts joined by full stops.
    #[error("token must be three parts joined by '.'")]
    Form,
    /// A part is not strict base64url.
    #[error("{0} is not base64url without padding")]
    Encoding(JwtPart),
    /// A part is not a JSON object.
    #[error("{0} is not a JSON object")]
    Json(JwtPart),
    /// A member occurs twice.
    #[error("{0} names a member twice")]
    Duplicate(JwtPart),
    /// A header member that is never accepted.
    #[error("header member '{0}' is not accepted; leave it out")]
    HeaderRefused(&'static str),
    /// A header member is missing or malformed.
    #[error("header member '{member}' {fault}")]
    Header {
        /// Which member.
        member: &'static str,
        /// What is wrong with it.
        fault: ClaimFault,
    },
    /// The algorithm is not the one registered for the key.
    #[error("header member 'alg' must be {0}, the algorithm registered for this key")]
    Algorithm(&'static str),
    /// The key id is not the registered key's.
    #[error("header member 'kid' does not name the registered key")]
    KeyId,
    /// The signature does not hold.
    #[error("signature does not hold; sign with the private half of the registered key")]
    Signature,
    /// A claim is missing or malformed.
    #[error("claim '{claim}' {fault}")]
    Claim {
        /// Which claim.
        claim: &'static str,
        /// What is wrong with it.
        fault: ClaimFault,
    },
    /// The client's clock is ahead of the gateway's.
    #[error("claim '{claim}' is {seconds} s in the future; the client's clock is ahead, set it by NTP")]
    ClockAhead {
        /// Which claim shows it.
        claim: &'static str,
        /// By how many whole seconds.
        seconds: i64,
    },
    /// The client's clock is behind, or the assertion was kept too long before it was sent.
    #[error(
        "claim 'iat' is {seconds} s in the past; make a fresh assertion for each request, and if it was fresh the client's clock is behind, set it by NTP"
    )]
    ClockBehind {
        /// By how many whole seconds.
        seconds: i64,
    },
    /// The token has expired.
    #[error("token expired {seconds} s ago; ask for a new one")]
    Expired {
        /// By how many whole seconds.
        seconds: i64,
    },
    /// The token belongs to another client certificate.
    #[error("token is bound to another client certificate; use the one it was issued over")]
    Certificate,
}

impl JwtError {
    /// A short stable code for problem documents, counters and logs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLong(_) => "token-too-long",
            Self::Form => "token-form",
            Self::Encoding(_) => "token-encoding",
            Self::Json(_) => "token-json",
            Self::Duplicate(_) => "token-duplicate-member",
            Self::HeaderRefused(_) => "token-header-refused",
            Self::Header { .. } => "token-header",
            Self::Algorithm(_) => "token-algorithm",
            Self::KeyId => "token-key-id",
            Self::Signature => "token-signature",
            Self::Claim { .. } => "token-claim",
            Self::ClockAhead { .. } => "token-clock-ahead",
            Self::ClockBehind { .. } => "token-clock-behind",
            Self::Expired { .. } => "token-expired",
            Self::Certificate => "token-certificate",
        }
    }
}

/// Why a public key is not registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwkError {
    /// Not a JSON object without duplicate members.
    #[error("key is not a JSON object, or names a member twice")]
    Json,
    /// The document holds private or symmetric key material.
    #[error("member '{0}' is private; send only the public key, and replace this one")]
    Private(&'static str),
    /// A member is missing or not accepted.
    #[error("member '{member}' must be {wanted}")]
    Member {
        /// Which member.
        member: &'static str,
        /// What is accepted.
        wanted: &'static str,
    },
    /// The coordinates are no point of the curve.
    #[error("members 'x' and 'y' are not a point of P-256")]
    Point,
}
