//! What the tests of the log share: keys from patterns, invented entries.

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

use super::commitment::Opening;
use super::cosignature::Ed25519Signer;
use super::digest::Digest;
use super::entry::*;
use super::note::{KeyId, NoteSigner, NoteVerifier, SigningFailed, TYPE_ED25519, key_id};
use crate::domain::ids::{
    EventId, IncidentId, MatchRunId, NoticeId, PossibleMatchId, RecallId, ReferralId, SubmissionId,
};
use crate::domain::time::Timestamp;

pub(super) const ORIGIN: &str = "gw.example/2026";

/// A named Ed25519 key made from a pattern.
pub(super) struct TestKey {
    name: String,
    pair: Ed25519KeyPair,
    public: [u8; 32],
}

impl TestKey {
    pub(super) fn new(name: &str, seed: u8) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("32 bytes");
        let public = pair.public_key().as_ref().try_into().expect("32 bytes");
        Self { name: name.to_owned(), pair, public }
    }
    pub(super) fn public(&self) -> &[u8; 32] {
        &self.public
    }
}
impl NoteSigner for TestKey {
    fn name(&self) -> &str {
        &self.name
    }
    fn key_id(&self) -> KeyId {
        key_id(&self.name, TYPE_ED25519, &self.public)
    }
    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, SigningFailed> {
        Ok(self.pair.sign(text).as_ref().to_vec())
    }
}
impl NoteVerifier for TestKey {
    fn name(&self) -> &str {
        &self.name
    }
    fn key_id(&self) -> KeyId {
        NoteSigner::key_id(self)
    }
    fn verify(&self, text: &[u8], signature: &[u8]) -> bool {
        check_ed25519(&self.public, text, signature)
    }
}
impl Ed25519Signer for TestKey {
    fn public_key(&self) -> &[u8; 32] {
        &self.public
    }
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SigningFailed> {
        self.pair.sign(message).as_ref().try_into().map_err(|_| SigningFailed)
    }
}

pub(super) fn check_ed25519(public: &[u8; 32], message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ED25519, public).verify(message, signature).is_ok()
}

pub(super) fn event(number: usize) -> EventId {
    let mut bytes = *b"\x01\x99\xb4\xa0\x7c\x00\x70\x00\x80\x00\x00\x00\x00\x00\x00\x00";
    bytes[8 + 4..].copy_from_slice(&u32::try_from(number).expect("small").to_be_bytes());
    EventId::from_slice(&bytes).expect("16 bytes")
}

pub(super) fn at(number: usize) -> Timestamp {
    Timestamp::from_micros(1_790_000_000_000_000 + i64::try_from(number).expect("small"))
}

pub(super) fn code(text: &str) -> Code {
    text.parse().expect("a code")
}

pub(super) const FIELDS: [&str; 4] = ["actor", "answer", "case", "subject"];

/// The openings of the enquiry with this number.
pub(super) fn openings(number: usize) -> Vec<Opening> {
    let salt = |field: &str| *Digest::of(format!("{field} {number}").as_bytes()).as_bytes();
    FIELDS.iter().map(|field| Opening::new(*field, salt(field), format!("{field}-{number}").into_bytes())).collect()
}

