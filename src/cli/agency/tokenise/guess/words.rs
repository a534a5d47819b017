//! What headings say, in the words that offices use.

/// Fields of the match keys, with the words that stand for them in a heading. A heading that has
/// the words of several is taken for the first.
const FIELDS: [(&str, &[&str]); 14] = [
    ("legacy", &["hashed nhs number", "salted hash", "person hash", "sha256", "hashed id"]),
    ("expected", &["expected date", "expected delivery", "date expected", "due date", "edd", "expected"]),
    ("upn_temporary", &["temporary upn", "temp upn", "upn temporary"]),
    ("nhs", &["nhs number", "nhs no", "nhs num", "nhs id", "nhs"]),
    ("upn", &["unique pupil number", "pupil number", "upn"]),
    ("uln", &["unique learner number", "uln"]),
    ("nino", &["national insurance", "national insurance number", "ni number", "ni no", "nino"]),
    ("pnc", &["pnc", "pnc id", "pncid"]),
    ("cro", &["cro", "cro number"]),
    ("uprn", &["uprn"]),
    ("postcode", &["postcode", "post code", "postal code", "pcode"]),
    ("dob", &["date of birth", "birth date", "date birth", "birthdate", "dob", "d o b", "born"]),
    (
        "forename",
        &["forename", "forenames", "first name", "first names", "given name", "given names", "christian name"],
    ),
    ("surname", &["surname", "last name", "family name", "second name"]),
];

const FORMER: [&str; 9] = ["former", "previous", "prev", "old", "alias", "maiden", "aka", "nee", "at birth"];

const SOMEBODY_ELSE: [&str; 26] = [
    "mother",
    "father",
    "mum",
    "dad",
    "parent",
    "parents",
    "carer",
    "guardian",
    "sibling",
    "partner",
    "spouse",
    "emergency",
    "contact",
    "kin",
    "gp",
    "doctor",
    "worker",
    "practitioner",
    "manager",
    "referrer",
    "landlord",
    "employer",
    "school",
    "teacher",
    "tutor",
    "officer",
];

const NAMES_APART: [&str; 6] = ["preferred", "known as", "middle", "initial", "initials", "nickname"];
const WHOLE_NAMES: [&str; 7] =
    ["name", "full name", "pupil name", "client name", "child name", "tenant name", "person name"];
const KEYS: [&str; 14] = [
    "id",
    "ref",
    "reference",
    "key",
    "identifier",
    "urn",
    "nominal",
    "record",
    "case",
    "case number",
    "client number",
    "person number",
    "tenancy number",
    "pupil number",
];

/// A column that says something else of the record than who it is.
pub(super) struct Word {
    /// The part of the mapping.
    pub(super) part: &'static str,
    headings: &'static [&'static str],
    /// Word to meaning, as TOML. All of them are written, whichever the file has: a file's own words
    /// are never repeated.
    pub(super) values: &'static [(&'static str, &'static str)],
    /// Whether the words alone say what the column is.
    pub(super) says_itself: bool,
}

const YES_OR_NO: &[(&str, &str)] = &[
    ("Y", "true"),
    ("Yes", "true"),
    ("True", "true"),
    ("1", "true"),
    ("N", "false"),
    ("No", "false"),
    ("False", "false"),
    ("0", "false"),
];

pub(super) const WORDS: [Word; 5] = [
    Word {
        part: "restricted",
        headings: &[
            "restricted",
            "shielded",
            "shield",
            "do not share",
            "not share",
            "confidential",
            "protected",
            "sensitive",
        ],
        values: YES_OR_NO,
        says_itself: false,
    },
    Word {
        part: "current_only",
        headings: &["adopted", "adoption", "current only"],
        values: YES_OR_NO,
        says_itself: false,
    },
    Word {
        part: "role",
        headings: &["role", "adult or child", "adult child", "person type"],
        values: &[
            ("child", "\"child\""),
            ("adult", "\"adult\""),
            ("unborn", "\"unborn\""),
            ("unknown", "\"unknown\""),
            ("C", "\"child\""),
            ("A", "\"adult\""),
        ],
        says_itself: true,
    },
    Word {
        part: "parental_responsibility",
        headings: &["parental responsibility", "responsible for child", "has pr", "pr"],
        values: &[
            ("Y", "\"yes\""),
            ("Yes", "\"yes\""),
            ("N", "\"no\""),
            ("No", "\"no\""),
            ("U", "\"unknown\""),
            ("Unknown", "\"unknown\""),
        ],
        says_itself: false,
    },
    Word {
        part: "coverage",
        headings: &["coverage", "on roll", "record status", "case status"],
        values: &[
            ("current", "\"current\""),
            ("active", "\"current\""),
            ("moved", "\"moved\""),
            ("moved away", "\"moved\""),
            ("closed", "\"closed\""),
            ("deceased", "\"deceased\""),
            ("died", "\"deceased\""),
        ],
        says_itself: true,
    },
];

