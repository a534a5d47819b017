//! The folder of this machine: what it trusts, its own keys, and what happened here.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::card::read_card;
use crate::app::reidentification::verify::{PinnedOfficer, PinnedRecipient, Trust};
use crate::cli::auditor::log::trust::TrustFile;
use crate::cli::operator::keys::{files, read_signing_key};
use crate::cli::output::Failure;
use crate::crypto::seal::SealPublicKey;
use crate::crypto::sign::{SigningKey, VerifyingKey};
use crate::domain::ids::ReidentificationId;
use crate::domain::reidentification::binding::Hash32;
use crate::domain::reidentification::certificate::Answer;
use crate::domain::reidentification::identity::Identity;
use crate::domain::time::Timestamp;
use crate::store::{ReidKey, ReidKeyKind};
use crate::tlog::note::{TYPE_ED25519, parse_verifier_key};

/// The folder.
pub(super) struct Folder<'a>(pub(super) &'a Path);

/// What was shown or approved here, so that nothing else is signed or answered.
#[derive(PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Approved {
    /// SHA-256 of the canonical request, in hexadecimal.
    pub(super) request_sha256: String,
    /// The feed of the record; empty where it is not this agency's.
    pub(super) feed: String,
    /// The record's reference.
    pub(super) reference: String,
    /// 32 random bytes, base64url.
    pub(super) salt: String,
    /// SHA-256 over salt and what the record said; empty where it is not this agency's.
    pub(super) identity_sha256: String,
}

impl Approved {
    /// The hash of what a record says.
    pub(super) fn hash(salt: &str, identity: &Identity) -> String {
        let text = identity.plaintext();
        let bytes = Zeroizing::new([salt.as_bytes(), &text[..]].concat());
        Hash32::of(&bytes).to_string()
    }

    /// Whether the record says what it said when it was looked at.
    pub(super) fn is_of(&self, identity: &Identity) -> bool {
        self.identity_sha256 == Self::hash(&self.salt, identity)
    }
}

/// What was sealed here, and until when it stands for an answer.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sealed {
    /// The answer as it was sent.
    pub(super) answer: Answer,
    /// The end of its certificate.
    pub(super) not_after: Timestamp,
}

impl Folder<'_> {
    /// Everything that this machine trusts.
    pub(super) fn trust(&self) -> Result<Trust, Failure> {
        let file = TrustFile::read(&self.0.join("trust.toml"))?;
        let (mut officers, mut recipients) = (Vec::new(), Vec::new());
        for path in self.cards()? {
            let (_, key) = read_card(&path)?;
            let malformed = || Failure::failed(format!("{}: not a card", path.display()));
            match (key.kind, key.person, key.seal_key) {
                (ReidKeyKind::Officer, Some(person), _) => officers.push(PinnedOfficer {
                    key_id: key.key_id,
                    agency: key.agency,
                    person,
                    key: VerifyingKey::from_bytes(&key.sign_key).map_err(|_| malformed())?,
                }),
                (ReidKeyKind::Recipient, _, Some(seal)) => recipients.push(PinnedRecipient {
                    key_id: key.key_id,
                    agency: key.agency,
                    seal_key: SealPublicKey::from_bytes(&seal).map_err(|_| malformed())?,
                }),
                _ => return Err(malformed()),
            }
        }
        let certificate_keys = keys(&file.certificate_keys)?;
        if certificate_keys.is_empty() {
            return Err(Failure::unusable("trust.toml has no certificate_keys: no release could be believed")
                .next("ask the operator for a new one: `porth log trust --config gateway.toml`"));
        }
        Ok(Trust {
            officers,
            recipients,
            certificate_keys,
            log_keys: keys(&file.log_keys)?,
            log: file.origin,
            witnesses: file.witnesses,
            quorum: file.quorum,
        })
    }

    fn cards(&self) -> Result<Vec<PathBuf>, Failure> {
        let folder = self.0.join("pinned");
        let unreadable = |error: std::io::Error| {
            Failure::failed(format!("{}: {error}", folder.display())).next("`porth reid pin` takes a card in")
        };
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(&folder).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if path.extension().is_some_and(|it| it == "json") {
                paths.push(path);
            }
        }
        paths.sort();
        Ok(paths)
    }

    /// The officer's own key and card.
    pub(super) fn officer(&self) -> Result<(SigningKey, ReidKey), Failure> {
        self.own("officer")
    }

    /// The data team's own signing key and card.
    pub(super) fn recipient(&self) -> Result<(SigningKey, ReidKey), Failure> {
        self.own("recipient")
    }

    fn own(&self, who: &str) -> Result<(SigningKey, ReidKey), Failure> {
        let (_, card) = read_card(&self.0.join(format!("{who}.json")))?;
        let key = read_signing_key(&self.0.join(format!("{who}.key")))?;
        if *key.verifying_key().as_bytes() != card.sign_key {
            return Err(Failure::unusable(format!("{who}.key is not the key of {who}.json")));
        }
        Ok((key, card))
    }

    /// Where something about a request is kept: `asked`, `shown`, `approved`, `ended`, `answered` or `opened`.
    pub(super) fn note(&self, id: ReidentificationId, what: &str) -> PathBuf {
        self.0.join("requests").join(format!("{id}.{what}.json"))
    }

    /// Whether that was noted.
    pub(super) fn has(&self, id: ReidentificationId, what: &str) -> bool {
        self.note(id, what).exists()
    }

    /// Reads a note.
    pub(super) fn read<T: DeserializeOwned>(&self, id: ReidentificationId, what: &str) -> Result<T, Failure> {
        let path = self.note(id, what);
        let bytes = crate::cli::agency::read_owners_file(&path)?;
        serde_json::from_slice(&bytes)
            .map_err(|_| Failure::failed(format!("{}: not what it should be", path.display())))
    }

    /// Gives a note another name: it counts no longer, and stays to be looked at.
    pub(super) fn set_aside(&self, id: ReidentificationId, what: &str, aside: &str) -> Result<(), Failure> {
        let (from, to) = (self.note(id, what), self.note(id, aside));
        std::fs::rename(&from, to).map_err(|error| Failure::failed(format!("{}: {error}", from.display())))
    }

    /// Writes a note, for its owner alone; never over another.
    pub(super) fn keep(&self, id: ReidentificationId, what: &str, value: &impl Serialize) -> Result<(), Failure> {
        files::make_folder(&self.0.join("requests"))?;
        let bytes = serde_json::to_vec_pretty(value).map_err(|_| Failure::failed("a note cannot be written"))?;
        files::write_private(&self.note(id, what), &bytes)
    }
}

fn keys(texts: &[String]) -> Result<Vec<VerifyingKey>, Failure> {
    let read = |text: &String| {
        let (_, key) = parse_verifier_key(text, TYPE_ED25519).ok()?;
        VerifyingKey::from_bytes(&key).ok()
    };
    let keys: Option<Vec<VerifyingKey>> = texts.iter().map(read).collect();
    keys.ok_or_else(|| Failure::unusable("trust.toml: a key is not a verifier key of a signed note"))
}
