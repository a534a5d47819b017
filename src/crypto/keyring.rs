//! The gateway's own secrets, each in a small file of its key folder, wrapped under the
//! key-encryption key. One folder belongs to one programme.
//!
//! The linkage key is not among them: key custodians in the agencies make and hold it. The
//! checkpoint key can live in a folder of its own, for the sequencer's own user.

mod file;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use self::file::{
    file_error, file_path, make_folder, read_secret, replace, retired_keys, secret_files, sync_folder, wrap,
    write_public, write_secret,
};
use super::blind::Blinder;
use super::jwt::AccessTokens;
use super::kek::KekProvider;
use super::production::KeyFact;
use super::pseudonym::Pseudonymiser;
use super::random::Random;
use super::secret::Secret;
use super::sign::{SigningKey, VerifyingKey};
use super::tag::Tagger;
use crate::domain::ids::ProgrammeCode;
use crate::domain::time::Timestamp;

/// What a secret is for. No two roles share a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Blinds tokens.
    Blinding,
    /// Makes recipients' pseudonyms and family references.
    Pseudonym,
    /// Makes lookup tags.
    Index,
    /// Signs access tokens.
    TokenSigning,
    /// Signs receipts.
    Receipt,
    /// Signs release certificates.
    Certificate,
    /// Signs checkpoints of the log.
    Checkpoint,
}

impl Role {
    /// What the gateway process needs; the checkpoint key is the sequencer's.
    pub const GATEWAY: [Self; 6] =
        [Self::Blinding, Self::Pseudonym, Self::Index, Self::TokenSigning, Self::Receipt, Self::Certificate];

    /// What signs.
    pub const SIGNING: [Self; 4] = [Self::TokenSigning, Self::Receipt, Self::Certificate, Self::Checkpoint];

    /// The role as files and messages name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Blinding => "blinding",
            Self::Pseudonym => "pseudonym",
            Self::Index => "index",
            Self::TokenSigning => "token-signing",
            Self::Receipt => "receipt",
            Self::Certificate => "certificate",
            Self::Checkpoint => "checkpoint",
        }
    }

    fn kind(self) -> Kind {
        match self {
            Self::Blinding | Self::Pseudonym | Self::Index => Kind::Symmetric,
            Self::TokenSigning | Self::Receipt | Self::Certificate | Self::Checkpoint => Kind::Ed25519,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Symmetric,
    Ed25519,
}

/// Why the key folder cannot be used. Names files and roles, never content.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// A file or the folder cannot be read or written.
    #[error("key folder: {path}: {kind}")]
    File {
        /// Which file or folder.
        path: PathBuf,
        /// What the operating system said.
        kind: io::ErrorKind,
    },
    /// A secret of the role is there already and is never overwritten.
    #[error("key folder already holds a {} key of that version", .0.name())]
    Exists(Role),
    /// No secret of the role is there.
    #[error("key folder holds no {} key; run porth keys init", .0.name())]
    Missing(Role),
    /// The role's key cannot be replaced by a new one.
    #[error("the {} key cannot be replaced: stored values were made with it", .0.name())]
    NotRotatable(Role),
    /// The file is not a wrapped secret, or its name and content disagree.
    #[error("key file {0} is malformed")]
    Malformed(PathBuf),
    /// The version of the key-encryption key that wraps it is not loaded.
    #[error("key file {path} needs version {version} of the key-encryption key")]
    UnknownKek {
        /// Which file.
        path: PathBuf,
        /// Which version.
        version: u32,
    },
    /// It was wrapped under another key, or altered.
    #[error("key file {0} does not open: another key-encryption key, or altered")]
    Refused(PathBuf),
}

/// The opened secrets of a key folder.
pub struct Keyring {
    secrets: BTreeMap<(Role, u32), Opened>,
    /// Public halves of signing keys whose secret is gone.
    retired: BTreeMap<(Role, u32), VerifyingKey>,
}

struct Opened {
    secret: Secret<32>,
    path: PathBuf,
}

