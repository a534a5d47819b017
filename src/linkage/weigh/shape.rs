//! What is compared: the fields of a programme and the levels at which their tokens may agree.

/// The most fields that are compared.
pub(super) const MOST_COMPARISONS: usize = 16;
/// The most levels of one field.
const MOST_LEVELS: usize = 12;

/// What a field says of a person, which decides who else shares it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Told apart from brothers and sisters by it.
    Forename,
    /// Shared in a family.
    Surname,
    /// A birthday: shared by twins.
    Date,
    /// Shared by whoever lives there.
    Place,
    /// One person's own number.
    Identifier,
}

/// One compared field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// Its name, as explanations give it.
    pub name: String,
    /// What a level is called, the strictest first.
    pub levels: Vec<String>,
    /// What it says of a person.
    pub role: Role,
    /// Two records that agree in the field at none of the first so many levels are never one person by
    /// weight, whatever else agrees; where one lacks the field, only a shared number stands in for it.
    pub needed: Option<usize>,
}

/// The compared fields, in the order of their numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    comparisons: Vec<Comparison>,
    kin: &'static [Kin],
}

/// More fields or levels than a record can name, or a field without a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("1 to {MOST_COMPARISONS} fields are compared, each at 1 to {MOST_LEVELS} levels")]
pub struct ShapeError;

impl Shape {
    /// Takes the compared fields.
    ///
    /// # Errors
    ///
    /// [`ShapeError`] for too many of them, or of their levels.
    pub fn new(comparisons: Vec<Comparison>) -> Result<Self, ShapeError> {
        let fits = |comparison: &Comparison| (1..=MOST_LEVELS).contains(&comparison.levels.len());
        if (1..=MOST_COMPARISONS).contains(&comparisons.len()) && comparisons.iter().all(fits) {
            Ok(Self { comparisons, kin: &Kin::ALL })
        } else {
            Err(ShapeError)
        }
    }

    /// Says that nobody in the records is another's kin: true of invented test sets alone.
    #[must_use]
    pub fn without_kin(self) -> Self {
        Self { kin: &[], ..self }
    }

    /// The kinds of kin that are told from one person.
    pub fn kin(&self) -> &'static [Kin] {
        self.kin
    }

    /// The compared fields.
    pub fn comparisons(&self) -> &[Comparison] {
        &self.comparisons
    }
}

/// How two records compare in every field, packed: four bits a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Pattern(u64);

/// How two records compare in one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Outcome {
    /// They agree at this level and at none before it.
    Agrees(usize),
    /// Both have the field and agree at no level.
    Disagrees,
    /// One of them lacks the field: no evidence.
    Missing,
}

const DISAGREES: u64 = 14;
const MISSING: u64 = 15;

impl Pattern {
    /// Nothing compared yet.
    pub(super) fn missing() -> Self {
        Self(u64::MAX)
    }

    /// Sets one field.
    pub(super) fn set(&mut self, comparison: usize, outcome: Outcome) {
        let digit = match outcome {
            Outcome::Agrees(level) => level as u64,
            Outcome::Disagrees => DISAGREES,
            Outcome::Missing => MISSING,
        };
        let shift = comparison * 4;
        self.0 = (self.0 & !(15 << shift)) | (digit << shift);
    }

    /// How one field compares.
    pub(super) fn get(self, comparison: usize) -> Outcome {
        match (self.0 >> (comparison * 4)) & 15 {
            MISSING => Outcome::Missing,
            DISAGREES => Outcome::Disagrees,
            level => Outcome::Agrees(level as usize),
        }
    }

    /// Whether a field that has to agree does not. One that is missing may be stood in for by a number
    /// of the person's own; one that disagrees by nothing.
    pub(super) fn is_refused(self, shape: &Shape) -> bool {
        let agrees = |(at, comparison): (usize, &Comparison)| {
            comparison.role == Role::Identifier && matches!(self.get(at), Outcome::Agrees(_))
        };
        let mut comparisons = shape.comparisons().iter().enumerate();
        let is_identified = shape.comparisons().iter().enumerate().any(agrees);
        comparisons.any(|(at, comparison)| match (comparison.needed, self.get(at)) {
            (None, _) => false,
            (Some(needed), Outcome::Agrees(level)) => level >= needed,
            (Some(_), Outcome::Disagrees) => true,
            (Some(_), Outcome::Missing) => !is_identified,
        })
    }
}

/// Why two records that are two people may agree: which fields then agree as one person's do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kin {
    /// They live together.
    Housemates,
    /// They live together and share a surname.
    Household,
    /// Born on one day of one mother.
    Twins,
    /// Parent and child of one name.
    Namesakes,
}

impl Kin {
    /// All of them, in a fixed order.
    pub const ALL: [Self; 4] = [Self::Housemates, Self::Household, Self::Twins, Self::Namesakes];

    /// The name in the artefact.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Housemates => "housemates",
            Self::Household => "household",
            Self::Twins => "twins",
            Self::Namesakes => "namesakes",
        }
    }

    /// Whether a field agrees between the two as it does between two records of one person.
    pub fn shares(self, role: Role) -> bool {
        match role {
            Role::Place => true,
            Role::Surname => self != Self::Housemates,
            Role::Date => self == Self::Twins,
            Role::Forename => self == Self::Namesakes,
            Role::Identifier => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_gives_back_what_was_set() {
        let mut pattern = Pattern::missing();
        pattern.set(0, Outcome::Agrees(3));
        pattern.set(15, Outcome::Disagrees);
        pattern.set(7, Outcome::Agrees(0));
        pattern.set(0, Outcome::Agrees(1));
        assert_eq!(pattern.get(0), Outcome::Agrees(1));
        assert_eq!(pattern.get(7), Outcome::Agrees(0));
        assert_eq!(pattern.get(15), Outcome::Disagrees);
        assert_eq!(pattern.get(3), Outcome::Missing);
    }

    #[test]
    fn a_needed_field_refuses_unless_it_agrees_closely_and_a_number_stands_in_for_a_missing_one() {
        let levels = ["exact", "initial"].map(str::to_owned).to_vec();
        let forename = Comparison { name: "forename".to_owned(), levels, role: Role::Forename, needed: Some(1) };
        let number = Comparison {
            name: "nhs".to_owned(),
            levels: vec!["exact".to_owned()],
            role: Role::Identifier,
            needed: None,
        };
        let shape = Shape::new(vec![forename, number]).expect("small");
        let cases = [
            (Outcome::Agrees(0), Outcome::Missing, false),
            (Outcome::Agrees(1), Outcome::Missing, true),
            (Outcome::Disagrees, Outcome::Missing, true),
            (Outcome::Disagrees, Outcome::Agrees(0), true),
            (Outcome::Missing, Outcome::Missing, true),
            (Outcome::Missing, Outcome::Disagrees, true),
            (Outcome::Missing, Outcome::Agrees(0), false),
        ];
        for (forename, number, refused) in cases {
            let mut pattern = Pattern::missing();
            pattern.set(0, forename);
            pattern.set(1, number);
            assert_eq!(pattern.is_refused(&shape), refused, "{forename:?} {number:?}");
        }
        assert_eq!(Shape::new(Vec::new()), Err(ShapeError));
    }
}