pub(crate) fn enquiry(number: usize) -> Body {
    let [actor, answer, case, subject] = openings(number).try_into().expect("four");
    let decision = |supplier: &str, item: &str| Decision {
        supplier: supplier.parse().expect("a code"),
        feed: "attendance".parse().expect("a code"),
        item: code(item),
        supply: Some(code("tff-2026/v3/supply-a")),
        supply_sha256: Some(Digest::of(supplier.as_bytes())),
        receive: Some(code("tff-2026/v3/receive-b")),
        outcome: Contribution::Permitted,
        rules_hit: vec![],
    };
    let withheld = Decision {
        supply: None,
        supply_sha256: None,
        outcome: Contribution::Withheld,
        rules_hit: vec![code("R01"), code("R09")],
        ..decision("police", "A6")
    };
    let feed = |supplier: &str, as_at, late: bool| Feed {
        supplier: supplier.parse().expect("a code"),
        feed: "attendance".parse().expect("a code"),
        as_at,
        legacy_tokens: None,
        late: late.into(),
    };
    Body::Enquiry(Box::new(Enquiry {
        request: Digest::of(&number.to_be_bytes()),
        recipient: "early-help".parse().expect("a code"),
        client: code("early-help-cms"),
        agreement: Some("tff-2026/v3".parse().expect("a reference")),
        agreement_sha256: Some(Digest::of(b"agreement")),
        rules_sha256: Digest::of(b"rules"),
        programme_sha256: Digest::of(b"programme"),
        agencies_sha256: Digest::of(b"agencies"),
        match_keys_sha256: Digest::of(b"match keys"),
        criteria_version: code("2026-04"),
        purpose: "family-support".parse().expect("a code"),
        relationship: code("open-case"),
        role: "practitioner".parse().expect("a code"),
        emergency: None,
        again: None,
        mode: code("areas"),
        outcome: if number % 7 == 3 { Outcome::Refused(code("ceiling")) } else { Outcome::Answered },
        decisions: vec![withheld.clone(), decision("schools", "A1"), decision("schools", "A2")],
        feeds: vec![feed("police", None, true), feed("schools", Some(at(0)), false)],
        commitments: Commitments {
            subject: subject.commitment(),
            case: case.commitment(),
            actor: actor.commitment(),
            answer: answer.commitment(),
            names: None,
        },
        shield_opening: ShieldOpening::new([number as u8; SHIELD_OPENING_BYTES]),
    }))
}

/// The same fields under the type of a look at a family.
pub(super) fn family_disclosure(number: usize) -> Body {
    match enquiry(number) {
        Body::Enquiry(enquiry) => Body::FamilyDisclosure(enquiry),
        other => other,
    }
}

