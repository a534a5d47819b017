//! Every family with a number, at once: what the tables of numbered families are made of.

use super::statements::statements;
use super::value::{Row, values};
use super::{Store, StoreError};
use crate::domain::family::{LeadSpell, RecordName};
use crate::domain::ids::{AgencyCode, OpaqueRef, ProgrammeCode};
use crate::domain::tfid::Tfid;
use crate::domain::time::Timestamp;
use crate::store::{StoredContact, StoredFamily};

statements! {
    FAMILIES = "SELECT tfid, route, issued_at, attached_at, revision FROM family
                WHERE programme = $1 AND merged_into = '' ORDER BY tfid";
    RECORDS = "SELECT family_record.family, family_record.agency, family_record.feed, family_record.reference
               FROM family_record JOIN family ON family.tfid = family_record.family
               WHERE family.programme = $1 AND family.merged_into = '' AND family_record.left_at = 0
               ORDER BY family_record.family, family_record.agency, family_record.feed, family_record.reference";
    LEADS = "SELECT family_lead.family, family_lead.agency, family_lead.team_route, family_lead.since, family_lead.ended
             FROM family_lead JOIN family ON family.tfid = family_lead.family
             WHERE family.programme = $1 AND family.merged_into = '' ORDER BY family_lead.family, family_lead.n";
    CONTACTS = "SELECT family_contact.family, family_contact.agency, family_contact.feed, family_contact.reference,
                       family_contact.first_month, family_contact.last_month
                FROM family_contact JOIN family ON family.tfid = family_contact.family
                WHERE family.programme = $1 AND family.merged_into = ''
                ORDER BY family_contact.family, family_contact.agency, family_contact.feed, family_contact.reference";
    ROUNDS = "SELECT number, closed_at FROM match_run
              WHERE programme = $1 AND begun_by = $2 AND state = 'closed' ORDER BY number";
}

impl Store {
    /// Every family whose number stands.
    pub async fn numbered_families(&self, programme: &ProgrammeCode) -> Result<Vec<StoredFamily>, StoreError> {
        let rows = self.fetch_all(FAMILIES, values![programme.as_str()]).await?;
        rows.iter()
            .map(|row| {
                let attached_at = row.int(3)?;
                Ok(StoredFamily {
                    tfid: row.parsed(0, "family number")?,
                    route: row.parsed(1, "route")?,
                    issued_at: Timestamp::from_micros(row.int(2)?),
                    attached_at: (attached_at > 0).then(|| Timestamp::from_micros(attached_at)),
                    merged_into: None,
                    revision: row.int(4)?,
                })
            })
            .collect()
    }

    /// The records that belong to them.
    pub async fn numbered_records(&self, programme: &ProgrammeCode) -> Result<Vec<(Tfid, RecordName)>, StoreError> {
        let rows = self.fetch_all(RECORDS, values![programme.as_str()]).await?;
        rows.iter().map(|row| Ok((row.parsed(0, "family number")?, record_name(row)?))).collect()
    }

    /// Who led for them, for each the oldest first.
    pub async fn numbered_leads(&self, programme: &ProgrammeCode) -> Result<Vec<(Tfid, LeadSpell)>, StoreError> {
        let rows = self.fetch_all(LEADS, values![programme.as_str()]).await?;
        rows.iter()
            .map(|row| {
                let ended = row.text(4)?;
                let spell = LeadSpell {
                    agency: row.parsed(1, "agency")?,
                    team_route: row.parsed(2, "team route")?,
                    since: row.parsed(3, "month")?,
                    ended: if ended.is_empty() { None } else { Some(row.parsed(4, "month")?) },
                };
                Ok((row.parsed(0, "family number")?, spell))
            })
            .collect()
    }

    /// The contacts that were noted after they were attached.
    pub async fn numbered_contacts(&self, programme: &ProgrammeCode) -> Result<Vec<(Tfid, StoredContact)>, StoreError> {
        let rows = self.fetch_all(CONTACTS, values![programme.as_str()]).await?;
        rows.iter()
            .map(|row| {
                let contact = StoredContact {
                    record: record_name(row)?,
                    first: row.parsed(4, "month")?,
                    last: row.parsed(5, "month")?,
                };
                Ok((row.parsed(0, "family number")?, contact))
            })
            .collect()
    }

    /// The numbers of an agency's closed match runs, and when each was closed.
    pub async fn closed_rounds(
        &self,
        programme: &ProgrammeCode,
        agency: &AgencyCode,
    ) -> Result<Vec<(i64, Timestamp)>, StoreError> {
        let rows = self.fetch_all(ROUNDS, values![programme.as_str(), agency.as_str()]).await?;
        rows.iter().map(|row| Ok((row.int(0)?, Timestamp::from_micros(row.int(1)?)))).collect()
    }
}

fn record_name(row: &Row) -> Result<RecordName, StoreError> {
    let reference = OpaqueRef::parse(&row.text(3)?).map_err(|_| StoreError::Corrupt("record reference"))?;
    Ok(RecordName { agency: row.parsed(1, "agency")?, feed: row.parsed(2, "feed")?, reference })
}
