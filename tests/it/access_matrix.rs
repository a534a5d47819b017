//! Who may do what with whose: every operation of the OpenAPI document, for agencies of each kind, in every
//! role that the programme declares, with objects of their own and of others, in one table. An operation
//! that is not in the table fails the test; so does one in the table that is not there.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use porth::app::caller::AgencyCaller;
use porth::crypto::random::SystemRandom;
use porth::crypto::seal::SealKeyPair;
use porth::crypto::sign::SigningKey;
use porth::store::{ReidKey, ReidKeyKind};
use porth::web::api::openapi::document;
use serde_json::{Value, json};

use crate::support::agency::{TestAgency, idempotency_key};
use crate::support::connection::Reply;
use crate::support::database::Backend;
use crate::support::gateway::TestGateway;
use crate::support::people::{ADDRESS, LINKING, Person, epoch, flag, reference, token};

const EDUCATION: &str = "education";
const HOUSING: &str = "housing";
const HUB: &str = "early-help-hub";
const TEAM: &str = "programme-team";
/// Who calls everything: one that delivers, one that does not, one that asks, and the programme's own team.
const CALLERS: [&str; 4] = [EDUCATION, HOUSING, HUB, TEAM];
const CHILD: Person = Person::new("Child", "1 Quay");
const NOBODYS: &str = "01990000-0000-7000-8000-000000000000";

/// Who may do it, and with what.
enum Rule {
    /// Whoever is enrolled: nothing in the answer is anybody's own.
    Whoever,
    /// Whoever is enrolled, of its own things alone: what belongs to another is not in the answer.
    OwnThings,
    /// With an object of the path: these agencies, for whom it is there. For others, and with an object that
    /// is not there at all, it is not found.
    Object(Kind, &'static [&'static str]),
    /// Whom an agreement lets, in these roles; everybody else, in any role, is refused.
    Agreement(&'static [(&'static str, &'static [&'static str])]),
    /// In the name of this agency alone; everybody else is refused.
    InTheNameOf(&'static str),
    /// With an object of the path, of which each party may do another thing and everybody else none: for
    /// these agencies it is there; for others it is not found, or the step is refused.
    Step(Kind, &'static [&'static str]),
    /// Without any token: the test of credentials has it.
    WithoutToken,
}

/// Objects that there is one of, each owned by somebody.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Delivered by education.
    Submission,
    /// Asked by the hub.
    Screening,
    /// Begun by the team.
    Run,
    /// A case of somebody's right that education opened.
    Case,
    /// Made by education.
    Complaint,
    /// Asked by the team, of education, about a family that nobody has a record of.
    Reidentification,
    /// Of nobody here, as what is held of an upload that broke off: whoever asks is told that it is not there.
    Nothing,
}

use Kind::{Case, Complaint, Nothing, Reidentification, Run, Screening, Submission};
use Rule::{Agreement, InTheNameOf, Object, OwnThings, Step, Whoever, WithoutToken};

const HUB_ASKS: &[(&str, &[&str])] = &[(HUB, &["hub-screener", "early-help-practitioner"])];
const TEAM_ALONE: &[(&str, &[&str])] = &[(TEAM, &["data-analyst", "claims-officer", "auditor"])];
const TEAM_ANALYST: &[(&str, &[&str])] = &[(TEAM, &["data-analyst"])];

/// The agencies that have shield officers are not among the callers.
const NOBODY: &[(&str, &[&str])] = &[];

