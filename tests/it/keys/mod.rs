//! The life of keys: every one is replaced, and what the old one opened, matched or signed is over.

mod blinding;
mod docs;
mod drills;
mod fields;
mod linkage;
mod signing;

use std::collections::BTreeMap;

use porth::app::enquire::{EnquiryError, Receipted};
use porth::crypto::random::SystemRandom;
use porth::crypto::token::{LinkageKey, TypeKey};
use porth::domain::ids::TokenType;
use serde_json::{Value, json};

use crate::support::programme::{Ask, HUB_AREAS, TestProgramme, opaque};

/// The linkage key of an epoch.
pub(crate) struct Epoch<'p> {
    programme: &'p TestProgramme,
    number: u32,
    key: LinkageKey,
}

impl<'p> Epoch<'p> {
    /// A fresh key, registered with the gateway.
    async fn registered(programme: &'p TestProgramme, number: u32) -> Self {
        let epoch = Self { programme, number, key: LinkageKey::generate(&SystemRandom::new()) };
        let checks: Vec<(TokenType, [u8; 8])> = programme
            .match_keys
            .keys()
            .iter()
            .map(|key| (key.name.clone(), epoch.type_key(key.name.as_str()).key_check()))
            .collect();
        let differing =
            programme.gateway.register_key_checks(number, &checks, &[], "custodian").await.expect("registered");
        assert!(differing.is_empty());
        epoch
    }

    fn type_key(&self, token_type: &str) -> TypeKey {
        let token_type = TokenType::parse(token_type).expect("a type");
        TypeKey::derive(&self.key, &self.programme.code, self.number, &token_type, 1)
    }

    fn header(&self) -> Value {
        let checks: BTreeMap<String, String> = self
            .programme
            .match_keys
            .keys()
            .iter()
            .map(|key| {
                let check = self.type_key(key.name.as_str()).key_check();
                (key.name.to_string(), porth::app::policies::hex(&check))
            })
            .collect();
        json!({ "epoch": self.number, "key_checks": checks })
    }

    fn tokens(&self, values: &[(&str, &str)]) -> Value {
        let mut types: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (token_type, value) in values {
            types.entry(token_type).or_default().push(self.type_key(token_type).token(value.as_bytes()).to_text());
        }
        json!(types)
    }

    /// Asks the Early Help Hub's question about somebody, with tokens of this epoch.
    async fn ask(&self, tokens: &[(&str, &str)]) -> Result<Receipted, EnquiryError> {
        self.ask_as(HUB_AREAS, tokens).await
    }

    async fn ask_as(&self, ask: Ask, tokens: &[(&str, &str)]) -> Result<Receipted, EnquiryError> {
        let mut question = serde_json::to_value(self.programme.question(ask, tokens, &[])).expect("JSON");
        question["epochs"] = json!([self.header()]);
        question["tokens"] = json!({ self.number.to_string(): self.tokens(tokens) });
        let question = serde_json::from_value(question).expect("a question");
        let caller = porth::app::caller::AgencyCaller {
            agency: ask.agency.parse().expect("a code"),
            client: "test-client".to_owned(),
        };
        let key = uuid::Uuid::from_bytes(porth::crypto::random::random_bytes(&SystemRandom::new())).to_string();
        self.programme.gateway.enquire(&caller, &question, &key).await
    }
}

/// A row about somebody with tokens of these epochs; `None` stands for the programme's first epoch.
fn row(
    programme: &TestProgramme,
    reference: u32,
    who: &[(&str, &str)],
    epochs: &[Option<&Epoch<'_>>],
    extra: Value,
) -> Value {
    let mut tokens = json!({});
    for epoch in epochs {
        match epoch {
            Some(epoch) => tokens[epoch.number.to_string()] = epoch.tokens(who),
            None => tokens["1"] = programme.tokens(who)["1"].clone(),
        }
    }
    let mut row = json!({ "ref": opaque(reference), "tokens": tokens });
    for (name, value) in extra.as_object().expect("an object") {
        row[name] = value.clone();
    }
    row
}

/// A feed's header with these epochs.
async fn header(programme: &TestProgramme, feed: (&str, &str), epochs: &[Option<&Epoch<'_>>]) -> Value {
    let mut header = programme.header(feed.0, feed.1, "early-help-core/v1").await;
    let list: Vec<Value> =
        epochs.iter().map(|epoch| epoch.map_or_else(|| programme.epochs()[0].clone(), Epoch::header)).collect();
    header["epochs"] = json!(list);
    header
}

/// Delivers a feed and makes it visible.
async fn deliver(programme: &TestProgramme, feed: (&str, &str), epochs: &[Option<&Epoch<'_>>], rows: &[Value]) {
    let header = header(programme, feed, epochs).await;
    programme.submit(&header, rows).await.expect("the file is good");
    programme.publish().await;
}

/// A criterion that is met since last month.
async fn met(programme: &TestProgramme, criterion: &str) -> Value {
    let from = programme.today().await - jiff::Span::new().days(40);
    json!([{ "criterion": criterion, "state": "met", "from": from.to_string() }])
}
