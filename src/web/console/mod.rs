//! The console: pages for officers, the data team, auditors and the operator.
//!
//! | file | what lives there |
//! |---|---|
//! | [`page`] | the table of pages: path, who may open it, place in the menu |
//! | [`visitor`] | who is signed in; a handler that names a visitor cannot run for anybody else |
//! | [`sign_in`] | in, back from the provider, out; [`provider`] is the OpenID Connect provider |
//! | [`frame`] | what every page has around it, and how a page becomes an answer |
//! | [`form`] | forms: the session's form token, the same site, a limit |
//! | [`guard`] | the headers that keep a page to itself |
//! | [`words`] | entries and states in plain words |
//! | `home`, `log`, `entry`, `agreements`, `feeds`, `statement` | the pages, one file for each |
//!
//! Nothing here reads evidence but through the journeys of [`crate::app`]: a page decides, and logs,
//! exactly what the API does.

mod agreements;
mod entry;
mod feeds;
pub mod form;
mod frame;
mod guard;
mod home;
mod log;
pub mod page;
pub mod provider;
mod sign_in;
mod statement;
mod visitor;
mod words;

use std::sync::Arc;

use axum::Router;
use axum::handler::Handler;
use axum::http::{HeaderValue, header};
use axum::middleware::from_fn;
use axum::response::IntoResponse;
use axum::routing::{get, post};

use self::page::Page;
use self::provider::{Provider, ProviderError};
use crate::app::gateway::Gateway;
use crate::config::{AccessConfig, ConsoleConfig};
use crate::web::limits::RequestLimits;

/// The console of one gateway. Cheap to clone.
#[derive(Clone)]
pub struct Console(Arc<Parts>);

struct Parts {
    gateway: Gateway,
    settings: ConsoleConfig,
    provider: Option<Provider>,
}

impl Console {
    /// A console by its configuration; asks the provider nothing yet.
    ///
    /// # Errors
    ///
    /// [`ProviderError`] for files that cannot be read.
    pub fn new(gateway: Gateway, settings: ConsoleConfig) -> Result<Self, ProviderError> {
        let provider = settings.provider.as_ref().map(|provider| Provider::new(provider, &settings.address));
        let provider = provider.transpose()?;
        Ok(Self(Arc::new(Parts { gateway, settings, provider })))
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

    /// The first line of access whose claim is among these.
    fn access_of(&self, claims: &[String]) -> Option<&AccessConfig> {
        self.settings().access.iter().find(|line| claims.contains(&line.claim))
    }
}

/// The console's routes.
pub fn router(console: Console) -> Router {
    let shows = |router: Router<Console>, page: &'static Page, handler| router.route(page.path, handler);
    let pages: [(&'static Page, axum::routing::MethodRouter<Console>); 7] = [
        (&page::HOME, get(home::show)),
        (&page::LOG, get(log::show)),
        (&page::ENTRY, get(entry::show)),
        (&page::REPLAY, post(entry::replay)),
        (&page::AGREEMENTS, get(agreements::list)),
        (&page::AGREEMENT, get(agreements::show)),
        (&page::FEEDS, get(feeds::show)),
    ];
    let router = pages.into_iter().fold(Router::new(), |router, (page, handler)| shows(router, page, handler));
    let router = router
        .route("/sign-in", get(sign_in::ask))
        .route("/sign-in/begin", get(sign_in::begin))
        .route("/sign-in/back", get(sign_in::back))
        .route("/sign-in/demonstration", post(sign_in::demonstrate))
        .route("/sign-out", post(sign_in::out))
        .route("/signed-out", get(sign_in::is_out))
        .route("/accessibility", get(statement::show))
        .route("/assets/console.css", get(asset("text/css; charset=utf-8", include_bytes!("assets/console.css"))))
        .route("/assets/console.js", get(asset("text/javascript; charset=utf-8", include_bytes!("assets/console.js"))))
        .with_state(console.clone());
    let router = router.fallback(move || sign_in::no_page(console.clone()));
    crate::web::grounded_pages(router, RequestLimits::default()).layer(from_fn(guard::keep_to_itself))
}

fn asset(media_type: &'static str, bytes: &'static [u8]) -> impl Handler<((),), Console> {
    move || async move {
        let kept = HeaderValue::from_static("public, max-age=3600");
        ([(header::CONTENT_TYPE, HeaderValue::from_static(media_type)), (header::CACHE_CONTROL, kept)], bytes)
            .into_response()
    }
}
