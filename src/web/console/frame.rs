//! What every page has around it, and how a page becomes an answer.

use askama::Template;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

use super::Console;
use super::fields::Fault;
use super::page::{self, Page};
use super::provider::ProviderError;
use super::visitor::Visitor;
use crate::app::console::ConsoleError;
use crate::app::error::AppError;
use crate::app::log_access::LogAccessError;
use crate::policy::rules::RuleHit;

/// The header, menu and person of a page.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub(super) title: String,
    pub(super) organisation: String,
    pub(super) menu: Vec<MenuLine>,
    pub(super) person: Option<Person>,
    pub(super) is_demonstration: bool,
    /// What was wrong with a form, for the top of the page.
    pub(super) faults: Vec<Fault>,
    /// What was just done.
    pub(super) done: Option<&'static str>,
}

/// A line of the menu.
#[derive(Debug, Clone)]
pub(super) struct MenuLine {
    pub(super) text: &'static str,
    pub(super) path: &'static str,
    pub(super) is_here: bool,
}

/// Who is signed in.
#[derive(Debug, Clone)]
pub(super) struct Person {
    pub(super) name: String,
    pub(super) part: &'static str,
    pub(super) form_token: String,
    /// Seconds until the session ends unless it is used.
    pub(super) ends_in: i64,
}

impl Frame {
    /// The frame of a page that is shown without asking anything of the gateway.
    fn bare(title: &str) -> Self {
        Self {
            title: title.to_owned(),
            organisation: String::new(),
            menu: Vec::new(),
            person: None,
            is_demonstration: false,
            faults: Vec::new(),
            done: None,
        }
    }

    /// The same with what was wrong with a form.
    pub(super) fn with_faults(self, faults: Vec<Fault>) -> Self {
        Self { faults, ..self }
    }