impl Keyring {
    /// Makes version 1 of every role, in a folder that is made if need be, and opens it. Nothing
    /// is written if any of them is there already.
    ///
    /// # Errors
    ///
    /// [`KeyringError`], [`KeyringError::Exists`] above all.
    pub fn init(
        folder: &Path,
        roles: &[Role],
        kek: &dyn KekProvider,
        random: &dyn Random,
        now: Timestamp,
    ) -> Result<Self, KeyringError> {
        make_folder(folder)?;
        if let Some(&role) = roles.iter().find(|role| file_path(folder, **role, 1).exists()) {
            return Err(KeyringError::Exists(role));
        }
        for &role in roles {
            write_secret(folder, role, 1, &Secret::random(random), kek, random, now)?;
        }
        Self::open(folder, kek)
    }

    /// Opens every secret in a folder.
    ///
    /// # Errors
    ///
    /// [`KeyringError`] if any of them does not open: a gateway with half its keys must not start.
    pub fn open(folder: &Path, kek: &dyn KekProvider) -> Result<Self, KeyringError> {
        let mut secrets = BTreeMap::new();
        for path in secret_files(folder)? {
            let (file, secret) = read_secret(&path, kek)?;
            secrets.insert((file.name, file.version), Opened { secret, path });
        }
        Ok(Self { secrets, retired: retired_keys(folder)? })
    }

    /// Adds the next version of a signing role, or the next layer of the blinding key, and returns its
    /// number. Open the folder again to use it.
    ///
    /// # Errors
    ///
    /// [`KeyringError::NotRotatable`] for the other roles: what is stored was made with their key,
    /// and under a new one nothing would match any more. [`KeyringError`] if the file cannot be
    /// written.
    pub fn add_version(
        &self,
        folder: &Path,
        role: Role,
        kek: &dyn KekProvider,
        random: &dyn Random,
        now: Timestamp,
    ) -> Result<u32, KeyringError> {
        if role.kind() != Kind::Ed25519 && role != Role::Blinding {
            return Err(KeyringError::NotRotatable(role));
        }
        let latest = self.versions(role).last().copied().max(self.retired_versions(role).max());
        let version = latest.map_or(1, |latest| latest + 1);
        write_secret(folder, role, version, &Secret::random(random), kek, random, now)?;
        Ok(version)
    }

    /// Wraps again, under the current key-encryption key, every secret that an older one wraps.
    /// Returns how many.
    ///
    /// # Errors
    ///
    /// [`KeyringError`]; a secret is replaced by renaming, so none is ever half written.
    pub fn rewrap(folder: &Path, kek: &dyn KekProvider, random: &dyn Random) -> Result<usize, KeyringError> {
        let mut rewrapped = 0;
        for path in secret_files(folder)? {
            let (file, secret) = read_secret(&path, kek)?;
            if file.kek_version != kek.current_version() {
                let text = wrap(file.name, file.version, file.created, &secret, kek, random);
                replace(folder, &path, text.as_bytes())?;
                rewrapped += 1;
            }
        }
        Ok(rewrapped)
    }

    /// Destroys the secrets of every version of a signing role but the newest. The public halves of
    /// receipt, certificate and checkpoint keys stay in the folder: what they signed is still verified.
    /// Those of access tokens go too: what they signed is over. Returns the versions.
    ///
    /// # Errors
    ///
    /// [`KeyringError::NotRotatable`] for a role that does not sign; [`KeyringError`] if a file cannot be
    /// written or removed.
    pub fn retire_older(&self, folder: &Path, role: Role) -> Result<Vec<u32>, KeyringError> {
        if role.kind() != Kind::Ed25519 {
            return Err(KeyringError::NotRotatable(role));
        }
        let mut older = self.versions(role);
        older.pop();
        for (version, key) in self.verifying_keys(role) {
            if !older.contains(&version) {
                continue;
            }
            if role != Role::TokenSigning {
                write_public(folder, role, version, &key)?;
            }
            let path = file_path(folder, role, version);
            fs::remove_file(&path).map_err(|error| file_error(&path, &error))?;
        }
        sync_folder(folder)?;
        Ok(older)
    }

