//! In, back from the provider, and out.

use std::fmt::Write as _;

use askama::Template;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

use super::Console;
use super::form::{Posted, read};
use super::frame::{Failed, Frame, Shown};
use super::visitor::{SESSION_COOKIE, cookie, signed_in};
use crate::app::console::{ConsoleError, Cookie, DEMONSTRATION};
use crate::config::{AccessConfig, Persona};
use crate::crypto::jwt::SignedIn;
use crate::web::api::form;

/// The cookie that binds a sign-in to one browser.
const SIGN_IN_COOKIE: &str = "__Host-porth-sign-in";
/// The people of the demonstration, by the place of their line of access among those of their part; invented.
const INVENTED: [(Persona, &[&str]); 4] = [
    (Persona::Officer, &["Morwenna Trelawney", "Kerensa Tregear", "Piran Nancarrow"]),
    (Persona::DataTeam, &["Jago Penrose"]),
    (Persona::Auditor, &["Demelza Rowe"]),
    (Persona::Operator, &["Denzil Carne"]),
];

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    frame: Frame,
    to: String,
    has_provider: bool,
    demonstration: Vec<DemonstrationLine>,
}

struct DemonstrationLine {
    claim: String,
    name: &'static str,
    plain: &'static str,
}

#[derive(Template)]
#[template(path = "signed_out.html")]
struct SignedOutPage {
    frame: Frame,
}

/// Asks how somebody wants to sign in.
pub(super) async fn ask(State(console): State<Console>, uri: Uri) -> Response {
    let to = query(&uri, "to").unwrap_or_else(|| "/".to_owned());
    let settings = console.settings();
    let lines = settings.access.iter().filter(|_| settings.demonstration_sign_in);
    let demonstration = lines.map(|line| DemonstrationLine {
        claim: line.claim.clone(),
        name: invented_name(&settings.access, line),
        plain: line.persona.plain(),
    });
    let page = SignInPage {
        frame: Frame::open(&console, "Sign in"),
        to,
        has_provider: console.provider().is_some(),
        demonstration: demonstration.collect(),
    };
    Shown(page).into_response()
}

/// Sends the browser to the provider. With `fresh`, for a new proof by whoever is signed in.
pub(super) async fn begin(State(console): State<Console>, uri: Uri, headers: HeaderMap) -> Result<Response, Failed> {
    let to = query(&uri, "to").unwrap_or_else(|| "/".to_owned());
    let Some(provider) = console.provider() else { return Ok(lead_to_sign_in(&to)) };
    let visitor = if query(&uri, "fresh").is_some() { signed_in(&headers, &console).await? } else { None };
    let session = visitor.as_ref().map(|visitor| &visitor.session);
    let begun = console.gateway().begin_sign_in(&to, session).await?;
    let address = provider.address(&begun, session.is_some()).await;
    let address = address.map_err(|error| Failed::of_provider(&error, Frame::open(&console, "Sign in")))?;
    Ok(redirect(&address, Some(set_cookie(SIGN_IN_COOKIE, &begun.cookie, 600))))
}

/// The browser comes back from the provider.
pub(super) async fn back(State(console): State<Console>, uri: Uri, headers: HeaderMap) -> Result<Response, Failed> {
    let frame = || Frame::open(&console, "Sign in");
    let Some(provider) = console.provider() else { return Ok(lead_to_sign_in("/")) };
    let no_sign_in = || Failed::of_sign_in(ConsoleError::NoSignIn, frame());
    let cookie = cookie(&headers, SIGN_IN_COOKIE).ok_or_else(no_sign_in)?;
    let state = query(&uri, "state").ok_or_else(no_sign_in)?;
    let taken = console.gateway().take_sign_in(&cookie, &state).await;
    let (sign_in, now) = taken.map_err(|error| Failed::of_sign_in(error, frame()))?;
    let Some(code) = query(&uri, "code") else {
        return Err(Failed::NotSignedIn(Box::new(frame()), "The sign-in was not completed.".to_owned()));
    };
    let person = provider.person(&sign_in, &code, now).await;
    let person = person.map_err(|error| Failed::of_provider(&error, frame()))?;
    let access = console.access_of(&person.roles).map(|line| line.claim.as_str());
    let opened = console.gateway().finish_sign_in(&sign_in, provider.issuer(), &person, access).await;
    if let Ok(Some(_)) = opened {
        end_before(&console, &headers).await?;
    }
    let mut response = match opened {
        Ok(opened) => redirect(&sign_in.return_to, opened.map(|cookie| set_cookie(SESSION_COOKIE, &cookie, 0))),
        Err(error) if error.ended_session() => {
            let mut told = Failed::of_sign_in(error, frame()).into_response();
            told.headers_mut().append(header::SET_COOKIE, dropped(SESSION_COOKIE));
            told
        }
        Err(error) => return Err(Failed::of_sign_in(error, frame())),
    };
    response.headers_mut().append(header::SET_COOKIE, dropped(SIGN_IN_COOKIE));
    Ok(response)
}

