//! The rule book: a fixed set of Cedar rules, each with a plain sentence.
//!
//! One rule permits, every other forbids. Safety rests on the forbids, so loading checks the shape of
//! the book strictly, any evaluation error denies, and start-up proves canned denials
//! (see [`super::self_test`]).

use std::collections::BTreeSet;

use cedar_policy::{
    Authorizer, Decision, Effect, Entities, PolicyId, PolicySet, Request, Schema, SchemaFragment, ValidationMode,
    Validator,
};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::domain::policy_file::FileHash;

/// The one rule that permits.
const PERMIT: &str = "R00";
/// The name of the schema among the files of the book.
const SCHEMA: &str = "schema.cedarschema";

/// The files of the book that this binary was built with: name and text.
pub const SHIPPED: [(&str, &str); 4] = [
    ("coverage.cedar", include_str!("../../policies/rules/coverage.cedar")),
    ("schema.cedarschema", include_str!("../../policies/rules/schema.cedarschema")),
    ("standing.cedar", include_str!("../../policies/rules/standing.cedar")),
    ("statutory.cedar", include_str!("../../policies/rules/statutory.cedar")),
];

/// A rule that stood in the way. It speaks of agreements, never of a person, so it may be shown.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct RuleHit {
    /// The rule, such as `T04`.
    pub rule: String,
    /// Its plain sentence.
    pub say: String,
}

impl RuleHit {
    /// A hit from before or after the book itself, such as an unknown agreement.
    pub(crate) fn fixed((rule, say): (&str, &str)) -> Self {
        Self { rule: rule.to_owned(), say: say.to_owned() }
    }
}

/// An evaluation that failed.
pub(crate) const ERROR: (&str, &str) = ("E00", "The rules could not be evaluated, which counts as a refusal.");

/// Why a rule book is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleBookError {
    /// The schema is missing or malformed.
    #[error("the rule book's schema cannot be read [schema]")]
    Schema,
    /// A file is neither rules nor the schema, or is not text.
    #[error("file {0} of the rule book is not a rule file [file]")]
    File(String),
    /// A rule file cannot be parsed.
    #[error("file {0} of the rule book cannot be parsed [syntax]")]
    Syntax(String),
    /// A rule without id or sentence, or a template.
    #[error("a rule in {0} has no id or no plain sentence, or is a template [annotation]")]
    Annotation(String),
    /// An id that is used twice.
    #[error("a rule id in {0} is used twice [duplicate]")]
    Duplicate(String),
    /// Not exactly one permit, or the wrong one.
    #[error("rule {PERMIT} permits and every other rule forbids [effect]")]
    Effect,
    /// A rule does not fit the schema.
    #[error("rule {0} does not fit the schema [validation]")]
    Validation(String),
}

/// The rule book, validated.
#[derive(Debug)]
pub struct RuleBook {
    policies: PolicySet,
    schema: Schema,
    /// Entity kind and attribute, as the schema declares them.
    declared: BTreeSet<(String, String)>,
    rules: Vec<RuleHit>,
    hash: FileHash,
}

impl RuleBook {
    /// The book that this binary was built with.
    ///
    /// # Errors
    ///
    /// [`RuleBookError`] if it is not valid; the tests rule that out.
    pub fn shipped() -> Result<Self, RuleBookError> {
        Self::load(SHIPPED.iter().map(|(name, text)| (*name, text.as_bytes())))
    }

