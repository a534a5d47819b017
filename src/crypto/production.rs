//! What production mode refuses to start with, as far as keys and certificates go. Each refusal is
//! one line that says what is wrong and what to do.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::certs::CertificateSummary;
use super::kek::{KekOrigin, KekProvider};
use super::secret::Secret;

/// What the checks know of a key. Never the key.
#[derive(Debug, Clone)]
pub struct KeyFact {
    /// What the key is for, as messages name it.
    pub role: String,
    /// SHA-256 of the key bytes. Stays in memory: it is compared, never written.
    pub fingerprint: [u8; 32],
    /// Whether the key looks made by hand.
    pub patterned: bool,
    /// The file it came from and the file's mode.
    pub file: Option<(PathBuf, u32)>,
}

impl KeyFact {
    /// Looks at a secret and at the file it came from.
    pub fn of_secret(role: String, secret: &Secret<32>, path: Option<&Path>) -> Self {
        let file = path.map(|path| (path.to_owned(), mode_of(path)));
        Self { role, fingerprint: Sha256::digest(secret.expose()).into(), patterned: secret.is_patterned(), file }
    }

    /// Looks at a key that is known by its public half, such as the TLS key: `spki` is the DER of
    /// the public key.
    pub fn of_public(role: String, spki: &[u8], path: Option<&Path>) -> Self {
        let file = path.map(|path| (path.to_owned(), mode_of(path)));
        Self { role, fingerprint: Sha256::digest(spki).into(), patterned: false, file }
    }

    /// Looks at every loaded version of the key-encryption key. systemd guards its own files.
    pub fn of_kek(kek: &dyn KekProvider) -> Vec<Self> {
        let path = kek.path().filter(|_| kek.origin() == KekOrigin::File);
        let fact = |version| {
            let role = format!("key-encryption v{version}");
            kek.key(version).map(|key| Self::of_secret(role, key, path))
        };
        kek.versions().into_iter().filter_map(fact).collect()
    }
}

/// A mode that every check refuses stands in for a file that cannot be looked at.
fn mode_of(path: &Path) -> u32 {
    fs::metadata(path).map_or(0o777, |metadata| metadata.mode() & 0o777)
}

/// Everything that the checks look at.
#[derive(Debug, Clone, Default)]
pub struct KeyFacts {
    /// Every key that the process holds.
    pub keys: Vec<KeyFact>,
    /// Every certificate that it presents or trusts, each with a name for messages.
    pub certificates: Vec<(String, CertificateSummary)>,
    /// Where the key-encryption key came from.
    pub kek_origin: Option<KekOrigin>,
}

/// One reason not to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// A short stable code.
    pub code: &'static str,
    /// One line: what is wrong and what to do.
    pub line: String,
}

/// Every reason why production must not start with these keys; empty when there is none.
pub fn production_refusals(facts: &KeyFacts) -> Vec<Refusal> {
    let examples = example_fingerprints();
    let mut refusals = Vec::new();
    let mut refuse = |code, line| refusals.push(Refusal { code, line });
    for key in &facts.keys {
        let role = &key.role;
        if examples.contains_key(&hex(&key.fingerprint)) {
            refuse("example-key", format!("the {role} key is a published example: run porth keys init"));
        }
        if key.patterned {
            refuse("patterned-key", format!("the {role} key is not random: run porth keys init"));
        }
        if let Some((path, mode)) = &key.file {
            let path_text = path.display();
            if mode & 0o077 != 0 {
                let line = format!("the {role} key file can be read by others: run chmod 600 {path_text}");
                refuse("key-file-permissions", line);
            }
            if path.components().any(|part| part.as_os_str() == "keys-example") {
                let line = format!("the {role} key lies in an examples folder: move your keys out of {path_text}");
                refuse("key-file-in-examples", line);
            }
        }
    }
    let mut first_role = BTreeMap::new();
    for key in &facts.keys {
        if let Some(other) = first_role.insert(key.fingerprint, &key.role) {
            let line = format!("the {other} and {} roles share one key: make a new one for either", key.role);
            refuse("shared-key", line);
        }
    }
    for (name, certificate) in &facts.certificates {
        let known = [certificate.fingerprint, certificate.public_key_fingerprint];
        if known.iter().any(|fingerprint| examples.contains_key(&hex(fingerprint))) {
            refuse("example-certificate", format!("the {name} certificate is a published example: issue your own"));
        }
        if certificate.is_development {
            let line = format!("the {name} certificate is for development only: issue one from your own authority");
            refuse("development-certificate", line);
        }
    }
    if facts.kek_origin == Some(KekOrigin::Environment) {
        let line = "the key-encryption key comes from the environment, which child processes inherit: use a systemd \
                    credential or a file of mode 0400";
        refuse("kek-from-environment", line.to_owned());
    }
    refusals
}