/// Lets anybody in as any line of access, for demonstrations with invented people.
pub(super) async fn demonstrate(
    State(console): State<Console>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Failed> {
    if !console.settings().demonstration_sign_in {
        return Err(Failed::Unknown(Box::new(Frame::open(&console, "Page not found"))));
    }
    let fields = read(&headers, body, &console).await?;
    let claim = fields.get("claim").unwrap_or_default();
    let line = console.settings().access.iter().find(|line| line.claim == claim).ok_or(Failed::Forged)?;
    let begun = console.gateway().begin_sign_in(fields.get("to").unwrap_or("/"), None).await?;
    let frame = || Frame::open(&console, "Sign in");
    let taken = console.gateway().take_sign_in(&begun.cookie, &begun.state).await;
    let (sign_in, now) = taken.map_err(|error| Failed::of_sign_in(error, frame()))?;
    let person = SignedIn {
        subject: line.claim.clone(),
        name: invented_name(&console.settings().access, line).to_owned(),
        authenticated_at: Some(now),
        roles: vec![line.claim.clone()],
    };
    let opened = console.gateway().finish_sign_in(&sign_in, DEMONSTRATION, &person, Some(&line.claim)).await;
    let opened = opened.map_err(|error| Failed::of_sign_in(error, frame()))?;
    end_before(&console, &headers).await?;
    Ok(redirect(&sign_in.return_to, opened.map(|cookie| set_cookie(SESSION_COOKIE, &cookie, 0))))
}

/// Ends the session.
pub(super) async fn out(State(console): State<Console>, posted: Posted) -> Result<Response, Failed> {
    console.gateway().end_console_session(&posted.visitor.session).await?;
    let mut response = redirect("/signed-out", None);
    response.headers_mut().append(header::SET_COOKIE, dropped(SESSION_COOKIE));
    // Whatever a page of the session left in the browser goes too; but an officer's own signing key stays, which
    // is in the browser's storage and can be made only once.
    response.headers_mut().insert(HeaderName::from_static("clear-site-data"), HeaderValue::from_static("\"cache\""));
    Ok(response)
}

/// One browser has one session: the one before a sign-in would go on with nobody to sign it out.
async fn end_before(console: &Console, headers: &HeaderMap) -> Result<(), Failed> {
    match signed_in(headers, console).await? {
        Some(before) => Ok(console.gateway().end_console_session(&before.session).await?),
        None => Ok(()),
    }
}

/// Says that the session has ended.
pub(super) async fn is_out(State(console): State<Console>) -> Response {
    Shown(SignedOutPage { frame: Frame::open(&console, "You have signed out") }).into_response()
}

/// There is nothing at an address.
#[expect(clippy::unused_async, reason = "a handler is async")]
pub(super) async fn no_page(console: Console) -> Failed {
    Failed::Unknown(Box::new(Frame::open(&console, "Page not found")))
}

/// Leads to the sign-in, and from there back to a page.
pub(super) fn lead_to_sign_in(to: &str) -> Response {
    redirect(&format!("/sign-in?to={}", escaped(to)), None)
}

/// Who signs in by a line of access in the demonstration.
fn invented_name(lines: &[AccessConfig], line: &AccessConfig) -> &'static str {
    let of_part = lines.iter().filter(|other| other.persona == line.persona);
    let place = of_part.take_while(|other| other.claim != line.claim).count();
    let names = INVENTED.iter().find(|(persona, _)| *persona == line.persona).map_or(&[][..], |(_, names)| *names);
    names.get(place).copied().unwrap_or("Somebody invented")
}

fn query(uri: &Uri, name: &str) -> Option<String> {
    let pairs = form::parse(uri.query().unwrap_or_default()).ok()?;
    pairs.get(name).map(|value| value.clone().into_owned()).filter(|value| value.len() <= 4096)
}

fn redirect(to: &str, cookie: Option<HeaderValue>) -> Response {
    let Ok(to) = HeaderValue::from_str(to) else { return StatusCode::BAD_REQUEST.into_response() };
    let mut response = (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response();
    response.headers_mut().extend(cookie.map(|cookie| (header::SET_COOKIE, cookie)));
    response
}

/// A cookie of this host alone, that no script reads. `Lax`, because the way back from the provider
/// begins at another site; forms are kept safe by their token. `seconds` 0: until the browser closes.
fn set_cookie(name: &str, cookie: &Cookie, seconds: u32) -> HeaderValue {
    let age = if seconds == 0 { String::new() } else { format!("; Max-Age={seconds}") };
    let text = format!("{name}={}; Path=/; Secure; HttpOnly; SameSite=Lax{age}", cookie.expose());
    let mut value = HeaderValue::try_from(text).expect("a cookie of ours is base64url text");
    value.set_sensitive(true);
    value
}

fn dropped(name: &str) -> HeaderValue {
    HeaderValue::try_from(format!("{name}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0"))
        .expect("a cookie's name is plain text")
}

fn escaped(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.".contains(&byte);
    path.bytes().fold(String::new(), |mut text, byte| {
        if plain(byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}"); // a String takes every write
        }
        text
    })
}
