//! Weights as a thing of their own: learned once, frozen, named by their hash.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::bits::Millibits;
use super::learn::Learned;
use super::shape::Shape;

/// The form of the artefact that this release writes and reads.
const VERSION: u32 = 1;

/// Frozen weights. Holds no token and no count of one: only what agreement is worth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weights {
    version: u32,
    /// SHA-256 of the match-keys file that declares the fields, hexadecimal.
    match_keys: String,
    /// The odds that two records taken at random are one person.
    prior: Millibits,
    /// The odds that they are kin, by [`Shape::kin`].
    kin: Vec<Millibits>,
    fields: Vec<FieldWeights>,
    /// What they were learned from.
    learned: LearnedFrom,
    /// What they are estimated to get wrong.
    estimate: Estimate,
}

/// The weights of one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldWeights {
    /// The field's name.
    pub name: String,
    /// Its levels, the strictest first.
    pub levels: Vec<LevelWeights>,
    /// What disagreement at every level is worth.
    pub disagrees: Millibits,
}

/// The weights of one level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LevelWeights {
    /// The level's name.
    pub name: String,
    /// What agreement upon a value of middling rarity is worth.
    pub evidence: Millibits,
    /// How often any two records agree: what rarity is measured against.
    pub agreement: Millibits,
}

/// Counts of what weights were learned from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LearnedFrom {
    /// Records.
    pub records: u64,
    /// Pairs that they make.
    pub pairs: u64,
    /// Pairs that were looked at.
    pub looked_at: u64,
    /// Rounds until it settled.
    pub rounds: u64,
}

/// What accepting every pair at [`LEAST_ODDS`](super::LEAST_ODDS) or better is estimated to cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Estimate {
    /// Pairs accepted.
    pub accepted: u64,
    /// False links to be expected among ten thousand accepted ones, in thousandths.
    pub false_links_per_10000_in_thousandths: u64,
}

/// Why a text is not weights that can be used here. Carries no content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WeightsError {
    /// Not of the form.
    #[error("not a weights artefact of version {VERSION}")]
    Malformed,
    /// The fields are not those of the programme's match keys.
    #[error("the weights were learned for other fields; learn them again")]
    OtherFields,
}

impl Weights {
    pub(super) fn new(shape: &Shape, match_keys: String, records: usize, learned: &Learned) -> Self {
        let fields = shape.comparisons().iter().zip(&learned.evidence).zip(&learned.agreement);
        let fields = fields.map(|((comparison, evidence), agreement)| {
            let levels = comparison.levels.iter().zip(evidence).zip(agreement);
            let levels =
                levels.map(|((name, &evidence), &agreement)| LevelWeights { name: name.clone(), evidence, agreement });
            let disagrees = evidence.last().copied().unwrap_or(0);
            FieldWeights { name: comparison.name.clone(), levels: levels.collect(), disagrees }
        });
        Self {
            version: VERSION,
            match_keys,
            prior: learned.prior,
            kin: learned.kin.clone(),
            fields: fields.collect(),
            learned: LearnedFrom {
                records: records as u64,
                pairs: learned.pairs.0,
                looked_at: learned.pairs.1,
                rounds: learned.rounds as u64,
            },
            estimate: Estimate::default(),
        }
    }

    /// Reads an artefact that belongs to a shape.
    ///
    /// # Errors
    ///
    /// [`WeightsError`] when it is malformed or for other fields.
    pub fn parse(text: &[u8], shape: &Shape) -> Result<Self, WeightsError> {
        let weights: Self = serde_json::from_slice(text).map_err(|_| WeightsError::Malformed)?;
        if weights.version != VERSION || weights.kin.len() != shape.kin().len() {
            return Err(WeightsError::Malformed);
        }
        let names = |field: &FieldWeights| field.levels.iter().map(|level| level.name.clone()).collect::<Vec<_>>();
        let mut fields = weights.fields.iter().zip(shape.comparisons());
        let fits = weights.fields.len() == shape.comparisons().len()
            && fields.all(|(field, comparison)| field.name == comparison.name && names(field) == comparison.levels);
        if fits { Ok(weights) } else { Err(WeightsError::OtherFields) }
    }

    pub(super) fn with_estimate(mut self, estimate: Estimate) -> Self {
        self.estimate = estimate;
        self
    }

    /// The canonical text (RFC 8785): the same weights are the same bytes.
    #[expect(clippy::missing_panics_doc, reason = "whole numbers and text always have a canonical form")]
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json_canonicalizer::to_vec(self).expect("whole numbers and text have a canonical form")
    }

    /// SHA-256 of the canonical text: how a run names its weights.
    pub fn sha256(&self) -> [u8; 32] {
        Sha256::digest(self.to_bytes()).into()
    }

    /// SHA-256 of the match-keys file whose fields they weigh, hexadecimal.
    pub fn match_keys(&self) -> &str {
        &self.match_keys
    }

    /// The odds that two records taken at random are one person.
    pub fn prior(&self) -> Millibits {
        self.prior
    }

    /// The odds that they are kin, by [`Shape::kin`].
    pub fn kin(&self) -> &[Millibits] {
        &self.kin
    }

    /// The fields' weights, in the order of the shape.
    pub fn fields(&self) -> &[FieldWeights] {
        &self.fields
    }

    /// What they were learned from.
    pub fn learned(&self) -> LearnedFrom {
        self.learned
    }

    /// What they are estimated to get wrong where they were learned.
    pub fn estimate(&self) -> Estimate {
        self.estimate
    }
}

impl Weights {
    /// Prepares to weigh pairs of a population.
    pub fn scorer<'a, K>(&'a self, population: &'a super::Population<K>) -> super::Scorer<'a, K> {
        super::Scorer::new(self, population)
    }
}
