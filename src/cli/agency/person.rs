//! One person, for an enquiry: from a JSON object, from a row of the agency's file, or from fields on
//! the command line. Only tokens of it go further.

use std::io::Read as _;
use std::path::PathBuf;

use clap::Args;
use serde_json::Value;
use zeroize::Zeroizing;

use super::connection::now;
use super::key_file::{AgencyKeyFile, EpochTypeKeys};
use super::mapping::{clean, spreadsheet_fault};
use super::tokenise::{
    LargeAddresses, Minter, RowWriter, Source, Task, epoch_keys, find_row, read_file, read_mapping, refused_mapping,
};
use crate::app::enquire::MOST_TOKENS;
use crate::cli::output::{Failure, Output};
use crate::domain::match_keys::MatchKeys;
use crate::domain::submission::{EpochKeys, MOST_HOUSEHOLDS, TokensByEpoch};
use crate::identity::{RawFields, Reason};

/// Where the person's fields come from.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(super) struct PersonArgs {
    /// A JSON file of the person's fields, a text or a list of texts each; `-` for
    /// standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["csv", "field"])]
    person: Option<PathBuf>,
    /// A CSV file of which one row is the person; needs --row and --mapping
    #[arg(long, value_name = "FILE", requires_all = ["row", "mapping"], conflicts_with = "field")]
    csv: Option<PathBuf>,
    /// The row's number as a spreadsheet shows it: the header is row 1
    #[arg(long, requires = "csv")]
    row: Option<u64>,
    /// The mapping file of the CSV file
    #[arg(long, requires = "csv")]
    mapping: Option<PathBuf>,
    /// One field, `name=value`; stays in the shell's history: prefer --person
    #[arg(long, value_name = "NAME=VALUE")]
    field: Vec<String>,
}

/// The person as far as the gateway hears of it.
pub(super) struct Tokenised {
    pub(super) epochs: Vec<EpochKeys>,
    pub(super) tokens: TokensByEpoch,
    pub(super) household: TokensByEpoch,
}

/// The person's tokens share their limit with the household's.
const MOST_PERSON_TOKENS: usize = MOST_TOKENS - MOST_HOUSEHOLDS;

impl PersonArgs {
    /// Reads the person and makes the tokens.
    pub(super) fn tokenise(
        &self,
        match_keys: &MatchKeys,
        key_file: &AgencyKeyFile,
        output: &Output,
    ) -> Result<Tokenised, Failure> {
        let type_keys = key_file.type_keys(match_keys).map_err(Failure::unusable)?;
        if let (Some(csv), Some(row), Some(mapping)) = (&self.csv, self.row, &self.mapping) {
            let mapping = read_mapping(mapping)?;
            let source = Source::open(csv, mapping.file, &mapping.columns())?;
            let record = find_row(&source, row)?;
            let plan = mapping.bind(&source.headings, match_keys).map_err(|fault| refused_mapping(&fault))?;
            let (as_at, large) = (now().date(), LargeAddresses::default());
            let task = Task {
                mapping: &mapping,
                plan: &plan,
                match_keys,
                key_file,
                type_keys: &type_keys,
                field_keys: &[],
                as_at,
                encoding: source.form.encoding,
                fuzzy: None, // an enquiry is answered from tokens alone
                large: &large,
            };
            let minter = RowWriter::mint_one(&task, &record, MOST_PERSON_TOKENS)
                .map_err(|refusal| Failure::failed(format!("{}: {}", refusal.code, refusal.field)))?;
            return finish(&minter, match_keys, &type_keys, output);
        }
        let fields = self.fields(output)?;
        let mut raw = RawFields::new();
        for (name, text) in &fields {
            let text = clean(text);
            if !raw.push(match_keys, name, text) {
                let known: Vec<&str> = match_keys.fields().iter().map(|field| field.name.as_str()).collect();
                let sentence = "field.unknown: the match-keys file has no field of that name";
                return Err(Failure::failed(sentence).next(format!("its fields are {}", known.join(", "))));
            }
            if let Some(code) = spreadsheet_fault(text) {
                return Err(Failure::failed(format!("{code}: field {name} is not as it was typed")));
            }
        }
        let mut minter = Minter::new(match_keys, &type_keys);
        minter.mint(&raw, now().date(), true, MOST_PERSON_TOKENS);
        finish(&minter, match_keys, &type_keys, output)
    }