/// One body of each type.
pub(super) fn bodies() -> Vec<Body> {
    let all = vec![
        enquiry(1),
        enquiry(3),
        submission(1),
        Body::PolicyLoad(PolicyLoad {
            programme: "tff".parse().expect("a code"),
            revision: 4,
            programme_sha256: Digest::of(b"programme"),
            match_keys_sha256: Digest::of(b"keys"),
            rules_sha256: Digest::of(b"rules"),
            agencies_sha256: Digest::of(b"agencies"),
            agreements: vec![LoadedAgreement {
                agreement: "tff-2026/v3".parse().expect("a reference"),
                sha256: Digest::of(b"agreement"),
            }],
            by: code("operator-1"),
        }),
        Body::AgreementSignature(AgreementSignature {
            agreement: "tff-2026/v3".parse().expect("a reference"),
            sha256: Digest::of(b"agreement"),
            party: "schools".parse().expect("a code"),
            key: code("ed25519-0011223344556677"),
            signature_sha256: Digest::of(b"signature"),
        }),
        Body::AgreementStatus(AgreementStatus {
            agreement: "tff-2026/v3".parse().expect("a reference"),
            sha256: Digest::of(b"agreement"),
            from: Some(AgreementState::InForce),
            to: AgreementState::Suspended,
            by: code("ig-officer-2"),
            approved_by: Vec::new(),
            reason: code("incident"),
        }),
        Body::SubjectCase(Box::new(SubjectCase {
            matter: Some(code("0199b4a0-7c00-7000-8000-000000000009")),
            right: code("access"),
            action: code("opened"),
            agency: Some("schools".parse().expect("a code")),
            client: code("schools-1"),
            role: Some("dpo".parse().expect("a code")),
            reason: None,
            result: None,
            due: Some(code("2026-10-20")),
            commitments: SubjectCommitments {
                actor: Opening::new("actor", [1; 32], b"user".to_vec()).commitment(),
                detail: Opening::new("detail", [2; 32], b"records".to_vec()).commitment(),
            },
        })),
        Body::LegalHold(LegalHold {
            hold: code("0199b4a0-7c00-7000-8000-00000000000a"),
            covers: code("agency"),
            name: Some(code("schools")),
            action: code("placed"),
            by: code("ig-officer-1"),
            reason: code("inquiry:2026-1"),
        }),
        Body::Deletion(Deletion {
            item: code("subject-cases"),
            programme_sha256: Digest::of(b"programme"),
            months: 24,
            before: Timestamp::from_micros(0),
            count: 3,
            held: 1,
            digest: Digest::of(b"numbers"),
            by: code("retention-job"),
        }),
        Body::AgencyStatus(AgencyStatus {
            agency: "schools".parse().expect("a code"),
            from: None,
            to: code("enrolled"),
            by: code("operator-1"),
            reason: code("joined"),
        }),
        Body::KeyEvent(KeyEvent {
            key: code("checkpoint-2026"),
            used_for: code("checkpoint"),
            action: code("created"),
            public_sha256: Some(Digest::of(b"public")),
            by: code("operator-1"),
            reason: code("new-year"),
        }),
        erasure(&[1, 2]),
        Body::LogOpen(LogOpen {
            programme: "tff".parse().expect("a code"),
            previous: Some(PreviousLog { origin: code("gw.example/2025"), size: 9, root: Digest::of(b"root") }),
        }),
        Body::Standing(Standing {
            of: code("feed"),
            name: code("schools/attendance"),
            agency: "schools".parse().expect("a code"),
            to: code("suspended"),
            by: code("operator-1"),
            reason: code("incident:2026-014"),
        }),
        Body::LogRestore(LogRestore {
            size: 9,
            root: Digest::of(b"root"),
            known_size: 12,
            known_root: Digest::of(b"later root"),
            missing: 3,
            backup_sha256: Digest::of(b"backup"),
            by: code("operator-1"),
            reason: code("disc-failed"),
        }),
        referral_step(),
        Body::Statistics(Box::new(Statistics {
            table: code("areas"),
            profile: code("public"),
            rule: code("public-under-8-step-5-change-10-half-up"),
            release: Some(3),
            as_at: Some(at(0)),
            table_sha256: Some(Digest::of(b"table")),
            recipient: "data-team".parse().expect("a code"),
            client: code("data-team-desk"),
            agreement: Some("tff-2026/v3".parse().expect("a reference")),
            agreement_sha256: Some(Digest::of(b"agreement")),
            rules_sha256: Digest::of(b"rules"),
            programme_sha256: Digest::of(b"programme"),
            agencies_sha256: Digest::of(b"agencies"),
            match_keys_sha256: Digest::of(b"match keys"),
            criteria_version: code("2026-04"),
            purpose: "statistics".parse().expect("a code"),
            role: "analyst".parse().expect("a code"),
            outcome: Outcome::Answered,
            decisions: Vec::new(),
            feeds: vec![Feed {
                supplier: "schools".parse().expect("a code"),
                feed: "attendance".parse().expect("a code"),
                as_at: Some(at(0)),
                legacy_tokens: None,
                late: YesNo::No,
            }],
        })),
        family_disclosure(5),
        Body::FamilyChange(Box::new(FamilyChange {
            action: code("merged"),
            agency: "programme-team".parse().expect("a code"),
            client: code("programme-desk"),
            role: "data-analyst".parse().expect("a code"),
            agreement: "programme-delivery/v1".parse().expect("a reference"),
            purpose: "programme-delivery".parse().expect("a code"),
            reason: code("moved-house"),
            disclosure: event(13),
            commitments: {
                let field = |name: &str| Opening::new(name, [6; 32], name.as_bytes().to_vec()).commitment();
                FamilyCommitments { families: field("families"), change: field("change"), actor: field("actor") }
            },
        })),
        Body::WeightsLearned(WeightsLearned {
            weights_sha256: Digest::of(b"weights"),
            match_keys_sha256: Digest::of(b"match keys"),
            generation: 12,
            records: Some(6667),
            accepted: Some(1667),
            false_links_per_10000_in_thousandths: 2261,
            by: code("analyst-1"),
            commitments: None,
        }),
    ];
    let all = [
        all,
        matches(),
        runs(),
        vec![weights_step(), fuzzy_step(), log_witnesses()],
        recalls(),
        governed(),
        reviews(),
        activation(),
        vec![reid_step()], // what is new comes last: the entries before keep their bytes
    ]
    .concat();
    assert!(Body::KINDS.iter().all(|kind| all.iter().any(|body| body.kind() == *kind)), "every type is here");
    all
}

fn log_witnesses() -> Body {
    Body::LogWitnesses(LogWitnesses {
        witnesses: vec![WitnessNamed { name: Some(code("witness.example")), key_sha256: Digest::of(b"a key") }],
        quorum: 1,
        stop_after_minutes: 240,
        reason: None,
    })
}

/// Weights that took effect.
fn weights_step() -> Body {
    Body::WeightsStep(WeightsStep {
        step: code("apply"),
        weights_sha256: Some(Digest::of(b"weights")),
        match_keys_sha256: Digest::of(b"match keys"),
        generation: 13,
        records: Some(6667),
        weighed: Some(120),
        joined: Some(31),
        parted: Some(2),
        pairs_sha256: Digest::of(b"pairs"),
        by: code("analyst-1"),
        commitments: None,
    })
}

