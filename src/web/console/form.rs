//! Forms that are posted. Each carries its session's form token, and comes from a page of this console.

use std::borrow::Cow;
use std::collections::BTreeMap;

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::{HeaderMap, header};
use subtle::ConstantTimeEq as _;

use super::Console;
use super::frame::Failed;
use super::visitor::Visitor;
use crate::web::body::{BodyLimit, read_whole};

/// The largest form.
const MOST_BYTES: usize = 64 * 1024;
/// The field that holds the session's token.
const TOKEN: &str = "form-token";

/// A form that a signed-in visitor posted.
pub(super) struct Posted {
    pub(super) visitor: Visitor,
    pub(super) fields: Fields,
}

impl FromRequest<Console> for Posted {
    type Rejection = Failed;

    async fn from_request(request: Request, console: &Console) -> Result<Self, Failed> {
        let (mut parts, body) = request.into_parts();
        let visitor = Visitor::from_request_parts(&mut parts, console).await?;
        let fields = read(&parts.headers, body, console).await?;
        let sent = fields.get(TOKEN).unwrap_or_default();
        if !bool::from(sent.as_bytes().ct_eq(visitor.session.form_token.as_bytes())) {
            return Err(Failed::Forged);
        }
        Ok(Self { visitor, fields })
    }
}

/// The fields of a form, each once.
pub(super) struct Fields(BTreeMap<String, String>);

impl Fields {
    /// Fields as a test posts them.
    #[cfg(test)]
    pub(super) fn of(pairs: &[(&str, &str)]) -> Self {
        Self(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    /// What a field holds.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// What follows a beginning in the names of fields that have it: the boxes of a list that were ticked.
    pub(super) fn named(&self, beginning: &str) -> impl Iterator<Item = &str> {
        self.0.keys().filter_map(move |name| name.strip_prefix(beginning))
    }
}

/// Reads a form that comes from a page of this console.
pub(super) async fn read(headers: &HeaderMap, body: axum::body::Body, console: &Console) -> Result<Fields, Failed> {
    if !is_own_site(headers, &console.settings().address) {
        return Err(Failed::Forged);
    }
    let bytes = read_whole(headers, body, BodyLimit::bytes(MOST_BYTES)).await.map_err(|_| Failed::Forged)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| Failed::Forged)?;
    let pairs = crate::web::api::form::parse(text).map_err(|_| Failed::Forged)?;
    Ok(Fields(pairs.into_iter().map(|(name, value)| (Cow::into_owned(name), Cow::into_owned(value))).collect()))
}

/// Browsers say where a form comes from; what says nothing is no browser of today.
fn is_own_site(headers: &HeaderMap, address: &str) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let site = text("sec-fetch-site");
    let origin = text(header::ORIGIN.as_str());
    match (site, origin) {
        (Some(site), _) if site != "same-origin" => false,
        (_, Some(origin)) => origin == address,
        (Some(_), None) => true,
        (None, None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_taken_from_this_site_alone() {
        let taken = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(*name, axum::http::HeaderValue::from_static(value));
            }
            is_own_site(&headers, "https://porth.example")
        };
        assert!(taken(&[("sec-fetch-site", "same-origin"), ("origin", "https://porth.example")]));
        assert!(taken(&[("origin", "https://porth.example")]));
        assert!(!taken(&[("sec-fetch-site", "cross-site"), ("origin", "https://porth.example")]));
        assert!(!taken(&[("sec-fetch-site", "same-site")]));
        assert!(!taken(&[("origin", "https://porth.example.evil")]));
        assert!(!taken(&[("origin", "null")]));
        assert!(!taken(&[]));
    }
}
