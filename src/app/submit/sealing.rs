//! Evidence of the privacy profiles B and C, sealed on arrival to a key that the gateway does not have.

use crate::app::gateway::Gateway;
use crate::app::policies::Policies;
use crate::crypto::seal;
use crate::domain::agreement::Profile;
use crate::domain::ids::ProgrammeCode;
use crate::domain::labels::PROFILE_BLOB;
use crate::domain::profile::{BlindedField, PADDED_BYTES, ProfileEvidence};
use crate::domain::submission::{Header, PROFILE, PROFILE_UNSEALED, RecordLine};

/// What of this evidence a submission may carry.
pub(super) struct Sealing {
    pub(super) takes_fields: bool,
    pub(super) takes_clk: bool,
    has_key: bool,
}

impl Sealing {
    /// By the supply terms of the agency in the agreement of the submission.
    pub(super) fn of(gateway: &Gateway, policies: &Policies, header: &Header) -> Self {
        let has = |profile| {
            let agreement = policies.book().agreement(&header.agreement);
            agreement.is_some_and(|agreement| agreement.text.has_profile(&header.agency, profile))
        };
        Self { takes_fields: has(Profile::B), takes_clk: has(Profile::C), has_key: gateway.keys().match_run.is_some() }
    }

    /// The code for which evidence is refused.
    pub(super) fn refuses(&self, is_agreed: bool) -> Option<&'static str> {
        match (is_agreed, self.has_key) {
            (false, _) => Some(PROFILE),
            (true, false) => Some(PROFILE_UNSEALED),
            (true, true) => None,
        }
    }

    /// Blinds and seals a record's evidence and takes it out of the row. Where an agency supplies under
    /// such a profile every record has a blob, empty or not: none says anything by being there.
    pub(super) fn seal(
        &self,
        gateway: &Gateway,
        policies: &Policies,
        record: i64,
        row: &mut RecordLine,
    ) -> Option<Vec<u8>> {
        let key = gateway.keys().match_run.as_ref().filter(|_| self.takes_fields || self.takes_clk)?;
        let fields = std::mem::take(&mut row.fields);
        let clk = row.clk.take();
        // Whoever is restricted, or left an identity behind, takes part in no match run.
        let is_kept = !row.restricted && row.retired.is_empty();
        let blinded = if is_kept { policies.blind(gateway, &fields) } else { Vec::new() };
        let evidence = ProfileEvidence {
            layers: policies.blinding().layers,
            tokens: blinded
                .iter()
                .map(|token| BlindedField { kind: token.kind, epoch: token.epoch, value: token.blinded })
                .collect(),
            clk: clk.filter(|_| is_kept),
        };
        let place = place(gateway.programme(), record);
        let sealed = seal::seal(gateway.random(), key, PROFILE_BLOB, &place, &evidence.to_bytes(), PADDED_BYTES);
        Some(sealed.expect("the row's limits keep evidence below the padded length, and the key was parsed"))
    }
}

/// What binds a blob to its record.
pub(in crate::app) fn place(programme: &ProgrammeCode, record: i64) -> Vec<u8> {
    [programme.as_str().as_bytes(), b"/", &record.to_be_bytes()].concat()
}