    fn fields(&self, output: &Output) -> Result<Vec<(String, Zeroizing<String>)>, Failure> {
        if let Some(path) = &self.person {
            let text = Zeroizing::new(if path.as_os_str() == "-" {
                let mut text = Vec::new();
                let read = std::io::stdin().lock().take(1 << 20).read_to_end(&mut text);
                read.map_err(|error| Failure::failed(format!("standard input: {error}")))?;
                text
            } else {
                read_file(path)?
            });
            return read_person(&text);
        }
        output.note("warning: what --field says now stands in the shell's history and the list of processes; --person reads a file or standard input");
        let split = |field: &String| {
            let (name, value) = field.split_once('=')?;
            Some((name.trim().to_owned(), Zeroizing::new(value.to_owned())))
        };
        self.field
            .iter()
            .map(|field| split(field).ok_or_else(|| Failure::failed("--field is written name=value")))
            .collect()
    }
}

/// Reads an object of texts, or of lists of texts with the current one first.
fn read_person(text: &[u8]) -> Result<Vec<(String, Zeroizing<String>)>, Failure> {
    let malformed = || {
        Failure::failed("person.malformed: not a JSON object of texts, or of lists of texts")
            .next("such as {\"nhs\": \"…\", \"surname\": [\"current\", \"former\"]}; numbers are written as texts")
    };
    let Ok(Value::Object(object)) = serde_json::from_slice(text) else { return Err(malformed()) };
    let mut fields = Vec::new();
    for (name, value) in object {
        let texts = match value {
            Value::String(text) => vec![Value::String(text)],
            Value::Array(texts) => texts,
            _ => return Err(malformed()),
        };
        for text in texts {
            let Value::String(text) = text else { return Err(malformed()) };
            fields.push((name.clone(), Zeroizing::new(text)));
        }
    }
    Ok(fields)
}

fn finish(
    minter: &Minter<'_>,
    match_keys: &MatchKeys,
    type_keys: &[EpochTypeKeys],
    output: &Output,
) -> Result<Tokenised, Failure> {
    for outcome in minter.fields() {
        if let Some(error) = outcome.refused.filter(|error| error.reason() != Reason::Missing) {
            output.note(format_args!("{}: not used: {error}", match_keys.fields()[outcome.field].name));
        }
    }
    let (tokens, household) = (minter.tokens(false), minter.tokens(true));
    if tokens.is_empty() {
        let sentence = "token.none: the fields complete no match key: nobody could be found";
        return Err(
            Failure::failed(sentence).next("give an identifier, or forename, surname, date of birth and address")
        );
    }
    // The checks of the types that are used, and no others.
    let mut epochs = epoch_keys(match_keys, type_keys, |_| true);
    for epoch in &mut epochs {
        let sides = [tokens.get(&epoch.epoch), household.get(&epoch.epoch)];
        epoch.key_checks.retain(|name, _| sides.iter().flatten().any(|types| types.contains_key(name)));
    }
    epochs.retain(|epoch| !epoch.key_checks.is_empty());
    Ok(Tokenised { epochs, tokens, household })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_an_object_of_texts_or_lists_of_texts() {
        let fields = read_person(br#"{"nhs": "999 000 0018", "surname": ["Penrose", "Rowe"]}"#).expect("well-formed");
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        assert_eq!(fields, [("nhs", "999 000 0018"), ("surname", "Penrose"), ("surname", "Rowe")]);
        for bad in [&br#"{"nhs": 9990000018}"#[..], br#"["9990000018"]"#, br#"{"nhs": ["1", 2]}"#, b"9990000018"] {
            let failure = read_person(bad).expect_err("refused");
            assert!(!format!("{failure:?}").contains("9990000018"));
        }
    }
}