/// The manifest that `keys-example/` publishes, compiled in.
const MANIFEST: &str = include_str!("../../keys-example/MANIFEST.json");

#[derive(Deserialize)]
struct Manifest {
    fingerprints: Vec<Example>,
}

#[derive(Deserialize)]
struct Example {
    sha256: String,
    name: String,
}

fn example_fingerprints() -> BTreeMap<String, String> {
    let manifest: Manifest = serde_json::from_str(MANIFEST).expect("a test reads the manifest that is compiled in");
    manifest.fingerprints.into_iter().map(|example| (example.sha256, example.name)).collect()
}

fn hex(bytes: &[u8; 32]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::certs::summarise;
    use crate::crypto::kek::Kek;
    use crate::crypto::random::SystemRandom;
    use crate::crypto::token::vectors;

    fn good_key(role: &str) -> KeyFact {
        KeyFact::of_secret(role.to_owned(), &Secret::random(&SystemRandom::new()), None)
    }

    fn keys(keys: Vec<KeyFact>) -> KeyFacts {
        KeyFacts { keys, ..KeyFacts::default() }
    }

    fn certificate(edit: impl FnOnce(&mut CertificateSummary)) -> KeyFacts {
        let pem = include_str!("../../keys-example/demo-ca.pem");
        let mut summary = summarise(&crate::crypto::certs::der_of_pem(pem).expect("PEM")).expect("a certificate");
        summary.fingerprint = [1; 32];
        summary.public_key_fingerprint = [2; 32];
        summary.is_development = false;
        edit(&mut summary);
        KeyFacts { certificates: vec![("issuing".to_owned(), summary)], ..KeyFacts::default() }
    }

    fn codes(facts: &KeyFacts) -> Vec<&'static str> {
        production_refusals(facts).into_iter().map(|refusal| refusal.code).collect()
    }

    #[test]
    fn fresh_keys_and_real_certificates_start() {
        let mut facts = certificate(|_| ());
        facts.keys = vec![good_key("blinding"), good_key("pseudonym")];
        facts.keys[0].file = Some((PathBuf::from("/etc/porth/keys/blinding.v1.json"), 0o600));
        facts.kek_origin = Some(KekOrigin::File);
        assert_eq!(production_refusals(&facts), []);
    }

    #[test]
    fn a_published_example_key_is_refused() {
        let vectors = vectors::read();
        for hex in [&vectors.linkage_root_key, &vectors.blinding_key, &vectors.pseudonym_key] {
            let fact = KeyFact::of_secret("blinding".to_owned(), &vectors::key(hex), None);
            assert!(codes(&keys(vec![fact])).contains(&"example-key"));
        }
    }

    #[test]
    fn a_patterned_key_is_refused() {
        let secret = Secret::from_slice(&[0x77; 32]).expect("32");
        let fact = KeyFact::of_secret("blinding".to_owned(), &secret, None);
        assert_eq!(codes(&keys(vec![fact])), ["patterned-key"]);
    }

    #[test]
    fn a_key_file_that_others_can_read_is_refused() {
        for mode in [0o640, 0o604, 0o620, 0o666] {
            let mut fact = good_key("receipt");
            fact.file = Some((PathBuf::from("/etc/porth/keys/receipt.v1.json"), mode));
            assert_eq!(codes(&keys(vec![fact])), ["key-file-permissions"], "{mode:o}");
        }
        let missing =
            KeyFact::of_secret("r".into(), &Secret::random(&SystemRandom::new()), Some(Path::new("/nowhere")));
        assert_eq!(codes(&keys(vec![missing])), ["key-file-permissions"]);
    }

    #[test]
    fn a_key_in_an_examples_folder_is_refused() {
        let mut fact = good_key("receipt");
        fact.file = Some((PathBuf::from("/srv/porth/keys-example/receipt.v1.json"), 0o600));
        assert_eq!(codes(&keys(vec![fact])), ["key-file-in-examples"]);
    }

    #[test]
    fn a_key_encryption_key_from_the_environment_is_refused() {
        let facts = KeyFacts { kek_origin: Some(KekOrigin::Environment), ..KeyFacts::default() };
        assert_eq!(codes(&facts), ["kek-from-environment"]);
    }

    #[test]
    fn two_roles_with_one_key_are_refused_even_when_one_is_the_key_encryption_key() {
        let text = Kek::new_file_text(&SystemRandom::new());
        let kek = Kek::from_environment_development_only(&text).expect("well-formed");
        let mut all = KeyFact::of_kek(&kek);
        all.push(KeyFact::of_secret("blinding".to_owned(), kek.key(1).expect("loaded"), None));
        let refusals = production_refusals(&keys(all));
        assert_eq!(refusals.len(), 1);
        assert_eq!(refusals[0].code, "shared-key");
        assert!(refusals[0].line.contains("key-encryption v1 and blinding"), "{}", refusals[0].line);
    }

    #[test]
    fn a_development_certificate_is_refused() {
        assert_eq!(codes(&certificate(|summary| summary.is_development = true)), ["development-certificate"]);
    }

    #[test]
    fn every_published_certificate_is_refused_by_itself_and_by_its_key() {
        for pem in [
            include_str!("../../keys-example/demo-ca.pem"),
            include_str!("../../keys-example/demo-early-help.pem"),
            include_str!("../../keys-example/demo-housing.pem"),
            include_str!("../../keys-example/demo-schools.pem"),
        ] {
            let published = summarise(&crate::crypto::certs::der_of_pem(pem).expect("PEM")).expect("a certificate");
            assert!(published.is_development);
            let by_itself = certificate(|summary| summary.fingerprint = published.fingerprint);
            assert_eq!(codes(&by_itself), ["example-certificate"]);
            let by_key = certificate(|summary| summary.public_key_fingerprint = published.public_key_fingerprint);
            assert_eq!(codes(&by_key), ["example-certificate"]);
        }
    }

    #[test]
    fn every_line_is_one_line_and_no_key_material_is_in_it() {
        let secret = Secret::from_slice(&[0x77; 32]).expect("32");
        let mut fact = KeyFact::of_secret("blinding".to_owned(), &secret, None);
        fact.file = Some((PathBuf::from("/x/keys-example/k"), 0o644));
        let facts = KeyFacts { kek_origin: Some(KekOrigin::Environment), ..keys(vec![fact.clone(), fact]) };
        let refusals = production_refusals(&facts);
        assert_eq!(refusals.len(), 8);
        for refusal in refusals {
            assert!(!refusal.line.contains('\n') && !refusal.line.contains("7777"), "{}", refusal.line);
        }
    }

    #[test]
    fn the_examples_folder_holds_no_private_key_and_the_manifest_names_every_file() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("keys-example");
        let names: Vec<String> = example_fingerprints().into_values().collect();
        for entry in fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").path()) {
            let text = fs::read_to_string(&entry).expect("text");
            assert!(!text.contains("PRIVATE KEY-----") && !text.contains("\"d\":"), "{}", entry.display());
            let name = entry.file_name().expect("a name").to_string_lossy().into_owned();
            let described = ["README.md", "MANIFEST.json"].contains(&name.as_str());
            assert!(described || names.iter().any(|known| known.starts_with(&name)), "{name} is not in the manifest");
        }
    }
}
