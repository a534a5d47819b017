//! Key files of agencies and key custodians: JSON, readable by their owner alone.
//!
//! | file | held by | holds |
//! |---|---|---|
//! | [`LinkageKeyFile`] | key custodians | the root key of one epoch |
//! | [`LinkageShare`] | on its way to an agency | the root key or single type keys, per epoch |
//! | [`AgencyKeyFile`] | one agency | what it was handed, and its own reference key |
//!
//! The gateway's operator and the data team hold none of them.

mod clk;
mod disk;
mod form;
mod grant;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::crypto::random::Random;
use crate::crypto::reference::RefKey;
use crate::crypto::secret::Secret;
use crate::crypto::token::{LinkageKey, TypeKey};
use crate::domain::ids::{AgencyCode, ProgrammeCode, TokenType};
use crate::domain::match_keys::MatchKeys;

/// Why a key file cannot be used. Never holds anything of a key.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file cannot be opened, read or written.
    #[error("key_file.unreadable: {path}: {kind}", path = .path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the operating system says.
        kind: io::ErrorKind,
    },
    /// Others than its owner may read it, or it is another user's, or no plain file.
    #[error(
        "key_file.exposed: {path} must be a plain file of your own with mode 0600 or 0400; use `chmod 600`",
        path = .0.display()
    )]
    Exposed(PathBuf),
    /// A file of that name is there already.
    #[error("key_file.exists: {path} is there already; a key file is never overwritten", path = .0.display())]
    Exists(PathBuf),
    /// The text is not a key file of the kind that is needed.
    #[error("key_file.malformed: {path}: {rule}", path = .path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What it should be.
        rule: &'static str,
    },
    /// A key looks made by hand, or is a published example.
    #[error("key_file.example: {path} holds a key that is patterned or published; make keys with `porth keys`", path = .0.display())]
    Example(PathBuf),
    /// The files belong to different programmes.
    #[error("key_file.programme: the linkage key is another programme's")]
    Programme,
    /// The two files give one record two references.
    #[error(
        "key_file.reference: the key files are of two agencies or have different reference keys; both must come from the same agency's file"
    )]
    Reference,
    /// The two files do not give exactly two epochs.
    #[error("key_file.epochs: two key files must hold one epoch each, and not the same")]
    Epochs,
    /// The file has no linkage key for what is to be done.
    #[error(
        "key_file.no_linkage_key: there is no linkage key for this normalisation version; ask your key custodian for one"
    )]
    NoLinkageKey,
}

/// A custodian's file: the linkage root key of one epoch.
pub struct LinkageKeyFile {
    programme: ProgrammeCode,
    epoch: u32,
    root: LinkageKey,
}

impl LinkageKeyFile {
    /// Makes the linkage key of a new epoch, on a key custodian's machine.
    pub fn generate(programme: ProgrammeCode, epoch: u32, random: &dyn Random) -> Self {
        Self { programme, epoch, root: LinkageKey::generate(random) }
    }

    /// Which programme it is for.
    pub fn programme(&self) -> &ProgrammeCode {
        &self.programme
    }

    /// Which epoch it is for.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The key checks of these types, to register at the gateway: 16 hexadecimal digits each.
    pub fn key_checks(&self, types: &[TokenType], norm: u16) -> BTreeMap<TokenType, String> {
        let check = |token_type: &TokenType| {
            let key = TypeKey::derive(&self.root, &self.programme, self.epoch, token_type, norm);
            (token_type.clone(), hex(&key.key_check()))
        };
        types.iter().map(check).collect()
    }

    /// The type keys of a file of match keys, in its order.
    pub fn type_keys(&self, match_keys: &MatchKeys) -> EpochTypeKeys {
        let root = LinkageKey::new(copy(self.root.secret()));
        let types = match_keys.keys().iter().map(|key| &key.name);
        EpochShare { epoch: self.epoch, keys: Keys::Root(root) }.type_keys(&self.programme, match_keys.norm(), types)
    }

    /// What an agency gets that may make tokens of every type.
    pub fn whole(&self) -> LinkageShare {
        let root = LinkageKey::new(copy(self.root.secret()));
        let epoch = EpochShare { epoch: self.epoch, keys: Keys::Root(root) };
        LinkageShare { programme: self.programme.clone(), epochs: vec![epoch] }
    }

    /// What an agency gets that needs only these types: with the key of `uprn` nobody mints `nhs`.
    pub fn subkeys(&self, types: &[TokenType], norm: u16) -> LinkageShare {
        let distinct: BTreeSet<&TokenType> = types.iter().collect();
        let key = |token_type: &TokenType| {
            let key = TypeKey::derive(&self.root, &self.programme, self.epoch, token_type, norm);
            (token_type.clone(), copy(key.secret()))
        };
        let keys = Keys::Types { norm, keys: distinct.into_iter().map(key).collect() };
        LinkageShare { programme: self.programme.clone(), epochs: vec![EpochShare { epoch: self.epoch, keys }] }
    }
}