const TABLE: &[(&str, Rule)] = &[
    ("post /oauth/token", WithoutToken),
    ("get /openapi.json", WithoutToken),
    ("get /v1/agreements", Whoever),
    ("post /v1/decisions-not-to-share", Whoever),
    ("get /v1/emergencies", OwnThings),
    ("post /v1/emergencies/reviews", Object(Nothing, &[])),
    ("post /v1/enquiries", Agreement(HUB_ASKS)),
    ("post /v1/families/baseline", Agreement(TEAM_ALONE)),
    ("post /v1/families/claim-check", Agreement(TEAM_ALONE)),
    ("post /v1/families/decisions", Agreement(TEAM_ALONE)),
    ("post /v1/families/engagement", Agreement(TEAM_ALONE)),
    ("post /v1/families/lead", Agreement(TEAM_ALONE)),
    ("post /v1/families/lookup", Agreement(TEAM_ALONE)),
    ("get /v1/feeds", OwnThings),
    ("get /v1/log/checkpoint", Whoever),
    ("get /v1/log/cosignatures", Whoever),
    ("post /v1/log/cosignatures", Whoever),
    ("get /v1/log/entries", Agreement(TEAM_ALONE)),
    ("get /v1/log/entries/{id}", Agreement(TEAM_ALONE)),
    ("get /v1/log/entries/{id}/replay", Agreement(TEAM_ALONE)),
    ("get /v1/log/tile/{path}", Whoever),
    ("post /v1/match-runs", Agreement(TEAM_ALONE)),
    ("get /v1/match-runs/{id}", Object(Run, &[TEAM])),
    ("get /v1/match-runs/{id}/difference", Object(Run, &[TEAM])),
    ("post /v1/match-runs/{id}/families", Object(Run, &[TEAM])),
    ("post /v1/match-runs/{id}/list", Object(Run, &[])),
    ("post /v1/match-runs/{id}/repeat", Object(Run, &[TEAM])),
    ("post /v1/match-runs/{id}/reply", Object(Run, &[])),
    ("post /v1/match-runs/{id}/steps", Object(Run, &[TEAM])),
    ("post /v1/match-runs/{id}/validations", Object(Run, &[EDUCATION])),
    ("post /v1/match-runs/{id}/work-list", Object(Run, &[EDUCATION])),
    ("get /v1/notices", OwnThings),
    ("post /v1/notices/{id}/acknowledge", Object(Nothing, &[])),
    ("post /v1/notices/{id}/ask-again", Object(Nothing, &[])),
    ("post /v1/policy/explain", Whoever),
    ("post /v1/policy/preview", Agreement(TEAM_ANALYST)),
    ("get /v1/possible-matches", OwnThings),
    ("post /v1/possible-matches", InTheNameOf(EDUCATION)),
    ("post /v1/possible-matches/views", Agreement(TEAM_ALONE)),
    ("post /v1/possible-matches/{id}/decisions", Object(Nothing, &[])),
    ("post /v1/possible-matches/{id}/reversals", Object(Nothing, &[])),
    ("post /v1/recalls", Whoever),
    ("post /v1/referrals", Agreement(HUB_ASKS)),
    ("post /v1/referrals/steps", Object(Nothing, &[])),
    ("get /v1/reidentifications", OwnThings),
    ("post /v1/reidentifications", Agreement(TEAM_ANALYST)),
    ("get /v1/reidentifications/{id}", Object(Reidentification, &[HOUSING, HUB, TEAM])),
    ("post /v1/reidentifications/{id}/answers", Step(Reidentification, &[])),
    ("post /v1/reidentifications/{id}/approvals", Step(Reidentification, &[])),
    ("post /v1/reidentifications/{id}/certificate", Step(Reidentification, &[])),
    ("post /v1/reidentifications/{id}/collection", Step(Reidentification, &[])),
    ("post /v1/reidentifications/{id}/faults", Step(Reidentification, &[HOUSING, HUB, TEAM])),
    ("post /v1/reidentifications/{id}/receipts", Step(Reidentification, &[])),
    ("post /v1/reidentifications/{id}/refusals", Step(Reidentification, &[])),
    ("post /v1/reidentifications/{id}/withdrawal", Step(Reidentification, &[TEAM])),
    ("get /v1/relay/grants", OwnThings),
    ("post /v1/relay/grants", Whoever),
    ("post /v1/relay/grants/{id}/acknowledgement", Object(Nothing, &[])),
    ("get /v1/reviews", OwnThings),
    ("post /v1/reviews/replies", Object(Nothing, &[])),
    ("post /v1/screenings", Whoever),
    ("get /v1/screenings/{id}", Object(Screening, &[HUB])),
    ("post /v1/screenings/{id}/rows", Object(Screening, &[HUB])),
    ("post /v1/shields/list", Agreement(NOBODY)),
    ("post /v1/shields/reviews", Agreement(NOBODY)),
    ("get /v1/statistics/{table}", Agreement(TEAM_ANALYST)),
    ("get /v1/subject-cases", OwnThings),
    ("post /v1/subject-cases", InTheNameOf(EDUCATION)),
    ("post /v1/subject-cases/{id}/data", Object(Case, &[EDUCATION])),
    ("post /v1/subject-cases/{id}/decisions", Object(Case, &[EDUCATION])),
    ("post /v1/subject-cases/{id}/lifts", Object(Case, &[EDUCATION])),
    ("post /v1/subject-cases/{id}/replies", Object(Case, &[EDUCATION])),
    ("post /v1/subject-cases/{id}/steps", Object(Case, &[EDUCATION])),
    ("get /v1/subject-complaints", OwnThings),
    ("post /v1/subject-complaints", Whoever),
    ("post /v1/subject-complaints/{id}/steps", Object(Complaint, &[EDUCATION])),
    ("get /v1/subject-parts", OwnThings),
    ("post /v1/subject-parts/{id}/answers", Object(Nothing, &[])),
    ("post /v1/subject-parts/{id}/data", Object(Nothing, &[])),
    ("post /v1/subject-parts/{id}/lifts", Object(Nothing, &[])),
    ("get /v1/submissions", OwnThings),
    ("post /v1/submissions", InTheNameOf(EDUCATION)),
    ("post /v1/submissions/held", Object(Nothing, &[])),
    ("get /v1/submissions/{id}", Object(Submission, &[EDUCATION])),
    ("post /v1/submissions/{id}/lines", Object(Nothing, &[])),
    ("post /v1/submissions/{id}/retract", Object(Submission, &[EDUCATION])),
    ("get /v1/submissions/{id}/shared-addresses", Object(Submission, &[EDUCATION])),
    ("post /v1/token-checks", Whoever),
];

