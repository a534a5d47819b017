//! The key-encryption key: the one secret that the machine itself must supply.
//!
//! Text form, in a file or systemd credential: one `version key` pair a line, the key as 64
//! hexadecimal characters; `#` starts a comment. The highest version seals, all of them open.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::field::FieldSealer;
use super::random::Random;
use super::secret::Secret;

/// Where the key came from; production accepts some of these only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KekOrigin {
    /// A file that only its owner can read.
    File,
    /// A systemd credential (`LoadCredentialEncrypted=`), which can be bound to a TPM.
    SystemdCredential,
    /// An environment variable: development only, because child processes inherit it.
    Environment,
}

/// Why no key-encryption key could be loaded. Names the file, never the content.
#[derive(Debug, thiserror::Error)]
pub enum KekError {
    /// The file cannot be read.
    #[error("key-encryption key {path} cannot be read: {kind}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the operating system said.
        kind: io::ErrorKind,
    },
    /// Others than the owner may read or write the file, or it is not a plain file.
    #[error("key-encryption key {0} must be a plain file of mode 0400 or 0600: run chmod 400 on it")]
    Permissions(PathBuf),
    /// The file belongs to another user than the one who runs the gateway.
    #[error("key-encryption key {0} must belong to the user who runs the gateway")]
    Owner(PathBuf),
    /// The content has another form.
    #[error("key-encryption key is malformed in line {line}: expected a version from 1 and 64 hexadecimal characters")]
    Malformed {
        /// Which line, from 1.
        line: usize,
    },
    /// There is no key at all.
    #[error("key-encryption key file holds no key")]
    Empty,
}

/// Supplies the key-encryption key. A remote key service fits behind it too: it unwraps the key at
/// start-up and this supplies the result.
pub trait KekProvider: Send + Sync {
    /// The version that seals and wraps.
    fn current_version(&self) -> u32;
    /// The key of a version, if it is loaded.
    fn key(&self, version: u32) -> Option<&Secret<32>>;
    /// All loaded versions, ascending.
    fn versions(&self) -> Vec<u32>;
    /// Where the key came from.
    fn origin(&self) -> KekOrigin;
    /// The file it came from, for the start-up checks.
    fn path(&self) -> Option<&Path>;

    /// A sealer of database fields under every loaded version.
    fn field_sealer(&self) -> FieldSealer {
        let copy = |version| self.key(version).and_then(|key| Secret::from_slice(key.expose()).ok());
        let keys = self.versions().into_iter().filter_map(|version| Some((version, copy(version)?))).collect();
        FieldSealer::new(keys, self.current_version()).expect("the current version is one of the loaded ones")
    }
}

/// A key-encryption key in memory, from any of the three origins.
pub struct Kek {
    keys: BTreeMap<u32, Secret<32>>,
    current: u32,
    origin: KekOrigin,
    path: Option<PathBuf>,
}

impl Kek {
    /// Reads a file that only the user who runs the gateway can read.
    ///
    /// # Errors
    ///
    /// [`KekError`] for a wider mode, another owner, or malformed content.
    pub fn from_file(path: &Path) -> Result<Self, KekError> {
        Self::from_file_of(path, own_user())
    }

    fn from_file_of(path: &Path, user: Option<u32>) -> Result<Self, KekError> {
        let metadata = fs::symlink_metadata(path).map_err(|error| unreadable(path, &error))?;
        if !metadata.is_file() || !matches!(metadata.mode() & 0o7777, 0o400 | 0o600) {
            return Err(KekError::Permissions(path.to_owned()));
        }
        if user.is_some_and(|user| user != metadata.uid()) {
            return Err(KekError::Owner(path.to_owned()));
        }
        Self::read(path, KekOrigin::File)
    }

    /// Reads a credential from the directory that systemd names in `CREDENTIALS_DIRECTORY`. systemd
    /// keeps it in memory, owned by root with an entry for the service alone.
    ///
    /// # Errors
    ///
    /// [`KekError`] if everybody may read it or it is malformed.
    pub fn from_systemd(directory: &Path, name: &str) -> Result<Self, KekError> {
        let path = directory.join(name);
        let metadata = fs::symlink_metadata(&path).map_err(|error| unreadable(&path, &error))?;
        if !metadata.is_file() || metadata.mode() & 0o227 != 0 {
            return Err(KekError::Permissions(path));
        }
        Self::read(&path, KekOrigin::SystemdCredential)
    }

