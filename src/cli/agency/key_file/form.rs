//! The text of key files.
//!
//! Keys are read from the file's own bytes without a copy (they are borrowed while the JSON is
//! read) and written by hand into a buffer that is wiped, so that no parser leaves one in memory.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use zeroize::Zeroizing;

use super::{AgencyKeyFile, EpochShare, KeyFileError, Keys, LinkageKeyFile, LinkageShare, MOST_EPOCHS};
use crate::crypto::reference::RefKey;
use crate::crypto::secret::Secret;
use crate::crypto::token::LinkageKey;
use crate::domain::ids::{AgencyCode, ProgrammeCode, TokenType};

const LINKAGE_KEY: &str = "porth-linkage-key/1";
const LINKAGE_SHARE: &str = "porth-linkage-share/1";
const AGENCY_KEYS: &str = "porth-agency-keys/1";

/// What is wrong with a text, before the path is known.
pub(super) enum Fault {
    Rule(&'static str),
    Example,
}

impl Fault {
    pub(super) fn at(self, path: &Path) -> KeyFileError {
        match self {
            Self::Rule(rule) => KeyFileError::Malformed { path: path.to_owned(), rule },
            Self::Example => KeyFileError::Example(path.to_owned()),
        }
    }
}

/// All three kinds have one form; each kind says which members it needs.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyText<'a> {
    format: Cow<'a, str>,
    programme: ProgrammeCode,
    agency: Option<AgencyCode>,
    #[serde(borrow)]
    reference_key: Option<&'a str>,
    #[serde(borrow, default)]
    linkage: Vec<EpochText<'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EpochText<'a> {
    epoch: u32,
    #[serde(borrow)]
    root: Option<&'a str>,
    norm: Option<u16>,
    #[serde(borrow, default)]
    types: BTreeMap<TokenType, &'a str>,
}

impl LinkageKeyFile {
    pub(super) fn from_text(text: &[u8]) -> Result<Self, Fault> {
        let read = KeyText::parse(text, LINKAGE_KEY, "not a custodian's linkage key file (porth-linkage-key/1)")?;
        let mut epochs = read.epochs()?;
        match epochs.pop() {
            Some(EpochShare { epoch, keys: Keys::Root(root) }) if epochs.is_empty() => {
                Ok(Self { programme: read.programme, epoch, root })
            }
            _ => Err(Fault::Rule("a custodian's file holds one epoch with its root key")),
        }
    }

    pub(super) fn to_text(&self) -> Zeroizing<String> {
        let mut text = start(LINKAGE_KEY, &self.programme, 1);
        text.push_str(",\n  \"linkage\": [\n");
        push_root(&mut text, self.epoch, &self.root);
        text.push_str("\n  ]\n}\n");
        text
    }
}

impl LinkageShare {
    pub(super) fn from_text(text: &[u8]) -> Result<Self, Fault> {
        let read =
            KeyText::parse(text, LINKAGE_SHARE, "not a custodian's share for an agency (porth-linkage-share/1)")?;
        let epochs = read.epochs()?;
        if epochs.is_empty() {
            return Err(Fault::Rule("a share holds at least one epoch"));
        }
        Ok(Self { programme: read.programme, epochs })
    }

    pub(super) fn to_text(&self) -> Zeroizing<String> {
        let mut text = start(LINKAGE_SHARE, &self.programme, keys_in(&self.epochs));
        push_epochs(&mut text, &self.epochs);
        text.push_str("\n}\n");
        text
    }
}

impl AgencyKeyFile {
    pub(super) fn from_text(text: &[u8]) -> Result<Self, Fault> {
        let read = KeyText::parse(text, AGENCY_KEYS, "not an agency's key file (porth-agency-keys/1)")?;
        let epochs = read.epochs()?;
        let missing = Fault::Rule("an agency's file names its agency and holds its reference key");
        let (Some(agency), Some(reference)) = (read.agency, read.reference_key) else { return Err(missing) };
        Ok(Self { programme: read.programme, agency, reference: RefKey::new(key(reference)?), epochs })
    }