/// A gateway with an object of each kind.
struct World<'g> {
    document: Value,
    home: &'g TestGateway,
    callers: Vec<TestAgency<'g>>,
    submission: String,
    screening: String,
    run: String,
    case: String,
    complaint: String,
    reidentification: String,
    entry: String,
    match_keys: String,
    today: String,
}

impl<'g> World<'g> {
    async fn new(home: &'g TestGateway) -> Self {
        let mut callers = Vec::new();
        for code in CALLERS {
            callers.push(home.agency(code).await);
        }
        let [education, _, hub, team] = &callers[..] else { panic!("four callers") };
        let record = CHILD.record(&home.linkage, "child", json!([flag("E1", "met")]));
        let submission = education.deliver("attendance", "early-help-core/v1", &[record]).await;
        let asked = hub.enquire(&hub.question("areas", &CHILD)).await;
        let entry = asked.json()["disclosure"].as_str().expect("an entry").to_owned();
        let policies = home.gateway().current_policies().await.expect("policies");
        let today = home.now().await.date().to_string();
        let mut world = Self {
            document: document(),
            home,
            submission,
            entry,
            screening: String::new(),
            run: String::new(),
            case: String::new(),
            complaint: String::new(),
            reidentification: String::new(),
            match_keys: policies.match_keys_sha256_hex().to_owned(),
            today,
            callers: Vec::new(),
        };
        let screened = world.send(hub, "post /v1/screenings", "/v1/screenings", None).await;
        world.screening = screened.json()["id"].as_str().unwrap_or_else(|| panic!("{screened:?}")).to_owned();
        let begun = world.send(team, "post /v1/match-runs", "/v1/match-runs", Some("data-analyst")).await;
        world.run = begun.json()["id"].as_str().unwrap_or_else(|| panic!("{begun:?}")).to_owned();
        let id_of = |reply: &Reply, place: &str| {
            reply.json().pointer(place).and_then(Value::as_str).unwrap_or_else(|| panic!("{reply:?}")).to_owned()
        };
        let opened = world.send(education, "post /v1/subject-cases", "/v1/subject-cases", None).await;
        world.case = id_of(&opened, "/case/id");
        let complained = world.send(education, "post /v1/subject-complaints", "/v1/subject-complaints", None).await;
        world.complaint = id_of(&complained, "/complaint/id");
        world.reidentification = reidentification(home, team).await;
        home.wait_sequenced().await;
        Self { callers, ..world }
    }

    fn object(&self, kind: Kind) -> &str {
        match kind {
            Submission => &self.submission,
            Screening => &self.screening,
            Run => &self.run,
            Case => &self.case,
            Complaint => &self.complaint,
            Reidentification => &self.reidentification,
            Nothing => NOBODYS,
        }
    }

