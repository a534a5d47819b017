//! A decision in sentences: who asked, how and for what, what came of it, under which agreements and
//! powers, by which rules, and from which feeds of which day.

use std::collections::BTreeMap;

use super::super::super::error::AppError;
use super::super::super::gateway::Gateway;
use super::ground::Ground;
use super::names::{Names, Term, of_law};
use crate::domain::ids::{AgencyCode, FeedCode};
use crate::domain::law;
use crate::tlog::digest::Digest;
use crate::tlog::entry::{Body, Code, Contribution, Decision, Entry, Outcome, YesNo};

/// What lines have in common that one sentence can say at once.
type Shared<'a> =
    (&'a AgencyCode, &'a FeedCode, bool, Option<(&'a Code, Option<&'a Digest>)>, Option<&'a Code>, &'a [Code]);

impl Gateway {
    /// Says what an entry decided, by the texts of its day.
    pub(super) async fn decision_in_words(&self, entry: &Entry, ground: &Ground<'_>) -> Result<Vec<String>, AppError> {
        let names = self.names_then(entry.body(), ground, entry.at()).await?;
        Ok(sentences(entry, ground, &names))
    }
}

fn sentences(entry: &Entry, ground: &Ground<'_>, names: &Names) -> Vec<String> {
    let mut said = vec![asked(ground, names), format!("What was asked for: {}.", ground.what)];
    said.extend(ground.purpose.map(|purpose| purpose_of(ground, names, &names.purpose(purpose))));
    said.push(format!("When: {}; it was decided before any record was read.", entry.at()));
    said.push(came(entry.body(), ground, names));
    said.push(named_agreement(ground, names));
    let mut lines: BTreeMap<Shared<'_>, Vec<String>> = BTreeMap::new();
    for line in ground.decisions {
        lines.entry(shared(line)).or_default().push(names.item(&line.item));
    }
    // What might contribute comes first.
    let (permitted, withheld): (Vec<_>, Vec<_>) = lines.into_iter().partition(|(shared, _)| shared.2);
    if permitted.is_empty() && !ground.decisions.is_empty() {
        said.push("Nothing might contribute.".to_owned());
    }
    said.extend(permitted.into_iter().map(|(shared, items)| contributes(&shared, &items, ground, names)));
    said.extend(withheld.into_iter().map(|(shared, items)| is_withheld(&shared, &items, names)));
    for feed in ground.feeds {
        let day = feed.as_at.map_or_else(|| "never delivered".to_owned(), |at| format!("of {}", at.date()));
        let late = if feed.late == YesNo::Yes { ", and late by the feed calendar" } else { "" };
        let legacy =
            if feed.legacy_tokens == Some(YesNo::Yes) { "; its tokens may be made of old hash values" } else { "" };
        said.push(format!("The feed {} of {} was {day}{late}{legacy}.", feed.feed, names.agency(&feed.supplier)));
    }
    said.push(texts(ground));
    said
}

fn asked(ground: &Ground<'_>, names: &Names) -> String {
    let who = match ground.agency {
        Some(agency) => format!("{}, through its system {}", names.agency(agency), ground.client),
        None => format!("the operator's account {}", ground.client),
    };
    let role = ground.role.map(|role| format!(", in the role {}", names.role(role))).unwrap_or_default();
    format!("Who asked: {who}{role}.")
}

fn purpose_of(ground: &Ground<'_>, names: &Names, purpose: &str) -> String {
    let on =
        ground.relationship.map(|code| format!(", on the strength of the relationship {}", names.relationship(code)));
    let danger = ground.emergency.map(|danger| format!("; an emergency, with the danger '{danger}'"));
    format!("For what: {purpose}{}{}.", on.unwrap_or_default(), danger.unwrap_or_default())
}

fn came(body: &Body, ground: &Ground<'_>, names: &Names) -> String {
    match ground.outcome {
        Outcome::Refused(rule) => format!("What came of it: refused. {}", names.rule(rule)),
        Outcome::Answered => {
            let more = match body {
                Body::Enquiry(_) | Body::FamilyDisclosure(_) => {
                    " What the answer said about whom is in sealed openings, which this look does not open."
                }
                _ => "",
            };
            format!("What came of it: answered.{more}")
        }
    }
}

