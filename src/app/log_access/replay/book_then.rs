//! The policy book of a past moment, put together from texts by their hashes and from the log before it.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use super::super::super::error::AppError;
use super::super::super::gateway::Gateway;
use super::super::super::policies::agencies_digest;
use super::super::super::proof::check_leaf;
use super::super::explain::Decided;
use crate::domain::agency::Agency;
use crate::domain::agreement::{Agreement, AgreementStatus, AgreementText};
use crate::domain::ids::{AgencyCode, AgreementRef, FeedCode};
use crate::domain::programme::Programme;
use crate::domain::time::Timestamp;
use crate::policy::decision::SupplierFeed;
use crate::policy::{PolicyBook, RuleBook};
use crate::store::{HISTORY_TYPES, StoreError, StoredDocument};
use crate::tlog::digest::Digest;
use crate::tlog::entry::{Body, Entry, SubmissionMode};

/// Entries that are read in one piece.
const PIECE: i64 = 500;

/// What the log says of agreements up to a moment.
#[derive(Default)]
struct Agreements {
    texts: BTreeMap<AgreementRef, Digest>,
    status: BTreeMap<AgreementRef, AgreementStatus>,
    /// The key of each party's newest signature under a text.
    signed: BTreeMap<(Digest, AgencyCode), String>,
    suspended_keys: HashSet<String>,
}

type BookThen = Result<(PolicyBook, Vec<SupplierFeed>), Vec<String>>;

impl Gateway {
    /// The book as it was before the entry at this index, and the feeds that had been submitted; or
    /// why it cannot be put together.
    pub(super) async fn book_then(&self, index: u64, at: Timestamp, was: &Decided<'_>) -> Result<BookThen, AppError> {
        let mut missing = Vec::new();
        let programme = self.store().document(was.programme_sha256.as_bytes()).await?;
        if programme.is_none() {
            missing.push(format!("The programme file {} is not there.", was.programme_sha256));
        }
        let rules = self.rules_then(at, was.rules_sha256).await?;
        if rules.is_none() {
            missing.push(format!("No rule book with the hash {} is there.", was.rules_sha256));
        }
        let agencies = self.agencies_then(at, was.agencies_sha256).await?;
        if agencies.is_none() {
            missing.push(format!("No set of agencies' files with the hash {} is there.", was.agencies_sha256));
        }
        if !self.history_is_whole(index).await? {
            missing.push(
                "The log's index lacks entries before this one: `porth log index --rebuild` makes it again.".to_owned(),
            );
        }
        let logged = self.agreements_then(index).await?;
        let mut agreements = Vec::new();
        for (reference, sha256) in &logged.texts {
            match self.store().document(sha256.as_bytes()).await? {
                None => missing.push(format!("The text of {reference}, {sha256}, is not there.")),
                Some(document) => agreements.push(agreement(&logged, reference, *sha256, &document)?),
            }
        }
        let known: BTreeSet<&Digest> = logged.texts.values().collect();
        let named = was.decisions.iter().filter_map(|line| line.supply_sha256.as_ref()).chain(was.agreement_sha256);
        let unknown: BTreeSet<&Digest> = named.filter(|sha256| !known.contains(sha256)).collect();
        missing.extend(unknown.iter().map(|sha256| format!("No entry before says that the text {sha256} was loaded.")));
        let (Some(programme), Some(rules), Some(agencies), true) = (programme, rules, agencies, missing.is_empty())
        else {
            return Ok(Err(missing));
        };
        let programme = Programme::parse(&programme.body).map_err(unreadable)?;
        let book = PolicyBook::new(Arc::new(programme), agencies, agreements, Arc::new(rules), 0);
        Ok(Ok((book.map_err(unreadable)?, self.submitted_then(index).await?)))
    }

    /// The rule book with this hash: the files in use now, or the newest of that day.
    async fn rules_then(&self, at: Timestamp, sha256: &Digest) -> Result<Option<RuleBook>, AppError> {
        for files in self.sets_of("rules", at).await? {
            let book = RuleBook::load(files.iter().map(|file| (file.name.as_str(), file.body.as_slice())));
            if let Some(book) = book.ok().filter(|book| book.hash().as_bytes() == sha256.as_bytes()) {
                return Ok(Some(book));
            }
        }
        Ok(None)
    }

    async fn agencies_then(&self, at: Timestamp, sha256: &Digest) -> Result<Option<Vec<Agency>>, AppError> {
        for files in self.sets_of("agency", at).await? {
            if agencies_digest(files.iter()) == *sha256 {
                let agencies = files.iter().map(|file| Agency::parse(&file.body).map_err(unreadable));
                return Ok(Some(agencies.collect::<Result<_, _>>()?));
            }
        }
        Ok(None)
    }