/// Fuzzy encodings that took effect.
fn fuzzy_step() -> Body {
    Body::FuzzyStep(FuzzyStep {
        step: code("apply"),
        privacy: code("weakest-of-three"),
        encoding_sha256: Some(Digest::of(b"encoding profile")),
        threshold_in_thousandths: Some(850),
        match_keys_sha256: Digest::of(b"match keys"),
        generation: 14,
        pairs_sha256: Digest::of(b"fuzzy pairs"),
        by: code("analyst-1"),
        commitments: NumberCommitments { numbers: Opening::new("numbers", [9; 32], b"numbers".to_vec()).commitment() },
    })
}

/// What is logged about recalls.
fn recalls() -> Vec<Body> {
    let recall = RecallId::from_slice(&[0x2b; 16]).expect("16 bytes");
    let notice = NoticeId::from_slice(&[0x2c; 16]).expect("16 bytes");
    let wrong = Opening::new("wrong", [9; 32], b"wrong".to_vec()).commitment();
    vec![
        Body::RecallOpen(RecallOpen {
            recall,
            named_by: code("record"),
            agency: Some("schools".parse().expect("a code")),
            client: Some(code("schools-mis")),
            role: Some("education-welfare-officer".parse().expect("a code")),
            by: None,
            reason: code("twin-or-sibling"),
            commitments: RecallCommitments { wrong },
        }),
        Body::RecallNotice(RecallNotice {
            recall,
            notice,
            recipient: "early-help".parse().expect("a code"),
            of: code("answer"),
            entry: Some(event(1)),
            certain: YesNo::Yes,
            commitments: NoticeCommitments { notice: Opening::new("notice", [9; 32], b"notice".to_vec()).commitment() },
        }),
        Body::RecallStep(RecallStep {
            recall,
            step: code("told"),
            looked_at: 5,
            untouched: 2,
            wrong: 3,
            unsettled: 1,
            engagements: 1,
            families: 1,
        }),
        Body::NoticeAcknowledgement(NoticeAcknowledgement {
            notice,
            agency: "early-help".parse().expect("a code"),
            client: code("early-help-cms"),
            role: "practitioner".parse().expect("a code"),
            action: code("record-corrected"),
        }),
    ]
}

/// What is logged about incidents, emergencies and decisions not to share.
fn governed() -> Vec<Body> {
    let incident = IncidentId::from_slice(&[0x2d; 16]).expect("16 bytes");
    let commitment = |field: &str| Opening::new(field, [9; 32], field.as_bytes().to_vec()).commitment();
    vec![
        Body::IncidentStep(IncidentStep {
            incident,
            aware_at: at(0),
            nature: code("wrong-match"),
            to: code("decided"),
            risk: Some(code("risk")),
            notify_commissioner: Some(YesNo::Yes),
            notify_people: Some(YesNo::No),
            late_reason: None,
            reason: code("limited-harm"),
            record_sha256: Digest::of(b"record"),
            by: code("dpo-1"),
            seconded_by: Some(code("siro-1")),
        }),
        Body::IncidentLink(IncidentLink {
            incident,
            of: code("recall"),
            name: code("2b2b2b2b-2b2b-2b2b-2b2b-2b2b2b2b2b2b"),
            by: code("dpo-1"),
        }),
        Body::EmergencyReview(EmergencyReview {
            entry: event(1),
            agency: "early-help".parse().expect("a code"),
            client: Some(code("early-help-cms")),
            role: Some("team-manager".parse().expect("a code")),
            by: None,
            finding: code("justified"),
            reason: code("immediate-danger"),
            in_time: YesNo::Yes,
            commitments: Some(ReviewerCommitments { actor: commitment("actor") }),
        }),
        Body::NotShared(NotShared {
            agency: "schools".parse().expect("a code"),
            asked_by: code("landlord"),
            items: vec![code("A2"), code("lead")],
            purpose: "family-support".parse().expect("a code"),
            agreement: None,
            reason: code("no-agreement"),
            basis: code("UKGDPR-art5-1-b"),
            client: None,
            role: None,
            by: Some(code("ig-officer-2")),
            commitments: NotSharedCommitments { case: None, actor: None },
        }),
        Body::ShieldReview(ShieldReview {
            agency: "schools".parse().expect("a code"),
            client: code("schools-mis"),
            role: "shield-officer".parse().expect("a code"),
            commitments: ShieldReviewCommitments { review: commitment("review") },
        }),
    ]
}

