//! The mapping file that tells `porth tokenise` which column of an agency's file is what.

use std::fmt::{self, Write as _};

use super::files::AgencyFile;
use super::profiles::Column;

/// Fields of the match keys, the current one of a kind before the former one. An address in words
/// is in none of them: it stays with the agency.
const FIELDS: [(Column, &str); 11] = [
    (Column::Nhs, "nhs"),
    (Column::Upn, "upn"),
    (Column::Nino, "nino"),
    (Column::Forename, "forename"),
    (Column::Surname, "surname"),
    (Column::FormerSurname, "surname"),
    (Column::Born, "dob"),
    (Column::Expected, "expected"),
    (Column::Postcode, "postcode"),
    (Column::FormerPostcode, "postcode"),
    (Column::Uprn, "uprn"),
];
const YES_OR_NO: &str = "{ yes = true, no = false }";

impl AgencyFile {
    /// The mapping file, in the form that `porth tokenise --mapping` reads.
    pub fn mapping(&self, programme: &str) -> String {
        let mut text = String::new();
        let written = self.write(&mut text, programme);
        debug_assert!(written.is_ok(), "writing to a string does not fail");
        text
    }

    fn heading(&self, column: Column) -> Option<&str> {
        self.columns.iter().find(|(held, _)| *held == column).map(|(_, heading)| heading.as_str())
    }

    fn write(&self, out: &mut String, programme: &str) -> fmt::Result {
        let (agency, feed) = self.name;
        writeln!(out, "programme = \"{programme}\"\nagency = \"{agency}\"\nfeed = \"{feed}\"")?;
        writeln!(out, "agreement = \"{}\"\nas_at = {}", self.agreement, self.as_at)?;
        if let Some(key) = self.heading(Column::Key) {
            writeln!(out, "\n[record]\nkey = [\"{key}\"]")?;
        }
        for (column, field) in FIELDS {
            if let Some(heading) = self.heading(column) {
                writeln!(out, "\n[[field]]\ncolumn = \"{heading}\"\nfield = \"{field}\"")?;
            }
        }
        self.choice(out, "role", Column::Role, &same(&["child", "adult", "unborn", "unknown"]))?;
        let parental = same(&["yes", "no", "unknown"]);
        self.choice(out, "parental_responsibility", Column::ParentalResponsibility, &parental)?;
        self.choice(out, "coverage", Column::Coverage, &same(&["current", "moved", "closed", "deceased"]))?;
        self.choice(out, "restricted", Column::Restricted, YES_OR_NO)?;
        // Whoever is shielded must not be found by a former name or address either.
        self.choice(out, "current_only", Column::Restricted, YES_OR_NO)?;
        let localities = ["caradon", "carrick", "kerrier", "north-cornwall", "penwith", "restormel"];
        self.choice(out, "locality", Column::Locality, &same(&localities))?;
        if let Some(heading) = self.heading(Column::AssessableUntil) {
            writeln!(out, "\n[assessable_until]\ncolumn = \"{heading}\"")?;
        }
        self.criteria(out)?;
        self.service(out)
    }

    fn choice(&self, out: &mut String, name: &str, column: Column, values: &str) -> fmt::Result {
        let Some(heading) = self.heading(column) else { return Ok(()) };
        writeln!(out, "\n[{name}]\ncolumn = \"{heading}\"\nvalues = {values}")
    }

    fn criteria(&self, out: &mut String) -> fmt::Result {
        for (column, heading) in &self.columns {
            let Column::State(code) = column else { continue };
            writeln!(out, "\n[[criterion]]\ncode = \"{code}\"")?;
            writeln!(out, "state = {{ column = \"{heading}\", values = {} }}", same(&["met", "not_met", "contested"]))?;
            for (name, column) in [("from", Column::From(code)), ("to", Column::To(code))] {
                if let Some(heading) = self.heading(column) {
                    writeln!(out, "{name} = \"{heading}\"")?;
                }
            }
        }
        Ok(())
    }

    fn service(&self, out: &mut String) -> fmt::Result {
        let Some(since) = self.heading(Column::Since) else { return Ok(()) };
        writeln!(out, "\n[service]\nsince = \"{since}\"")?;
        if let Some(heading) = self.heading(Column::LastContact) {
            writeln!(out, "last_contact = \"{heading}\"")?;
        }
        let teams: Vec<&str> = self.teams.to_vec();
        for (name, column, values) in [
            ("lead", Column::Lead, YES_OR_NO.to_owned()),
            ("team", Column::Team, same(&teams)),
            ("status", Column::Status, same(&["open", "closed"])),
        ] {
            if let Some(heading) = self.heading(column) {
                writeln!(out, "{name} = {{ column = \"{heading}\", values = {values} }}")?;
            }
        }
        Ok(())
    }
}

/// Words that mean what they say.
fn same(words: &[&str]) -> String {
    let pairs: Vec<String> = words.iter().map(|word| format!("{word} = \"{word}\"")).collect();
    format!("{{ {} }}", pairs.join(", "))
}

#[cfg(test)]
mod tests {
    use crate::demo::population::tests::small;

    #[test]
    fn every_mapping_is_toml_and_names_only_headings_of_its_file() {
        let population = small();
        for file in population.files() {
            let mapping: toml::Table = toml::from_str(&file.mapping("tff")).expect("TOML");
            let named = named_columns(&toml::Value::Table(mapping.clone()));
            assert!(named.len() >= 6, "{:?}", file.name);
            for heading in named {
                assert!(file.columns.iter().any(|(_, known)| *known == heading), "{:?} {heading}", file.name);
            }
            let criteria = mapping.get("criterion").and_then(|list| list.as_array()).map_or(0, Vec::len);
            let held = file.columns.iter().filter(|(column, _)| matches!(column, super::Column::State(_))).count();
            assert_eq!(criteria, held);
        }
    }

    #[test]
    fn an_address_in_words_is_mapped_to_nothing() {
        for file in small().files() {
            if let Some(heading) = file.heading(super::Column::Address) {
                assert!(!file.mapping("tff").contains(&format!("\"{heading}\"")), "{:?}", file.name);
            }
        }
    }

    fn named_columns(value: &toml::Value) -> Vec<String> {
        match value {
            toml::Value::Table(table) => {
                let here = ["column", "from", "to", "since", "last_contact"].iter().filter_map(|key| table.get(*key));
                let mut found: Vec<String> = here.filter_map(|text| text.as_str().map(ToOwned::to_owned)).collect();
                found.extend(table.values().flat_map(named_columns));
                found
            }
            toml::Value::Array(list) => list.iter().flat_map(named_columns).collect(),
            _ => Vec::new(),
        }
    }
}
