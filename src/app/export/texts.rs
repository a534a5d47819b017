//! The texts that entries rest on, put into a bundle: each under its own hash, with signatures and public keys.

use std::path::Path;

use super::{ExportError, write};
use crate::app::gateway::Gateway;
use crate::app::policies::{agencies_list, kinds};
use crate::policy::rules::book_bytes;
use crate::store::{StoreError, StoredDocument};
use crate::tlog::digest::Digest;
use crate::tlog::texts::{FirstNamed, NamedTexts, TextKind};
use crate::tlog::verify::ExportFile;

impl Gateway {
    /// Writes every text that the exported entries name, as far as the gateway has it: what it has not is
    /// missing from the bundle, and every verifier says so.
    pub(super) async fn write_texts(&self, named: &NamedTexts, folder: &Path) -> Result<(), ExportError> {
        for ((kind, sha256), first) in &named.texts {
            let bytes = match kind {
                TextKind::Rules => {
                    self.set_with(kinds::RULES, *first, *sha256, rules_of).await?.map(|(bytes, _)| bytes)
                }
                TextKind::Agencies => match self.set_with(kinds::AGENCY, *first, *sha256, agencies_of).await? {
                    Some((list, files)) => {
                        write_agencies(&files, folder)?;
                        Some(list)
                    }
                    None => None,
                },
                _ => self.store().document(sha256.as_bytes()).await?.map(|document| document.body),
            };
            if let Some(bytes) = bytes {
                write(folder, &ExportFile::Text(*kind, *sha256).to_string(), &bytes)?;
            }
        }
        self.write_signatures(named, folder).await
    }

    /// The bytes of a set of files whose hash is this one, with the files.
    async fn set_with(
        &self,
        kind: &'static str,
        first: FirstNamed,
        sha256: Digest,
        bytes_of: fn(&[StoredDocument]) -> Vec<u8>,
    ) -> Result<Option<(Vec<u8>, Vec<StoredDocument>)>, StoreError> {
        let Some(at) = first.at else { return Ok(None) };
        let sets = self.sets_of(kind, at).await?;
        let mut made = sets.into_iter().map(|files| (bytes_of(&files), files));
        Ok(made.find(|(bytes, _)| Digest::of(bytes) == sha256))
    }

    async fn write_signatures(&self, named: &NamedTexts, folder: &Path) -> Result<(), ExportError> {
        for signed in self.store().every_agreement_signature().await? {
            let sha256 = Digest::of(&signed.signature);
            let text = Digest::new(signed.sha256);
            let is_named = named.signatures.get(&(text, signed.party.to_string()));
            if is_named.is_none_or(|named| named.sha256 != sha256) {
                continue; // signed since the export's checkpoint
            }
            let public = Digest::of(&signed.public_key);
            write(folder, &ExportFile::Signature(sha256).to_string(), &signed.signature)?;
            write(folder, &ExportFile::Signatory(public).to_string(), &signed.public_key)?;
        }
        Ok(())
    }
}

fn write_agencies(files: &[StoredDocument], folder: &Path) -> Result<(), ExportError> {
    for file in files {
        let name = ExportFile::Text(TextKind::Agency, Digest::new(file.sha256));
        write(folder, &name.to_string(), &file.body)?;
    }
    Ok(())
}

fn rules_of(files: &[StoredDocument]) -> Vec<u8> {
    book_bytes(files.iter().map(|file| (file.name.as_str(), file.body.as_slice())))
}

fn agencies_of(files: &[StoredDocument]) -> Vec<u8> {
    agencies_list(files.iter()).into_bytes()
}
