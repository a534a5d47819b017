//! What the source and the data team check on their own machines, with what they pinned themselves: the
//! gateway is believed nothing here that its certificate, the officers' signatures and the log do not prove.

use std::collections::BTreeSet;

use zeroize::Zeroizing;

use crate::app::reidentification::answer::envelope_bytes;
use crate::app::signers::KeyVerifier;
use crate::app::witness::witness_of;
use crate::crypto::random::Random;
use crate::crypto::seal::{self, SealKeyPair, SealPublicKey};
use crate::crypto::sign::{SigningKey, VerifyingKey};
use crate::domain::ids::{AgencyCode, OpaqueRef};
use crate::domain::labels;
use crate::domain::reidentification::binding::{self, Hash32};
use crate::domain::reidentification::certificate::{
    Answer, CERTIFICATE_SECONDS, Certificate, OpenedReceipt, SignedCertificate,
};
use crate::domain::reidentification::identity::Identity;
use crate::domain::reidentification::refusal::Refusal;
use crate::domain::reidentification::request::CanonicalRequest;
use crate::domain::reidentification::vote::{AHEAD_SECONDS, Choice, FRESH_SECONDS};
use crate::domain::time::Timestamp;
use crate::domain::token::{decode_base64url, encode_base64url};
use crate::tlog::checkpoint::Checkpoint;
use crate::tlog::cosignature::Witness;
use crate::tlog::entry::{Body, Entry, Outcome};
use crate::tlog::merkle::leaf_hash;
use crate::tlog::note::NoteVerifier;
use crate::tlog::proof::{ProofFile, includes};

/// An officer whose key was compared in person, or over the telephone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinnedOfficer {
    /// Follows from the key.
    pub key_id: String,
    /// The officer's agency.
    pub agency: AgencyCode,
    /// The agency's own keyed reference of the officer.
    pub person: OpaqueRef,
    /// Ed25519.
    pub key: VerifyingKey,
}

/// A recipient's keys, likewise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinnedRecipient {
    /// Follows from the card.
    pub key_id: String,
    /// Whose.
    pub agency: AgencyCode,
    /// Identities are sealed to it.
    pub seal_key: SealPublicKey,
}

/// What a machine trusts, from its own file.
#[derive(Debug, Clone)]
pub struct Trust {
    /// The officers.
    pub officers: Vec<PinnedOfficer>,
    /// The recipients.
    pub recipients: Vec<PinnedRecipient>,
    /// The gateway's certificate keys.
    pub certificate_keys: Vec<VerifyingKey>,
    /// The log's origin.
    pub log: String,
    /// The log's checkpoint keys.
    pub log_keys: Vec<VerifyingKey>,
    /// Witnesses' verifier keys.
    pub witnesses: Vec<String>,
    /// How many of them have to have cosigned.
    pub quorum: usize,
}

/// A certificate that holds, with its request and the record that the source approved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The certificate.
    pub certificate: Certificate,
    /// The request.
    pub request: CanonicalRequest,
    /// Its hash.
    pub request_sha256: Hash32,
    /// The hash of the source's record, as its officer signed it.
    pub record: Hash32,
}

impl Trust {
    /// Checks a certificate, but for its time: the gateway's signature, the entry in the log, every
    /// officer's signature, the source's approval among them, the recipient's key.
    ///
    /// # Errors
    ///
    /// The [`Refusal`] that says what does not hold.
    pub fn check(&self, signed: &SignedCertificate) -> Result<Checked, Refusal> {
        let bytes = Certificate::signed_bytes(&signed.certificate);
        let signature = decode_base64url::<64>(&signed.signature).ok_or(Refusal::CertificateForged)?;
        if !self.certificate_keys.iter().any(|key| key.verify(&bytes, &signature).is_ok()) {
            return Err(Refusal::CertificateForged);
        }
        let certificate = Certificate::parse(&signed.certificate).ok_or(Refusal::CertificateForged)?;
        let request = CanonicalRequest::parse(&certificate.request).map_err(|_| Refusal::RequestAltered)?;
        let request_sha256 = request.hash();
        self.check_log(signed, &certificate, &request_sha256)?;
        let record = self.check_approvals(&certificate, &request, &request_sha256)?;
        let is_pinned = |pinned: &PinnedRecipient| {
            pinned.agency == request.requester
                && pinned.key_id == request.recipient.key_id
                && pinned.seal_key.to_text() == request.recipient.seal_key
        };
        if !self.recipients.iter().any(is_pinned) {
            return Err(Refusal::UnknownRecipient);
        }
        let ends = certificate.issued_at.plus_seconds(CERTIFICATE_SECONDS).min(request.expires_at);
        if certificate.issued_at < request.at || certificate.not_after > ends {
            return Err(Refusal::CertificateExpired);
        }
        Ok(Checked { certificate, request, request_sha256, record })
    }

