//! Fuzzy encodings beside the tokens, where the agreement says so (privacy profile C).

use std::path::Path;

use super::super::key_file::AgencyKeyFile;
use super::super::mapping::Mapping;
use super::read_file;
use crate::cli::output::Failure;
use crate::crypto::clk::ClkKey;
use crate::domain::agreement::{AgreementText, Profile};
use crate::domain::clk::{Clk, EncodingProfile};
use crate::domain::match_keys::MatchKeys;
use crate::identity::{ClkEncoder, RawFields, UK_CLK_PROFILE};

/// What the command says whenever it makes fuzzy encodings.
pub(super) const WEAKEST: &str = "fuzzy encodings (privacy profile C) leave with every record that is not shielded: the weakest of the three \
     privacy choices, because they show how alike two people are";

/// The rules and the key of fuzzy encodings, shared by all threads.
pub(in crate::cli::agency) struct Fuzzy {
    profile: EncodingProfile,
    key: ClkKey,
}

/// Makes fuzzy encodings. One per thread.
pub(super) struct FuzzyWriter<'a>(ClkEncoder<&'a ClkKey>);

impl Fuzzy {
    /// Reads the agreement and, when it puts this agency's records under profile C, the encoding
    /// profile and its key; none when there is no agreement or it says otherwise.
    pub(super) fn read(
        agreement: Option<&Path>,
        profile: Option<&Path>,
        mapping: &Mapping,
        keys: &MatchKeys,
        key_file: &AgencyKeyFile,
    ) -> Result<Option<Self>, Failure> {
        let Some(agreement) = agreement else { return Ok(None) };
        let refused = |path: &Path, faults| Failure::unusable(format!("{}: {faults}", path.display()));
        let text = AgreementText::parse(&read_file(agreement)?).map_err(|faults| refused(agreement, faults))?;
        if *text.reference() != mapping.agreement {
            let sentence = "is not the agreement that the mapping names";
            return Err(Failure::unusable(format!("{}: {sentence}", agreement.display())));
        }
        let is_fuzzy = text.supplies().iter().any(|term| term.supplier == mapping.agency && term.profile == Profile::C);
        if !is_fuzzy {
            return Ok(None);
        }
        let (path, bytes) = match profile {
            Some(path) => (path, read_file(path)?),
            None => (Path::new("the shipped encoding profile"), UK_CLK_PROFILE.as_bytes().to_vec()),
        };
        let profile = EncodingProfile::parse(&bytes).map_err(|faults| refused(path, faults))?;
        profile.check(keys).map_err(|faults| refused(path, faults))?;
        let key = key_file.clk_key(&profile).ok_or_else(|| {
            Failure::unusable(
                "clk.no_key: the agreement asks for fuzzy encodings, but the key file has no key for them",
            )
            .next("ask your key custodian for the token type clk")
        })?;
        Ok(Some(Self { profile, key }))
    }

    /// A writer with its own buffers.
    pub(super) fn writer(&self, keys: &MatchKeys) -> FuzzyWriter<'_> {
        FuzzyWriter(ClkEncoder::new(keys, &self.profile, &self.key).expect("checked when it was read"))
    }
}

impl FuzzyWriter<'_> {
    /// The encoding of a record; none when too little of it is known.
    pub(super) fn encode(&mut self, raw: &RawFields<'_>, as_at: jiff::civil::Date) -> Option<Clk> {
        let space = self.0.stream().space();
        Clk::new(space, self.0.encode(raw, as_at)?)
    }
}