fn named_agreement(ground: &Ground<'_>, names: &Names) -> String {
    match (ground.agreement, ground.agreement_sha256) {
        (Some(agreement), Some(sha256)) => {
            let title = names
                .title(sha256)
                .map_or_else(|| ", whose text is not there".to_owned(), |title| format!(" (\"{title}\")"));
            format!("The agreement that was named: {agreement}{title}; SHA-256 of the signed text {sha256}.")
        }
        (Some(agreement), None) => format!("The agreement that was named: {agreement}."),
        (None, _) => "The agreement that was named: none, or none that existed.".to_owned(),
    }
}

fn shared(line: &Decision) -> Shared<'_> {
    let supply = line.supply.as_ref().map(|supply| (supply, line.supply_sha256.as_ref()));
    let is_permitted = line.outcome == Contribution::Permitted;
    (&line.supplier, &line.feed, is_permitted, supply, line.receive.as_ref(), &line.rules_hit)
}

fn contributes(shared: &Shared<'_>, items: &[String], ground: &Ground<'_>, names: &Names) -> String {
    let (supplier, feed, _, supply, receive, _) = *shared;
    let (who, what) = (names.agency(supplier), items.join(", "));
    let (Some((supply, sha256)), Some(receive)) = (supply, receive) else {
        return format!("{who} heard {what} from its own feed {feed}, which needs no agreement.");
    };
    let terms = [("supply term", supply, sha256), ("receive clause", receive, ground.agreement_sha256)];
    let [supplies, receives] = terms.map(|(kind, code, sha256)| term_in_words(kind, code, sha256, names));
    format!("{who} might contribute {what} from its feed {feed}. {supplies} {receives}")
}

/// A term with the text that holds it, the powers that permit it, its lawful basis and conditions.
fn term_in_words(kind: &str, code: &Code, sha256: Option<&Digest>, names: &Names) -> String {
    let text = sha256.map(|sha256| format!(" (text {sha256})")).unwrap_or_default();
    let term = code.as_str().rsplit_once('/').map_or(code.as_str(), |(_, term)| term);
    let Some(Term { plain, powers, art6, conditions }) = sha256.and_then(|sha256| names.term(sha256, term)) else {
        return format!("The {kind} {code}{text} is not there to be read.");
    };
    let powers: Vec<String> = powers.into_iter().map(|power| of_law(&law::POWERS, power.as_str())).collect();
    let conditions: Vec<String> =
        conditions.into_iter().map(|condition| of_law(&law::CONDITIONS, condition.as_str())).collect();
    let conditions = match &conditions[..] {
        [] => "no condition".to_owned(),
        some => format!("condition {}", some.join("; ")),
    };
    format!(
        "The {kind} {code}{text} says \"{plain}\": power {}; lawful basis {}; {conditions}.",
        powers.join("; "),
        of_law(&law::LAWFUL_BASES, art6.as_str())
    )
}

fn is_withheld(shared: &Shared<'_>, items: &[String], names: &Names) -> String {
    let (supplier, feed, _, supply, receive, rules) = *shared;
    let rules: Vec<String> = rules.iter().map(|rule| names.rule(rule)).collect();
    let closest: Vec<&str> =
        supply.map(|(code, _)| code.as_str()).into_iter().chain(receive.map(Code::as_str)).collect();
    let closest = match &closest[..] {
        [] => String::new(),
        some => format!(" The terms that came closest: {}.", some.join(", ")),
    };
    format!(
        "{} did not contribute {} from its feed {feed}: {}{closest}",
        names.agency(supplier),
        items.join(", "),
        rules.join(" ")
    )
}

fn texts(ground: &Ground<'_>) -> String {
    let named = [
        ("programme file", ground.programme_sha256),
        ("match keys", ground.match_keys_sha256),
        ("agencies' files", ground.agencies_sha256),
    ];
    let mut text = format!("It was decided by the rule book {}", ground.rules_sha256);
    for (what, sha256) in named {
        text.extend(sha256.map(|sha256| format!(", {what} {sha256}")));
    }
    text.extend(ground.criteria_version.map(|version| format!(", criteria of version {version}")));
    text + "."
}