    /// The entry says that this request is authorised, and is in the log as it is pinned here.
    fn check_log(&self, signed: &SignedCertificate, of: &Certificate, request: &Hash32) -> Result<(), Refusal> {
        let entry = Entry::parse(signed.entry.as_bytes()).map_err(|_| Refusal::NotInLog)?;
        let is_it = match entry.body() {
            Body::ReidStep(step) => {
                let hash = step.request_sha256.as_ref().map(|digest| *digest.as_bytes());
                step.step.as_str() == "authorise"
                    && step.outcome == Outcome::Answered
                    && hash == Some(*request.as_bytes())
            }
            _ => false,
        };
        if !is_it || entry.event() != of.entry || entry.log() != self.log || of.log != self.log {
            return Err(Refusal::NotInLog);
        }
        let proof = ProofFile::parse(&signed.proof).ok_or(Refusal::NotInLog)?;
        let keys: Vec<KeyVerifier> = self.log_keys.iter().map(|key| KeyVerifier::new(&self.log, *key)).collect();
        let keys: Vec<&dyn NoteVerifier> = keys.iter().map(|key| key as &dyn NoteVerifier).collect();
        let opened = Checkpoint::open(proof.checkpoint.as_bytes(), &self.log, &keys);
        let (checkpoint, note) = opened.map_err(|_| Refusal::NotInLog)?;
        if self.quorum > 0 {
            let known: Result<Vec<Witness>, _> = self.witnesses.iter().map(|text| witness_of(text)).collect();
            let known = known.map_err(|_| Refusal::NotInLog)?;
            let known: Vec<&dyn NoteVerifier> = known.iter().map(|witness| witness as &dyn NoteVerifier).collect();
            if !note.verify(&known).is_ok_and(|by| by.len() >= self.quorum) {
                return Err(Refusal::NotInLog);
            }
        }
        let leaf = leaf_hash(signed.entry.as_bytes());
        let is_in = includes(checkpoint.size, &checkpoint.root, proof.index, &leaf, &proof.hashes);
        if is_in { Ok(()) } else { Err(Refusal::NotInLog) }
    }

    /// Enough different people approved, all pinned here, one of them the source's; gives the record that
    /// the source signed.
    fn check_approvals(
        &self,
        certificate: &Certificate,
        request: &CanonicalRequest,
        request_sha256: &Hash32,
    ) -> Result<Hash32, Refusal> {
        let (mut people, mut record) = (BTreeSet::new(), None);
        for vote in &certificate.approvals {
            if vote.choice != Choice::Approve {
                return Err(Refusal::RequestAltered);
            }
            let is_theirs =
                |it: &&PinnedOfficer| it.key_id == vote.key_id && it.agency == vote.agency && it.person == vote.person;
            let officer = self.officers.iter().find(is_theirs).ok_or(Refusal::UnknownOfficer)?;
            let signature = decode_base64url::<64>(&vote.signature).ok_or(Refusal::RequestAltered)?;
            if officer.key.verify(&vote.signed_bytes(request_sha256), &signature).is_err() {
                return Err(Refusal::RequestAltered);
            }
            if vote.agency == request.requester {
                return Err(Refusal::SelfApproval);
            }
            if !people.insert((&vote.agency, &vote.person)) {
                return Err(Refusal::DoubleVote);
            }
            let from = request.at.plus_seconds(-FRESH_SECONDS);
            if vote.at < from || vote.at > request.expires_at.plus_seconds(AHEAD_SECONDS) {
                return Err(Refusal::StaleSignIn);
            }
            match (vote.agency == request.source, vote.record) {
                (false, None) => {}
                (true, Some(signed)) if record.is_none_or(|other| other == signed) => record = Some(signed),
                (true, None) => return Err(Refusal::NoSourceApproval),
                _ => return Err(Refusal::RecordMismatch),
            }
        }
        if people.len() < usize::from(request.approvals.max(2)) {
            return Err(Refusal::TooFewApprovals);
        }
        record.ok_or(Refusal::NoSourceApproval)
    }
}

