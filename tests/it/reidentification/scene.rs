//! A family, two officers, the data team's keys, and the steps of a request, taken as their own tools take them.

use std::pin::Pin;

use porth::app::caller::AgencyCaller;
use porth::app::reidentification::collect::Collected;
use porth::app::reidentification::verify::{Checked, PinnedOfficer, PinnedRecipient, Trust};
use porth::app::reidentification::{NewReidentification, ReidError, ReidView};
use porth::crypto::random::{Random, SystemRandom, random_bytes};
use porth::crypto::seal::SealKeyPair;
use porth::crypto::sign::SigningKey;
use porth::domain::ids::{OpaqueRef, ReidentificationId};
use porth::domain::reidentification::Field;
use porth::domain::reidentification::binding::{self, Hash32};
use porth::domain::reidentification::certificate::{Answer, SignedCertificate};
use porth::domain::reidentification::identity::Identity;
use porth::domain::reidentification::refusal::Refusal;
use porth::domain::reidentification::vote::{Choice, Vote};
use porth::domain::tfid::Tfid;
use porth::domain::time::Timestamp;
use porth::domain::token::encode_base64url;
use porth::store::{ReidKey, ReidKeyKind};
use porth::tlog::entry::{Body, Entry};
use serde_json::json;

use crate::support::database::Backend;
use crate::support::programme::{ORIGIN, TestProgramme, opaque};

/// Nobody is called this; nothing else in the tests has these letters.
pub(super) const NAMES: &str = "Zennoria Qwxyzpenrose";
/// Likewise.
pub(super) const CONTACT: &str = "+44 7700 900461";

/// What is known of the mother everywhere.
pub(super) const MOTHER: &[(&str, &str)] = &[("nhs", "9990000026"), ("k3", "mother")];
const HOME: &[(&str, &str)] = &[("uprn", "100040123456")];
/// The user who asks, as the data team's reference names the person.
pub(super) const ASKER: u32 = 8;

/// An officer with a key of their own.
#[derive(Clone)]
pub(super) struct Officer {
    pub(super) caller: AgencyCaller,
    pub(super) person: OpaqueRef,
    pub(super) key_id: String,
    pub(super) key: std::sync::Arc<SigningKey>,
}

/// The data team's own keys.
pub(super) struct Team {
    pub(super) caller: AgencyCaller,
    pub(super) key_id: String,
    pub(super) sign: SigningKey,
    pub(super) pair: SealKeyPair,
}

/// Everybody and everything.
pub(super) struct Scene {
    pub(super) programme: TestProgramme,
    pub(super) family: Tfid,
    pub(super) team: Team,
    /// Of children's social care, which holds the identity.
    pub(super) source: Officer,
    /// Of education.
    pub(super) second: Officer,
}

pub(super) fn caller(agency: &str) -> AgencyCaller {
    AgencyCaller { agency: agency.parse().expect("a code"), client: format!("{agency}-desk") }
}

pub(super) fn reference(number: u32) -> OpaqueRef {
    OpaqueRef::parse(&opaque(number)).expect("22 characters")
}

pub(super) fn key() -> String {
    uuid::Uuid::now_v7().to_string()
}

impl Officer {
    pub(super) fn new(agency: &str, person: u32) -> Self {
        Self::with_key(agency, person, SigningKey::generate(&SystemRandom::new()))
    }

    pub(super) fn with_key(agency: &str, person: u32, key: SigningKey) -> Self {
        Self::named(caller(agency), reference(person), std::sync::Arc::new(key))
    }

    /// With the id that follows from all of it.
    pub(super) fn named(caller: AgencyCaller, person: OpaqueRef, key: std::sync::Arc<SigningKey>) -> Self {
        let mut officer = Self { caller, person, key_id: String::new(), key };
        officer.key_id = officer.card().id();
        officer
    }

    pub(super) fn card(&self) -> ReidKey {
        ReidKey {
            key_id: self.key_id.clone(),
            kind: ReidKeyKind::Officer,
            agency: self.caller.agency.clone(),
            person: Some(self.person.clone()),
            sign_key: *self.key.verifying_key().as_bytes(),
            seal_key: None,
        }
    }

    /// A vote over a hash, as the officer's own tool signs it.
    pub(super) fn vote(&self, request: &Hash32, choice: Choice, record: Option<Hash32>, at: Timestamp) -> Vote {
        let reason = (choice == Choice::Refuse).then(|| "no-ground".parse().expect("a code"));
        let (agency, key_id, person) = (self.caller.agency.clone(), self.key_id.clone(), self.person.clone());
        let mut vote = Vote { agency, at, choice, key_id, person, reason, record, signature: String::new() };
        vote.signature = encode_base64url(&self.key.sign(&vote.signed_bytes(request)));
        vote
    }
}