    /// Reads and validates the files of a book; their order does not matter.
    ///
    /// # Errors
    ///
    /// [`RuleBookError`] for the first thing that is wrong. Validation is strict, and a warning
    /// counts as a fault: a rule that can never apply protects nobody.
    pub fn load<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Result<Self, RuleBookError> {
        let mut files: Vec<_> = files.into_iter().collect();
        files.sort_unstable();
        let hash = hash(&files);
        let schema = files.iter().find(|(name, _)| *name == SCHEMA).ok_or(RuleBookError::Schema)?;
        let schema = std::str::from_utf8(schema.1).map_err(|_| RuleBookError::Schema)?;
        let declared = declared(schema).ok_or(RuleBookError::Schema)?;
        let (schema, mut warnings) = Schema::from_cedarschema_str(schema).map_err(|_| RuleBookError::Schema)?;
        if warnings.next().is_some() {
            return Err(RuleBookError::Schema);
        }
        drop(warnings);
        let mut policies = PolicySet::new();
        let mut rules = Vec::new();
        for (name, bytes) in files.into_iter().filter(|(name, _)| *name != SCHEMA) {
            Self::read(name, bytes, &mut policies, &mut rules)?;
        }
        rules.sort_unstable();
        let permits: BTreeSet<_> = policies
            .policies()
            .filter(|rule| rule.effect() == Effect::Permit)
            .map(|rule| rule.id().to_string())
            .collect();
        if permits != BTreeSet::from([PERMIT.to_owned()]) {
            return Err(RuleBookError::Effect);
        }
        let result = Validator::new(schema.clone()).validate(&policies, ValidationMode::Strict);
        let errors = result.validation_errors().map(|error| error.policy_id().to_string());
        let warnings = result.validation_warnings().map(|warning| warning.policy_id().to_string());
        match errors.chain(warnings).min() {
            Some(rule) => Err(RuleBookError::Validation(rule)),
            None => Ok(Self { policies, schema, declared, rules, hash }),
        }
    }

    fn read(name: &str, bytes: &[u8], policies: &mut PolicySet, rules: &mut Vec<RuleHit>) -> Result<(), RuleBookError> {
        let extension = std::path::Path::new(name).extension();
        let text = std::str::from_utf8(bytes).ok().filter(|_| extension.is_some_and(|it| it == "cedar"));
        let text = text.ok_or_else(|| RuleBookError::File(name.to_owned()))?;
        let read: PolicySet = text.parse().map_err(|_| RuleBookError::Syntax(name.to_owned()))?;
        if read.templates().next().is_some() {
            return Err(RuleBookError::Annotation(name.to_owned()));
        }
        for rule in read.policies() {
            let (Some(id), Some(say)) = (rule.annotation("id"), rule.annotation("say")) else {
                return Err(RuleBookError::Annotation(name.to_owned()));
            };
            let is_id = (2..=8).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
            if !is_id || say.trim().is_empty() {
                return Err(RuleBookError::Annotation(name.to_owned()));
            }
            rules.push(RuleHit { rule: id.to_owned(), say: say.to_owned() });
            let named = rule.new_id(PolicyId::new(id));
            policies.add(named).map_err(|_| RuleBookError::Duplicate(name.to_owned()))?;
        }
        Ok(())
    }

    /// The rules that forbid, by id.
    pub fn forbids(&self) -> impl Iterator<Item = &RuleHit> {
        self.rules.iter().filter(|rule| rule.rule != PERMIT)
    }

    /// The sentence of a rule.
    pub fn say(&self, rule: &str) -> Option<&str> {
        self.rules.iter().find(|known| known.rule == rule).map(|known| known.say.as_str())
    }

    /// The hash over the names and bytes of all files; log entries carry it.
    pub fn hash(&self) -> FileHash {
        self.hash
    }

    /// Whether the schema gives entities of a kind such an attribute.
    pub(crate) fn declares(&self, kind: &str, attribute: &str) -> bool {
        self.declared.contains(&(kind.to_owned(), attribute.to_owned()))
    }

    pub(super) fn policies(&self) -> &PolicySet {
        &self.policies
    }

    pub(crate) fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The same book without one rule, to show in tests that every rule is needed.
    #[cfg(test)]
    pub(crate) fn without(mut self, rule: &str) -> Self {
        self.policies.remove_static(PolicyId::new(rule)).expect("the rule is in the book");
        self
    }

