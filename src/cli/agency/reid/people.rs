//! The source finds its own record again, in its own file: the reference is computed anew over every
//! row, and the identity is read from the columns that its own file of columns names.

use std::path::PathBuf;

use clap::Args;
use serde::Deserialize;

use crate::cli::agency::key_file::AgencyKeyFile;
use crate::cli::agency::mapping::is_same;
use crate::cli::agency::tokenise::{
    Cells, Source, read_file, read_mapping, read_match_keys, reference_of, refused_mapping,
};
use crate::cli::output::Failure;
use crate::domain::ids::{FeedCode, OpaqueRef};
use crate::domain::policy_file;
use crate::domain::reidentification::Field;
use crate::domain::reidentification::identity::Identity;

/// Where the source's record is. All four files together, or none where no record has to be found.
#[derive(Debug, Args)]
pub(super) struct PeopleArgs {
    /// The agency's own file of people, as it is tokenised
    #[arg(long, value_name = "CSV", required = false, requires_all = ["mapping", "columns", "keys"])]
    pub(super) people: PathBuf,
    /// The mapping file of that file of people: how a record is told from others
    #[arg(long, required = false, requires = "people")]
    pub(super) mapping: PathBuf,
    /// Which columns of the file of people are the names, the date of birth, the address and so on
    #[arg(long, value_name = "TOML", required = false, requires = "people")]
    pub(super) columns: PathBuf,
    /// The agency's key file
    #[arg(long, short, required = false, requires = "people")]
    pub(super) keys: PathBuf,
    /// The programme's match-keys file, if not the one shipped with this program
    #[arg(long, requires = "people")]
    pub(super) match_keys: Option<PathBuf>,
}

/// Column headings by field; what has none is not told.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Columns {
    names: Vec<String>,
    date_of_birth: Vec<String>,
    address: Vec<String>,
    contact: Vec<String>,
    case_reference: Vec<String>,
}

impl Columns {
    fn of(&self, field: Field) -> (&[String], &'static str) {
        match field {
            Field::Names => (&self.names, " "),
            Field::DateOfBirth => (&self.date_of_birth, " "),
            Field::Address => (&self.address, ", "),
            Field::Contact => (&self.contact, ", "),
            Field::CaseReference => (&self.case_reference, " "),
        }
    }
}

impl PeopleArgs {
    /// Reads the fields of the one record that has this reference.
    pub(super) fn find(&self, feed: &FeedCode, wanted: &OpaqueRef, fields: &[Field]) -> Result<Identity, Failure> {
        let mapping = read_mapping(&self.mapping)?;
        if mapping.feed != *feed {
            return Err(Failure::failed(format!(
                "the record is of the feed {feed}, and the mapping is of another one"
            )));
        }
        let columns: Columns = policy_file::read(&read_file(&self.columns)?)
            .map_err(|faults| Failure::unusable(format!("{}: {faults}", self.columns.display())))?;
        let keys = AgencyKeyFile::read(&self.keys).map_err(Failure::unusable)?;
        if keys.agency() != &mapping.agency {
            return Err(Failure::unusable("the key file is of another agency than the mapping"));
        }
        let match_keys = read_match_keys(self.match_keys.as_deref())?;
        let source = Source::open(&self.people, mapping.file, &mapping.columns())?;
        let plan = mapping.bind(&source.headings, &match_keys).map_err(|fault| refused_mapping(&fault))?;
        let places = fields.iter().map(|&field| {
            let (headings, between) = columns.of(field);
            let at = |heading: &String| source.headings.iter().position(|known| is_same(known, heading));
            let found: Option<Vec<usize>> = headings.iter().map(at).collect();
            let missing =
                || Failure::unusable(format!("columns.missing: the file has no column of those named for {field}"));
            found.ok_or_else(missing).map(|found| (field, found, between))
        });
        let places = places.collect::<Result<Vec<_>, Failure>>()?;
        let mut cells = Cells::default();
        let mut found = None;
        for record in source.rows()?.into_byte_records() {
            let record = record.map_err(|_| Failure::failed("the file of people cannot be read to its end"))?;
            cells.read(&record, source.form.encoding);
            if reference_of(&cells, &plan.record_key, keys.reference()).as_ref() != Some(wanted) {
                continue;
            }
            if found.is_some() {
                return Err(Failure::failed("two rows of the file have this record's key: nothing is told of either"));
            }
            let text = |columns: &[usize], between: &str| {
                let parts = columns.iter().filter_map(|&column| cells.get(column).ok()).filter(|part| !part.is_empty());
                parts.collect::<Vec<_>>().join(between)
            };
            found = Some(Identity::new(places.iter().map(|(field, at, between)| (*field, text(at, between)))));
        }
        found.ok_or_else(|| {
            Failure::failed("record.missing: no row of the file has this record's key")
                .next("use the file that was delivered, or refuse: `porth reid refuse --reason not-held`")
        })
    }
}
