//! The console: pages for officers, the data team, auditors and the operator.
//!
//! | file | what lives there |
//! |---|---|
//! | [`page`] | the table of pages: path, who may open it, place in the menu |
//! | [`visitor`] | who is signed in; a handler that names a visitor cannot run for anybody else |
//! | [`sign_in`] | in, back from the provider, out; [`provider`] is the OpenID Connect provider |
//! | [`frame`] | what every page has around it, and how a page becomes an answer |
//! | [`form`] | forms as they are posted: the session's form token, the same site, a limit |
//! | [`fields`] | forms as they are shown: fields, what was typed, what was wrong |
//! | [`guard`] | the headers that keep a page to itself |
//! | [`words`], [`plain`], [`evidence`] | entries and states in plain words |
//! | [`asking`] | on what terms the data team's pages ask, and how a refusal is told |
//! | [`chart`] | bar charts of counts |
//! | [`deciding`] | who might contribute what to a disclosure, and why |
//! | [`waits`] | what waits for whoever is signed in |
//! | every other file | a page, or a list and its items |
//!
//! Nothing here reads evidence but through the journeys of [`crate::app`]: a page decides, and logs,
//! exactly what the API does.

mod agreement;
mod agreements;
mod alerts;
mod archive;
mod asking;
mod candidates;
mod chart;
mod claim_check;
mod deciding;
mod differences;
mod draw;
mod entry;
mod evidence;
mod export;
mod families;
mod family;
mod feeds;
mod fields;
pub mod form;
mod frame;
mod guard;
mod health;
mod home;
mod incident;
mod incidents;
mod log;
mod match_run;
mod match_runs;
mod matrix;
mod new_recall;
pub mod page;
mod plain;
mod possible_matches;
pub mod provider;
mod recalls;
mod reid;
mod reid_ask;
mod reid_key;
mod reid_text;
mod reid_vote;
mod reid_words;
mod reids;
mod review;
mod reviews;
mod rights;
mod sample;
mod sign_in;
mod statement;
mod tables;
mod verify;
mod visitor;
mod waits;
mod words;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::handler::Handler;
use axum::http::{HeaderValue, header};
use axum::middleware::from_fn;
use axum::response::IntoResponse;
use axum::routing::{MethodRouter, get, post};
use tokio::sync::Mutex;

use self::page::Page;
use self::provider::{Provider, ProviderError};
use crate::app::gateway::Gateway;
use crate::app::trust_file::TrustFile;
use crate::config::{AccessConfig, ConsoleConfig};
use crate::web::limits::RequestLimits;

/// How long an export may take.
const EXPORT_TIME: Duration = Duration::from_mins(15);

/// The console of one gateway. Cheap to clone.
#[derive(Clone)]
pub struct Console(Arc<Parts>);

struct Parts {
    gateway: Gateway,
    settings: ConsoleConfig,
    provider: Option<Provider>,
    state_file: PathBuf,
    trust: TrustFile,
    /// Held while the log is exported: one export at a time.
    exporting: Mutex<()>,
}

impl Console {
    /// A console by its configuration; asks the provider nothing yet. `state_file` is where this machine
    /// remembers the log's newest checkpoint, which the page of the gateway's health looks at; `trust` is what
    /// auditors have to believe, for exports and the page that explains how to verify them.
    ///
    /// # Errors
    ///
    /// [`ProviderError`] for files that cannot be read.
    pub fn new(
        gateway: Gateway,
        settings: ConsoleConfig,
        state_file: PathBuf,
        trust: TrustFile,
    ) -> Result<Self, ProviderError> {
        let provider = settings.provider.as_ref().map(|provider| Provider::new(provider, &settings.address));
        let provider = provider.transpose()?;
        Ok(Self(Arc::new(Parts { gateway, settings, provider, state_file, trust, exporting: Mutex::new(()) })))
    }

    fn gateway(&self) -> &Gateway {
        &self.0.gateway
    }

    fn settings(&self) -> &ConsoleConfig {
        &self.0.settings
    }

    fn provider(&self) -> Option<&Provider> {
        self.0.provider.as_ref()
    }

    fn state_file(&self) -> &Path {
        &self.0.state_file
    }

    fn trust(&self) -> &TrustFile {
        &self.0.trust
    }

    fn exporting(&self) -> &Mutex<()> {
        &self.0.exporting
    }

    /// The first line of access whose claim is among these.
    fn access_of(&self, claims: &[String]) -> Option<&AccessConfig> {
        self.settings().access.iter().find(|line| claims.contains(&line.claim))
    }
}

/// The console's routes: those of the two tables, and no other.
pub fn router(console: Console) -> Router {
    let pages = pages().into_iter().map(|(page, handler)| (page.path, handler));
    let router = pages.chain(open()).fold(Router::new(), |router, (path, handler)| router.route(path, handler));
    let router = router.with_state(console.clone());
    let router = router.fallback(move || sign_in::no_page(console.clone()));
    // An export waits until its own entry is under a signed checkpoint, and reads all of the log.
    let limits = RequestLimits { by_route: vec![(page::EXPORT.path, EXPORT_TIME)], ..RequestLimits::default() };
    crate::web::grounded_pages(router, limits).layer(from_fn(guard::keep_to_itself))
}

