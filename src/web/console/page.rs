//! The table of pages. A page that is not here cannot be routed, and a test holds the table to the routes.

use crate::config::Persona;

/// A page, who may open it, and who may post its forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Its route.
    pub path: &'static str,
    /// What the menu calls it; none for pages that others lead to.
    pub menu: Option<&'static str>,
    /// Who may open it.
    pub readers: &'static [Persona],
    /// Who may post its forms; nobody where it has none.
    pub actors: &'static [Persona],
}

use Persona::{Auditor, DataTeam, Officer, Operator};

const EVERYBODY: &[Persona] = &[Officer, DataTeam, Auditor, Operator];
const OFFICER: &[Persona] = &[Officer];
const DATA_TEAM: &[Persona] = &[DataTeam];
const OVERSIGHT: &[Persona] = &[Officer, Auditor];
const NOBODY: &[Persona] = &[];

const fn page(path: &'static str, readers: &'static [Persona], actors: &'static [Persona]) -> Page {
    Page { path, menu: None, readers, actors }
}

const fn in_menu(menu: &'static str, page: Page) -> Page {
    Page { menu: Some(menu), ..page }
}

/// What waits for the person.
pub const HOME: Page = in_menu("Home", page("/", EVERYBODY, NOBODY));
/// The disclosure log.
pub const LOG: Page = in_menu("Disclosure log", page("/log", OVERSIGHT, NOBODY));
/// One entry of it.
pub const ENTRY: Page = page("/log/{entry}", OVERSIGHT, NOBODY);
/// The log is exported.
pub const EXPORT: Page = page("/log/export", OVERSIGHT, OVERSIGHT);
/// Its decision made again.
pub const REPLAY: Page = page("/log/{entry}/replay", NOBODY, OVERSIGHT);
/// What is under review, and the samples.
pub const REVIEWS: Page = in_menu("Reviews", page("/reviews", OVERSIGHT, NOBODY));
/// A sample is drawn.
pub const DRAW: Page = page("/reviews/draw", OFFICER, OFFICER);
/// One sample; it can be drawn again to compare.
pub const SAMPLE: Page = page("/reviews/samples/{plan}", OVERSIGHT, OVERSIGHT);
/// The review of one disclosure.
pub const REVIEW: Page = page("/reviews/{entry}", OVERSIGHT, OFFICER);
/// The alerts.
pub const ALERTS: Page = in_menu("Alerts", page("/alerts", OVERSIGHT, NOBODY));
/// One alert.
pub const ALERT: Page = page("/alerts/{alert}", OVERSIGHT, OFFICER);
/// The incidents.
pub const INCIDENTS: Page = in_menu("Incidents", page("/incidents", OVERSIGHT, NOBODY));
/// An incident is recorded.
pub const NEW_INCIDENT: Page = page("/incidents/new", OFFICER, OFFICER);
/// One incident.
pub const INCIDENT: Page = page("/incidents/{incident}", OVERSIGHT, OFFICER);
/// The recalls.
pub const RECALLS: Page = in_menu("Recalls", page("/recalls", OVERSIGHT, NOBODY));
/// A recall is opened.
pub const NEW_RECALL: Page = page("/recalls/new", OFFICER, OFFICER);
/// One recall.
pub const RECALL: Page = page("/recalls/{recall}", OVERSIGHT, NOBODY);
/// Cases of people's rights.
pub const RIGHTS: Page = in_menu("People’s rights", page("/rights", OFFICER, NOBODY));
/// Requests to learn who somebody is.
pub const REIDENTIFICATIONS: Page =
    in_menu("Re-identification", page("/reidentifications", &[Officer, DataTeam, Auditor], NOBODY));
/// The data team asks.
pub const REID_ASK: Page = page("/reidentifications/new", &[DataTeam], &[DataTeam]);
/// An officer's key is made.
pub const REID_KEY: Page = page("/reidentifications/key", OFFICER, OFFICER);
/// One such request.
pub const REIDENTIFICATION: Page =
    page("/reidentifications/{request}", &[Officer, DataTeam, Auditor], &[Officer, DataTeam]);
