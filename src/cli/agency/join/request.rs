//! What an agency hands in to join: public keys and names, with proof that it holds the private halves.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::fingerprint::Fingerprint;
use crate::crypto::certs;
use crate::crypto::jwt::{ClientKey, PublicKey, sign_statement, verify_statement};
use crate::crypto::seal::SealPublicKey;
use crate::crypto::sign::SignError;
use crate::domain::ids::{AgencyCode, ProgrammeCode};
use crate::domain::labels;

const FORMAT: &str = "porth-join-request/1";

/// Why a request is not taken. Never holds what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RequestFault {
    #[error("request.format: not a joining request of this version (porth-join-request/1)")]
    Format,
    #[error(
        "request.client: a client id is 1 to 64 letters, digits, '-', '_' or '.', beginning with a letter or digit"
    )]
    Client,
    #[error("request.certificate: the certificate request is malformed or not signed by its own key")]
    Certificate,
    #[error("request.name: the certificate request is for another name than the agency's code")]
    Name,
    #[error("request.assertion_key: not a public key of the kinds that assertions are signed with")]
    AssertionKey,
    #[error("request.sealing_key: not a public key that messages can be sealed to")]
    SealingKey,
    #[error("request.proof: the request is not signed by the assertion key in it, or was altered afterwards")]
    Proof,
}

/// The file that an agency hands in. Nothing of it is secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JoinRequest {
    format: String,
    /// Which programme.
    pub(crate) programme: ProgrammeCode,
    /// Which agency.
    pub(crate) agency: AgencyCode,
    /// The name of its system.
    pub(crate) client: String,
    /// The certificate request, in PEM; its own key signed it.
    pub(crate) certificate_request: String,
    assertion_key: Value,
    sealing_key: String,
    proof: String,
}

/// What is in a request whose proofs hold.
#[derive(Debug)]
pub(crate) struct Proved {
    /// The key of its assertions.
    pub(crate) assertion_key: PublicKey,
    /// The key that its linkage keys are sealed to.
    pub(crate) sealing_key: SealPublicKey,
}

impl JoinRequest {
    /// Makes a request on the agency's machine.
    ///
    /// # Errors
    ///
    /// [`SignError`] if the key cannot sign.
    pub(super) fn make(
        programme: &ProgrammeCode,
        agency: &AgencyCode,
        client: &str,
        certificate_request: String,
        assertion: &ClientKey,
        sealing: &SealPublicKey,
    ) -> Result<Self, SignError> {
        let mut request = Self {
            format: FORMAT.to_owned(),
            programme: programme.clone(),
            agency: agency.clone(),
            client: client.to_owned(),
            certificate_request,
            assertion_key: assertion.public().to_jwk(),
            sealing_key: sealing.to_text(),
            proof: String::new(),
        };
        request.proof = sign_statement(assertion, &request.sha256())?;
        Ok(request)
    }

    /// Checks form, names and proofs: the certificate request is signed by its own key, and all of it
    /// by the assertion key.
    ///
    /// That the agency holds the private half of the sealing key shows when it opens what is sealed to
    /// it; until then nobody else gains anything by a key that is not its own.
    ///
    /// # Errors
    ///
    /// [`RequestFault`].
    pub(crate) fn prove(&self) -> Result<Proved, RequestFault> {
        if self.format != FORMAT {
            return Err(RequestFault::Format);
        }
        check_client(&self.client)?;
        let name = certs::name_in_request(&self.certificate_request).map_err(|_| RequestFault::Certificate)?;
        if name != self.agency.as_str() {
            return Err(RequestFault::Name);
        }
        let key = PublicKey::from_jwk(&self.assertion_key.to_string()).map_err(|_| RequestFault::AssertionKey)?;
        let sealing_key = SealPublicKey::parse(&self.sealing_key).map_err(|_| RequestFault::SealingKey)?;
        verify_statement(&self.proof, &key, &self.sha256()).map_err(|_| RequestFault::Proof)?;
        Ok(Proved { assertion_key: key, sealing_key })
    }

    /// What the agency reads out on the telephone.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.sha256())
    }

    /// Over everything but the proof, each part with its length before it.
    fn sha256(&self) -> [u8; 32] {
        let key = PublicKey::from_jwk(&self.assertion_key.to_string()).map(|key| key.thumbprint()).unwrap_or_default();
        let parts = [
            self.format.as_str(),
            self.programme.as_str(),
            self.agency.as_str(),
            &self.client,
            &self.certificate_request,
            &key,
            &self.sealing_key,
        ];
        let mut hash = Sha256::new().chain_update(labels::JOIN_REQUEST);
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.finalize().into()
    }
}

/// Checks a client's id: what an assertion may name and the log can write down.
pub(crate) fn check_client(client: &str) -> Result<(), RequestFault> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let starts_well = client.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric);
    let is_good = starts_well && client.len() <= 64 && client.bytes().all(plain);
    if is_good { Ok(()) } else { Err(RequestFault::Client) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::random::SystemRandom;
    use crate::crypto::seal::SealKeyPair;

    fn request() -> JoinRequest {
        let agency = AgencyCode::parse("hearth").unwrap();
        let random = SystemRandom::new();
        JoinRequest::make(
            &ProgrammeCode::parse("tff").unwrap(),
            &agency,
            "hearth-system",
            certs::request(&agency).unwrap().pem,
            &ClientKey::generate(&random),
            SealKeyPair::generate(&random).public(),
        )
        .unwrap()
    }

    #[test]
    fn a_request_proves_itself_and_none_of_its_parts_can_be_exchanged() {
        let (ours, theirs) = (request(), request());
        ours.prove().expect("good");
        let agency = AgencyCode::parse("kestrel").unwrap();
        let altered: [(JoinRequest, RequestFault); 7] = [
            (JoinRequest { format: "porth-join-request/2".into(), ..ours.clone() }, RequestFault::Format),
            (JoinRequest { client: "../hearth".into(), ..ours.clone() }, RequestFault::Client),
            (JoinRequest { agency, ..ours.clone() }, RequestFault::Name),
            (
                JoinRequest { certificate_request: theirs.certificate_request.clone(), ..ours.clone() },
                RequestFault::Proof,
            ),
            (JoinRequest { assertion_key: theirs.assertion_key.clone(), ..ours.clone() }, RequestFault::Proof),
            (JoinRequest { sealing_key: theirs.sealing_key.clone(), ..ours.clone() }, RequestFault::Proof),
            (JoinRequest { proof: theirs.proof.clone(), ..ours.clone() }, RequestFault::Proof),
        ];
        for (altered, fault) in altered {
            assert_eq!(altered.prove().err(), Some(fault));
        }
        assert_ne!(ours.fingerprint(), theirs.fingerprint());
    }

    #[test]
    fn a_certificate_request_that_its_key_did_not_sign_is_refused() {
        let request = request();
        let body: Vec<&str> = request.certificate_request.lines().collect();
        let mut lines: Vec<String> = body.iter().map(|line| (*line).to_owned()).collect();
        let last = lines.len() - 2;
        let first = lines[last].chars().next().expect("not empty");
        let other = if first == 'A' { "B" } else { "A" };
        lines[last].replace_range(0..1, other);
        let altered = JoinRequest { certificate_request: lines.join("\n"), ..request };
        assert_eq!(altered.prove().err(), Some(RequestFault::Certificate));
    }
}