impl Word {
    pub(super) fn is_named_by(&self, heading: &Heading) -> bool {
        self.headings.iter().any(|phrase| heading.has(phrase))
    }

    pub(super) fn knows(&self, cell: &str) -> bool {
        self.values.iter().any(|(word, _)| word.eq_ignore_ascii_case(cell))
    }
}

/// A heading in words: `LegalForename`, `date_of_birth` and `Post code` are three ways to write some.
pub(super) struct Heading {
    words: String,
}

impl Heading {
    pub(super) fn new(heading: &str) -> Self {
        let letters: Vec<char> = heading.chars().collect();
        let mut words = String::from(" ");
        for (at, &letter) in letters.iter().enumerate() {
            let before = at.checked_sub(1).map(|before| letters[before]);
            let after = letters.get(at + 1);
            let is_edge = before.is_some_and(|before| {
                (before.is_lowercase() && letter.is_uppercase())
                    || (before.is_alphabetic() && letter.is_ascii_digit())
                    || (before.is_uppercase()
                        && letter.is_uppercase()
                        && after.is_some_and(|after| after.is_lowercase()))
            });
            if matches!(letter, '\'' | '\u{2019}') {
                continue;
            }
            if (is_edge || !letter.is_alphanumeric()) && !words.ends_with(' ') {
                words.push(' ');
            }
            if letter.is_alphanumeric() {
                words.extend(letter.to_lowercase());
            }
        }
        words.push(' ');
        Self { words }
    }

    /// Whether the words stand in the heading, one after the other.
    fn has(&self, phrase: &str) -> bool {
        self.words.contains(&format!(" {phrase} "))
    }

    pub(super) fn is(&self, phrase: &str) -> bool {
        self.words.trim() == phrase
    }

    /// Which field the heading names, among these.
    pub(super) fn field<'f>(&self, fields: impl Iterator<Item = &'f str> + Clone) -> Option<&'f str> {
        let known = FIELDS.iter().filter(|(_, phrases)| phrases.iter().any(|phrase| self.has(phrase)));
        let mut known = known.filter_map(|(name, _)| fields.clone().find(|field| field == name));
        // A match-keys file of another kind has its own names.
        known.next().or_else(|| fields.clone().find(|field| self.is(&field.replace(['_', '-'], " "))))
    }

    /// Whether the heading is the field's own word and no more.
    pub(super) fn is_just(&self, field: &str) -> bool {
        let phrases = FIELDS.iter().filter(|(name, _)| *name == field).flat_map(|(_, phrases)| phrases.iter());
        phrases.copied().any(|phrase| self.is(phrase))
    }

    pub(super) fn is_former(&self) -> bool {
        FORMER.iter().any(|phrase| self.has(phrase))
    }

    pub(super) fn is_of_somebody_else(&self) -> bool {
        SOMEBODY_ELSE.iter().any(|phrase| self.has(phrase) || self.has(&format!("{phrase}s")))
    }

    pub(super) fn is_name_apart(&self) -> bool {
        NAMES_APART.iter().any(|phrase| self.has(phrase))
    }

    pub(super) fn is_whole_name(&self) -> bool {
        WHOLE_NAMES.iter().any(|phrase| self.is(phrase))
    }

    pub(super) fn is_key(&self) -> bool {
        KEYS.iter().any(|phrase| self.has(phrase))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(heading: &str) -> Option<&'static str> {
        Heading::new(heading).field(FIELDS.iter().map(|(name, _)| *name))
    }

    #[test]
    fn headings_of_many_systems_are_understood() {
        for (heading, expected) in [
            ("LegalForename", Some("forename")),
            ("FORENAME1", Some("forename")),
            ("date_of_birth", Some("dob")),
            ("DATE_BIRTH", Some("dob")),
            ("DOB", Some("dob")),
            ("expected_date_of_birth", Some("expected")),
            ("NHSNumber", Some("nhs")),
            ("NHS No.", Some("nhs")),
            ("Post code", Some("postcode")),
            ("Temp UPN", Some("upn_temporary")),
            ("Property UPRN", Some("uprn")),
            ("NI number", Some("nino")),
            ("Stubborn", None),
            ("Name", None),
            ("Reborn at", None),
        ] {
            assert_eq!(field(heading), expected, "{heading}");
        }
        let heading = Heading::new("soc_sec_id");
        assert_eq!(heading.field(["soc_sec_id", "suburb"].into_iter()), Some("soc_sec_id"));
    }

    #[test]
    fn former_names_and_other_people_are_told_apart() {
        assert!(Heading::new("previous_last_name").is_former() && Heading::new("Surname at birth").is_former());
        assert!(Heading::new("Mother's surname").is_of_somebody_else());
        assert!(Heading::new("GP postcode").is_of_somebody_else());
        assert!(!Heading::new("Parental responsibility").is_of_somebody_else());
        assert!(Heading::new("PupilRef").is_key() && !Heading::new("Preferences").is_key());
    }
}
