//! One request to learn who somebody is: the whole of it in plain words, where it is, and what whoever looks
//! may do about it. Showing an officer its text is an entry of the log.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::{IntoResponse, Response};

use super::Console;
use super::fields::Form;
use super::form::Posted;
use super::frame::{Again, Failed, Frame, Shown, see_other};
use super::plain::Tag;
use super::reid_key::{EnrolledKey, attachment, enrolled};
use super::reid_text::Row;
use super::reid_vote::VOTE;
use super::reid_words::Stage;
use super::reids::{approvals, failed, open, party, path, waits_for};
use super::visitor::Visitor;
use super::{page, reid_text, reid_vote, reid_words, words};
use crate::app::policies::Policies;
use crate::app::reidentification::ReidView;
use crate::app::reidentification::desk::Voter;
use crate::app::reidentification::view::Part;
use crate::config::Persona;
use crate::domain::ids::ReidentificationId;
use crate::domain::reidentification::request::CanonicalRequest;
use crate::domain::reidentification::state::State as Where;
use crate::domain::reidentification::vote::Choice;

/// What is said after a step.
const DONE: &[(&str, &str)] = &[
    ("ask", "The request is made, and in the log. Officers and the source may vote."),
    ("approve", "Your approval is recorded."),
    ("refuse", "Your refusal is recorded. Nothing will be released."),
    ("withdraw", "Your approval is taken back."),
    ("take-back", "The request is taken back. Nothing will be released."),
];