/// What a custodian hands to an agency: one or more epochs of the linkage key, whole or by type.
pub struct LinkageShare {
    programme: ProgrammeCode,
    epochs: Vec<EpochShare>,
}

pub(super) struct EpochShare {
    epoch: u32,
    keys: Keys,
}

enum Keys {
    Root(LinkageKey),
    Types { norm: u16, keys: BTreeMap<TokenType, Secret<32>> },
}

impl LinkageShare {
    /// Which programme it is for.
    pub fn programme(&self) -> &ProgrammeCode {
        &self.programme
    }
}

/// An agency's key file: its own reference key, and what its custodian handed over.
pub struct AgencyKeyFile {
    programme: ProgrammeCode,
    agency: AgencyCode,
    reference: RefKey,
    epochs: Vec<EpochShare>,
}

/// Most epochs at a time: the present one, and the next while the key is being changed.
pub const MOST_EPOCHS: usize = 2;

impl AgencyKeyFile {
    /// Makes an agency's file with a new reference key and no linkage key yet, on the agency's own
    /// machine.
    pub fn generate(programme: ProgrammeCode, agency: AgencyCode, random: &dyn Random) -> Self {
        Self { programme, agency, reference: RefKey::generate(random), epochs: Vec::new() }
    }

    /// Takes in what the custodian handed over. An epoch that is there already is replaced; of more
    /// than two the oldest go.
    ///
    /// # Errors
    ///
    /// [`KeyFileError::Programme`] if it is for another programme.
    pub fn add(&mut self, share: LinkageShare) -> Result<(), KeyFileError> {
        if share.programme != self.programme {
            return Err(KeyFileError::Programme);
        }
        for epoch in share.epochs {
            self.epochs.retain(|known| known.epoch != epoch.epoch);
            self.epochs.push(epoch);
        }
        self.epochs.sort_by_key(|epoch| epoch.epoch);
        while self.epochs.len() > MOST_EPOCHS {
            self.epochs.remove(0);
        }
        Ok(())
    }

    /// Takes in the other epoch from a second file of the same agency, while a linkage key is being
    /// changed.
    ///
    /// # Errors
    ///
    /// [`KeyFileError::Programme`], [`KeyFileError::Reference`] or [`KeyFileError::Epochs`] if the
    /// two files do not belong together.
    pub fn merge(&mut self, other: Self) -> Result<(), KeyFileError> {
        if other.agency != self.agency || other.reference.record("") != self.reference.record("") {
            return Err(KeyFileError::Reference);
        }
        let is_one_each = self.epochs.len() == 1 && other.epochs.len() == 1;
        if !is_one_each || self.epochs[0].epoch == other.epochs[0].epoch {
            return Err(KeyFileError::Epochs);
        }
        self.add(LinkageShare { programme: other.programme, epochs: other.epochs })
    }

    /// Reads one key file, or the two of an agency while the linkage key is being changed, with an
    /// epoch in each.
    ///
    /// # Errors
    ///
    /// [`KeyFileError`] as [`AgencyKeyFile::read`] and [`AgencyKeyFile::merge`] give it.
    pub fn read_all(paths: &[PathBuf]) -> Result<Self, KeyFileError> {
        let [first, rest @ ..] = paths else { return Err(KeyFileError::NoLinkageKey) };
        if rest.len() >= MOST_EPOCHS {
            return Err(KeyFileError::Epochs);
        }
        let mut file = Self::read(first)?;
        for path in rest {
            file.merge(Self::read(path)?)?;
        }
        Ok(file)
    }

    /// Forgets an epoch that is over; `false` if it is not there.
    pub fn remove_epoch(&mut self, epoch: u32) -> bool {
        let before = self.epochs.len();
        self.epochs.retain(|known| known.epoch != epoch);
        self.epochs.len() < before
    }

    /// Which programme it is for.
    pub fn programme(&self) -> &ProgrammeCode {
        &self.programme
    }

    /// Whose file it is.
    pub fn agency(&self) -> &AgencyCode {
        &self.agency
    }

    /// The key of the agency's references of records, cases and users.
    pub fn reference(&self) -> &RefKey {
        &self.reference
    }

    /// The epochs, oldest first.
    pub fn epochs(&self) -> impl Iterator<Item = u32> {
        self.epochs.iter().map(|epoch| epoch.epoch)
    }