/// A request to learn who somebody is.
fn reid_step() -> Body {
    let commitment = |field: &str| Opening::new(field, [8; 32], field.as_bytes().to_vec()).commitment();
    Body::ReidStep(Box::new(ReidStep {
        request: Some("0199b4a0-7c00-7000-8000-000000000009".parse().expect("an id")),
        request_sha256: Some(Digest::of(b"request")),
        step: code("request"),
        from: None,
        to: Some(code("voting")),
        agency: "programme-team".parse().expect("a code"),
        client: code("programme-desk"),
        key: None,
        handling: Some(code("ordinary")),
        agreement: Some("programme-delivery/v1".parse().expect("a reference")),
        agreement_sha256: Some(Digest::of(b"agreement")),
        rules_sha256: Some(Digest::of(b"rules")),
        term: Some(code("team-asks-who")),
        source: Some("schools".parse().expect("a code")),
        purpose: Some("programme-delivery".parse().expect("a code")),
        power: Some("CA2004-s10".parse().expect("a code")),
        role: Some("data-analyst".parse().expect("a code")),
        approvals: Some(0),
        certificate_sha256: None,
        envelope_sha256: None,
        reason: None,
        outcome: Outcome::Answered,
        commitments: Some(ReidCommitments {
            actor: commitment("actor"),
            case: commitment("case"),
            subject: commitment("subject"),
            reason: commitment("reason"),
        }),
    }))
}

fn referral_step() -> Body {
    Body::ReferralStep(Box::new(ReferralStep {
        referral: ReferralId::from_slice(event(7).as_bytes()).expect("16 bytes"),
        step: code("find_worker"),
        from: Some(code("known")),
        to: code("worker_found"),
        agency: "early-help".parse().expect("a code"),
        client: code("early-help-cms"),
        agreement: Some("tff-2026/v3".parse().expect("a reference")),
        agreement_sha256: Some(Digest::of(b"agreement")),
        rules_sha256: Digest::of(b"rules"),
        programme_sha256: Digest::of(b"programme"),
        purpose: "lead-contact".parse().expect("a code"),
        relationship: code("referral"),
        role: "practitioner".parse().expect("a code"),
        answer: Some(event(1)),
        with: None,
        team: None,
        outcome: Outcome::Answered,
        commitments: ReferralCommitments { actor: openings(7)[0].commitment(), case: None, family: None },
    }))
}

/// What is logged about possible matches.
fn matches() -> Vec<Body> {
    let commitment = |field: &str| Opening::new(field, [7; 32], field.as_bytes().to_vec()).commitment();
    let Body::Enquiry(like) = enquiry(1) else { panic!("an enquiry") };
    vec![
        Body::MatchAsk(MatchAsk {
            recipient: "schools".parse().expect("a code"),
            purpose: "programme-delivery".parse().expect("a code"),
            rules_sha256: Digest::of(b"rules"),
            programme_sha256: Digest::of(b"programme"),
            agencies_sha256: Digest::of(b"agencies"),
            match_keys_sha256: Digest::of(b"match keys"),
            commitments: AskCommitments { asked: commitment("asked") },
        }),
        Body::MatchDecision(MatchDecision {
            possible_match: PossibleMatchId::from_slice(&[0x5a; 16]).expect("16 bytes"),
            agency: "schools".parse().expect("a code"),
            client: code("schools-mis"),
            action: code("confirm"),
            role: "education-welfare-officer".parse().expect("a code"),
            reason: code("checked-file"),
            commitments: DecisionCommitments { effect: commitment("effect"), record: commitment("record") },
        }),
        Body::MatchView(Box::new(MatchView {
            recipient: "data-team".parse().expect("a code"),
            client: code("data-team-desk"),
            agreement: like.agreement,
            agreement_sha256: like.agreement_sha256,
            rules_sha256: like.rules_sha256,
            programme_sha256: like.programme_sha256,
            agencies_sha256: like.agencies_sha256,
            match_keys_sha256: like.match_keys_sha256,
            purpose: "programme-delivery".parse().expect("a code"),
            relationship: code("screening"),
            role: "data-analyst".parse().expect("a code"),
            outcome: Outcome::Answered,
            decisions: like.decisions,
            feeds: like.feeds,
            commitments: ViewCommitments { actor: commitment("actor"), shown: commitment("shown") },
        })),
    ]
}