impl Team {
    pub(super) fn card(&self) -> ReidKey {
        ReidKey {
            key_id: self.key_id.clone(),
            kind: ReidKeyKind::Recipient,
            agency: self.caller.agency.clone(),
            person: None,
            sign_key: *self.sign.verifying_key().as_bytes(),
            seal_key: Some(self.pair.public().to_bytes()),
        }
    }
}

impl Scene {
    pub(super) async fn new(backend: Backend) -> Self {
        Self::in_programme(TestProgramme::start(backend).await).await
    }

    pub(super) async fn in_programme(programme: TestProgramme) -> Self {
        Self::with_people(programme, &SystemRandom::new()).await
    }

    /// Everybody as they are in another process, where they are enrolled already.
    pub(super) fn again(programme: TestProgramme, family: Tfid, keys: &dyn Random) -> Self {
        let (source, second, team) = people(keys);
        Self { programme, family, team, source, second }
    }

    /// With officers' and the data team's keys from a source of their own.
    pub(super) async fn with_people(programme: TestProgramme, keys: &dyn Random) -> Self {
        let home = programme.tokens(HOME);
        let mother = json!({ "role": "adult", "parental_responsibility": "yes", "household": home });
        let rows = [programme.row(2, MOTHER, mother)];
        programme.deliver("childrens-social-care", "cases", "early-help-core/v1", &rows).await;
        let family = issue(&programme).await;
        let (source, second, team) = people(keys);
        let scene = Self { programme, family, team, source, second };
        for officer in [&scene.source, &scene.second] {
            scene.enrol(officer).await;
        }
        scene.programme.gateway.enrol_reid_key(&scene.team.card(), "operator-1", "operator-2").await.expect("enrolled");
        scene
    }

    pub(super) async fn enrol(&self, officer: &Officer) {
        self.programme.gateway.enrol_reid_key(&officer.card(), "operator-1", "operator-2").await.expect("enrolled");
    }

    pub(super) async fn now(&self) -> Timestamp {
        self.programme.gateway.store().now().await.expect("the clock")
    }

    pub(super) fn question(&self) -> NewReidentification {
        serde_json::from_value(json!({
            "agreement": "programme-delivery/v1", "source": "childrens-social-care", "family": self.family,
            "nonce": encode_base64url(&random_bytes::<32>(&SystemRandom::new())), "purpose": "programme-delivery",
            "power": "CA2004-s10", "relationship": "screening", "role": "data-analyst", "case": opaque(7),
            "user": opaque(ASKER), "fields": ["names", "contact"],
            "reason": "Three areas are met, and nobody leads for this family.", "recipient": self.team.key_id,
            "hours": 24, "handling": "ordinary",
        }))
        .expect("a question")
    }

    pub(super) async fn ask(&self) -> ReidView {
        self.ask_with(&self.question()).await.expect("permitted")
    }

    pub(super) async fn ask_with(&self, new: &NewReidentification) -> Result<ReidView, ReidError> {
        self.programme.gateway.request_reidentification(&self.team.caller, new, &key()).await
    }

    /// The hash that the source's officer signs: of the record that the gateway shows it.
    pub(super) async fn record(&self, asked: &ReidView) -> Hash32 {
        let shown = self.programme.gateway.show_reidentification(&self.source.caller, asked.id).await.expect("shown");
        let record = shown.record.expect("the source has such a record");
        assert_eq!(record.reference, reference(2));
        binding::record(&asked.request_sha256, &record.feed, &record.reference)
    }

    pub(super) async fn send(&self, officer: &Officer, asked: &ReidView, vote: &Vote) -> Result<ReidView, ReidError> {
        self.programme.gateway.vote_reidentification(&officer.caller, asked.id, vote).await
    }

    pub(super) async fn approve(&self, officer: &Officer, asked: &ReidView) -> Result<ReidView, ReidError> {
        let is_source = officer.caller.agency == self.source.caller.agency;
        let record = if is_source { Some(self.record(asked).await) } else { None };
        let vote = officer.vote(&asked.request_sha256, Choice::Approve, record, self.now().await);
        self.send(officer, asked, &vote).await
    }

    /// Asked, and approved by both.
    pub(super) async fn approved(&self) -> ReidView {
        let asked = self.ask().await;
        self.approve(&self.second, &asked).await.expect("approved");
        let view = self.approve(&self.source, &asked).await.expect("approved");
        assert_eq!(view.state.word(), "authorised");
        asked
    }

    pub(super) async fn certify(&self, id: ReidentificationId) -> Result<SignedCertificate, ReidError> {
        self.programme.sequencer.drain().await.expect("sequenced");
        self.programme.gateway.certify_reidentification(&self.source.caller, id).await
    }