#[derive(Template)]
#[template(path = "reid.html")]
pub(super) struct ReidPage {
    frame: Frame,
    id: String,
    part: &'static str,
    state: Tag,
    ended: Option<String>,
    waits: Option<&'static str>,
    track: Vec<Stage>,
    text: Option<Text>,
    sha256: String,
    approvals: usize,
    votes: Vec<VoteLine>,
    steps: Vec<StepLine>,
    /// Where to come back to from a new proof of who somebody is, where one is needed.
    fresh: Option<String>,
    signing: Option<Signing>,
    commands: Vec<(&'static str, String)>,
    forms: Vec<Form>,
}

/// The request itself.
struct Text {
    rows: Vec<Row>,
    besides: Vec<Row>,
    canonical: String,
}

struct VoteLine {
    who: String,
    key: String,
    said: &'static str,
    at: String,
}

struct StepLine {
    at: String,
    said: String,
    path: Option<String>,
}

/// What a browser needs to sign.
struct Signing {
    form: Form,
    keys: Vec<EnrolledKey>,
    approve: String,
}

/// Shows it.
pub(super) async fn show(
    State(console): State<Console>,
    visitor: Visitor,
    Path(request): Path<String>,
    uri: Uri,
) -> Result<Shown<ReidPage>, Failed> {
    let view = look(&console, &visitor, &request).await?;
    let mut shown = page_of(&console, &visitor, &view).await?;
    shown.frame = shown.frame.done(&uri, DONE);
    Ok(Shown(shown))
}

/// Takes a signed vote, the request back, or gives a file.
pub(super) async fn step(
    State(console): State<Console>,
    Path(request): Path<String>,
    posted: Posted,
) -> Result<Response, Failed> {
    let Posted { visitor, fields } = posted;
    let frame = || frame_of(&visitor);
    let gateway = console.gateway();
    match (fields.get("step").unwrap_or_default(), visitor.access.persona) {
        (VOTE, Persona::Officer) => {
            let id = id_of(&visitor, &request)?;
            let person = gateway.console_person(&visitor.session.account);
            let caller = visitor.caller();
            let mut form = reid_vote::form(&visitor, &path(id), &[], &person);
            let Some(vote) = reid_vote::read(&mut form, &fields) else {
                return refuse_form(&console, &visitor, &request, &fields).await;
            };
            let voter = Voter { caller: &caller, person: &person, is_fresh: visitor.session.is_fresh };
            gateway.vote_at_console(voter, id, &vote).await.map_err(|error| failed(error, frame()))?;
            Ok(see_other(&path(id), vote.choice.as_str()))
        }
        ("take-back", Persona::DataTeam) => {
            let id = id_of(&visitor, &request)?;
            let taken = gateway.withdraw_reidentification(&party(&visitor), id).await;
            taken.map_err(|error| failed(error, frame()))?;
            Ok(see_other(&path(id), "take-back"))
        }
        ("file", Persona::Officer | Persona::DataTeam) => {
            let view = look(&console, &visitor, &request).await?;
            Ok(attachment(&format!("request-{}.json", view.id), view.request.unwrap_or_default()))
        }
        ("asked", Persona::DataTeam) => {
            let view = look(&console, &visitor, &request).await?;
            // What `porth reid open` wants to find before it opens anything. The family's number is not in it.
            let asked =
                serde_json::json!({ "request": view.request, "family": "asked in the console", "person": null });
            Ok(attachment(&format!("{}.asked.json", view.id), asked.to_string()))
        }
        _ => {
            id_of(&visitor, &request)?;
            look(&console, &visitor, &request).await?;
            Err(Failed::Stopped(Box::new(frame()), "This is no step of a request.".to_owned()))
        }
    }
}

/// The page again, with what was missing in the form.
async fn refuse_form(
    console: &Console,
    visitor: &Visitor,
    request: &str,
    fields: &super::form::Fields,
) -> Result<Response, Failed> {
    let view = look(console, visitor, request).await?;
    let mut shown = page_of(console, visitor, &view).await?;
    let Some(signing) = &mut shown.signing else {
        let said =
            "Show once more that it is you, and decide then: a signature needs a sign-in of the last five minutes.";
        return Err(Failed::Stopped(Box::new(frame_of(visitor)), said.to_owned()));
    };
    signing.form.take(fields);
    let _missing = reid_vote::read(&mut signing.form, fields);
    for name in ["at", "key", "signature"] {
        signing.form.forget(name);
    }
    shown.frame = shown.frame.clone().with_faults(signing.form.faults());
    Ok(Again(shown).into_response())
}

/// The request as whoever looks may see it. An auditor sees where it is; its text is for its parties.
async fn look(console: &Console, visitor: &Visitor, request: &str) -> Result<ReidView, Failed> {
    let gateway = console.gateway();
    let id = id_of(visitor, request)?;
    let unknown = || Failed::Unknown(Box::new(frame_of(visitor)));
    let (party, frame) = (party(visitor), frame_of(visitor));
    match visitor.access.persona {
        Persona::Officer => gateway.show_reidentification(&party, id).await.map_err(|error| failed(error, frame)),
        Persona::DataTeam => {
            let part =
                gateway.part_in_reidentification(&party, id).await.map_err(|error| failed(error, frame.clone()))?;
            if part != Some(Part::Requester) {
                return Err(unknown());
            }
            gateway.show_reidentification(&party, id).await.map_err(|error| failed(error, frame))
        }
        _ => {
            let views = open(gateway, visitor).await.map_err(|error| failed(error, frame))?;
            views.into_iter().find(|view| view.id == id).ok_or_else(unknown)
        }
    }
}

async fn page_of(console: &Console, visitor: &Visitor, view: &ReidView) -> Result<ReidPage, Failed> {
    let gateway = console.gateway();
    let policies = gateway.current_policies().await?;
    let person = gateway.console_person(&visitor.session.account);
    let steps = gateway.reidentification_steps(&party(visitor), view.id).await;
    let steps = steps.map_err(|error| failed(error, frame_of(visitor)))?;
    let request = view.request.as_deref().and_then(|text| CanonicalRequest::parse(text).ok());
    let is_officer = visitor.access.persona == Persona::Officer;
    let choices = if is_officer { reid_vote::choices(view, &person) } else { Vec::new() };
    let own = path(view.id);
    let needs_proof = !choices.is_empty() && !visitor.session.is_fresh;
    let signing = if choices.is_empty() || needs_proof {
        None
    } else {
        Some(Signing {
            form: reid_vote::form(visitor, &own, &choices, &person),
            keys: enrolled(console, visitor).await?,
            approve: command_line(view, &choices),
        })
    };
    let file = || Form::new(visitor, &own, "file", "", "Download the request").secondary();
    let mut forms = Vec::new();
    if request.is_some() {
        forms.push(file());
    }
    let is_teams = visitor.access.persona == Persona::DataTeam;
    if is_teams && !view.state.is_end() {
        forms.push(Form::new(visitor, &own, "asked", "", "Download the note for your machine").secondary());
    }
    let can_be_called_off = matches!(
        view.state,
        Where::Voting {} | Where::Authorised { .. } | Where::Certified { .. } | Where::Answered { .. }
    );
    if is_teams && can_be_called_off {
        forms.push(Form::new(visitor, &own, "take-back", "", "Take the request back").secondary());
    }
    Ok(ReidPage {
        id: view.id.to_string(),
        part: reid_words::part(view.part),
        state: reid_words::state(&view.state),
        ended: ended(view, &policies),
        waits: waits_for(visitor.access.persona, view, &person),
        track: reid_words::track(&view.state),
        text: request.zip(view.request.clone()).map(|(request, canonical)| Text {
            rows: reid_text::asked(&request, policies.book()),
            besides: reid_text::besides(&request),
            canonical,
        }),
        sha256: view.request_sha256.to_string(),
        approvals: approvals(view),
        votes: votes(view, &policies),
        steps: steps.into_iter().map(|step| step_line(&step, visitor, &policies)).collect(),
        fresh: needs_proof.then(|| own.clone()),
        signing,
        commands: commands(visitor, view),
        forms,
        frame: frame_of(visitor),
    })
}

fn votes(view: &ReidView, policies: &Policies) -> Vec<VoteLine> {
    let line = |vote: &crate::domain::reidentification::vote::Vote| VoteLine {
        who: words::agency(policies, &vote.agency),
        key: vote.key_id.clone(),
        said: reid_words::choice(vote.choice),
        at: words::moment(vote.at),
    };
    view.votes.iter().map(line).collect()
}

fn step_line(step: &crate::app::reidentification::desk::StepTaken, visitor: &Visitor, policies: &Policies) -> StepLine {
    let who = if step.is_gateways { "The gateway".to_owned() } else { words::agency(policies, &step.agency) };
    let came = step.refused.map_or_else(String::new, |refusal| format!(", which was refused ({})", refusal.code()));
    StepLine {
        at: words::moment(step.at),
        said: format!("{who} {}{came}", reid_words::step(&step.step)),
        path: page::ENTRY.is_for(visitor.access.persona).then(|| format!("/log/{}", step.entry)),
    }
}

/// What ended it.
fn ended(view: &ReidView, policies: &Policies) -> Option<String> {
    match &view.state {
        Where::Refused { by, reason } => Some(format!("{} refused: {reason}.", words::agency(policies, by))),
        Where::Withdrawn {} => Some("The data team took the request back.".to_owned()),
        Where::Expired {} => Some("Nobody did in time what was due.".to_owned()),
        Where::Lapsed { .. } => Some("The data team fetched the envelope, and did not countersign in time.".to_owned()),
        _ => None,
    }
}

/// What is done on a machine of one's own, with its command.
fn commands(visitor: &Visitor, view: &ReidView) -> Vec<(&'static str, String)> {
    const PEOPLE: &str = "-k agency-keys.json --people people.csv --mapping mapping.toml --columns columns.toml";
    let id = view.id;
    match (visitor.access.persona, view.part, &view.state) {
        (Persona::Officer, Part::Source, Where::Voting {}) => vec![
            (
                "Your agency approves on its own machine, beside its own record, which this gateway cannot show. Look at both:",
                format!("porth reid approve {id} -c connection.toml -f reid {PEOPLE}"),
            ),
            ("Then sign:", format!("porth reid approve {id} -c connection.toml -f reid {PEOPLE} --sign")),
            (
                "Or refuse there, so that your machine answers nothing, whatever certificate comes:",
                format!("porth reid refuse {id} -c connection.toml -f reid --reason no-ground"),
            ),
        ],
        (Persona::Officer, Part::Source, Where::Authorised { .. } | Where::Certified { .. }) => vec![(
            "Your agency answers on its own machine, which checks every signature and seals the identity:",
            format!("porth reid answer {id} -c connection.toml -f reid {PEOPLE}"),
        )],
        (Persona::DataTeam, Part::Requester, state) if !state.is_end() => vec![
            (
                "Collecting and opening stay on your own machine. If you asked here, and not there, put the note there first:",
                format!("install -D -m 600 {id}.asked.json reid/requests/{id}.asked.json"),
            ),
            (
                "When it is answered, collect, open and countersign:",
                format!("porth reid open {id} -c connection.toml -f reid --out who.txt"),
            ),
        ],
        _ => Vec::new(),
    }
}

/// How the same is signed on the command line.
fn command_line(view: &ReidView, choices: &[Choice]) -> String {
    let id = view.id;
    let line = |choice: &Choice| match choice {
        Choice::Approve => format!(
            "porth reid approve {id} -c connection.toml -f reid\nporth reid approve {id} -c connection.toml -f reid --sign"
        ),
        Choice::Refuse => format!("porth reid refuse {id} -c connection.toml -f reid --reason no-ground"),
        Choice::Withdraw => format!("porth reid withdraw {id} -c connection.toml -f reid"),
    };
    choices.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn frame_of(visitor: &Visitor) -> Frame {
    visitor.frame("A request to learn who somebody is", &page::REIDENTIFICATIONS)
}

fn id_of(visitor: &Visitor, text: &str) -> Result<ReidentificationId, Failed> {
    text.parse().map_err(|_| Failed::Unknown(Box::new(frame_of(visitor))))
}