/// What is logged about match runs.
fn runs() -> Vec<Body> {
    let actor = Opening::new("actor", [8; 32], b"actor".to_vec()).commitment();
    let run = MatchRunId::from_slice(&[0x3c; 16]).expect("16 bytes");
    let Body::Enquiry(like) = enquiry(1) else { panic!("an enquiry") };
    let step = MatchRunStep {
        run,
        step: code("close"),
        agency: "data-team".parse().expect("a code"),
        client: code("data-team-desk"),
        agreement: None,
        agreement_sha256: None,
        rules_sha256: like.rules_sha256,
        role: "data-analyst".parse().expect("a code"),
        outcome: Outcome::Answered,
        sha256: Some(Digest::of(b"output")),
        snapshot_sha256: Some(Digest::of(b"snapshot")),
        counts: Some(vec![
            RunCount { of: code("families"), count: 1966 },
            RunCount { of: code("persons"), count: 7078 },
        ]),
        decisions: Vec::new(),
        ground: None,
        commitments: RunCommitments { actor, counts: None },
    };
    vec![
        Body::MatchRun(Box::new(MatchRun {
            run,
            recipient: "data-team".parse().expect("a code"),
            client: code("data-team-desk"),
            agreement: like.agreement,
            agreement_sha256: like.agreement_sha256,
            rules_sha256: like.rules_sha256,
            programme_sha256: like.programme_sha256,
            agencies_sha256: like.agencies_sha256,
            match_keys_sha256: like.match_keys_sha256,
            criteria_version: like.criteria_version,
            purpose: "programme-delivery".parse().expect("a code"),
            relationship: code("screening"),
            role: "data-analyst".parse().expect("a code"),
            outcome: Outcome::Answered,
            generation: Some(12),
            decisions: like.decisions,
            feeds: like.feeds,
            inputs: vec![RunInput {
                agency: "schools".parse().expect("a code"),
                feed: "attendance".parse().expect("a code"),
                submission: SubmissionId::from_slice(event(3).as_bytes()).expect("16 bytes"),
                as_at: at(0),
                digest: Digest::of(b"delivery"),
            }],
            commitments: RunCommitments { actor, counts: None },
        })),
        Body::MatchRunStep(Box::new(step)),
        log_access(),
    ]
}

/// What is logged about an export of the log.
pub(super) fn log_access() -> Body {
    let Body::Enquiry(like) = enquiry(1) else { panic!("an enquiry") };
    Body::LogAccess(Box::new(LogAccess {
        action: code("export"),
        recipient: Some("programme-team".parse().expect("a code")),
        client: code("operator-1"),
        agreement: like.agreement,
        agreement_sha256: like.agreement_sha256,
        rules_sha256: like.rules_sha256,
        programme_sha256: like.programme_sha256,
        agencies_sha256: like.agencies_sha256,
        purpose: "audit".parse().expect("a code"),
        role: Some("auditor".parse().expect("a code")),
        outcome: Outcome::Answered,
        filters: vec![Filter { by: code("area"), value: code("A4") }],
        entry: Some(event(3)),
        first: Some(0),
        last: Some(9),
        count: 10,
        openings: code("permitted"),
        decisions: like.decisions,
        commitments: None,
        witnessed: None,
        keys_sha256: Some(Digest::of(b"keys")),
    }))
}