/// What is behind a sign-in. Every handler names a visitor, or takes what one posted.
fn pages() -> Vec<(&'static Page, MethodRouter<Console>)> {
    vec![
        (&page::HOME, get(home::show)),
        (&page::LOG, get(log::show)),
        (&page::ENTRY, get(entry::show)),
        (&page::EXPORT, get(export::show).post(export::make)),
        (&page::REPLAY, post(entry::replay)),
        (&page::REVIEWS, get(reviews::show)),
        (&page::DRAW, get(draw::show).post(draw::draw)),
        (&page::SAMPLE, get(sample::show).post(sample::again)),
        (&page::REVIEW, get(review::show).post(review::step)),
        (&page::ALERTS, get(alerts::list)),
        (&page::ALERT, get(alerts::show).post(alerts::step)),
        (&page::INCIDENTS, get(incidents::list)),
        (&page::NEW_INCIDENT, get(incidents::ask).post(incidents::open)),
        (&page::INCIDENT, get(incident::show).post(incident::step)),
        (&page::RECALLS, get(recalls::list)),
        (&page::NEW_RECALL, get(new_recall::ask).post(new_recall::open)),
        (&page::RECALL, get(recalls::show)),
        (&page::RIGHTS, get(rights::show)),
        (&page::REIDENTIFICATIONS, get(reids::list)),
        (&page::REID_ASK, get(reid_ask::show).post(reid_ask::ask)),
        (&page::REID_KEY, get(reid_key::show).post(reid_key::step)),
        (&page::REIDENTIFICATION, get(reid::show).post(reid::step)),
        (&page::FAMILIES, get(families::list).post(families::open)),
        (&page::FAMILY, get(family::show).post(family::step)),
        (&page::TABLES, get(tables::list)),
        (&page::TABLE, get(tables::show)),
        (&page::MATCH_RUNS, get(match_runs::list).post(match_runs::begin)),
        (&page::MATCH_RUN, get(match_run::show).post(match_run::step)),
        (&page::CANDIDATES, get(candidates::show).post(candidates::issue)),
        (&page::POSSIBLE_MATCHES, get(possible_matches::show)),
        (&page::AGREEMENTS, get(agreements::list)),
        (&page::MATRIX, get(matrix::show)),
        (&page::DIFFERENCES, get(differences::show).post(differences::what_if)),
        (&page::AGREEMENT, get(agreement::show).post(agreement::step)),
        (&page::VERIFY, get(verify::show).post(verify::check)),
        (&page::FEEDS, get(feeds::show)),
        (&page::HEALTH, get(health::show)),
        (&page::SIGN_OUT, post(sign_in::out)),
    ]
}

/// What anybody may ask for.
fn open() -> Vec<(&'static str, MethodRouter<Console>)> {
    vec![
        ("/sign-in", get(sign_in::ask)),
        ("/sign-in/begin", get(sign_in::begin)),
        ("/sign-in/back", get(sign_in::back)),
        ("/sign-in/demonstration", post(sign_in::demonstrate)),
        ("/signed-out", get(sign_in::is_out)),
        ("/accessibility", get(statement::show)),
        ("/assets/console.css", get(asset("text/css; charset=utf-8", include_bytes!("assets/console.css")))),
        ("/assets/icon.svg", get(asset("image/svg+xml", include_bytes!("assets/icon.svg")))),
        ("/assets/signing.js", get(asset("text/javascript; charset=utf-8", include_bytes!("assets/signing.js")))),
        ("/assets/console.js", get(asset("text/javascript; charset=utf-8", include_bytes!("assets/console.js")))),
    ]
}

fn asset(media_type: &'static str, bytes: &'static [u8]) -> impl Handler<((),), Console> {
    move || async move {
        let kept = HeaderValue::from_static("public, max-age=3600");
        ([(header::CONTENT_TYPE, HeaderValue::from_static(media_type)), (header::CACHE_CONTROL, kept)], bytes)
            .into_response()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The test of roles tries what is in the tables: a route that is in none would be tried by nobody.
    #[test]
    fn the_tables_name_every_route_once() {
        let routed: Vec<&str> = pages().iter().map(|(page, _)| page.path).collect();
        let listed: BTreeSet<&str> = page::ALL.iter().chain([&&page::SIGN_OUT]).map(|page| page.path).collect();
        assert_eq!(routed.iter().copied().collect::<BTreeSet<_>>(), listed);
        assert_eq!((routed.len(), page::ALL.len() + 1), (listed.len(), listed.len()), "a page is listed twice");
        let open: Vec<&str> = open().iter().map(|(path, _)| *path).collect();
        assert_eq!(open, page::OPEN);
        assert!(listed.iter().all(|path| !page::OPEN.contains(path)));
    }
}