    /// The same with what the address says was just done, of a page's own list.
    pub(super) fn done(self, uri: &Uri, known: &[(&str, &'static str)]) -> Self {
        let word = uri.query().and_then(|query| query.strip_prefix("done="));
        let done = known.iter().find(|(known, _)| Some(*known) == word).map(|(_, said)| *said);
        Self { done, ..self }
    }

    /// The frame of a page that anybody may open.
    pub(super) fn open(console: &Console, title: &str) -> Self {
        Self {
            title: title.to_owned(),
            organisation: console.settings().organisation.clone(),
            is_demonstration: console.settings().demonstration_sign_in,
            ..Self::bare("")
        }
    }

    /// The frame of a page of somebody who is signed in.
    pub(super) fn of_visitor(console: &Console, visitor: &Visitor, title: &str, here: &'static Page) -> Self {
        let persona = visitor.access.persona;
        let lines = page::ALL
            .iter()
            .filter(|page| page.is_for(persona))
            .filter_map(|page| Some(MenuLine { text: page.menu?, path: page.path, is_here: page.path == here.path }));
        let person = Person {
            name: visitor.session.name.clone(),
            part: persona.plain(),
            form_token: visitor.session.form_token.clone(),
            ends_in: visitor.session.ends_in,
        };
        Self { menu: lines.collect(), person: Some(person), ..Self::open(console, title) }
    }
}

/// A page that is answered with 200.
pub(super) struct Shown<T>(pub(super) T);

impl<T: Template> IntoResponse for Shown<T> {
    fn into_response(self) -> Response {
        html(StatusCode::OK, &self.0)
    }
}

/// A page that is shown again because its form could not be taken.
pub(super) struct Again<T>(pub(super) T);

impl<T: Template> IntoResponse for Again<T> {
    fn into_response(self) -> Response {
        html(StatusCode::UNPROCESSABLE_ENTITY, &self.0)
    }
}

/// Leads to a page after a form was taken; `done` is one of that page's words.
pub(super) fn see_other(path: &str, done: &str) -> Response {
    let to = format!("{path}?done={done}");
    let to = HeaderValue::try_from(to).expect("paths and words of ours are plain ASCII");
    (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response()
}

fn html(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(text) => {
            let html = HeaderValue::from_static("text/html; charset=utf-8");
            (status, [(header::CONTENT_TYPE, html)], text).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "a page cannot be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

#[derive(Template)]
#[template(path = "trouble.html")]
struct Trouble<'a> {
    frame: Frame,
    heading: &'a str,
    said: &'a str,
    rules: Vec<RuleHit>,
    next: &'a str,
}

/// Why a page is not shown.
#[derive(Debug)]
pub(super) enum Failed {
    /// Nobody is signed in.
    SignIn {
        /// Where to go afterwards.
        to: String,
    },
    /// The page is for another part.
    NotYours(Box<Frame>),
    /// The agreements do not allow it.
    NotPermitted(Box<Frame>, Vec<RuleHit>),
    /// The agreement's ceiling for one day is reached.
    TooMany(Box<Frame>),
    /// There is no such page or thing.
    Unknown(Box<Frame>),
    /// The address or form cannot be read.
    Malformed(Box<Frame>, &'static str),
    /// A step that cannot be taken now, with why.
    Stopped(Box<Frame>, String),
    /// A form of another site, or of a session that ended.
    Forged,
    /// The sign-in did not come to its end.
    NotSignedIn(Box<Frame>, String),
    /// A fault of ours.
    Ours(AppError),
}

impl From<AppError> for Failed {
    fn from(error: AppError) -> Self {
        Self::Ours(error)
    }
}

impl Failed {
    /// A look at the log that was not given.
    pub(super) fn of_look(error: LogAccessError, frame: Frame) -> Self {
        match error {
            LogAccessError::Unknown => Self::Unknown(Box::new(frame)),
            LogAccessError::NotPermitted { hits, .. } => Self::NotPermitted(Box::new(frame), hits),
            LogAccessError::CeilingReached { .. } => Self::TooMany(Box::new(frame)),
            LogAccessError::Unlisted(_) => Self::Malformed(
                Box::new(frame),
                "Nothing in the log has one of the values searched for, and no list of the programme holds it.",
            ),
            LogAccessError::Question(_) => Self::Malformed(
                Box::new(frame),
                "The programme knows no such role or purpose: an operator has to mend this part's line of access.",
            ),
            LogAccessError::App(error) => Self::Ours(error),
        }
    }

    /// A sign-in that did not come to its end.
    pub(super) fn of_sign_in(error: ConsoleError, frame: Frame) -> Self {
        match error {
            ConsoleError::App(error) => Self::Ours(error),
            other => Self::NotSignedIn(Box::new(frame), format!("{}.", capitalised(&other.to_string()))),
        }
    }

    /// What the provider did wrong; the operator's log gets words of our own, and nothing that the provider sent.
    pub(super) fn of_provider(error: &ProviderError, frame: Frame) -> Self {
        tracing::warn!(reason = error.code(), what = error.what(), "a sign-in failed at the provider");
        Self::NotSignedIn(Box::new(frame), "The organisation's sign-in did not answer as it should.".to_owned())
    }
}

/// The text with a large first letter.
pub(super) fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let told = |status, frame: Frame, heading, said: &str, rules, next| {
            html(status, &Trouble { frame, heading, said, rules, next })
        };
        match self {
            Self::SignIn { to } => super::sign_in::lead_to_sign_in(&to),
            Self::NotYours(frame) => told(
                StatusCode::FORBIDDEN,
                *frame,
                "This page is not for your role",
                "You are signed in, and this page belongs to another part of the work.",
                Vec::new(),
                "If it should be yours, ask whoever gives out the roles in your organisation's sign-in.",
            ),
            Self::NotPermitted(frame, rules) => told(
                StatusCode::FORBIDDEN,
                *frame,
                "The agreements do not allow this",
                "The refusal is in the disclosure log.",
                rules,
                "The agreement's owner can tell what would have to change.",
            ),
            Self::TooMany(frame) => told(
                StatusCode::TOO_MANY_REQUESTS,
                *frame,
                "You have looked as often as the agreement allows in a day",
                "The agreement sets how many looks there are in a day. The refusal is in the log.",
                Vec::new(),
                "Go on tomorrow. If the number does not fit the work, the agreement's owner can tell what would have to change.",
            ),
            Self::Unknown(frame) => told(
                StatusCode::NOT_FOUND,
                *frame,
                "Page not found",
                "There is nothing at this address.",
                Vec::new(),
                "Check the address, or go to the home page.",
            ),
            Self::Malformed(frame, said) => told(
                StatusCode::BAD_REQUEST,
                *frame,
                "This cannot be read",
                said,
                Vec::new(),
                "Go back, and try again with the fields of the page.",
            ),
            Self::Stopped(frame, said) => {
                told(StatusCode::CONFLICT, *frame, "This cannot be done", &said, Vec::new(), "Nothing was changed.")
            }
            Self::Forged => told(
                StatusCode::FORBIDDEN,
                Frame::bare("This form is not taken"),
                "This form is not taken",
                "It does not come from a page of your session here. Nothing was changed.",
                Vec::new(),
                "Your session may have ended meanwhile: sign in again, and fill in the form once more.",
            ),
            Self::NotSignedIn(frame, said) => told(
                StatusCode::FORBIDDEN,
                *frame,
                "You are not signed in",
                &said,
                Vec::new(),
                "Try to sign in again. If it goes wrong again, tell your operator when it happened.",
            ),
            Self::Ours(error) => {
                tracing::error!(%error, "a page failed");
                told(
                    StatusCode::SERVICE_UNAVAILABLE,
                    Frame::bare("Sorry, there is a problem"),
                    "Sorry, there is a problem",
                    "The gateway could not do this now. Nothing was changed.",
                    Vec::new(),
                    "Try again in a minute.",
                )
            }
        }
    }
}
