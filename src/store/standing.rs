//! Who and what is suspended: certificates, clients, their keys, signatories and feeds.

use super::statements::statements;
use super::value::values;
use super::{Store, StoreError, Tx};
use crate::domain::ids::{AgencyCode, FeedCode, ProgrammeCode};
use crate::domain::time::Timestamp;

statements! {
    /// Only ever between active and suspended: what was revoked stays revoked.
    SET_CERTIFICATE = "UPDATE certificate SET status = $2 WHERE sha256 = $1 AND status = $3 RETURNING agency";
    SET_CLIENT = "UPDATE client SET status = $2 WHERE id = $1 AND status = $3 RETURNING agency";
    SET_CLIENT_KEY = "UPDATE client_key SET status = $3 WHERE client = $1 AND kid = $2 AND status = $4
                      RETURNING (SELECT agency FROM client WHERE client.id = client_key.client)";
    SET_SIGNATORY = "UPDATE signatory SET status = $2 WHERE key_id = $1 AND status = $3 RETURNING agency";
    REVOKE_SIGNATORY = "UPDATE signatory SET status = 'revoked' WHERE key_id = $1 AND status <> 'revoked'
                        RETURNING agency";
    SUSPEND_FEED = "INSERT INTO suspended_feed (programme, agency, feed, since) VALUES ($1, $2, $3, $4)
                    ON CONFLICT (programme, agency, feed) DO NOTHING";
    RESUME_FEED = "DELETE FROM suspended_feed WHERE programme = $1 AND agency = $2 AND feed = $3";
    SUSPENDED_FEED = "SELECT since FROM suspended_feed WHERE programme = $1 AND agency = $2 AND feed = $3";
    ENDING = "SELECT COUNT(*) FROM certificate WHERE status = 'active' AND not_after > $1 AND not_after < $2";
    SENDER = "SELECT agency.status, client.status FROM agency LEFT JOIN client ON client.id = $2
              WHERE agency.code = $1";
    SUSPENDED_FEEDS = "SELECT agency, feed FROM suspended_feed WHERE programme = $1 ORDER BY agency, feed";
}

/// The status words before and after a change.
fn words(active: bool) -> (&'static str, &'static str) {
    if active { ("suspended", "active") } else { ("active", "suspended") }
}

impl Store {
    /// The feeds that are suspended.
    pub async fn suspended_feeds(&self, programme: &ProgrammeCode) -> Result<Vec<(AgencyCode, FeedCode)>, StoreError> {
        let rows = self.fetch_all(SUSPENDED_FEEDS, values![programme.as_str()]).await?;
        rows.iter().map(|row| Ok((row.parsed(0, "agency")?, row.parsed(1, "feed")?))).collect()
    }
}

impl Store {
    /// How many active certificates of agencies end between two moments.
    pub async fn certificates_ending(&self, after: Timestamp, before: Timestamp) -> Result<i64, StoreError> {
        let row = self.fetch_optional(ENDING, values![after.as_micros(), before.as_micros()]).await?;
        row.ok_or(StoreError::Corrupt("count"))?.int(0)
    }
}

impl Tx {
    /// Suspends a certificate or ends that. Gives its agency; `None` when nothing changed.
    pub async fn set_certificate_active(
        &mut self,
        sha256: &[u8; 32],
        active: bool,
    ) -> Result<Option<AgencyCode>, StoreError> {
        let (from, to) = words(active);
        let row = self.fetch_optional(SET_CERTIFICATE, values![sha256, to, from]).await?;
        row.map(|row| row.parsed(0, "agency")).transpose()
    }

    /// Suspends a client or ends that. Gives its agency; `None` when nothing changed.
    pub async fn set_client_active(&mut self, client: &str, active: bool) -> Result<Option<AgencyCode>, StoreError> {
        let (from, to) = words(active);
        let row = self.fetch_optional(SET_CLIENT, values![client, to, from]).await?;
        row.map(|row| row.parsed(0, "agency")).transpose()
    }

    /// Suspends one of a client's keys or ends that. Gives its agency; `None` when nothing changed.
    pub async fn set_client_key_active(
        &mut self,
        client: &str,
        kid: &str,
        active: bool,
    ) -> Result<Option<AgencyCode>, StoreError> {
        let (from, to) = words(active);
        let row = self.fetch_optional(SET_CLIENT_KEY, values![client, kid, to, from]).await?;
        row.map(|row| row.parsed(0, "agency")).transpose()
    }

    /// Suspends a signatory's key or ends that. Gives its agency; `None` when nothing changed.
    pub async fn set_signatory_active(&mut self, key_id: &str, active: bool) -> Result<Option<AgencyCode>, StoreError> {
        let (from, to) = words(active);
        let row = self.fetch_optional(SET_SIGNATORY, values![key_id, to, from]).await?;
        row.map(|row| row.parsed(0, "agency")).transpose()
    }

    /// Revokes a signatory's key for good. Gives its agency; `None` when nothing changed.
    pub async fn revoke_signatory(&mut self, key_id: &str) -> Result<Option<AgencyCode>, StoreError> {
        let row = self.fetch_optional(REVOKE_SIGNATORY, values![key_id]).await?;
        row.map(|row| row.parsed(0, "agency")).transpose()
    }

    /// Suspends a feed or ends that. Returns whether that changed anything.
    pub async fn set_feed_active(
        &mut self,
        programme: &ProgrammeCode,
        (agency, feed): (&AgencyCode, &FeedCode),
        active: bool,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (programme, agency, feed) = (programme.as_str(), agency.as_str(), feed.as_str());
        let changed = if active {
            self.execute(RESUME_FEED, values![programme, agency, feed]).await?
        } else {
            self.execute(SUSPEND_FEED, values![programme, agency, feed, now.as_micros()]).await?
        };
        Ok(changed == 1)
    }

    /// Whether a feed is suspended, as this transaction sees it.
    pub async fn is_feed_suspended(
        &mut self,
        programme: &ProgrammeCode,
        agency: &AgencyCode,
        feed: &FeedCode,
    ) -> Result<bool, StoreError> {
        let values = values![programme.as_str(), agency.as_str(), feed.as_str()];
        Ok(self.fetch_optional(SUSPENDED_FEED, values).await?.is_some())
    }

    /// Whether neither an agency nor, where one is named, its client is suspended, as this transaction
    /// sees it. Clients that are not registered are for whoever lets them in.
    pub async fn is_sender_active(&mut self, agency: &AgencyCode, client: &str) -> Result<bool, StoreError> {
        let Some(row) = self.fetch_optional(SENDER, values![agency.as_str(), client]).await? else { return Ok(false) };
        let client_is_active = row.optional_text(1)?.is_none_or(|status| status == "active");
        Ok(row.text(0)? == "active" && client_is_active)
    }
}