/// The programme's families.
pub const FAMILIES: Page = in_menu("Families", page("/families", DATA_TEAM, DATA_TEAM));
/// One family.
pub const FAMILY: Page = page("/families/{family}", DATA_TEAM, DATA_TEAM);
/// The programme's tables.
pub const TABLES: Page = in_menu("Tables", page("/tables", DATA_TEAM, NOBODY));
/// One table.
pub const TABLE: Page = page("/tables/{table}", DATA_TEAM, NOBODY);
/// The match runs.
pub const MATCH_RUNS: Page = in_menu("Match runs", page("/match-runs", DATA_TEAM, DATA_TEAM));
/// One match run.
pub const MATCH_RUN: Page = page("/match-runs/{run}", DATA_TEAM, DATA_TEAM);
/// Its candidate families.
pub const CANDIDATES: Page = page("/match-runs/{run}/families", DATA_TEAM, DATA_TEAM);
/// Records that may be one person.
pub const POSSIBLE_MATCHES: Page = in_menu("Possible matches", page("/possible-matches", DATA_TEAM, NOBODY));
/// The agreements.
pub const AGREEMENTS: Page = in_menu("Agreements", page("/agreements", &[Officer, DataTeam, Auditor], NOBODY));
/// Who may learn what.
pub const MATRIX: Page = page("/agreements/matrix", &[Officer, DataTeam, Auditor], NOBODY);
/// What a version of an agreement changes.
pub const DIFFERENCES: Page = page("/agreements/{code}/{version}/differences", &[Officer, DataTeam, Auditor], OFFICER);
/// One agreement.
pub const AGREEMENT: Page = page("/agreements/{code}/{version}", &[Officer, DataTeam, Auditor], OFFICER);
/// Where the log stands, and what is in it.
pub const VERIFY: Page = in_menu("Verify", page("/verify", OVERSIGHT, OVERSIGHT));
/// The feed calendar.
pub const FEEDS: Page = in_menu("Feeds", page("/feeds", EVERYBODY, NOBODY));
/// How the gateway is.
pub const HEALTH: Page = in_menu("Health", page("/health", &[Operator], NOBODY));
/// The end of the session. It shows nothing, so it is not among [`ALL`].
pub const SIGN_OUT: Page = page("/sign-out", NOBODY, EVERYBODY);

/// Every page behind a sign-in, in the order of the menu.
pub const ALL: &[&Page] = &[
    &HOME,
    &LOG,
    &ENTRY,
    &EXPORT,
    &REPLAY,
    &REVIEWS,
    &DRAW,
    &SAMPLE,
    &REVIEW,
    &ALERTS,
    &ALERT,
    &INCIDENTS,
    &NEW_INCIDENT,
    &INCIDENT,
    &RECALLS,
    &NEW_RECALL,
    &RECALL,
    &RIGHTS,
    &REIDENTIFICATIONS,
    &REID_ASK,
    &REID_KEY,
    &REIDENTIFICATION,
    &FAMILIES,
    &FAMILY,
    &TABLES,
    &TABLE,
    &MATCH_RUNS,
    &MATCH_RUN,
    &CANDIDATES,
    &POSSIBLE_MATCHES,
    &AGREEMENTS,
    &MATRIX,
    &DIFFERENCES,
    &AGREEMENT,
    &VERIFY,
    &FEEDS,
    &HEALTH,
];

/// What anybody may ask for, signed in or not: the sign-in itself, the statement, and what pages load.
pub const OPEN: &[&str] = &[
    "/sign-in",
    "/sign-in/begin",
    "/sign-in/back",
    "/sign-in/demonstration",
    "/signed-out",
    "/accessibility",
    "/assets/console.css",
    "/assets/icon.svg",
    "/assets/signing.js",
    "/assets/console.js",
];

impl Page {
    /// Whether somebody may open it.
    pub fn is_for(&self, persona: Persona) -> bool {
        self.readers.contains(&persona)
    }

    /// Whether somebody may post its forms.
    pub fn is_acted_on_by(&self, persona: Persona) -> bool {
        self.actors.contains(&persona)
    }

    /// The page of a route.
    pub fn of_route(route: &str) -> Option<&'static Self> {
        ALL.iter().copied().chain([&SIGN_OUT]).find(|page| page.path == route)
    }
}