    /// What a machine of the source or of the data team has pinned.
    pub(super) fn trust(&self) -> Trust {
        let pinned = |officer: &Officer| PinnedOfficer {
            key_id: officer.key_id.clone(),
            agency: officer.caller.agency.clone(),
            person: officer.person.clone(),
            key: officer.key.verifying_key(),
        };
        Trust {
            officers: vec![pinned(&self.source), pinned(&self.second)],
            recipients: vec![PinnedRecipient {
                key_id: self.team.key_id.clone(),
                agency: self.team.caller.agency.clone(),
                seal_key: self.team.pair.public().clone(),
            }],
            certificate_keys: vec![self.programme.certificate_key().verifying_key()],
            log: ORIGIN.to_owned(),
            log_keys: vec![self.programme.checkpoint_key()],
            witnesses: Vec::new(),
            quorum: 0,
        }
    }

    pub(super) async fn seal(&self, checked: &Checked) -> Answer {
        let identity = Identity::new([(Field::Names, NAMES.to_owned()), (Field::Contact, CONTACT.to_owned())]);
        let now = self.now().await;
        checked.seal(&SystemRandom::new(), &identity, &self.source.key_id, &self.source.key, now).expect("sealed")
    }

    pub(super) async fn answer(&self, id: ReidentificationId, answer: &Answer) -> Result<(), ReidError> {
        let gateway = &self.programme.gateway;
        gateway.answer_reidentification(&self.source.caller, id, answer).await.map(drop)
    }

    /// Asked, approved, certified and answered.
    pub(super) async fn answered(&self) -> (ReidView, Checked, Answer) {
        let asked = self.approved().await;
        let checked = self.trust().check(&self.certify(asked.id).await.expect("certified")).expect("it holds");
        let answer = self.seal(&checked).await;
        self.answer(asked.id, &answer).await.expect("taken");
        (asked, checked, answer)
    }

    pub(super) async fn collect(&self, id: ReidentificationId) -> Result<Collected, ReidError> {
        self.programme.gateway.collect_reidentification(&self.team.caller, id, &self.team.key_id).await
    }

    /// The refusals of this kind in the log.
    pub(super) async fn refusals(&self, refusal: Refusal) -> usize {
        self.programme.sequencer.drain().await.expect("sequenced");
        let store = self.programme.gateway.store();
        let size = store.log_head().await.expect("a head").expect("open").size;
        let entries = store.log_entries(0, size).await.expect("entries");
        let is_it = |(_, entry): &&(_, Vec<u8>)| match Entry::parse(entry).expect("an entry").body() {
            Body::ReidStep(step) => {
                matches!(&step.outcome, porth::tlog::entry::Outcome::Refused(code) if code.as_str() == refusal.code())
            }
            _ => false,
        };
        entries.iter().filter(is_it).count()
    }

    /// The step was refused, for this reason, and the log says so once more than before.
    pub(super) fn assert_refused<'s, T: std::fmt::Debug>(
        &'s self,
        step: impl Future<Output = Result<T, ReidError>> + 's,
        refusal: Refusal,
    ) -> Pin<Box<dyn Future<Output = ()> + 's>> {
        Box::pin(async move {
            let before = self.refusals(refusal).await;
            let refused = step.await.expect_err("refused");
            assert_eq!(refused.refusal(), Some(refusal), "{refused:?}");
            assert_eq!(self.refusals(refusal).await, before + 1, "{} is in the log", refusal.code());
        })
    }

    /// A machine refused, and its report is in the log.
    pub(super) async fn assert_reported(
        &self,
        who: &AgencyCaller,
        id: ReidentificationId,
        found: Refusal,
        expected: Refusal,
    ) {
        assert_eq!(found, expected);
        let before = self.refusals(expected).await;
        self.programme.gateway.report_reid_fault(who, id, found).await.expect("logged");
        assert_eq!(self.refusals(expected).await, before + 1, "{} is in the log", expected.code());
    }
}

fn people(keys: &dyn Random) -> (Officer, Officer, Team) {
    let source = Officer::with_key("childrens-social-care", 501, SigningKey::generate(keys));
    let second = Officer::with_key("education", 502, SigningKey::generate(keys));
    let (sign, pair) = (SigningKey::generate(keys), SealKeyPair::generate(keys));
    let mut team = Team { caller: caller("programme-team"), key_id: String::new(), sign, pair };
    team.key_id = team.card().id();
    (source, second, team)
}

async fn issue(programme: &TestProgramme) -> Tfid {
    let candidate = json!([{ "agency": "childrens-social-care", "feed": "cases", "ref": opaque(2) }]);
    let request = json!({
        "terms": {
            "programme": programme.code, "agreement": "programme-delivery/v1", "purpose": "programme-delivery",
            "relationship": "screening", "role": "data-analyst", "case": opaque(7), "user": opaque(ASKER),
        },
        "mode": "count", "reason": "test",
        "decision": { "kind": "issue", "route": "referral", "candidates": [candidate] },
    });
    let request = serde_json::from_value(request).expect("a request");
    let reply = programme.gateway.decide_family(&caller("programme-team"), &request, &key()).await.expect("permitted");
    reply.results[0].family.expect("a number")
}