    /// Calls an operation with the document's own example, made good for this gateway, in a role.
    async fn send(&self, agency: &TestAgency<'_>, name: &str, path: &str, role: Option<&str>) -> Reply {
        let (method, template) = name.split_once(' ').expect("method and path");
        let operation = &self.document["paths"][template][method];
        let content = operation["requestBody"]["content"].as_object().and_then(|all| all.iter().next());
        let (media, body) = content.map_or((None, String::new()), |(media, content)| {
            let text = match &content["example"] {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            (Some(media.as_str()), self.made_good(&text, role))
        });
        let key = idempotency_key();
        let mut headers = vec![("idempotency-key", key.as_str())];
        headers.extend(media.map(|media| ("content-type", media)));
        agency.call(&method.to_uppercase(), path, &headers, body).await
    }

    /// The example with this gateway's key checks, match keys and day, and in another role.
    fn made_good(&self, text: &str, role: Option<&str>) -> String {
        let checks = epoch(&self.home.linkage)["key_checks"].clone();
        let mut text = text.to_owned();
        for kind in [LINKING, ADDRESS] {
            let check = checks[kind].as_str().expect("a check");
            text = text.replace(&format!("\"{kind}\":\"0000000000000000\""), &format!("\"{kind}\":\"{check}\""));
            let of_child = token(&self.home.linkage, kind, if kind == LINKING { CHILD.name } else { CHILD.address });
            text =
                text.replace(&format!("\"{kind}\":[\"{}\"]", "A".repeat(43)), &format!("\"{kind}\":[\"{of_child}\"]"));
        }
        text = text.replace(
            &format!("\"match_keys\":\"{}\"", "0".repeat(64)),
            &format!("\"match_keys\":\"{}\"", self.match_keys),
        );
        text = text.replace("\"as_at\":\"2026-09-18\"", &format!("\"as_at\":\"{}\"", self.today));
        // What is done by a record is done by education's own.
        let of_child = reference(CHILD.name);
        let anybodys = format!("{{\"feed\":\"attendance\",\"ref\":\"{}\"}}", "A".repeat(22));
        text = text.replace(&anybodys, &format!("{{\"feed\":\"attendance\",\"ref\":\"{of_child}\"}}"));
        if text.contains("programme_file") {
            let file = include_str!("../../policies/programme.toml");
            let mut body: Value = serde_json::from_str(&text).expect("JSON");
            body["programme_file"] = file.into();
            text = body.to_string();
        }
        match role {
            None => text,
            Some(role) => {
                let (before, after) = text.split_once("\"role\":\"").unwrap_or_else(|| panic!("no role in {text}"));
                let (_, after) = after.split_once('"').expect("ends");
                format!("{before}\"role\":\"{role}\"{after}")
            }
        }
    }

    fn path(&self, name: &str, object: &str, role: &str) -> String {
        let (_, template) = name.split_once(' ').expect("method and path");
        let path = template.replace("{path}", "0/000").replace("{id}", object);
        let grounds = format!("agreement=programme-delivery/v1&role={role}");
        match template {
            "/v1/log/entries" => format!("{path}?{grounds}"),
            _ if template.starts_with("/v1/log/entries/") => path.replace(object, &self.entry) + "?" + &grounds,
            "/v1/statistics/{table}" => path.replace("{table}", "areas") + "?" + &grounds,
            "/v1/submissions/held" => path + "?feed=attendance",
            _ => path,
        }
    }
}

/// What the team asks of education about a family of which nobody has a record; gives its id.
async fn reidentification(home: &TestGateway, team: &TestAgency<'_>) -> String {
    let random = SystemRandom::new();
    let pair = SealKeyPair::generate(&random);
    let mut card = ReidKey {
        key_id: String::new(),
        kind: ReidKeyKind::Recipient,
        agency: team.code.clone(),
        person: None,
        sign_key: *SigningKey::generate(&random).verifying_key().as_bytes(),
        seal_key: Some(pair.public().to_bytes()),
    };
    card.key_id = card.id();
    home.gateway().enrol_reid_key(&card, "operator-1", "operator-2").await.expect("enrolled");
    let example = &document()["paths"]["/v1/reidentifications"]["post"]["requestBody"]["content"];
    let mut new = example["application/json"]["example"].clone();
    new["recipient"] = card.key_id.into();
    let caller = AgencyCaller { agency: team.code.clone(), client: team.client.clone() };
    let new = serde_json::from_value(new).expect("the example is a request");
    let asked = home.gateway().request_reidentification(&caller, &new, &idempotency_key()).await.expect("permitted");
    asked.id.to_string()
}

/// What is wrong with an operation, a line each.
async fn faults(world: &World<'_>, name: &str, rule: &Rule, roles: &[String]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut hold = |holds: bool, what: &str, reply: &Reply| {
        if !holds {
            let text: String = reply.text().chars().take(160).collect();
            faults.push(format!("{name}: {what}: {} {text}", reply.status));
        }
    };
    for caller in &world.callers {
        let code = caller.code.as_str();
        match rule {
            WithoutToken => {}
            Whoever | OwnThings => {
                let reply = world.send(caller, name, &world.path(name, NOBODYS, ""), None).await;
                hold(reply.status != 401 && reply.status != 403 && reply.status < 500, code, &reply);
                let foreign = [
                    (EDUCATION, &world.submission),
                    (EDUCATION, &world.case),
                    (EDUCATION, &world.complaint),
                    (HUB, &world.screening),
                    (TEAM, &world.run),
                ];
                for (_, object) in foreign.into_iter().filter(|(owner, _)| *owner != code) {
                    hold(!reply.text().contains(object.as_str()), &format!("{code} reads another's"), &reply);
                }
            }
            Object(kind, owners) => {
                let reply = world.send(caller, name, &world.path(name, world.object(*kind), ""), None).await;
                if owners.contains(&code) {
                    hold(
                        ![401, 403, 404].contains(&reply.status) && reply.status < 500,
                        &format!("{code}, its own"),
                        &reply,
                    );
                } else {
                    hold(reply.status == 404, &format!("{code}, another's"), &reply);
                }
                let reply = world.send(caller, name, &world.path(name, NOBODYS, ""), None).await;
                hold(reply.status == 404, &format!("{code}, nobody's"), &reply);
            }
            Step(kind, owners) => {
                let reply = world.send(caller, name, &world.path(name, world.object(*kind), ""), None).await;
                let is_let = reply.status < 300;
                hold(is_let == owners.contains(&code), &format!("{code}, its part"), &reply);
                hold([200, 201, 202, 404, 409, 422].contains(&reply.status), code, &reply);
                let reply = world.send(caller, name, &world.path(name, NOBODYS, ""), None).await;
                hold([404, 422].contains(&reply.status), &format!("{code}, nobody's"), &reply);
            }
            Agreement(permits) => {
                let may = permits.iter().find(|(agency, _)| *agency == code).map_or(&[][..], |(_, roles)| *roles);
                for role in roles {
                    let has_body = name.starts_with("post");
                    let role_in_body = has_body.then_some(role.as_str());
                    let reply = world.send(caller, name, &world.path(name, NOBODYS, role), role_in_body).await;
                    let what = format!("{code} as {role}");
                    if may.contains(&role.as_str()) {
                        hold(![401, 403].contains(&reply.status) && reply.status < 500, &what, &reply);
                    } else {
                        hold(reply.status == 403, &format!("{what} is not refused"), &reply);
                    }
                }
            }
            InTheNameOf(agency) => {
                let reply = world.send(caller, name, &world.path(name, NOBODYS, ""), None).await;
                let is_let = ![401, 403].contains(&reply.status) && reply.status < 300;
                hold(is_let == (code == *agency), code, &reply);
            }
        }
    }
    faults
}