    /// Takes the value of an environment variable. Production refuses to start with it.
    ///
    /// # Errors
    ///
    /// [`KekError`] for a malformed value.
    pub fn from_environment_development_only(value: &str) -> Result<Self, KekError> {
        Self::parse(value, KekOrigin::Environment, None)
    }

    /// The text of a new key file with a fresh key of version 1.
    pub fn new_file_text(random: &dyn Random) -> Zeroizing<String> {
        // Room for all of it from the start: growing would leave a copy behind.
        let mut text = Zeroizing::new(String::with_capacity(LINE));
        push_line(&mut text, 1, &Secret::random(random));
        text
    }

    /// The text of this key's file with a fresh key as the next version, and that version. `None` when
    /// the versions are used up.
    pub fn with_next_version(&self, random: &dyn Random) -> Option<(Zeroizing<String>, u32)> {
        let version = self.current.checked_add(1)?;
        let mut text = self.to_file_text();
        push_line(&mut text, version, &Secret::random(random));
        Some((text, version))
    }

    /// This key without its older versions.
    #[must_use]
    pub fn only_current(&self) -> Self {
        let copy = |key: &Secret<32>| Secret::fill_with(|out| out.copy_from_slice(key.expose()));
        let keys = self.keys.iter().filter(|(version, _)| **version == self.current);
        let keys = keys.map(|(version, key)| (*version, copy(key))).collect();
        Self { keys, current: self.current, origin: self.origin, path: self.path.clone() }
    }

    /// The text of a file that holds these versions.
    pub fn to_file_text(&self) -> Zeroizing<String> {
        // Room for all of it, and for one more, from the start: growing would leave a copy behind.
        let mut text = Zeroizing::new(String::with_capacity((self.keys.len() + 1) * LINE));
        self.keys.iter().for_each(|(version, key)| push_line(&mut text, *version, key));
        text
    }

    fn read(path: &Path, origin: KekOrigin) -> Result<Self, KekError> {
        let text = fs::read_to_string(path).map(Zeroizing::new).map_err(|error| unreadable(path, &error))?;
        Self::parse(&text, origin, Some(path.to_owned()))
    }

    fn parse(text: &str, origin: KekOrigin, path: Option<PathBuf>) -> Result<Self, KekError> {
        let mut keys = BTreeMap::new();
        for (index, line) in text.lines().enumerate() {
            let malformed = KekError::Malformed { line: index + 1 };
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let pair = line.split_once(char::is_whitespace).and_then(|(version, key)| {
                let version = version.parse::<u32>().ok().filter(|&version| version >= 1)?;
                Some((version, Secret::from_hex(key.trim()).ok()?))
            });
            let Some((version, key)) = pair else { return Err(malformed) };
            if keys.insert(version, key).is_some() {
                return Err(malformed);
            }
        }
        let current = *keys.keys().next_back().ok_or(KekError::Empty)?;
        Ok(Self { keys, current, origin, path })
    }
}

impl KekProvider for Kek {
    fn current_version(&self) -> u32 {
        self.current
    }
    fn key(&self, version: u32) -> Option<&Secret<32>> {
        self.keys.get(&version)
    }
    fn versions(&self) -> Vec<u32> {
        self.keys.keys().copied().collect()
    }
    fn origin(&self) -> KekOrigin {
        self.origin
    }
    fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }
}

impl fmt::Debug for Kek {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kek(redacted, {:?})", self.origin)
    }
}

/// The longest line: ten digits, a space, the key, the end of the line.
const LINE: usize = 10 + 1 + 64 + 1;

fn push_line(text: &mut Zeroizing<String>, version: u32, key: &Secret<32>) {
    text.push_str(&version.to_string());
    text.push(' ');
    text.push_str(&key.expose_hex());
    text.push('\n');
}

fn unreadable(path: &Path, error: &io::Error) -> KekError {
    KekError::Unreadable { path: path.to_owned(), kind: error.kind() }
}