    /// Removes every version of a role. Ending a programme removes [`Role::Blinding`] and
    /// [`Role::Pseudonym`]: what is stored under them loses its meaning. Copies in backups must go
    /// too, or the key-encryption key with them.
    ///
    /// # Errors
    ///
    /// [`KeyringError`] if a file cannot be removed.
    pub fn destroy(self, folder: &Path, role: Role) -> Result<(), KeyringError> {
        for version in self.versions(role) {
            let path = file_path(folder, role, version);
            fs::remove_file(&path).map_err(|error| file_error(&path, &error))?;
        }
        sync_folder(folder)
    }

    /// The programme's blinder, with every blinding key in the order in which they were stacked.
    ///
    /// # Errors
    ///
    /// [`KeyringError::Missing`], as of every accessor below.
    pub fn blinder(&self, programme: &ProgrammeCode) -> Result<Blinder, KeyringError> {
        let mut keys = self.secrets.range((Role::Blinding, 0)..=(Role::Blinding, u32::MAX));
        // Stored tokens went through every one of them in order: none may be missing.
        let first = keys.next().filter(|((_, version), _)| *version == 1);
        let (_, first) = first.ok_or(KeyringError::Missing(Role::Blinding))?;
        let mut blinder = Blinder::new(&first.secret, programme);
        for (expected, ((_, version), layer)) in (2..).zip(keys) {
            if *version != expected {
                return Err(KeyringError::Missing(Role::Blinding));
            }
            blinder = blinder.with_layer(&layer.secret, programme);
        }
        Ok(blinder)
    }

    /// The programme's pseudonymiser.
    ///
    /// # Errors
    ///
    /// [`KeyringError::Missing`].
    pub fn pseudonymiser(&self) -> Result<Pseudonymiser, KeyringError> {
        Ok(Pseudonymiser::new(self.current(Role::Pseudonym)?))
    }

    /// The maker of lookup tags.
    ///
    /// # Errors
    ///
    /// [`KeyringError::Missing`].
    pub fn tagger(&self) -> Result<Tagger, KeyringError> {
        Ok(Tagger::new(self.current(Role::Index)?))
    }

    /// The current signing key of a role that signs.
    ///
    /// # Errors
    ///
    /// [`KeyringError::Missing`], also for a role that does not sign.
    pub fn signing_key(&self, role: Role) -> Result<SigningKey, KeyringError> {
        if role.kind() != Kind::Ed25519 {
            return Err(KeyringError::Missing(role));
        }
        self.current(role).map(|seed| SigningKey::from_seed(copy(seed)))
    }

    /// Issues and verifies access tokens: signs with the current token-signing key, verifies those
    /// of earlier versions as well.
    ///
    /// # Errors
    ///
    /// [`KeyringError::Missing`].
    pub fn access_tokens(&self, issuer: &str) -> Result<AccessTokens, KeyringError> {
        let tokens = AccessTokens::new(issuer, &self.signing_key(Role::TokenSigning)?);
        let earlier = self.verifying_keys(Role::TokenSigning).into_iter().skip(1);
        Ok(earlier.fold(tokens, |tokens, (_, key)| tokens.with_previous(key)))
    }

    /// The public keys of every version of a signing role, newest first: the list to publish.
    pub fn verifying_keys(&self, role: Role) -> Vec<(u32, VerifyingKey)> {
        let versions = self.secrets.range((role, 0)..=(role, u32::MAX));
        let signing = versions.filter(|_| role.kind() == Kind::Ed25519);
        let live = signing.map(|(key, opened)| (key.1, SigningKey::from_seed(copy(&opened.secret)).verifying_key()));
        let retired = self.retired.range((role, 0)..=(role, u32::MAX)).map(|(key, public)| (key.1, *public));
        let all: BTreeMap<u32, VerifyingKey> = retired.chain(live).collect();
        all.into_iter().rev().collect()
    }

