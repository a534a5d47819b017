//! Who is at the console. A handler that names a [`Visitor`] runs only for somebody who is signed in and
//! whose part the page is for.

use axum::extract::{FromRequestParts, MatchedPath};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};

use super::Console;
use super::frame::{Failed, Frame};
use super::page::Page;
use crate::app::caller::AgencyCaller;
use crate::app::console::{Cookie, Session};
use crate::app::log_access::Grounds;
use crate::config::AccessConfig;

/// The name of the session's cookie. The prefix makes browsers refuse it unless it is secure, of this
/// host alone, and of every path.
pub(super) const SESSION_COOKIE: &str = "__Host-porth-session";

/// Somebody who is signed in.
pub(super) struct Visitor {
    pub(super) session: Session,
    pub(super) access: AccessConfig,
    console: Console,
}

impl Visitor {
    /// On behalf of whom they look, and what the log calls them.
    pub(super) fn caller(&self) -> AgencyCaller {
        AgencyCaller { agency: self.access.agency.clone(), client: self.session.account.clone() }
    }

    /// On what grounds they look.
    pub(super) fn grounds(&self) -> Grounds {
        Grounds { agreement: self.access.agreement.clone(), role: self.access.role.clone(), user: None }
    }

    /// What is around a page of theirs.
    pub(super) fn frame(&self, title: &str, page: &'static Page) -> Frame {
        Frame::of_visitor(&self.console, self, title, page)
    }
}

impl FromRequestParts<Console> for Visitor {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, Failed> {
        let visitor = signed_in(&parts.headers, console).await?;
        let Some(visitor) = visitor else {
            // Only a page can be come back to after the sign-in.
            let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
            return Err(Failed::SignIn {
                to: if parts.method == Method::GET { path.to_owned() } else { "/".to_owned() },
            });
        };
        let page = parts.extensions.get::<MatchedPath>().and_then(|route| Page::of_route(route.as_str()));
        let persona = visitor.access.persona;
        let is_theirs = |page: &Page| match parts.method {
            Method::GET | Method::HEAD => page.is_for(persona),
            _ => page.is_acted_on_by(persona),
        };
        match page {
            Some(page) if is_theirs(page) => Ok(visitor),
            _ => Err(Failed::NotYours(Box::new(visitor.frame("This page is not for your role", &super::page::HOME)))),
        }
    }
}

/// The session that a request carries, if it goes on and its line of access still stands.
pub(super) async fn signed_in(headers: &HeaderMap, console: &Console) -> Result<Option<Visitor>, Failed> {
    let Some(cookie) = cookie(headers, SESSION_COOKIE) else { return Ok(None) };
    let Some(session) = console.gateway().console_session(&cookie).await? else { return Ok(None) };
    let access = console.settings().access.iter().find(|line| line.claim == session.access).cloned();
    Ok(access.map(|access| Visitor { session, access, console: console.clone() }))
}

/// A cookie of ours; none when it comes twice.
pub(super) fn cookie(headers: &HeaderMap, name: &str) -> Option<Cookie> {
    let texts = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut found = texts.flat_map(|text| text.split(';')).filter_map(|pair| {
        let (found, value) = pair.trim().split_once('=')?;
        (found == name).then_some(value)
    });
    let (value, None) = (found.next()?, found.next()) else { return None };
    Cookie::parse(value)
}