    /// The type keys that this file gives for a file of match keys, epoch by epoch, each in the
    /// order of [`MatchKeys::keys`]; `None` where the agency was not handed the type.
    ///
    /// # Errors
    ///
    /// [`KeyFileError::NoLinkageKey`] if an epoch gives none, or there is no epoch.
    pub fn type_keys(&self, match_keys: &MatchKeys) -> Result<Vec<EpochTypeKeys>, KeyFileError> {
        let epochs = self.type_keys_of(match_keys.norm(), || match_keys.keys().iter().map(|key| &key.name));
        let is_empty = |epoch: &EpochTypeKeys| epoch.keys.iter().all(Option::is_none);
        if epochs.is_empty() || epochs.iter().any(is_empty) { Err(KeyFileError::NoLinkageKey) } else { Ok(epochs) }
    }

    /// The type keys of the file's weighed fields, epoch by epoch, each in the order of
    /// [`MatchKeys::field_levels`]; `None` where the agency was not handed the type.
    pub fn field_type_keys(&self, match_keys: &MatchKeys) -> Vec<EpochTypeKeys> {
        self.type_keys_of(match_keys.norm(), || match_keys.field_levels().map(|(_, level)| &level.name))
    }

    fn type_keys_of<'k, I: Iterator<Item = &'k TokenType>>(
        &self,
        norm: u16,
        types: impl Fn() -> I,
    ) -> Vec<EpochTypeKeys> {
        self.epochs.iter().map(|share| share.type_keys(&self.programme, norm, types())).collect()
    }
}

/// The type keys of one epoch.
pub struct EpochTypeKeys {
    /// Which epoch.
    pub epoch: u32,
    /// One place for each match key, in the order of the match-keys file.
    pub keys: Vec<Option<TypeKey>>,
}

impl EpochShare {
    fn type_keys<'k>(
        &self,
        programme: &ProgrammeCode,
        norm: u16,
        types: impl Iterator<Item = &'k TokenType>,
    ) -> EpochTypeKeys {
        let key = |name: &TokenType| match &self.keys {
            Keys::Root(root) => Some(TypeKey::derive(root, programme, self.epoch, name, norm)),
            Keys::Types { norm: theirs, keys } if *theirs == norm => {
                keys.get(name).map(|key| TypeKey::from_bytes(copy(key), programme, self.epoch, name, norm))
            }
            Keys::Types { .. } => None,
        };
        EpochTypeKeys { epoch: self.epoch, keys: types.map(key).collect() }
    }
}

macro_rules! redacted {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(redacted)"))
            }
        }
    )*};
}
redacted!(LinkageKeyFile, LinkageShare, AgencyKeyFile, EpochTypeKeys);

/// The same key once more, on purpose: a type key and its file live apart.
fn copy(secret: &Secret<32>) -> Secret<32> {
    Secret::fill_with(|out| out.copy_from_slice(secret.expose()))
}

/// Lower-case hexadecimal of bytes that are no secret.
pub(in crate::cli) fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Reads and writes of each kind of file.
macro_rules! on_disk {
    ($($name:ident),*) => {$(
        impl $name {
            /// Reads the file.
            ///
            /// # Errors
            ///
            /// [`KeyFileError`] if it cannot be read, others may read it, it is not of this kind, or
            /// a key in it looks made by hand.
            pub fn read(path: &Path) -> Result<Self, KeyFileError> {
                let text = disk::read(path)?;
                Self::from_text(&text).map_err(|fault| fault.at(path))
            }

            /// Writes a new file that only its owner can read.
            ///
            /// # Errors
            ///
            /// [`KeyFileError::Exists`] if there is one, [`KeyFileError::Unreadable`] if the disk refuses.
            pub fn write(&self, path: &Path) -> Result<(), KeyFileError> {
                disk::write_new(path, self.to_text().as_bytes())
            }
        }
    )*};
}
on_disk!(LinkageKeyFile, LinkageShare, AgencyKeyFile);

impl AgencyKeyFile {
    /// Replaces the file at this path, after [`AgencyKeyFile::add`] or
    /// [`AgencyKeyFile::remove_epoch`].
    ///
    /// # Errors
    ///
    /// [`KeyFileError::Unreadable`] if the disk refuses; the old file then stands.
    pub fn replace(&self, path: &Path) -> Result<(), KeyFileError> {
        disk::replace(path, self.to_text().as_bytes())
    }
}

/// Reads a private key of another form under the same rules: a file that others can read is refused.
pub(super) fn read_secret(path: &Path) -> Result<zeroize::Zeroizing<Vec<u8>>, KeyFileError> {
    disk::read(path)
}

#[cfg(test)]
mod tests;
