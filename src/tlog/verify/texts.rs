//! The texts that entries rest on, as a bundle has them: each is what the log names, and signed by whom it says.

use super::fault::{Fault, FaultKind};
use super::run::Run;
use super::{Export, ExportFile};
use crate::tlog::digest::Digest;
use crate::tlog::texts::{NamedTexts, SignatureNamed, TextKind, agencies_in};

impl<E: Export> Run<'_, E> {
    /// That every text which was named is there and is the one, agencies' files one by one.
    pub(super) fn judge_texts(&mut self) {
        let texts = std::mem::take(&mut self.named.texts);
        for ((kind, sha256), first) in texts {
            let Some(bytes) = self.read_named(ExportFile::Text(kind, sha256), sha256, first.index) else { continue };
            self.report.texts += 1;
            if kind != TextKind::Agencies {
                continue;
            }
            let Some(files) = agencies_in(&bytes) else {
                let file = ExportFile::Text(kind, sha256);
                self.fault(Fault::new(FaultKind::TextAltered).at(first.index).in_file(file));
                continue;
            };
            for file in files {
                let is_there = self.read_named(ExportFile::Text(TextKind::Agency, file), file, first.index).is_some();
                self.report.texts += u64::from(is_there);
            }
        }
    }

    /// That each party signed the text that the log says, with a key that was enrolled for it.
    pub(super) fn judge_signatures(&mut self) {
        let NamedTexts { signatures, signatories, .. } = std::mem::take(&mut self.named);
        let Some(check) = self.trust.check_signature else { return };
        for ((text, _), SignatureNamed { index, key, sha256 }) in signatures {
            let signature = self.read_named(ExportFile::Signature(sha256), sha256, index);
            let Some(enrolled) = signatories.get(&key) else {
                self.fault(Fault::new(FaultKind::SignatoryUnknown).at(index));
                continue;
            };
            let public = self.read_named(ExportFile::Signatory(*enrolled), *enrolled, index);
            let text = self.read(ExportFile::Text(TextKind::Agreement, text));
            let (Some(signature), Some(public), Some(text)) = (signature, public, text) else { continue };
            if <&[u8; 32]>::try_from(&public[..]).is_ok_and(|public| check(public, &text, &signature)) {
                self.report.signatures += 1;
            } else {
                self.fault(Fault::new(FaultKind::SignatureFalse).at(index).in_file(ExportFile::Signature(sha256)));
            }
        }
    }

    /// A file that is named by its own hash.
    fn read_named(&mut self, file: ExportFile, sha256: Digest, index: u64) -> Option<Vec<u8>> {
        let Some(bytes) = self.read(file) else {
            self.fault(Fault::new(FaultKind::TextMissing).at(index).in_file(file));
            return None;
        };
        if Digest::of(&bytes) != sha256 {
            self.fault(Fault::new(FaultKind::TextAltered).at(index).in_file(file));
            return None;
        }
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::super::attacks::export_without_openings;
    use super::super::{Report, Verifier};
    use super::*;
    use crate::tlog::entry::{AgreementSignature, Body, KeyEvent};
    use crate::tlog::note::NoteSigner as _;
    use crate::tlog::testing::{self, ORIGIN, TestKey, check_ed25519, code};

    const TEXT: &[u8] = b"the agreement";

    /// What is found of a log that says that the schools signed, where they signed this.
    fn verified(signed: &[u8], used_for: &str) -> Report {
        let key = TestKey::new("schools", 9);
        let signature = key.sign(signed).expect("signs");
        let (public, sha256) = (Digest::of(key.public()), Digest::of(&signature));
        let enrolled = Body::KeyEvent(KeyEvent {
            key: code("schools-1"),
            used_for: code(used_for),
            action: code("enrolled"),
            public_sha256: Some(public),
            by: code("ops-1"),
            reason: code("schools"),
        });
        let signed = Body::AgreementSignature(AgreementSignature {
            agreement: "tff-2026/v3".parse().expect("a reference"),
            sha256: Digest::of(TEXT),
            party: "schools".parse().expect("a code"),
            key: code("schools-1"),
            signature_sha256: sha256,
        });
        let entries = [enrolled, signed].into_iter().enumerate();
        let entries: Vec<Vec<u8>> = entries.map(|(number, body)| testing::render(ORIGIN, number, body)).collect();
        let mut export = export_without_openings(&entries);
        for (file, bytes) in [
            (ExportFile::Text(TextKind::Agreement, Digest::of(TEXT)), TEXT.to_vec()),
            (ExportFile::Signature(sha256), signature),
            (ExportFile::Signatory(public), key.public().to_vec()),
        ] {
            export.0.insert(file.to_string(), bytes);
        }
        let log = TestKey::new(ORIGIN, 1);
        let verifier = Verifier {
            origin: ORIGIN,
            log_keys: &[&log],
            with_texts: true,
            check_signature: Some(check_ed25519),
            ..Verifier::default()
        };
        verifier.verify(&export, &mut |_| {})
    }

    #[test]
    fn a_signature_under_another_text_and_a_key_that_nobody_enrolled_are_faults() {
        let sound = verified(TEXT, "signatory");
        assert_eq!((sound.is_clean(), sound.texts, sound.signatures), (true, 1, 1), "{:?}", sound.faults);
        for (signed, used_for, kind) in [
            (&b"another text"[..], "signatory", FaultKind::SignatureFalse),
            (TEXT, "receipt", FaultKind::SignatoryUnknown),
        ] {
            let report = verified(signed, used_for);
            let found: Vec<_> = report.faults.iter().map(|fault| (fault.kind, fault.index)).collect();
            assert_eq!(found, [(kind, Some(1))]);
            assert_eq!(report.signatures, 0);
        }
    }
}
