//! The repository's example policies, inside the program: the demonstration needs no other file.

use crate::app::load_policy::PolicyFiles;

macro_rules! embedded {
    ($name:ident in $folder:literal: $($file:literal)*) => {
        const $name: &[(&str, &[u8])] =
            &[$(($file, include_bytes!(concat!("../../policies/", $folder, "/", $file)))),*];
    };
}

/// The programme file.
pub(super) const PROGRAMME: &[u8] = include_bytes!("../../policies/programme.toml");
const MATCH_KEYS: &[u8] = include_bytes!("../../policies/match-keys.toml");

embedded!(AGENCIES in "agencies":
    "childrens-social-care.toml" "early-help-hub.toml" "education.toml" "hearth.toml" "housing.toml"
    "jobcentre-feed.toml" "kestrel.toml" "police.toml" "programme-team.toml" "youth-justice.toml");
embedded!(AGREEMENTS in "agreements":
    "benefits-data.toml" "charity-referral.toml" "early-help-core.toml" "housing-support.toml" "police-contact.toml"
    "programme-delivery.toml" "safeguarding-partners.toml");
embedded!(RULES in "rules": "coverage.cedar" "reidentification.cedar" "schema.cedarschema" "standing.cedar" "statutory.cedar");

/// The files as a gateway takes them.
pub(super) fn files() -> PolicyFiles {
    let bytes = |files: &[(&str, &[u8])]| files.iter().map(|(_, bytes)| bytes.to_vec()).collect();
    PolicyFiles {
        programme: PROGRAMME.to_vec(),
        match_keys: MATCH_KEYS.to_vec(),
        agencies: bytes(AGENCIES),
        rules: RULES.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect(),
        agreements: bytes(AGREEMENTS),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn no_policy_file_of_the_repository_is_left_out() {
        for (folder, embedded) in [("agencies", AGENCIES), ("agreements", AGREEMENTS), ("rules", RULES)] {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies").join(folder);
            let entries =
                std::fs::read_dir(path).expect("the folder").map(|entry| entry.expect("an entry").file_name());
            let mut names: Vec<String> = entries.map(|name| name.to_string_lossy().into_owned()).collect();
            names.retain(|name| !name.ends_with("cases.toml"));
            names.sort();
            assert_eq!(names, embedded.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>());
        }
    }
}