/// What is logged about reviews and alerts.
fn reviews() -> Vec<Body> {
    let (agency, by) = ("schools".parse().expect("a code"), code("ig-officer-2"));
    vec![
        Body::ReviewOfficer(ReviewOfficer {
            account: by.clone(),
            agency: "programme-team".parse().expect("a code"),
            action: code("registered"),
            keys: vec![code("ed25519-0011223344556677")],
            clients: vec![code("programme-desk")],
            has_user_references: YesNo::Yes,
            by: code("operator-1"),
            reason: code("appointed:2026-03"),
        }),
        Body::ReviewPlan(Box::new(ReviewPlan {
            strategy: code("stratified"),
            seed: Digest::of(b"dice"),
            seed_from: code("given"),
            since: at(0),
            until: at(9),
            first: 0,
            log_size: 9,
            filters: vec![Filter { by: code("agency"), value: code("schools") }],
            entries: Vec::new(),
            size: 20,
            minimum: 2,
            population: 412,
            population_sha256: Digest::of(b"population"),
            strata: 7,
            sample: 20,
            sample_sha256: Digest::of(b"sample"),
            by: by.clone(),
            reason: code("quarter:2026-3"),
        })),
        Body::ReviewStep(Box::new(ReviewStep {
            entry: event(1),
            step: code("confirmed"),
            from: code("proposed"),
            to: code("due"),
            agency: Some(agency),
            finding: Some(code("not_justified_no_basis")),
            severity: Some(code("high")),
            action: Some(code("suspend_agreement")),
            owner: Some(code("agreements-lead")),
            due: Some(code("2026-10-31")),
            agreement: Some("tff-2026/v3".parse().expect("a reference")),
            look: Some(event(4)),
            by: by.clone(),
            reason: code("review:2026-09/14"),
        })),
        Body::ReviewReply(ReviewReply {
            entry: event(1),
            finding: event(5),
            agency: "schools".parse().expect("a code"),
            client: code("schools-mis"),
            position: code("disputed"),
            reason: code("letter:2026-118"),
        }),
        Body::AlertOpen(AlertOpen {
            kind: code("low_match_rate"),
            severity: code("medium"),
            agency: Some("schools".parse().expect("a code")),
            client: Some(code("schools-mis")),
            day: code("2026-09-20"),
            entry: None,
            figures: vec![Figure { of: code("answered"), count: 80 }, Figure { of: code("known"), count: 3 }],
        }),
        Body::AlertStep(AlertStep {
            alert: event(6),
            step: code("escalate"),
            from: code("open"),
            to: code("escalated"),
            escalated_to: Some(code("dpo")),
            by: by.clone(),
            reason: code("call:2026-09-21"),
        }),
        Body::AlertDecoy(AlertDecoy { action: code("registered"), decoys: 3, by, reason: code("plan:2026") }),
    ]
}

pub(super) fn erasure(numbers: &[usize]) -> Body {
    let events = numbers.iter().copied().map(event).collect();
    Body::Erasure(Erasure { events, reason: code("retention"), by: code("retention-job") })
}

pub(super) fn submission(number: usize) -> Body {
    Body::Submission(Submission {
        submission: SubmissionId::from_slice(event(number).as_bytes()).expect("16 bytes"),
        agency: "schools".parse().expect("a code"),
        feed: "attendance".parse().expect("a code"),
        agreement: "tff-2026/v3".parse().expect("a reference"),
        mode: SubmissionMode::Snapshot,
        as_at: at(0),
        rows_accepted: Some(number as u64),
        rows: None,
        rows_rejected: 0,
        tokens_retired: 0,
        commitments: None,
        digest: Digest::of(b"delivery"),
    })
}

pub(super) fn small_entry(number: usize) -> Vec<u8> {
    small_entry_of(ORIGIN, number)
}

pub(super) fn small_entry_of(log: &str, number: usize) -> Vec<u8> {
    render(log, number, submission(number))
}

/// How an agreement comes into force: asked for, approved, done.
fn activation() -> Vec<Body> {
    vec![
        Body::AgreementRequest(AgreementRequest {
            agreement: "tff-2026/v3".parse().expect("a reference"),
            sha256: Digest::of(b"agreement"),
            action: code("asked"),
            by: code("ig-officer-1"),
            reason: code("board:2026-11"),
        }),
        Body::AgreementApproval(AgreementApproval {
            agreement: "tff-2026/v3".parse().expect("a reference"),
            sha256: Digest::of(b"agreement"),
            by: code("ig-officer-2"),
        }),
        Body::AgreementStatus(AgreementStatus {
            agreement: "tff-2026/v3".parse().expect("a reference"),
            sha256: Digest::of(b"agreement"),
            from: Some(AgreementState::Signed),
            to: AgreementState::InForce,
            by: code("ig-officer-1"),
            approved_by: vec![code("ig-officer-2"), code("ig-officer-3")],
            reason: code("board:2026-11"),
        }),
    ]
}

pub(super) fn render(log: &str, number: usize, body: Body) -> Vec<u8> {
    let nonce = *Digest::of(&number.to_be_bytes()).as_bytes();
    Entry::new(log, event(number), at(number), nonce, body).render().expect("renders")
}
