//! What the operator hands back to an agency that was enrolled. Nothing of it is secret.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::fingerprint::Fingerprint;
use crate::domain::ids::{AgencyCode, ProgrammeCode, TokenType};

const FORMAT: &str = "porth-join-reply/1";

/// The operator's reply.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JoinReply {
    format: String,
    /// Which programme.
    pub(crate) programme: ProgrammeCode,
    /// Which agency.
    pub(crate) agency: AgencyCode,
    /// The name of its system.
    pub(crate) client: String,
    /// The gateway's address.
    pub(crate) gateway: String,
    /// The gateway's issuer id.
    pub(crate) issuer: String,
    /// The client certificate, in PEM.
    pub(crate) certificate: String,
    /// The authority that signed the gateway's certificate, in PEM.
    pub(crate) root: String,
    /// SHA-256 of the programme's match-keys file.
    pub(crate) match_keys: String,
    /// The token types whose keys the agreements give the agency.
    pub(crate) token_types: BTreeSet<TokenType>,
    /// The key checks registered for them, epoch by epoch, 16 hexadecimal digits each.
    pub(crate) key_checks: BTreeMap<u32, BTreeMap<TokenType, String>>,
}

/// The parts of a reply that come from the operator's set-up.
pub(crate) struct Place {
    /// The gateway's address.
    pub(crate) gateway: String,
    /// The gateway's issuer id.
    pub(crate) issuer: String,
    /// The authority's certificate, in PEM.
    pub(crate) root: String,
}

impl JoinReply {
    /// A reply to a request, with nothing of the policies in it yet.
    pub(crate) fn new(
        programme: ProgrammeCode,
        agency: AgencyCode,
        client: String,
        certificate: String,
        place: Place,
    ) -> Self {
        Self {
            format: FORMAT.to_owned(),
            programme,
            agency,
            client,
            gateway: place.gateway,
            issuer: place.issuer,
            certificate,
            root: place.root,
            match_keys: String::new(),
            token_types: BTreeSet::new(),
            key_checks: BTreeMap::new(),
        }
    }

    /// Whether it is a reply of this version.
    pub(super) fn is_readable(&self) -> bool {
        self.format == FORMAT
    }

    /// What both sides may compare on the telephone.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        let text = serde_json::to_vec(self).unwrap_or_default();
        Fingerprint::of(&Sha256::digest(&text).into())
    }
}