impl Checked {
    /// Whether an identity may be sealed under it now.
    ///
    /// # Errors
    ///
    /// [`Refusal::CertificateExpired`].
    pub fn check_time(&self, now: Timestamp) -> Result<(), Refusal> {
        let is_good =
            now >= self.certificate.issued_at.plus_seconds(-AHEAD_SECONDS) && now < self.certificate.not_after;
        if is_good { Ok(()) } else { Err(Refusal::CertificateExpired) }
    }

    /// Seals an identity to the recipient, bound to this request, record and certificate, and signs what
    /// was sealed. At the source.
    ///
    /// # Errors
    ///
    /// A [`Refusal`]: the time is up, the identity is too long or holds more than was asked for, or the
    /// recipient's key is unusable.
    pub fn seal(
        &self,
        random: &dyn Random,
        identity: &Identity,
        key_id: &str,
        key: &SigningKey,
        now: Timestamp,
    ) -> Result<Answer, Refusal> {
        self.check_time(now)?;
        self.check_fields(identity)?;
        let plaintext = identity.plaintext();
        let length = Identity::padded_length(&plaintext).ok_or(Refusal::EnvelopeMalformed)?;
        let public = SealPublicKey::parse(&self.request.recipient.seal_key).map_err(|_| Refusal::UnknownRecipient)?;
        let aad = self.aad(now);
        let sealed = seal::seal(random, &public, labels::ENVELOPE, &aad, &plaintext, length);
        let sealed = sealed.map_err(|_| Refusal::UnknownRecipient)?;
        let mut answer = Answer {
            certificate: self.certificate.id.clone(),
            envelope: encode_base64url(&sealed),
            key_id: key_id.to_owned(),
            sealed_at: now,
            signature: String::new(),
        };
        let bytes = answer.signed_bytes(&self.request_sha256, &Hash32::of(&sealed));
        answer.signature = encode_base64url(&key.sign(&bytes));
        Ok(answer)
    }

    /// Opens an envelope. On the data team's machine.
    ///
    /// # Errors
    ///
    /// A [`Refusal`]: sealed under another certificate or too late, not by an officer of the source, or it
    /// does not open.
    pub fn open(&self, trust: &Trust, answer: &Answer, pair: &SealKeyPair) -> Result<(Identity, Hash32), Refusal> {
        if answer.certificate != self.certificate.id {
            return Err(Refusal::OtherCertificate);
        }
        let sealed = envelope_bytes(&answer.envelope).ok_or(Refusal::EnvelopeMalformed)?;
        let hash = Hash32::of(&sealed);
        let is_signer = |it: &&PinnedOfficer| it.key_id == answer.key_id && it.agency == self.request.source;
        let officer = trust.officers.iter().find(is_signer).ok_or(Refusal::UnknownOfficer)?;
        let signature = decode_base64url::<64>(&answer.signature).ok_or(Refusal::RequestAltered)?;
        if officer.key.verify(&answer.signed_bytes(&self.request_sha256, &hash), &signature).is_err() {
            return Err(Refusal::RequestAltered);
        }
        let from = self.certificate.issued_at.plus_seconds(-AHEAD_SECONDS);
        if answer.sealed_at < from || answer.sealed_at > self.certificate.not_after {
            return Err(Refusal::CertificateExpired);
        }
        let plaintext: Zeroizing<Vec<u8>> =
            pair.open(labels::ENVELOPE, &self.aad(answer.sealed_at), &sealed).map_err(|_| Refusal::EnvelopeRefused)?;
        let identity = Identity::parse(&plaintext).ok_or(Refusal::EnvelopeRefused)?;
        self.check_fields(&identity)?;
        Ok((identity, hash))
    }

    /// No more than was asked for, and approved, is sealed or read.
    fn check_fields(&self, identity: &Identity) -> Result<(), Refusal> {
        let is_asked = identity.fields().all(|(field, _)| self.request.fields.contains(&field));
        if is_asked { Ok(()) } else { Err(Refusal::NotAskedFor) }
    }

    /// The countersigned receipt of an opened envelope.
    pub fn receipt(&self, envelope: Hash32, key: &SigningKey, now: Timestamp) -> OpenedReceipt {
        let mut receipt = OpenedReceipt {
            certificate: self.certificate.id.clone(),
            envelope,
            key_id: self.request.recipient.key_id.clone(),
            opened_at: now,
            signature: String::new(),
        };
        receipt.signature = encode_base64url(&key.sign(&receipt.signed_bytes(&self.request_sha256)));
        receipt
    }

    fn aad(&self, sealed_at: Timestamp) -> Vec<u8> {
        binding::envelope(&self.request, &self.request_sha256, &self.record, &self.certificate.id, sealed_at)
    }
}
