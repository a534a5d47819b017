//! Possible matches, as the data team may see them: between which agencies, on what grounds, how far decided.
//! The agencies that hold the records decide; the data team cannot, and sees neither record.

use askama::Template;
use axum::extract::State;
use axum::http::Uri;

use super::Console;
use super::asking::{self, DELIVERY};
use super::frame::{Failed, Frame, Shown};
use super::plain::Tag;
use super::visitor::Visitor;
use super::{page, words};
use crate::app::console::handles::{Handle, Subject};
use crate::app::policies::Policies;
use crate::app::possible_matches::view::{ViewTerms, ViewedPair};

#[derive(Template)]
#[template(path = "possible_matches.html")]
pub(super) struct MatchesPage {
    frame: Frame,
    pairs: Vec<Line>,
    is_later: bool,
    next: Option<String>,
    look: String,
}

/// Two records of the list.
struct Line {
    between: String,
    what: &'static str,
    keys: String,
    bits: String,
    state: Tag,
}

/// Shows a page of the list.
pub(super) async fn show(
    State(console): State<Console>,
    visitor: Visitor,
    uri: Uri,
) -> Result<Shown<MatchesPage>, Failed> {
    let frame = || visitor.frame("Possible matches", &page::POSSIBLE_MATCHES);
    let policies = console.gateway().current_policies().await?;
    let after = match asking::parameter(&uri, "after").as_deref().map(Handle::parse) {
        None => None,
        Some(handle) => {
            let unknown = || Failed::Unknown(Box::new(frame()));
            match console.gateway().behind_handle(&visitor.session, &handle.ok_or_else(unknown)?).await? {
                Some(Subject::Pair(pair)) => Some(pair),
                _ => return Err(unknown()),
            }
        }
    };
    let purpose = asking::purpose(&policies, DELIVERY, frame)?;
    let asked = ViewTerms {
        agreement: visitor.access.agreement.clone(),
        relationship: asking::relationship(&policies, &purpose),
        purpose,
        role: visitor.access.role.clone(),
        user: console.gateway().console_user(&visitor.session.account)?,
        after,
    };
    let viewed = console.gateway().view_possible_matches(&visitor.caller(), &asked).await;
    let viewed = viewed.map_err(|error| asking::of_enquiry(error, frame()))?;
    let last: Vec<Subject> = viewed.next_after.map(Subject::Pair).into_iter().collect();
    let last = console.gateway().page_handles(&visitor.session, &last).await?;
    Ok(Shown(MatchesPage {
        pairs: viewed.pairs.iter().map(|pair| line(pair, &policies)).collect(),
        is_later: after.is_some(),
        next: last.first().map(|last| format!("/possible-matches?after={last}")),
        look: viewed.disclosure.to_string(),
        frame: frame(),
    }))
}

fn line(pair: &ViewedPair, policies: &Policies) -> Line {
    let name = |code: &String| code.parse().map_or_else(|_| code.clone(), |code| words::agency(policies, &code));
    let [a, b] = &pair.agencies;
    let between =
        if a == b { format!("{}, two records of its own", name(a)) } else { format!("{} and {}", name(a), name(b)) };
    let (what, state) = (kind(pair.origin), state(pair.state));
    // Thousandths of a bit; one figure after the point is as much as anybody reads.
    let bits = pair.millibits.map_or_else(|| "not weighed".to_owned(), |bits| format!("{:.1}", bits as f64 / 1000.0));
    Line { between, what, keys: pair.keys.join(", "), bits, state }
}

fn kind(origin: &str) -> &'static str {
    match origin {
        "confirmed" => "Perhaps one person: some match keys agree",
        "apart" => "Perhaps two people: an identifier or date of birth differs",
        "weighed" => "Weighed as one person",
        "fuzzy" => "Alike by fuzzy encodings",
        _ => "Something that this version does not know",
    }
}

fn state(state: &str) -> Tag {
    let (said, colour) = match state {
        "proposed" => ("Waits for the holders", "yellow"),
        "in_force" => ("In force", "blue"),
        "refused" => ("Refused", "grey"),
        _ => ("Not known", "grey"),
    };
    Tag { said, colour }
}