#[tokio::test]
async fn every_operation_is_held_for_every_kind_of_agency_role_and_object() {
    let home = TestGateway::start_with(Backend::Sqlite, "[limits]\nburst = 50000\nrequests_per_second = 5000.0").await;
    let world = World::new(&home).await;
    let document = document();
    let paths = document["paths"].as_object().expect("paths");
    let operations: BTreeSet<String> = paths
        .iter()
        .flat_map(|(path, item)| {
            item.as_object().expect("operations").keys().map(move |method| format!("{method} {path}"))
        })
        .collect();
    let listed: BTreeSet<String> = TABLE.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(listed.len(), TABLE.len(), "an operation is in the table twice");
    assert_eq!(listed, operations, "the table is not the document");

    let policies = home.gateway().current_policies().await.expect("policies");
    let roles: Vec<String> = policies.programme().roles().iter().map(|role| role.code.to_string()).collect();
    assert!(roles.len() > 8, "{roles:?}");
    let mut found = Vec::new();
    // What takes a submission or a request back comes last: it is the others' object.
    let is_last = |name: &str| name.ends_with("/retract") || name.ends_with("/withdrawal");
    let (last, first): (Vec<_>, Vec<_>) = TABLE.iter().partition(|(name, _)| is_last(name));
    for (name, rule) in first.into_iter().chain(last) {
        found.extend(faults(&world, name, rule, &roles).await);
    }
    let text = found.iter().fold(String::new(), |mut text, fault| {
        writeln!(text, "{fault}").expect("a string takes it");
        text
    });
    assert!(found.is_empty(), "{} faults:\n{text}", found.len());
    home.stop().await;
}