/// The user who runs this process: the owner of its own entry in `/proc`. `None` where there is no
/// `/proc`; the mode check stands alone there.
fn own_user() -> Option<u32> {
    fs::metadata("/proc/self").ok().map(|metadata| metadata.uid())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::crypto::random::SystemRandom;

    fn write(directory: &Path, text: &str, mode: u32) -> PathBuf {
        let path = directory.join("kek");
        fs::write(&path, text).expect("writes");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("sets the mode");
        path
    }

    #[test]
    fn a_new_key_file_reads_back() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = write(directory.path(), &Kek::new_file_text(&SystemRandom::new()), 0o400);
        let kek = Kek::from_file(&path).expect("reads");
        assert_eq!((kek.current_version(), kek.origin(), kek.path()), (1, KekOrigin::File, Some(path.as_path())));
        assert!(!kek.key(1).expect("loaded").is_patterned());
        assert_eq!(format!("{kek:?}"), "Kek(redacted, File)");
    }

    #[test]
    fn a_file_that_others_may_touch_is_refused() {
        for mode in [0o440, 0o404, 0o644, 0o660, 0o700, 0o500] {
            let directory = tempfile::tempdir().expect("a directory");
            let path = write(directory.path(), &Kek::new_file_text(&SystemRandom::new()), mode);
            assert!(matches!(Kek::from_file(&path), Err(KekError::Permissions(_))), "{mode:o}");
        }
        let directory = tempfile::tempdir().expect("a directory");
        let target = write(directory.path(), &Kek::new_file_text(&SystemRandom::new()), 0o400);
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(target, &link).expect("links");
        assert!(matches!(Kek::from_file(&link), Err(KekError::Permissions(_))));
    }

    #[test]
    fn a_file_of_another_user_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = write(directory.path(), &Kek::new_file_text(&SystemRandom::new()), 0o400);
        let owner = fs::metadata(&path).expect("there").uid();
        assert!(Kek::from_file_of(&path, Some(owner)).is_ok());
        assert!(matches!(Kek::from_file_of(&path, Some(owner + 1)), Err(KekError::Owner(_))));
    }

    #[test]
    fn a_systemd_credential_may_be_group_readable_and_no_more() {
        for (mode, accepted) in [(0o400, true), (0o440, true), (0o444, false), (0o600, false), (0o460, false)] {
            let directory = tempfile::tempdir().expect("a directory");
            write(directory.path(), &Kek::new_file_text(&SystemRandom::new()), mode);
            assert_eq!(Kek::from_systemd(directory.path(), "kek").is_ok(), accepted, "{mode:o}");
        }
    }

    #[test]
    fn the_highest_version_is_current_and_all_are_loaded() {
        let text = format!("# rotated in May\n2 {}\n\n1 {} # old\n", "ab".repeat(32), "cd".repeat(32));
        let kek = Kek::from_environment_development_only(&text).expect("well-formed");
        assert_eq!((kek.current_version(), kek.versions()), (2, vec![1, 2]));
        assert_eq!(kek.origin(), KekOrigin::Environment);
        let stored = kek.field_sealer().seal(&SystemRandom::new(), "t", "c", b"r", b"v");
        assert_eq!(stored[..4], [0, 0, 0, 2]);
    }

    #[test]
    fn the_next_version_is_added_and_the_older_ones_can_go() {
        let first = Kek::from_environment_development_only(&Kek::new_file_text(&SystemRandom::new())).expect("reads");
        let (text, version) = first.with_next_version(&SystemRandom::new()).expect("there is a next");
        let both = Kek::from_environment_development_only(&text).expect("reads");
        assert_eq!((version, both.versions()), (2, vec![1, 2]));
        assert_eq!(both.key(1).expect("kept").expose(), first.key(1).expect("there").expose());
        let alone = both.only_current();
        assert_eq!(alone.versions(), [2]);
        let sealed = first.field_sealer().seal(&SystemRandom::new(), "t", "c", b"r", b"v");
        assert!(alone.field_sealer().open("t", "c", b"r", &sealed).is_err());
        let again = Kek::from_environment_development_only(&alone.to_file_text()).expect("reads");
        assert_eq!(again.key(2).expect("there").expose(), both.key(2).expect("there").expose());
    }

    #[test]
    fn malformed_content_is_refused_by_line_without_being_repeated() {
        let key = "ab".repeat(32);
        for (text, line) in [
            (format!("1 {key}\n1 {key}"), 2),
            (format!("0 {key}"), 1),
            (key.clone(), 1),
            ("1 secret-passphrase".to_owned(), 1),
            (format!("\n1 {key}00"), 2),
        ] {
            let error = Kek::from_environment_development_only(&text).expect_err("malformed");
            assert!(matches!(error, KekError::Malformed { line: at } if at == line), "{error}");
            assert!(!error.to_string().contains("secret-passphrase"));
        }
        assert!(matches!(Kek::from_environment_development_only("# nothing"), Err(KekError::Empty)));
    }
}
