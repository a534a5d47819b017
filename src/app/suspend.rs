//! Something is stopped at once, and let go on: an agency, a certificate, a client or one of its
//! keys, a feed, an agreement, a signatory.
//!
//! Nothing is remembered by a process. Who calls is looked up in the database on every request, and
//! what agreements, feeds and signatures allow by the policy revision that every request reads first:
//! so a suspension holds from the next request on, on open connections, on every replica. Each is an
//! entry of the log, in the same transaction.

use super::enrol::code;
use super::error::AppError;
use super::gateway::Gateway;
use super::policies::hex;
use crate::domain::ids::{AgencyCode, AgreementRef, FeedCode};
use crate::store::Tx;
use crate::tlog::entry::{AgreementState, Body, Standing};

/// What can be suspended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Suspendable {
    /// An agency: none of its systems is let in, and no file of it that is on its way becomes visible.
    /// What it delivered before goes on contributing to answers: suspend its feeds to stop that.
    Agency(AgencyCode),
    /// A client certificate, by the SHA-256 of its DER.
    Certificate([u8; 32]),
    /// One key of a client, and every access token that was issued for it.
    ClientKey {
        /// The client's id.
        client: String,
        /// The key's id.
        kid: String,
    },
    /// A client: one system of an agency.
    Client(String),
    /// A feed: its records contribute to no answer, its submissions are refused. Its shields hold.
    Feed(AgencyCode, FeedCode),
    /// An agreement.
    Agreement(AgreementRef),
    /// A signatory's key: agreements that it signed lack that signature.
    Signatory(String),
}

impl Suspendable {
    /// What kind it is, as the log and the command line say it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Agency(_) => "agency",
            Self::Certificate(_) => "certificate",
            Self::ClientKey { .. } => "client-key",
            Self::Client(_) => "client",
            Self::Feed(..) => "feed",
            Self::Agreement(_) => "agreement",
            Self::Signatory(_) => "signatory",
        }
    }

    /// Its name in the log.
    pub fn name(&self) -> String {
        match self {
            Self::Agency(agency) => agency.to_string(),
            Self::Certificate(sha256) => hex(sha256),
            Self::ClientKey { client, kid } => format!("{client}/{kid}"),
            Self::Client(name) | Self::Signatory(name) => name.clone(),
            Self::Feed(agency, feed) => format!("{agency}/{feed}"),
            Self::Agreement(reference) => reference.to_string(),
        }
    }
}

impl Gateway {
    /// Suspends something, or ends its suspension, from the next request on.
    ///
    /// # Errors
    ///
    /// [`AppError::Policy`] when there is no such thing, or it is not in the standing to leave:
    /// what was revoked, withdrawn or never began is not brought back by this.
    pub async fn set_standing(&self, what: &Suspendable, active: bool, by: &str, reason: &str) -> Result<(), AppError> {
        match what {
            Suspendable::Agency(agency) => return self.set_agency_active(agency, active, by, reason).await,
            Suspendable::Agreement(reference) => return self.set_agreement(reference, active, by, reason).await,
            Suspendable::Feed(agency, feed) => self.refuse_unknown_feed(agency, feed).await?,
            _ => {}
        }
        let mut tx = self.store().begin().await?;
        let now = tx.now().await?;
        let agency = match what {
            Suspendable::Feed(agency, feed) => {
                tx.set_feed_active(self.programme(), (agency, feed), active, now).await?.then(|| agency.clone())
            }
            other => set_partner(&mut tx, other, active).await?,
        };
        let word = if active { "active" } else { "suspended" };
        let Some(agency) = agency else {
            let (kind, from) = (what.kind(), if active { "suspended" } else { "active" });
            return Err(AppError::Policy(format!("no {kind} of that name is {from}: nothing was changed")));
        };
        // Decisions, kept replies and the parsed policies of before end here.
        tx.raise_policy_revision(None).await?;
        let body = Body::Standing(Standing {
            of: code(what.kind())?,
            name: code(&what.name())?,
            agency,
            to: code(word)?,
            by: code(by)?,
            reason: code(reason)?,
        });
        tx.add_events(&[&self.event(now, body)?]).await?;
        tx.commit().await?;
        self.wake_sequencer();
        Ok(())
    }

    /// An agreement is suspended; its status has entries of its own.
    async fn set_agreement(
        &self,
        reference: &AgreementRef,
        active: bool,
        by: &str,
        reason: &str,
    ) -> Result<(), AppError> {
        if !active {
            return self.set_agreement_status(reference, AgreementState::Suspended, by, reason).await;
        }
        let rule =
            "an agreement comes into force again as it did at first: by two officers, neither of whom asked for it";
        Err(AppError::Policy(rule.to_owned()))
    }

    async fn refuse_unknown_feed(&self, agency: &AgencyCode, feed: &FeedCode) -> Result<(), AppError> {
        let policies = self.current_policies().await?;
        if policies.programme().feed(agency, feed).is_none() && !policies.is_suspended(agency, feed) {
            return Err(AppError::Policy(format!("the programme's calendar has no feed {agency}/{feed}")));
        }
        Ok(())
    }
}

async fn set_partner(tx: &mut Tx, what: &Suspendable, active: bool) -> Result<Option<AgencyCode>, AppError> {
    Ok(match what {
        Suspendable::Certificate(sha256) => tx.set_certificate_active(sha256, active).await?,
        Suspendable::ClientKey { client, kid } => tx.set_client_key_active(client, kid, active).await?,
        Suspendable::Client(client) => tx.set_client_active(client, active).await?,
        Suspendable::Signatory(key_id) => tx.set_signatory_active(key_id, active).await?,
        Suspendable::Agency(_) | Suspendable::Agreement(_) | Suspendable::Feed(..) => None,
    })
}
