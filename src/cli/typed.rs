//! Parsers of what several commands take. What they say of a fault names what is allowed, never what was typed.

use jiff::civil::Date;
use serde::de::DeserializeOwned;

use crate::domain::time::Timestamp;
use crate::tlog::entry::Code;

/// Reads an account or a reason: a code of the log, in which no name of a person fits.
pub(in crate::cli) fn code(text: &str) -> Result<String, String> {
    let code: Result<Code, _> = text.parse();
    code.map(String::from).map_err(|_| {
        "not a code: 1 to 128 letters, digits, '-', '_', '.', ':' or '/', a letter or digit first".to_owned()
    })
}

/// Reads a moment; a day counts from its first instant in UTC.
pub(in crate::cli) fn moment(text: &str) -> Result<Timestamp, String> {
    if let Ok(moment) = text.parse() {
        return Ok(moment);
    }
    let day = day(text).map_err(|_| "not a moment: write it in UTC as 2026-09-20T10:15:00Z, or a day as 2026-09-20")?;
    Ok(Timestamp::start_of(day))
}

/// Reads a day.
pub(in crate::cli) fn day(text: &str) -> Result<Date, String> {
    let digits = text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    let day = digits.then(|| text.parse().ok()).flatten();
    day.ok_or_else(|| "not a day: write it as year, month and day, such as 2026-09-20".to_owned())
}

/// Reads a word as the files write it.
pub(in crate::cli) fn word<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(text.into()).map_err(|error| {
        let said = error.to_string();
        // What is allowed stands last, after what was given.
        match said.rsplit_once(", expected ") {
            Some((_, allowed)) => format!("use {}", allowed.replace('`', "")),
            // The closed lists of ours name their words.
            None if said.starts_with("not one of: ") => said,
            None => "not one of the words that the help lists".to_owned(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::agreement::AnswerMode;

    #[test]
    fn accounts_and_reasons_are_codes_and_a_fault_says_which_characters() {
        assert_eq!(code("inquiry:2026-1"), Ok("inquiry:2026-1".to_owned()));
        for bad in ["", "Mrs Penrose", "-x", &"a".repeat(129)] {
            assert!(
                code(bad).is_err_and(|said| said.contains("letters, digits") && !said.contains("Penrose")),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_day_counts_from_its_first_instant() {
        assert_eq!(moment("2026-09-20"), moment("2026-09-20T00:00:00Z"));
        assert!(moment("2026-09-20T10:15:00.000001Z").is_ok());
        for bad in ["31/12/2026", "2026-13-01", "2026-9-20", "tomorrow", ""] {
            assert!(moment(bad).is_err_and(|said| said.contains("2026-09-20")), "{bad}");
            assert!(day(bad).is_err_and(|said| said.contains("2026-09-20")), "{bad}");
        }
    }

    #[test]
    fn a_word_that_is_none_is_told_which_there_are() {
        assert!(word::<AnswerMode>("areas").is_ok());
        let said = word::<AnswerMode>("nosuch, expected jane").expect_err("no word");
        assert!(said.contains("eligible") && said.contains("lead") && !said.contains("jane"), "{said}");
    }
}