    pub(super) fn to_text(&self) -> Zeroizing<String> {
        let mut text = start(AGENCY_KEYS, &self.programme, 1 + keys_in(&self.epochs));
        text.push_str(",\n  \"agency\": \"");
        text.push_str(self.agency.as_str());
        text.push_str("\",\n  \"reference_key\": \"");
        text.push_str(&self.reference.secret().expose_hex());
        text.push('"');
        push_epochs(&mut text, &self.epochs);
        text.push_str("\n}\n");
        text
    }
}

impl<'a> KeyText<'a> {
    fn parse(text: &'a [u8], format: &str, rule: &'static str) -> Result<Self, Fault> {
        let read: Self = serde_json::from_slice(text).map_err(|_| Fault::Rule(rule))?;
        if read.format == format { Ok(read) } else { Err(Fault::Rule(rule)) }
    }

    fn epochs(&self) -> Result<Vec<EpochShare>, Fault> {
        let epochs: Vec<EpochShare> = self.linkage.iter().map(EpochText::read).collect::<Result<_, _>>()?;
        if epochs.len() > MOST_EPOCHS || !epochs.is_sorted_by(|one, next| one.epoch < next.epoch) {
            return Err(Fault::Rule("`linkage` holds at most two epochs, the older first"));
        }
        Ok(epochs)
    }
}

impl EpochText<'_> {
    fn read(&self) -> Result<EpochShare, Fault> {
        let keys = match (self.root, self.norm, self.types.is_empty()) {
            (Some(root), None, true) => Keys::Root(LinkageKey::new(key(root)?)),
            (None, Some(norm), false) => {
                let types = self.types.iter().map(|(name, text)| Ok((name.clone(), key(text)?)));
                Keys::Types { norm, keys: types.collect::<Result<_, Fault>>()? }
            }
            _ => return Err(Fault::Rule("an epoch holds either `root`, or `norm` and `types`")),
        };
        Ok(EpochShare { epoch: self.epoch, keys })
    }
}

fn key(text: &str) -> Result<Secret<32>, Fault> {
    let key = Secret::from_hex(text).map_err(|_| Fault::Rule("a key is 64 hexadecimal characters"))?;
    if key.is_patterned() { Err(Fault::Example) } else { Ok(key) }
}

fn keys_in(epochs: &[EpochShare]) -> usize {
    let keys = |epoch: &EpochShare| match &epoch.keys {
        Keys::Root(_) => 1,
        Keys::Types { keys, .. } => keys.len(),
    };
    epochs.iter().map(keys).sum()
}

/// Begins a text with room for all of it: growing would leave copies of keys behind.
fn start(format: &str, programme: &ProgrammeCode, keys: usize) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(1024 + 256 * keys));
    text.push_str("{\n  \"format\": \"");
    text.push_str(format);
    text.push_str("\",\n  \"programme\": \"");
    text.push_str(programme.as_str());
    text.push('"');
    text
}

fn push_epochs(text: &mut Zeroizing<String>, epochs: &[EpochShare]) {
    text.push_str(",\n  \"linkage\": [");
    for (at, share) in epochs.iter().enumerate() {
        text.push_str(if at == 0 { "\n" } else { ",\n" });
        match &share.keys {
            Keys::Root(root) => push_root(text, share.epoch, root),
            Keys::Types { norm, keys } => {
                text.push_str("    { \"epoch\": ");
                text.push_str(&share.epoch.to_string());
                text.push_str(", \"norm\": ");
                text.push_str(&norm.to_string());
                text.push_str(", \"types\": {");
                for (at, (name, key)) in keys.iter().enumerate() {
                    text.push_str(if at == 0 { "\n      \"" } else { ",\n      \"" });
                    text.push_str(name.as_str());
                    text.push_str("\": \"");
                    text.push_str(&key.expose_hex());
                    text.push('"');
                }
                text.push_str("\n    } }");
            }
        }
    }
    text.push_str("\n  ]");
}

fn push_root(text: &mut Zeroizing<String>, epoch: u32, root: &LinkageKey) {
    text.push_str("    { \"epoch\": ");
    text.push_str(&epoch.to_string());
    text.push_str(", \"root\": \"");
    text.push_str(&root.secret().expose_hex());
    text.push_str("\" }");
}
