//! The policy folder on disk, for the check and for loading.

use std::fs;
use std::path::{Path, PathBuf};

use crate::app::load_policy;
use crate::cli::operator::read_bytes;
use crate::cli::output::Failure;
use crate::domain::match_keys::MatchKeys;
use crate::domain::policy_file::Fault;
use crate::policy::check::{self, File, Finding, Report};

const PROGRAMME: &str = "programme.toml";
const MATCH_KEYS: &str = "match-keys.toml";

/// Every policy file of a folder, by its path below it.
pub(super) struct PolicyFolder {
    programme: Option<File>,
    match_keys: Option<File>,
    agencies: Vec<File>,
    agreements: Vec<File>,
    rules: Vec<File>,
    cases: Vec<File>,
}

impl PolicyFolder {
    /// Reads the folder.
    pub(super) fn read(folder: &Path) -> Result<Self, Failure> {
        if !folder.is_dir() {
            return Err(Failure::failed(format!("there is no folder {}", folder.display()))
                .next("name the folder of the policy files with --folder"));
        }
        let one = |name: &str| {
            let path = folder.join(name);
            if path.exists() { read_bytes(&path).map(|bytes| Some((name.to_owned(), bytes))) } else { Ok(None) }
        };
        let (cases, agreements) =
            below(folder, "agreements", ".toml")?.into_iter().partition(|(name, _)| is_cases(name));
        let (rule_cases, _): (Vec<File>, Vec<File>) =
            below(folder, "rules", ".toml")?.into_iter().partition(|(name, _)| is_rule_cases(name));
        let cases: Vec<File> = cases;
        let mut rules = below(folder, "rules", ".cedar")?;
        rules.extend(below(folder, "rules", ".cedarschema")?);
        for (name, _) in &mut rules {
            *name = name.trim_start_matches("rules/").to_owned();
        }
        Ok(Self {
            programme: one(PROGRAMME)?,
            match_keys: one(MATCH_KEYS)?,
            agencies: below(folder, "agencies", ".toml")?,
            agreements,
            rules,
            cases: cases.into_iter().chain(rule_cases).collect(),
        })
    }

    /// Checks everything, the match keys too.
    pub(super) fn check(&self) -> Report {
        let mut report = check::check(&check::PolicyFiles {
            programme: self.programme.clone(),
            match_keys_present: self.match_keys.is_some(),
            agencies: self.agencies.clone(),
            agreements: self.agreements.clone(),
            rules: self.rules.clone(),
            cases: self.cases.clone(),
        });
        if let Some((file, bytes)) = &self.match_keys {
            let fault = match std::str::from_utf8(bytes).map(MatchKeys::parse) {
                Ok(Ok(_)) => None,
                Ok(Err(error)) => Some(Fault::at("", "match-keys", error.to_string())),
                Err(_) => Some(Fault::at("", "malformed", "the file is not UTF-8")),
            };
            report.findings.extend(fault.map(|fault| Finding { file: file.clone(), fault }));
        }
        report
    }

    /// The files as the gateway takes them into use.
    pub(super) fn into_loaded(self) -> load_policy::PolicyFiles {
        let bytes = |files: Vec<File>| files.into_iter().map(|(_, bytes)| bytes).collect();
        load_policy::PolicyFiles {
            programme: self.programme.map(|(_, bytes)| bytes).unwrap_or_default(),
            match_keys: self.match_keys.map(|(_, bytes)| bytes).unwrap_or_default(),
            agencies: bytes(self.agencies),
            rules: self.rules,
            agreements: bytes(self.agreements),
        }
    }

    pub(super) fn programme(&self) -> &[u8] {
        self.programme.as_ref().map_or(&[], |(_, bytes)| bytes)
    }
    pub(super) fn agencies(&self) -> impl Iterator<Item = &[u8]> {
        self.agencies.iter().map(|(_, bytes)| bytes.as_slice())
    }
    pub(super) fn agreements(&self) -> impl Iterator<Item = &[u8]> {
        self.agreements.iter().map(|(_, bytes)| bytes.as_slice())
    }
    pub(super) fn rules(&self) -> &[File] {
        &self.rules
    }
}

fn is_rule_cases(name: &str) -> bool {
    name == "rules/cases.toml" || name == "rules/statutory.cases.toml"
}

fn is_cases(name: &str) -> bool {
    name.ends_with(".cases.toml")
}

/// The files of one sort in a folder below, by name.
fn below(folder: &Path, name: &str, ending: &str) -> Result<Vec<File>, Failure> {
    let Ok(entries) = fs::read_dir(folder.join(name)) else {
        return Ok(Vec::new());
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    paths.sort();
    let named = paths.into_iter().filter_map(|path| {
        let file = path.file_name()?.to_str()?.to_owned();
        file.ends_with(ending).then_some((path, format!("{name}/{file}")))
    });
    named.map(|(path, name)| Ok((name, read_bytes(&path)?))).collect()
}
