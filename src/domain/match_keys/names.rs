//! The names of normalisers and derivations in files, and which go together.

use super::{DateFormat, Derivation, Normaliser};

impl Normaliser {
    /// Reads the name used in files, such as `nhs` or `date:dmy`.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "nhs" => Self::Nhs,
            "upn" => Self::Upn,
            "temporary-upn" => Self::TemporaryUpn,
            "nino" => Self::Nino,
            "uln" => Self::Uln,
            "pnc" => Self::Pnc,
            "cro" => Self::Cro,
            "uprn" => Self::Uprn,
            "postcode" => Self::Postcode,
            "forename" => Self::Forename,
            "surname" => Self::Surname,
            "generic-id" => Self::GenericId,
            "generic-postcode" => Self::GenericPostcode,
            "free-address" => Self::FreeAddress,
            "legacy-hash" => Self::LegacyHash,
            other => match other.split_once(':')? {
                ("date", format) => Self::Date(DateFormat::parse(format)?),
                ("expected-date", format) => Self::ExpectedDate(DateFormat::parse(format)?),
                _ => return None,
            },
        })
    }

    /// Whether it names one person for good.
    pub fn is_identifier(self) -> bool {
        matches!(self, Self::Nhs | Self::Upn | Self::Nino | Self::Uln | Self::Pnc | Self::Cro | Self::GenericId)
    }

    /// Whether it is part of a person's name.
    pub fn is_name(self) -> bool {
        matches!(self, Self::Forename | Self::Surname)
    }

    /// Whether it says where somebody lives.
    pub fn is_place(self) -> bool {
        matches!(self, Self::Uprn | Self::Postcode | Self::GenericPostcode | Self::FreeAddress)
    }

    /// Whether this can be taken of a field that is read so.
    pub fn allows(self, derivation: Derivation) -> bool {
        let is_date = matches!(self, Self::Date(_) | Self::ExpectedDate(_));
        let is_text = self.is_name() || matches!(self, Self::FreeAddress | Self::GenericPostcode);
        match derivation {
            Derivation::Exact => true,
            Derivation::Initial | Derivation::Prefix(_) => is_text,
            Derivation::Soundex => self.is_name() || self == Self::FreeAddress,
            Derivation::Year | Derivation::YearMonth | Derivation::MonthDay | Derivation::DayMonthSorted => is_date,
            Derivation::DigitsSorted => is_date || matches!(self, Self::FreeAddress | Self::GenericPostcode),
            Derivation::Area | Derivation::District | Derivation::Sector => self == Self::Postcode,
        }
    }
}

impl DateFormat {
    /// Reads the name used in files: `iso`, `yyyymmdd` or `dmy`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "iso" => Some(Self::Iso),
            "yyyymmdd" => Some(Self::YearMonthDay),
            "dmy" => Some(Self::DayMonthYear),
            _ => None,
        }
    }
}

impl Derivation {
    /// Reads the name used in files, such as `soundex` or `prefix-3`.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "exact" => Self::Exact,
            "initial" => Self::Initial,
            "soundex" => Self::Soundex,
            "year" => Self::Year,
            "year-month" => Self::YearMonth,
            "month-day" => Self::MonthDay,
            "day-month-sorted" => Self::DayMonthSorted,
            "digits-sorted" => Self::DigitsSorted,
            "area" => Self::Area,
            "district" => Self::District,
            "sector" => Self::Sector,
            other => match other.strip_prefix("prefix-")?.as_bytes() {
                [digit @ b'2'..=b'9'] => Self::Prefix(digit - b'0'),
                _ => return None,
            },
        })
    }

    /// The name used in files.
    pub fn name(self) -> String {
        match self {
            Self::Exact => "exact".to_owned(),
            Self::Initial => "initial".to_owned(),
            Self::Prefix(length) => format!("prefix-{length}"),
            Self::Soundex => "soundex".to_owned(),
            Self::Year => "year".to_owned(),
            Self::YearMonth => "year-month".to_owned(),
            Self::MonthDay => "month-day".to_owned(),
            Self::DayMonthSorted => "day-month-sorted".to_owned(),
            Self::DigitsSorted => "digits-sorted".to_owned(),
            Self::Area => "area".to_owned(),
            Self::District => "district".to_owned(),
            Self::Sector => "sector".to_owned(),
        }
    }

    pub(super) fn keeps_the_year(self) -> bool {
        matches!(self, Self::Exact | Self::Year | Self::YearMonth | Self::DayMonthSorted)
    }
}
