//! Cards: the public halves of the keys that sign and open, with whose they are. What makes them is here,
//! for the command line and for the console, so that a key has one id wherever its card was made.

use serde::{Deserialize, Serialize};

use crate::crypto::seal::SealPublicKey;
use crate::crypto::sign::VerifyingKey;
use crate::domain::ids::{AgencyCode, OpaqueRef};
use crate::domain::reidentification::binding;
use crate::domain::token::{decode_base64url, encode_base64url};
use crate::store::{ReidKey, ReidKeyKind};

/// A card; nothing of it is secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReidCard {
    kind: Kind,
    /// Whose.
    pub agency: AgencyCode,
    /// Follows from everything else on the card.
    pub key_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    person: Option<OpaqueRef>,
    sign_key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seal_key: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Officer,
    Recipient,
}

impl ReidCard {
    /// The card of an officer's key.
    pub fn officer(agency: &AgencyCode, person: OpaqueRef, key: &VerifyingKey) -> Self {
        let key_id = binding::key_id("officer", agency, Some(&person), key.as_bytes(), None);
        let (agency, sign_key) = (agency.clone(), encode_base64url(key.as_bytes()));
        Self { kind: Kind::Officer, agency, key_id, person: Some(person), sign_key, seal_key: None }
    }

    /// The card of the data team's keys.
    pub fn recipient(agency: &AgencyCode, key: &VerifyingKey, seal: &SealPublicKey) -> Self {
        let sign = key.as_bytes();
        Self {
            kind: Kind::Recipient,
            agency: agency.clone(),
            key_id: binding::key_id("recipient", agency, None, sign, Some(&seal.to_bytes())),
            person: None,
            sign_key: encode_base64url(sign),
            seal_key: Some(seal.to_text()),
        }
    }

    /// What is enrolled of it; `None` unless its id is that of everything on it.
    pub fn key(&self) -> Option<ReidKey> {
        let sign_key = decode_base64url::<32>(&self.sign_key)?;
        VerifyingKey::from_bytes(&sign_key).ok()?;
        let seal = self.seal_key.as_deref().map(SealPublicKey::parse).transpose().ok()?;
        let kind = match (self.kind, &self.person, &seal) {
            (Kind::Officer, Some(_), None) => ReidKeyKind::Officer,
            (Kind::Recipient, None, Some(_)) => ReidKeyKind::Recipient,
            _ => return None,
        };
        let key = ReidKey {
            key_id: self.key_id.clone(),
            kind,
            agency: self.agency.clone(),
            person: self.person.clone(),
            sign_key,
            seal_key: seal.map(|seal| seal.to_bytes()),
        };
        (key.id() == key.key_id).then_some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::random::SystemRandom;
    use crate::crypto::seal::SealKeyPair;
    use crate::crypto::sign::SigningKey;

    #[test]
    fn a_card_whose_id_is_another_keys_is_refused() {
        let random = SystemRandom::new();
        let (ours, theirs) =
            (SigningKey::generate(&random).verifying_key(), SigningKey::generate(&random).verifying_key());
        let agency: AgencyCode = "education".parse().expect("a code");
        let person = OpaqueRef::parse("AAAAAAAAAAAAAAAAAAAAAA").expect("22 characters");
        let card = ReidCard::officer(&agency, person, &ours);
        let mut swapped = card.clone();
        swapped.sign_key = encode_base64url(theirs.as_bytes());
        let recipient = ReidCard::recipient(&agency, &ours, SealKeyPair::generate(&random).public());
        let mut moved = card.clone();
        moved.agency = "housing".parse().expect("a code");
        for (card, is_good) in [(card, true), (swapped, false), (moved, false), (recipient, true)] {
            let text = serde_json::to_string(&card).expect("plain");
            let read: ReidCard = serde_json::from_str(&text).expect("a card");
            assert_eq!(read.key().is_some(), is_good);
        }
    }
}