    /// Sets of files of a kind that may have been in use at a moment. Which it was, their hash says.
    async fn sets_of(&self, kind: &'static str, at: Timestamp) -> Result<Vec<Vec<StoredDocument>>, StoreError> {
        let current = self.store().current_documents().await?;
        let current = current.into_iter().filter(|document| document.kind == kind).collect();
        let mut newest: BTreeMap<String, StoredDocument> = BTreeMap::new();
        for (document, _) in self.store().documents_until(kind, at).await? {
            newest.insert(document.name.clone(), document); // in the order of their loading
        }
        Ok(vec![current, newest.into_values().collect()])
    }

    async fn agreements_then(&self, index: u64) -> Result<Agreements, AppError> {
        let mut known = Agreements::default();
        for body in self.bodies_before("policy.load", index).await? {
            let Body::PolicyLoad(load) = body else { continue };
            known.texts.extend(load.agreements.into_iter().map(|loaded| (loaded.agreement, loaded.sha256)));
        }
        for body in self.bodies_before("agreement.status", index).await? {
            let Body::AgreementStatus(change) = body else { continue };
            let word = serde_json::to_value(change.to).map_err(|_| AppError::Internal("a status"))?;
            known.status.insert(change.agreement, serde_json::from_value(word).map_err(unreadable)?);
        }
        for body in self.bodies_before("agreement.signature", index).await? {
            let Body::AgreementSignature(signed) = body else { continue };
            known.signed.insert((signed.sha256, signed.party), signed.key.as_str().to_owned());
        }
        for body in self.bodies_before("standing", index).await? {
            let Body::Standing(standing) = body else { continue };
            if standing.of.as_str() == "signatory" {
                let name = standing.name.as_str().to_owned();
                let is_active = standing.to.as_str() == "active";
                if is_active {
                    known.suspended_keys.remove(&name)
                } else {
                    known.suspended_keys.insert(name)
                };
            }
        }
        Ok(known)
    }

    /// Under which agreements each feed had been submitted: a snapshot replaces, a delta adds.
    async fn submitted_then(&self, index: u64) -> Result<Vec<SupplierFeed>, AppError> {
        let mut feeds: BTreeMap<(AgencyCode, FeedCode), BTreeSet<AgreementRef>> = BTreeMap::new();
        for body in self.bodies_before("submission", index).await? {
            let Body::Submission(submission) = body else { continue };
            let under = feeds.entry((submission.agency, submission.feed)).or_default();
            match submission.mode {
                SubmissionMode::Snapshot => *under = BTreeSet::from([submission.agreement]),
                SubmissionMode::Delta | SubmissionMode::Retraction => drop(under.insert(submission.agreement)),
            }
        }
        let each = feeds.into_iter().flat_map(|((supplier, feed), under)| {
            under.into_iter().map(move |agreement| SupplierFeed {
                supplier: supplier.clone(),
                feed: feed.clone(),
                agreement,
            })
        });
        Ok(each.collect())
    }

    /// Whether the index has every entry that the book of a past day is put together from: what a line
    /// that is missing there would hide is counted without it.
    async fn history_is_whole(&self, index: u64) -> Result<bool, AppError> {
        let mut found = 0;
        for kind in HISTORY_TYPES {
            found += self.bodies_before(kind, index).await?.len() as u64;
        }
        Ok(found == self.store().history_size(index).await?)
    }

    async fn bodies_before(&self, kind: &str, index: u64) -> Result<Vec<Body>, AppError> {
        let (mut bodies, mut from) = (Vec::new(), 0);
        loop {
            let found = self.store().entries_of_type(kind, from, index, PIECE).await?;
            let Some(last) = found.last() else { return Ok(bodies) };
            from = last.index + 1;
            for entry in &found {
                check_leaf(&entry.body, &entry.leaf)?;
                let entry = Entry::parse(&entry.body).map_err(|_| StoreError::Corrupt("a log entry"))?;
                bodies.push(entry.into_body());
            }
        }
    }
}

fn agreement(
    known: &Agreements,
    reference: &AgreementRef,
    sha256: Digest,
    document: &StoredDocument,
) -> Result<Agreement, AppError> {
    let text = AgreementText::parse(&document.body).map_err(unreadable)?;
    let signed = known.signed.iter().filter(|((text, _), key)| *text == sha256 && !known.suspended_keys.contains(*key));
    Ok(Agreement {
        text: Arc::new(text),
        status: known.status.get(reference).copied().unwrap_or(AgreementStatus::Draft),
        signed_by: signed.map(|((_, party), _)| party.clone()).collect(),
    })
}

fn unreadable(error: impl std::fmt::Display) -> AppError {
    AppError::Policy(error.to_string())
}
