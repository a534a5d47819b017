//! The subject index: by which an entry of the log is found for every person whose records it rested on.
//!
//! An enquiry tells of the whole family; the tokens that it was asked with lead to one of them alone. So
//! every entry that discloses something about people also leaves a keyed tag for each record that was
//! used, in its own transaction. A tag is made of the holder's own reference with a key of the
//! gateway's: whoever has the database cannot ask it about people, and over the API an agency only gets at
//! entries of records that are its own. The tags of an entry go when its openings are destroyed.

use super::error::AppError;
use super::gateway::Gateway;
use crate::domain::ids::{AgencyCode, FeedCode, OpaqueRef};
use crate::domain::pair::RecordName;
use crate::store::{RecordEntry, RecordUse};

impl Gateway {
    /// The tag of a record.
    pub(in crate::app) fn record_tag(&self, agency: &AgencyCode, feed: &FeedCode, reference: &OpaqueRef) -> [u8; 16] {
        self.keys().tagger.record(agency.as_str(), feed.as_str(), reference.as_str())
    }

    /// That an entry rests on a record.
    pub(in crate::app) fn record_use(
        &self,
        (agency, feed, reference): (&AgencyCode, &FeedCode, &OpaqueRef),
        is_asked_about: bool,
    ) -> RecordUse {
        RecordUse { tag: self.record_tag(agency, feed, reference), is_asked_about }
    }

    /// Likewise, of many records about whose persons it is.
    pub(in crate::app) fn record_uses<'n>(&self, names: impl IntoIterator<Item = &'n RecordName>) -> Vec<RecordUse> {
        let one = |name: &RecordName| self.record_use((&name.agency, &name.feed, &name.reference), true);
        let mut uses: Vec<RecordUse> = names.into_iter().map(one).collect();
        uses.sort_unstable();
        uses.dedup();
        uses
    }

    /// Every entry that rested on one of these records and whose openings stand, oldest first. Who may
    /// name which records is the caller's to settle first.
    pub(in crate::app) async fn entries_of_records(&self, names: &[RecordName]) -> Result<Vec<RecordEntry>, AppError> {
        let tags: Vec<[u8; 16]> =
            names.iter().map(|name| self.record_tag(&name.agency, &name.feed, &name.reference)).collect();
        Ok(self.store().entries_by_record(&tags).await?)
    }
}
