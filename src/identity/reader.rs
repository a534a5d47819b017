//! Reads a text by the normaliser that the match-keys file declares for its field.

use jiff::civil::Date;

use super::cro::CroNumber;
use super::date::{BirthDate, ExpectedDate};
use super::error::IdentityError;
use super::generic::{GenericId, normalise_address, normalise_generic_postcode};
use super::legacy::LegacyHash;
use super::name::{NameKind, NameReader};
use super::nhs::NhsNumber;
use super::nino::Nino;
use super::pnc::PncId;
use super::postcode::Postcode;
use super::text::ascii;
use super::uln::Uln;
use super::upn::{PermanentUpn, TemporaryUpn};
use super::uprn::Uprn;
use super::variants::{Grade, Variants};
use crate::domain::match_keys::Normaliser;

/// Reads a text by its declared normaliser.
#[derive(Default)]
pub(super) struct Reader {
    names: NameReader,
    line: String,
}

impl Reader {
    pub(super) fn read(
        &mut self,
        normaliser: Normaliser,
        text: &str,
        is_current: bool,
        today: Date,
        out: &mut Variants,
    ) -> Result<(), IdentityError> {
        let mut push = |value: &str| out.push(value, Grade::Primary, is_current);
        match normaliser {
            Normaliser::Nhs => push(NhsNumber::parse(text)?.as_str()),
            Normaliser::Upn => push(PermanentUpn::parse(text)?.as_str()),
            Normaliser::TemporaryUpn => push(TemporaryUpn::parse(text)?.as_str()),
            Normaliser::Nino => push(Nino::parse(text)?.as_str()),
            Normaliser::Uln => push(Uln::parse(text)?.as_str()),
            Normaliser::Pnc => push(PncId::parse(text, today.year())?.as_str()),
            Normaliser::Cro => push(CroNumber::parse(text)?.as_str()),
            Normaliser::Uprn => push(Uprn::parse(text)?.as_str()),
            Normaliser::Postcode => push(Postcode::parse(text)?.as_str()),
            Normaliser::Date(format) => push(ascii(&BirthDate::parse(text, format, today)?.to_bytes())),
            Normaliser::ExpectedDate(format) => push(ascii(&ExpectedDate::parse(text, format, today)?.to_bytes())),
            Normaliser::GenericId => push(GenericId::parse(text)?.as_str()),
            Normaliser::GenericPostcode => {
                normalise_generic_postcode(text, &mut self.line)?;
                push(&self.line);
            }
            Normaliser::LegacyHash => push(LegacyHash::parse(text)?.as_str()),
            Normaliser::FreeAddress => {
                normalise_address(text, &mut self.line)?;
                push(&self.line);
            }
            Normaliser::Forename => self.names.read(text, NameKind::Forename, is_current, out)?,
            Normaliser::Surname => self.names.read(text, NameKind::Surname, is_current, out)?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TODAY: Date = jiff::civil::date(2026, 9, 20);

    const NORMALISERS: [&str; 17] = [
        "nhs",
        "upn",
        "temporary-upn",
        "nino",
        "uln",
        "pnc",
        "cro",
        "uprn",
        "postcode",
        "date:iso",
        "date:yyyymmdd",
        "date:dmy",
        "generic-id",
        "generic-postcode",
        "free-address",
        "expected-date:iso",
        "legacy-hash",
    ];

    fn read(name: &str, text: &str) -> Result<Vec<String>, IdentityError> {
        let mut variants = Variants::default();
        let normaliser = Normaliser::parse(name).expect("a normaliser");
        Reader::default().read(normaliser, text, true, TODAY, &mut variants)?;
        Ok(variants.iter().map(|(value, _)| value.to_owned()).collect())
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_without_being_repeated(text in "\\PC{0,40}|[0-9A-Za-z/ -]{4,16}|\\d{10}") {
            for name in NORMALISERS.iter().chain(&["forename", "surname"]) {
                match read(name, &text) {
                    Ok(values) => prop_assert!(values.iter().all(|value| !value.is_empty())),
                    Err(error) => {
                        let shown = format!("{error} {error:?}");
                        prop_assert!(text.trim().len() < 9 || !shown.contains(text.trim()), "{}", name);
                    }
                }
            }
        }

        #[test]
        fn normalising_twice_is_normalising_once(text in "[0-9A-Za-z/ -]{2,16}|\\d{8,12}|[A-Z]{2}\\d{6}[A-D]?|[A-Z]{1,2}\\d{1,2}[A-Z]? ?\\d[A-Z]{2}|20[012]\\d-0\\d-[012]\\d|SF\\d\\d/\\d{1,5}[A-Z]|\\d\\d/\\d{1,5}[A-Z]") {
            for name in NORMALISERS.iter().filter(|name| !matches!(**name, "date:dmy" | "date:yyyymmdd")) {
                if let Ok(once) = read(name, &text) {
                    prop_assert_eq!(read(name, &once[0]), Ok(once.clone()), "{}", name);
                }
            }
        }
    }
}
