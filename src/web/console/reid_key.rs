//! An officer's signing key. It is made in the browser and stays there; here its public half becomes the card
//! that two people enrol.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

use super::Console;
use super::fields::Form;
use super::form::Posted;
use super::frame::{Again, Failed, Frame, Shown};
use super::visitor::Visitor;
use super::{page, words};
use crate::app::policies::Policies;
use crate::app::reidentification::card::ReidCard;
use crate::crypto::sign::VerifyingKey;
use crate::domain::token::{decode_base64url, encode_base64url};

/// The page's own path.
const PATH: &str = "/reidentifications/key";
/// The field of the public half.
const PUBLIC: &str = "public-key";

#[derive(Template)]
#[template(path = "reid_key.html")]
pub(super) struct KeyPage {
    frame: Frame,
    agency: String,
    agency_code: String,
    person: String,
    enrolled: Vec<EnrolledKey>,
    make: Form,
    card: Option<CardShown>,
}

/// A key that is enrolled for whoever looks; its public half tells the browser whether it is the one there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EnrolledKey {
    pub(super) id: String,
    pub(super) public: String,
}

/// A card that was just put together.
struct CardShown {
    key_id: String,
    json: String,
    download: Form,
}

/// Shows the page.
pub(super) async fn show(State(console): State<Console>, visitor: Visitor) -> Result<Shown<KeyPage>, Failed> {
    Ok(Shown(page_of(&console, &visitor).await?))
}

/// Turns a public key into its card: to look at, or to keep as a file.
pub(super) async fn step(State(console): State<Console>, posted: Posted) -> Result<Response, Failed> {
    let Posted { visitor, fields } = posted;
    let mut shown = page_of(&console, &visitor).await?;
    let bytes = fields.get(PUBLIC).and_then(decode_base64url::<32>);
    let Some(key) = bytes.and_then(|bytes| VerifyingKey::from_bytes(&bytes).ok()) else {
        shown.make.refuse("This browser sent no public key of Ed25519. Make the key again.");
        shown.frame = shown.frame.clone().with_faults(shown.make.faults());
        return Ok(Again(shown).into_response());
    };
    let person = console.gateway().console_person(&visitor.session.account);
    let card = ReidCard::officer(&visitor.access.agency, person, &key);
    let json = serde_json::to_string_pretty(&card).map_err(|_| internal())?;
    if fields.get("step") == Some("download") {
        return Ok(attachment(&format!("{}.json", card.key_id), json));
    }
    let download =
        Form::new(&visitor, PATH, "download", "", "Download the card").hidden(PUBLIC, encode_base64url(key.as_bytes()));
    shown.card = Some(CardShown { key_id: card.key_id.clone(), json, download });
    Ok(Shown(shown).into_response())
}

async fn page_of(console: &Console, visitor: &Visitor) -> Result<KeyPage, Failed> {
    let policies = console.gateway().current_policies().await?;
    let policies: &Policies = &policies;
    Ok(KeyPage {
        agency: words::agency(policies, &visitor.access.agency),
        agency_code: visitor.access.agency.to_string(),
        person: console.gateway().console_person(&visitor.session.account).as_str().to_owned(),
        enrolled: enrolled(console, visitor).await?,
        make: Form::new(visitor, PATH, "make", "", "Make a key in this browser").hidden(PUBLIC, ""),
        card: None,
        frame: visitor.frame("Your signing key", &page::REIDENTIFICATIONS),
    })
}

/// The keys that are enrolled for whoever looks.
pub(super) async fn enrolled(console: &Console, visitor: &Visitor) -> Result<Vec<EnrolledKey>, Failed> {
    let person = console.gateway().console_person(&visitor.session.account);
    let keys = console.gateway().officer_keys(&visitor.access.agency, &person).await?;
    let told = |key: crate::store::ReidKey| EnrolledKey { public: encode_base64url(&key.sign_key), id: key.key_id };
    Ok(keys.into_iter().map(told).collect())
}

/// A file to keep, of JSON.
pub(super) fn attachment(name: &str, json: String) -> Response {
    let named = HeaderValue::try_from(format!("attachment; filename=\"{name}\""));
    let named = named.unwrap_or(HeaderValue::from_static("attachment"));
    let json_type = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, json_type), (header::CONTENT_DISPOSITION, named)], json).into_response()
}

fn internal() -> Failed {
    Failed::Ours(crate::app::error::AppError::Internal("a card cannot be written"))
}