    /// The loaded versions of a role, ascending.
    pub fn versions(&self, role: Role) -> Vec<u32> {
        self.secrets.range((role, 0)..=(role, u32::MAX)).map(|((_, version), _)| *version).collect()
    }

    /// What the start-up checks need to know of each secret; nothing of the secrets themselves.
    pub fn facts(&self) -> Vec<KeyFact> {
        let fact = |((role, version), opened): (&(Role, u32), &Opened)| {
            KeyFact::of_secret(format!("{} v{version}", role.name()), &opened.secret, Some(&opened.path))
        };
        self.secrets.iter().map(fact).collect()
    }

    fn retired_versions(&self, role: Role) -> impl Iterator<Item = u32> {
        self.retired.range((role, 0)..=(role, u32::MAX)).map(|((_, version), _)| *version)
    }

    fn current(&self, role: Role) -> Result<&Secret<32>, KeyringError> {
        let latest = self.secrets.range((role, 0)..=(role, u32::MAX)).next_back();
        latest.map(|(_, opened)| &opened.secret).ok_or(KeyringError::Missing(role))
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.secrets.keys()).finish()
    }
}

fn copy(secret: &Secret<32>) -> Secret<32> {
    Secret::fill_with(|out| out.copy_from_slice(secret.expose()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;
    use crate::crypto::kek::Kek;
    use crate::crypto::random::SystemRandom;
    use crate::domain::ids::TokenType;
    use crate::domain::token::Token;

    const NOW: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);

    fn kek(text: &str) -> Kek {
        Kek::from_environment_development_only(text).expect("well-formed")
    }

    fn kek_1() -> Kek {
        kek(&format!("1 {}", "a7".repeat(32)))
    }

    fn kek_2() -> Kek {
        kek(&format!("1 {}\n2 {}", "a7".repeat(32), "b9".repeat(32)))
    }

    fn init(folder: &Path) -> Keyring {
        Keyring::init(folder, &Role::GATEWAY, &kek_1(), &SystemRandom::new(), NOW).expect("makes the keys")
    }

    fn blinded(keyring: &Keyring) -> [u8; 16] {
        let programme = ProgrammeCode::parse("cornwall").expect("a code");
        let nhs = TokenType::parse("nhs").expect("a code");
        *keyring.blinder(&programme).expect("has the key").blind(1, &nhs, 1, &Token::new([3; 32])).as_bytes()
    }

    #[test]
    fn what_init_makes_opens_again_and_only_the_owner_can_read_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path().join("keys");
        let made = init(&folder);
        let opened = Keyring::open(&folder, &kek_1()).expect("opens");
        assert_eq!(blinded(&made), blinded(&opened));
        for role in [Role::TokenSigning, Role::Receipt, Role::Certificate] {
            assert_eq!(made.verifying_keys(role), opened.verifying_keys(role));
            let current = opened.signing_key(role).expect("signs").verifying_key();
            assert_eq!(opened.verifying_keys(role), [(1, current)]);
        }
        assert!(opened.tagger().is_ok() && opened.pseudonymiser().is_ok());
        assert_eq!(fs::metadata(&folder).expect("there").mode() & 0o777, 0o700);
        for path in secret_files(&folder).expect("there") {
            assert_eq!(fs::metadata(path).expect("there").mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn the_checkpoint_key_is_not_among_the_gateways_and_can_live_apart() {
        let (gateway, sequencer) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let keyring = init(gateway.path());
        assert!(matches!(keyring.signing_key(Role::Checkpoint), Err(KeyringError::Missing(Role::Checkpoint))));
        let apart = Keyring::init(sequencer.path(), &[Role::Checkpoint], &kek_1(), &SystemRandom::new(), NOW);
        assert!(apart.expect("makes the key").signing_key(Role::Checkpoint).is_ok());
    }

    #[test]
    fn keys_are_never_overwritten() {
        let folder = tempfile::tempdir().expect("a folder");
        let before = blinded(&init(folder.path()));
        let again = Keyring::init(folder.path(), &Role::GATEWAY, &kek_1(), &SystemRandom::new(), NOW);
        assert!(matches!(again, Err(KeyringError::Exists(_))));
        assert_eq!(blinded(&Keyring::open(folder.path(), &kek_1()).expect("opens")), before);
    }

    #[test]
    fn rotation_adds_a_version_and_keeps_the_old_public_key() {
        let folder = tempfile::tempdir().expect("a folder");
        let keyring = init(folder.path());
        let old = keyring.verifying_keys(Role::Receipt)[0].1;
        let added = keyring.add_version(folder.path(), Role::Receipt, &kek_1(), &SystemRandom::new(), NOW);
        assert_eq!(added.expect("writes"), 2);
        let keyring = Keyring::open(folder.path(), &kek_1()).expect("opens");
        let keys = keyring.verifying_keys(Role::Receipt);
        assert_eq!((keys[0].0, keys[1]), (2, (1, old)));
        assert_eq!(keyring.signing_key(Role::Receipt).expect("signs").verifying_key(), keys[0].1);
    }

    #[test]
    fn a_key_that_stored_values_depend_on_is_not_rotated() {
        let folder = tempfile::tempdir().expect("a folder");
        let keyring = init(folder.path());
        for role in [Role::Pseudonym, Role::Index] {
            let added = keyring.add_version(folder.path(), role, &kek_1(), &SystemRandom::new(), NOW);
            assert!(matches!(added, Err(KeyringError::NotRotatable(refused)) if refused == role));
        }
    }

    #[test]
    fn a_next_blinding_key_is_stacked_on_the_first_and_none_may_be_missing() {
        let folder = tempfile::tempdir().expect("a folder");
        let before = blinded(&init(folder.path()));
        let keyring = Keyring::open(folder.path(), &kek_1()).expect("opens");
        keyring.add_version(folder.path(), Role::Blinding, &kek_1(), &SystemRandom::new(), NOW).expect("writes");
        let keyring = Keyring::open(folder.path(), &kek_1()).expect("opens");
        let programme = ProgrammeCode::parse("cornwall").expect("a code");
        let blinder = keyring.blinder(&programme).expect("both keys");
        assert_eq!(blinder.layers(), 2);
        assert_ne!(blinded(&keyring), before);
        let stacked = blinder.restack(1, crate::domain::token::Blinded::new(before)).expect("the second key");
        assert_eq!(*stacked.as_bytes(), blinded(&keyring), "what is stored meets what arrives");
        assert!(blinder.restack(2, stacked).is_none() && blinder.restack_tag(2, &[1; 16]).is_none());
        fs::remove_file(file_path(folder.path(), Role::Blinding, 1)).expect("removes");
        let torn = Keyring::open(folder.path(), &kek_1()).expect("opens");
        assert!(matches!(torn.blinder(&programme), Err(KeyringError::Missing(Role::Blinding))));
    }

    #[test]
    fn older_secrets_are_destroyed_and_their_public_halves_verify_on() {
        let folder = tempfile::tempdir().expect("a folder");
        let keyring = init(folder.path());
        for role in [Role::Receipt, Role::TokenSigning] {
            keyring.add_version(folder.path(), role, &kek_1(), &SystemRandom::new(), NOW).expect("writes");
        }
        let keyring = Keyring::open(folder.path(), &kek_1()).expect("opens");
        let receipts = keyring.verifying_keys(Role::Receipt);
        for role in [Role::Receipt, Role::TokenSigning] {
            assert_eq!(keyring.retire_older(folder.path(), role).expect("destroys"), [1]);
            assert!(!file_path(folder.path(), role, 1).exists());
        }
        let after = Keyring::open(folder.path(), &kek_1()).expect("opens");
        assert_eq!(after.verifying_keys(Role::Receipt), receipts, "receipts of the old key are still believed");
        assert_eq!(after.versions(Role::Receipt), [2]);
        assert_eq!(after.verifying_keys(Role::TokenSigning).len(), 1, "tokens of the old key are not");
        let next = after.add_version(folder.path(), Role::Receipt, &kek_1(), &SystemRandom::new(), NOW);
        assert_eq!(next.expect("writes"), 3, "a version is never used twice");
        assert!(matches!(after.retire_older(folder.path(), Role::Blinding), Err(KeyringError::NotRotatable(_))));
    }

    #[test]
    fn access_tokens_of_the_earlier_key_are_good_after_rotation() {
        use crate::crypto::jwt::AccessGrant;
        let folder = tempfile::tempdir().expect("a folder");
        let keyring = init(folder.path());
        let grant = AccessGrant { client_id: "a", key_id: "k", subject: "a", scope: "submit", certificate: &[1; 32] };
        let before = keyring.access_tokens("https://porth.example").expect("has the key");
        let token = before.issue(grant, NOW, &SystemRandom::new());
        keyring.add_version(folder.path(), Role::TokenSigning, &kek_1(), &SystemRandom::new(), NOW).expect("writes");
        let after = Keyring::open(folder.path(), &kek_1()).expect("opens").access_tokens("https://porth.example");
        let after = after.expect("has the key");
        assert!(after.verify(&token, &[1; 32], NOW).is_ok());
        assert!(before.verify(&after.issue(grant, NOW, &SystemRandom::new()), &[1; 32], NOW).is_err());
    }

    #[test]
    fn rewrapping_moves_everything_to_the_current_key_encryption_key() {
        let folder = tempfile::tempdir().expect("a folder");
        let before = blinded(&init(folder.path()));
        assert_eq!(Keyring::rewrap(folder.path(), &kek_2(), &SystemRandom::new()).expect("rewraps"), 6);
        assert_eq!(Keyring::rewrap(folder.path(), &kek_2(), &SystemRandom::new()).expect("rewraps"), 0);
        assert!(matches!(Keyring::open(folder.path(), &kek_1()), Err(KeyringError::UnknownKek { version: 2, .. })));
        assert_eq!(blinded(&Keyring::open(folder.path(), &kek_2()).expect("opens")), before);
    }

    #[test]
    fn a_destroyed_role_is_gone() {
        let folder = tempfile::tempdir().expect("a folder");
        init(folder.path()).destroy(folder.path(), Role::Blinding).expect("removes");
        let keyring = Keyring::open(folder.path(), &kek_1()).expect("opens");
        let programme = ProgrammeCode::parse("cornwall").expect("a code");
        assert!(matches!(keyring.blinder(&programme), Err(KeyringError::Missing(Role::Blinding))));
        assert!(keyring.pseudonymiser().is_ok());
    }

    #[test]
    fn swapped_altered_or_foreign_files_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        init(folder.path());
        let (receipt, certificate) =
            (file_path(folder.path(), Role::Receipt, 1), file_path(folder.path(), Role::Certificate, 1));
        let original = fs::read_to_string(&receipt).expect("there");
        let refusal = |text: &str| {
            fs::write(&receipt, text).expect("writes");
            Keyring::open(folder.path(), &kek_1()).expect_err("refuses")
        };
        let swapped = fs::read_to_string(certificate).expect("there");
        assert!(matches!(refusal(&swapped), KeyringError::Malformed(_)));
        assert!(matches!(refusal(&swapped.replace("\"certificate\"", "\"receipt\"")), KeyringError::Refused(_)));
        assert!(matches!(refusal(&original.replace("ed25519", "symmetric")), KeyringError::Malformed(_)));
        assert!(matches!(refusal("{}"), KeyringError::Malformed(_)));
        fs::write(&receipt, &original).expect("writes");
        let relabelled = file_path(folder.path(), Role::Receipt, 2);
        fs::write(&relabelled, original.replace("\"version\": 1", "\"version\": 2")).expect("writes");
        assert!(
            matches!(Keyring::open(folder.path(), &kek_1()), Err(KeyringError::Refused(path)) if path == relabelled)
        );
        fs::remove_file(relabelled).expect("removes");
        let foreign = kek(&format!("1 {}", "cd".repeat(32)));
        assert!(matches!(Keyring::open(folder.path(), &foreign), Err(KeyringError::Refused(_))));
    }
}