    /// Evaluates one request: the rules that stand in the way, by id; none when it is allowed.
    pub(crate) fn hits(&self, request: &Request, entities: &Entities) -> Vec<RuleHit> {
        let response = Authorizer::new().is_authorized(request, &self.policies, entities);
        let failed = response.diagnostics().errors().next().is_some();
        if response.decision() == Decision::Allow && !failed {
            return Vec::new();
        }
        let reasons = response.diagnostics().reason().filter_map(|id| {
            let id: &str = id.as_ref();
            self.rules.iter().find(|rule| rule.rule == id && id != PERMIT).cloned()
        });
        let mut hits: Vec<RuleHit> = reasons.collect();
        if failed || hits.is_empty() {
            hits.push(RuleHit::fixed(ERROR));
        }
        hits.sort_unstable();
        hits
    }
}

/// Every entity kind of the schema's first namespace with its attributes.
fn declared(schema: &str) -> Option<BTreeSet<(String, String)>> {
    let (fragment, _) = SchemaFragment::from_cedarschema_str(schema).ok()?;
    let json = fragment.to_json_value().ok()?;
    let kinds = json.get("")?.get("entityTypes")?.as_object()?;
    let attributes = kinds.iter().flat_map(|(kind, declared)| {
        let attributes = declared.pointer("/shape/attributes").and_then(serde_json::Value::as_object);
        attributes.into_iter().flat_map(move |names| names.keys().map(move |name| (kind.clone(), name.clone())))
    });
    Some(attributes.collect())
}

/// SHA-256 over each name and text, both with their length, in the order of the names.
fn hash(files: &[(&str, &[u8])]) -> FileHash {
    let mut hasher = Sha256::new();
    for (name, bytes) in files {
        for part in [name.as_bytes(), *bytes] {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
    }
    FileHash(hasher.finalize().into())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn load_with(file: &str, change: impl Fn(&str) -> String) -> Result<RuleBook, RuleBookError> {
        let files: Vec<(&str, String)> = SHIPPED
            .iter()
            .map(|(name, text)| (*name, if *name == file { change(text) } else { (*text).to_owned() }))
            .collect();
        RuleBook::load(files.iter().map(|(name, text)| (*name, text.as_bytes())))
    }

    #[test]
    fn the_shipped_book_is_valid_and_says_something_about_each_rule() {
        let book = RuleBook::shipped().expect("valid");
        assert_eq!(book.forbids().count(), 15 + 11 + 18);
        for rule in book.forbids() {
            assert!(rule.say.ends_with('.') && rule.say.len() > 20, "{}", rule.rule);
            assert_eq!(book.say(&rule.rule), Some(rule.say.as_str()));
        }
    }

    #[test]
    fn the_hash_changes_with_any_file_and_not_with_their_order() {
        let book = RuleBook::shipped().expect("valid");
        let turned = RuleBook::load(SHIPPED.iter().rev().map(|(name, text)| (*name, text.as_bytes()))).expect("valid");
        let commented = load_with("standing.cedar", |text| format!("{text}\n// a remark\n")).expect("valid");
        assert_eq!(book.hash(), turned.hash());
        assert_ne!(book.hash(), commented.hash());
    }

    #[rstest]
    #[case::no_sentence("standing.cedar", "@say(\"The recipient's agreement has ended.\")", "", "annotation")]
    #[case::second_permit("standing.cedar", "forbid", "permit", "effect")]
    #[case::twice("standing.cedar", "@id(\"T02\")", "@id(\"T01\")", "duplicate")]
    #[case::syntax("standing.cedar", "forbid", "forbids", "syntax")]
    #[case::unknown_fact("statutory.cedar", "context.benefitsData }", "context.benefits }", "validation")]
    #[case::wrong_type("statutory.cedar", "{ context.criminalOffence }", "{ context.now }", "validation")]
    #[case::dead_rule(
        "statutory.cedar",
        "{ context.criminalOffence }",
        "{ context.criminalOffence && false }",
        "validation"
    )]
    #[case::schema("schema.cedarschema", "entity Item;", "", "schema")]
    fn a_faulty_book_is_refused(#[case] file: &str, #[case] from: &str, #[case] to: &str, #[case] code: &str) {
        let error = load_with(file, |text| {
            let changed = text.replacen(from, to, 1);
            assert_ne!(changed, text, "the replacement must find its text");
            changed
        });
        let error = error.expect_err("faulty").to_string();
        assert!(error.ends_with(&format!("[{code}]")), "{error}");
    }
}
