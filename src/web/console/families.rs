//! The programme's families, a page at a time; and the way to one by its number, which is typed into a form
//! and never stands in an address.

use askama::Template;
use axum::extract::State;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};

use super::Console;
use super::asking::{self, DELIVERY};
use super::evidence::{self, Meaning};
use super::fields::Form;
use super::form::Posted;
use super::frame::{Again, Failed, Frame, Shown};
use super::visitor::Visitor;
use super::{page, words};
use crate::app::console::handles::{Handle, Subject};
use crate::app::families::list::{FamilyListing, ListedFamily, Which};
use crate::domain::tfid::Tfid;

/// What the list may be narrowed to: its word in the address, and its name.
const FILTERS: [(&str, Which, &str); 4] = [
    ("all", Which::All, "All families"),
    ("not-attached", Which::NotAttached, "Not attached yet"),
    ("not-engaged", Which::NotEngaged, "Attached, and nobody seen since"),
    ("nobody-leads", Which::NobodyLeads, "Nobody leads any more"),
];

#[derive(Template)]
#[template(path = "families.html")]
pub(super) struct FamiliesPage {
    frame: Frame,
    filters: Vec<Filter>,
    chosen: &'static str,
    none: &'static str,
    families: Vec<Line>,
    meanings: Vec<Meaning>,
    next: Option<String>,
    open: Form,
    look: String,
}

/// A choice of the list.
struct Filter {
    path: String,
    text: &'static str,
    is_chosen: bool,
}

/// A family of the list.
struct Line {
    path: String,
    name: String,
    route: &'static str,
    issued: String,
    attached: String,
    lead: Meaning,
    contact: String,
}

/// The form that leads to one family was filled in wrongly; the list is not read for that.
#[derive(Template)]
#[template(path = "open_family.html")]
struct OpenPage {
    frame: Frame,
    open: Form,
}

/// Shows a page of the list.
pub(super) async fn list(
    State(console): State<Console>,
    visitor: Visitor,
    uri: Uri,
) -> Result<Shown<FamiliesPage>, Failed> {
    let frame = || visitor.frame("Families", &page::FAMILIES);
    let policies = console.gateway().current_policies().await?;
    let word = asking::parameter(&uri, "which").unwrap_or_else(|| "all".to_owned());
    let (word, which, chosen) = *FILTERS
        .iter()
        .find(|(known, ..)| *known == word)
        .ok_or_else(|| Failed::Malformed(Box::new(frame()), "The address of this page is not one that it makes."))?;
    let after = match asking::parameter(&uri, "after") {
        Some(handle) => Some(asking::family_of(&console, &visitor, &handle, frame).await?.1),
        None => None,
    };
    let purpose = asking::purpose(&policies, DELIVERY, frame)?;
    let terms = asking::family_terms(&console, &visitor, &policies, &purpose)?;
    let listing = FamilyListing { terms, which, after };
    let found = console.gateway().list_families(&visitor.caller(), &listing).await;
    let found = found.map_err(|error| asking::of_family(error, frame()))?;
    let mut subjects: Vec<Subject> = found.families.iter().map(|family| Subject::Family(family.tfid)).collect();
    subjects.extend(found.next_after.map(Subject::Family));
    let handles = console.gateway().page_handles(&visitor.session, &subjects).await?;
    let next = found.next_after.and(handles.last()).map(|last| format!("/families?which={word}&after={last}"));
    let families: Vec<Line> =
        found.families.iter().zip(&handles).map(|(family, handle)| line(family, handle)).collect();
    let mut meanings: Vec<Meaning> = Vec::new();
    for line in &families {
        if !meanings.contains(&line.lead) {
            meanings.push(line.lead);
        }
    }
    let filter = |(path, _, text): &(&str, Which, &'static str)| Filter {
        path: format!("/families?which={path}"),
        text,
        is_chosen: *path == word,
    };
    Ok(Shown(FamiliesPage {
        filters: FILTERS.iter().map(filter).collect(),
        chosen,
        none: none(which, listing.after.is_some(), next.is_some()),
        families,
        meanings,
        next,
        open: open_form(&visitor),
        look: found.entry.disclosure.to_string(),
        frame: frame(),
    }))
}

/// Leads to the family of a number, whether there is one or not.
pub(super) async fn open(State(console): State<Console>, posted: Posted) -> Result<Response, Failed> {
    let Posted { visitor, fields } = posted;
    let mut form = open_form(&visitor);
    form.take(&fields);
    match Tfid::parse(fields.get("number").unwrap_or_default()) {
        Ok(tfid) => {
            let handles = console.gateway().page_handles(&visitor.session, &[Subject::Family(tfid)]).await?;
            let path = handles.first().map(path).unwrap_or_default();
            Ok(axum::response::Redirect::to(&path).into_response())
        }
        Err(error) => {
            form.fault("number", super::frame::capitalised(&error.to_string()));
            let frame = visitor.frame("Open a family", &page::FAMILIES).with_faults(form.faults());
            Ok(Again(OpenPage { frame, open: form }).into_response())
        }
    }
}

/// The address of a family on the pages of this session.
pub(super) fn path(handle: &Handle) -> String {
    format!("/families/{handle}")
}

/// What a family is called on the pages of this session.
pub(super) fn name(handle: &Handle) -> String {
    format!("Family {}", handle.short())
}

fn line(family: &ListedFamily, handle: &Handle) -> Line {
    let contact = family.last_contact.map_or_else(|| "Not known".to_owned(), words::month);
    Line {
        path: path(handle),
        name: name(handle),
        route: evidence::route(family.route),
        issued: words::day(family.issued_on),
        attached: family.attached_on.map_or_else(|| "Not yet".to_owned(), words::day),
        lead: evidence::lead(family.lead_state),
        contact: match (family.attached_on, family.engaged_since) {
            (Some(_), None) => format!("{contact}, none known since it was attached"),
            _ => contact,
        },
    }
}

/// Why the list is empty.
fn none(which: Which, is_later: bool, goes_on: bool) -> &'static str {
    match which {
        _ if goes_on => "None of the families looked at so far is of this kind. Go on to the next.",
        _ if is_later => "There are no more.",
        Which::All => {
            "No family may be shown: none has a number yet, or the agreements let the data team see no record of those \
             that have. A match run finds candidates, and numbers are issued from its page."
        }
        Which::NotAttached => "Every family that may be shown is attached.",
        Which::NotEngaged => {
            "Of every attached family that may be shown, somebody has been seen to work with it since."
        }
        Which::NobodyLeads => "There is no family that may be shown and for which somebody led, and nobody does now.",
    }
}

fn open_form(visitor: &Visitor) -> Form {
    Form::new(visitor, "/families", "open", "Open a family by its number", "Open").secondary().text(
        "number",
        "The family’s number",
        "Such as TF-0000-0000-0000-0011. It goes into no address and not into the log.",
    )
}
