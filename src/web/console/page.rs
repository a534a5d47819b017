//! The table of pages. A page that is not here cannot be routed, and a test holds the table to the routes.

use crate::config::Persona;

/// A page, and who may open it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Its route.
    pub path: &'static str,
    /// What the menu calls it; none for pages that others lead to.
    pub menu: Option<&'static str>,
    /// Who may open it.
    pub personas: &'static [Persona],
}

use Persona::{Auditor, DataTeam, Officer, Operator};

/// What waits for the person.
pub const HOME: Page = Page { path: "/", menu: Some("Home"), personas: &[Officer, DataTeam, Auditor, Operator] };
/// The disclosure log.
pub const LOG: Page = Page { path: "/log", menu: Some("Disclosure log"), personas: &[Officer, Auditor] };
/// One entry of it.
pub const ENTRY: Page = Page { path: "/log/{entry}", menu: None, personas: &[Officer, Auditor] };
/// Its decision made again.
pub const REPLAY: Page = Page { path: "/log/{entry}/replay", menu: None, personas: &[Officer, Auditor] };
/// The agreements.
pub const AGREEMENTS: Page =
    Page { path: "/agreements", menu: Some("Agreements"), personas: &[Officer, DataTeam, Auditor] };
/// One agreement.
pub const AGREEMENT: Page =
    Page { path: "/agreements/{code}/{version}", menu: None, personas: &[Officer, DataTeam, Auditor] };
/// The feed calendar.
pub const FEEDS: Page = Page { path: "/feeds", menu: Some("Feeds"), personas: &[Officer, DataTeam, Auditor, Operator] };

/// The end of the session. It shows nothing, so it is in no table of pages.
const SIGN_OUT: Page = Page { path: "/sign-out", menu: None, personas: &[Officer, DataTeam, Auditor, Operator] };

/// Every page behind a sign-in.
pub const ALL: &[&Page] = &[&HOME, &LOG, &ENTRY, &REPLAY, &AGREEMENTS, &AGREEMENT, &FEEDS];

impl Page {
    /// Whether somebody may open it.
    pub fn is_for(&self, persona: Persona) -> bool {
        self.personas.contains(&persona)
    }

    /// The page of a route.
    pub fn of_route(route: &str) -> Option<&'static Self> {
        ALL.iter().copied().chain([&SIGN_OUT]).find(|page| page.path == route)
    }
}
