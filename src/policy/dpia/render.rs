//! The pack as a document in Markdown, to be annexed to an assessment.

use std::fmt::Display;
use std::fmt::Write as _;

use super::{AgreementPart, Flow, Pack};
use crate::domain::agreement::{Onward, Profile, Unit};
use crate::domain::ids::{AgencyCode, PowerCode};
use crate::domain::law;
use crate::policy::matrix::Gap;

/// Risks that the assessment of such a programme has to answer, and what the product does about each.
const RISKS: [(&str, &str); 9] = [
    (
        "Function creep",
        "Answers leave only for the purposes, forms and roles that both signed terms list; a wider text needs every party's signature and two officers, and `porth policy diff` says who would learn more",
    ),
    (
        "Fishing",
        "Each clause has a ceiling of enquiries a day, charged whether or not anybody was found; refusals and no-matches are logged like answers",
    ),
    (
        "Dictionary attack on tokens",
        "Tokens are keyed at the agencies and blinded again under a key that no agency has; the operator holds no linkage key",
    ),
    (
        "False match",
        "Conflicting identifiers never join; doubtful pairs go to the agencies that hold the records; answers can be recalled by their log entries",
    ),
    (
        "Chilling effect and stigma",
        "An answer is the least form that the clause lists; areas, reasons and names stay with the supplier",
    ),
    (
        "A perpetrator's access",
        "Any one agency can shield a person, who is then answered for as if nobody else had ever submitted them",
    ),
    (
        "Small cells",
        "Tables round and suppress, also against the release before and against tables under other agreements",
    ),
    (
        "Bias of linkage",
        "Linkage quality is measured on public test sets; differences between groups of people are for the officer to assess",
    ),
    (
        "Alteration of the record",
        "The log is append-only and proves itself; partner agencies that cosign it notice a rewrite",
    ),
];

/// What a configuration cannot say.
const FOR_PEOPLE: [(&str, &str); 7] = [
    ("Consultation with families", "who was asked, how, and what changed because of it"),
    ("Necessity and proportionality", "the officer's own view of the reasons that the agreements give in section 5"),
    (
        "Who trusts the programme least",
        "which groups are linked most or accept linkage least, and what is done for them",
    ),
    ("Residual risk", "for each line of section 8: likelihood, severity, accepted or not"),
    ("Advice of the data protection officers", "of each controller, with its date, and where it was not followed, why"),
    (
        "Sign-off",
        "posts and dates of the controllers' senior information risk owners, and of the Caldicott Guardians for health",
    ),
    ("Next review", "the day, and what brings it forward"),
];

impl Pack {
    /// The document.
    pub fn to_markdown(&self) -> String {
        let mut text = format!("# {}: support for the data protection impact assessment\n\n", self.title);
        let _ = writeln!(
            text,
            "Made from the configuration as at {}. Programme `{}`, criteria {}, rule book `{}`.\n\nWhat is below is what the \
             gateway would decide, not what somebody meant to configure. It speaks of agencies, agreements and rules, and of \
             nobody whose data are held. The data are about children and families, many of them in difficulty; they are \
             pseudonymised and remain personal data.",
            self.as_at, self.programme, self.criteria_version, self.rules_sha256
        );
        self.who_takes_part(&mut text);
        self.what_is_held(&mut text);
        self.who_gets_what(&mut text);
        self.limits_of_law(&mut text);
        self.agreements_behind(&mut text);
        self.retention(&mut text);
        self.safeguards(&mut text);
        heading(&mut text, "8. Risks, and what answers them");
        table(
            &mut text,
            &["risk", "measure in the product", "residual risk"],
            RISKS.iter().map(|(risk, measure)| {
                vec![(*risk).to_owned(), (*measure).to_owned(), "To be written by the officer".to_owned()]
            }),
        );
        heading(&mut text, "9. What is open");
        list(&mut text, "Nothing.", self.open.iter());
        heading(&mut text, "10. What the agreements do not make possible");
        text.push_str("Each line may be as it should: it says what nobody hears, not that somebody ought to.\n\n");
        list(&mut text, "No gap.", self.gaps.iter().map(Gap::line));
        heading(&mut text, "11. To be written by the officer");
        for (what, hint) in FOR_PEOPLE {
            let _ = writeln!(text, "- **{what}**: To be written by the officer ({hint}).");
        }
        text
    }

    fn who_takes_part(&self, text: &mut String) {
        heading(text, "1. Who takes part");
        table(
            text,
            &["agency", "kind", "supplies", "its name reveals", "register number", "officers"],
            self.agencies.iter().map(|agency| {
                let officers = &agency.officers;
                let posts = [
                    ("DPO", &officers.data_protection_officer),
                    ("risk owner", &officers.risk_owner),
                    ("Caldicott Guardian", &officers.caldicott_guardian),
                ];
                let named = posts.iter().filter_map(|(post, named)| Some(format!("{post}: {}", named.as_ref()?)));
                vec![
                    format!("{} (`{}`)", agency.name, agency.code),
                    agency.kind.to_owned(),
                    yes(agency.supplies),
                    words(&agency.reveals),
                    officers.ico_number.clone().unwrap_or_else(|| "not named".to_owned()),
                    named.collect::<Vec<_>>().join("; "),
                ]
            }),
        );
    }

    fn what_is_held(&self, text: &mut String) {
        heading(text, "2. What is held");
        table(
            text,
            &["area", "kind of data", "criteria in use"],
            self.areas.iter().map(|area| {
                let kinds = [
                    (area.special_category, "special category"),
                    (area.criminal_offence, "criminal offence"),
                    (area.health, "health"),
                ];
                let kinds: Vec<&str> = kinds.into_iter().filter(|(is, _)| *is).map(|(_, word)| word).collect();
                let criteria: Vec<String> =
                    area.criteria.iter().map(|(code, plain)| format!("{code}: {plain}")).collect();
                vec![
                    format!("{} {}", area.code, area.title),
                    if kinds.is_empty() { "personal".to_owned() } else { kinds.join(", ") },
                    if criteria.is_empty() { "none".to_owned() } else { criteria.join(" ") },
                ]
            }),
        );
        text.push('\n');
        table(
            text,
            &["feed", "what it is", "every days", "items", "delivered under"],
            self.feeds.iter().map(|feed| {
                vec![
                    format!("{}/{}", feed.supplier, feed.feed),
                    feed.plain.clone(),
                    feed.every_days.to_string(),
                    words(&feed.items),
                    feed.delivered_under.as_ref().map_or_else(|| "not yet delivered".to_owned(), ToString::to_string),
                ]
            }),
        );
    }

    fn who_gets_what(&self, text: &mut String) {
        heading(text, "3. Who can get what, on what basis");
        text.push_str("Each line is a flow that the gateway would allow now; what is not here is refused.\n\n");
        let columns = [
            "recipient",
            "from",
            "items",
            "purposes",
            "forms",
            "powers",
            "Article 6 (supplier; recipient)",
            "conditions",
            "kind of data",
            "roles",
            "about",
            "a day",
            "passing on",
            "profile",
            "terms",
        ];
        table(text, &columns, self.flows.iter().map(flow_cells));
        text.push('\n');
        let powers: std::collections::BTreeSet<&str> =
            self.flows.iter().flat_map(|flow| flow.powers.iter().map(PowerCode::as_str)).collect();
        list(
            text,
            "No power is named.",
            powers
                .into_iter()
                .map(|code| format!("`{code}`: {}", law::plain(&law::POWERS, code).unwrap_or("not in the register"))),
        );
    }

    fn limits_of_law(&self, text: &mut String) {
        heading(text, "4. What no agreement can lift");
        list(text, "No limit.", self.limits.iter().map(|(rule, say)| format!("{rule}: {say}")));
    }

    fn agreements_behind(&self, text: &mut String) {
        heading(text, "5. The agreements behind it");
        for part in &self.agreements {
            agreement(text, part);
        }
    }

    fn retention(&self, text: &mut String) {
        heading(text, "6. Retention");
        table(
            text,
            &["agreement", "item", "months kept", "in words"],
            self.agreements.iter().flat_map(|part| {
                let months =
                    part.handling.keep_months.iter().map(|(item, months)| (item.to_string(), months.to_string()));
                let mut months: Vec<(String, String)> = months.collect();
                if months.is_empty() {
                    months.push(("all".to_owned(), "not given item by item".to_owned()));
                }
                months.into_iter().map(move |(item, months)| {
                    vec![part.agreement.to_string(), item, months, part.handling.retention.clone()]
                })
            }),
        );
    }

    fn safeguards(&self, text: &mut String) {
        heading(text, "7. Safeguards");
        if self.installation.is_empty() {
            text.push_str("Files alone were read: nothing is said about an installation.\n\n");
        } else {
            table(
                text,
                &["in this installation", ""],
                self.installation.iter().map(|(what, is)| vec![what.clone(), is.clone()]),
            );
            text.push('\n');
        }
        table(
            text,
            &["agreement", "security", "storage", "deletion", "training", "accuracy", "need to know"],
            self.agreements.iter().map(|part| {
                let it = &part.handling;
                let said = [&it.security, &it.storage, &it.deletion, &it.training, &it.accuracy, &it.need_to_know];
                std::iter::once(part.agreement.to_string()).chain(said.into_iter().cloned()).collect()
            }),
        );
    }
}

fn flow_cells(flow: &Flow) -> Vec<String> {
    let kinds = [
        (flow.special_category, "special category"),
        (flow.criminal_offence, "criminal offence"),
        (flow.health, "health"),
        (flow.law_enforcement, "law enforcement (Part 3)"),
    ];
    let kinds: Vec<&str> = kinds.into_iter().filter(|(is, _)| *is).map(|(_, word)| word).collect();
    vec![
        flow.recipient.to_string(),
        flow.supplier.to_string(),
        words(&flow.items),
        words(&flow.purposes),
        words(&flow.modes),
        words(&flow.powers),
        format!("{}; {}", flow.bases.0, flow.bases.1),
        words(&flow.conditions),
        if kinds.is_empty() { "personal".to_owned() } else { kinds.join(", ") },
        words(&flow.roles),
        match flow.unit {
            Unit::Person => "a person".to_owned(),
            Unit::Household => "a family".to_owned(),
        },
        flow.daily_ceiling.to_string(),
        match flow.onward {
            Onward::None => "to nobody".to_owned(),
            Onward::WithSupplierConsent => "with the supplier's consent".to_owned(),
            Onward::Parties => "to parties".to_owned(),
        },
        match flow.profile {
            Profile::A => "A".to_owned(),
            Profile::B => "B".to_owned(),
            Profile::C => "C (weakest)".to_owned(),
        },
        format!("{}#{} to {}#{}", flow.supply.0, flow.supply.1, flow.receive.0, flow.receive.1),
    ]
}

fn agreement(text: &mut String, part: &AgreementPart) {
    let status = serde_json::to_value(part.status).ok().and_then(|word| word.as_str().map(str::to_owned));
    let [starts, ends, review, grace] = &part.days;
    let _ = writeln!(text, "### {} ({})\n", part.title, part.agreement);
    let signed = |agency: &AgencyCode| if part.signed_by.contains(agency) { "signed" } else { "not signed" };
    let parties = part.parties.iter().map(|party| {
        let stages: Vec<String> =
            party.stages.iter().map(|(stage, role)| format!("{} at {}", role.plain(), stage.plain())).collect();
        let stages = if stages.is_empty() { String::new() } else { format!("; {}", stages.join(", ")) };
        format!("{} ({}{stages}; {})", party.agency, party.role.plain(), signed(&party.agency))
    });
    let law = &part.law;
    let or_none = |value: &Option<String>| value.clone().unwrap_or_else(|| "not given".to_owned());
    let lines = [
        ("Text", format!("`{}`", part.sha256)),
        ("Status", status.unwrap_or_default()),
        ("Days", format!("{starts} to {ends}; review due {review}, borne with until {grace}, by {}", part.reviewer)),
        ("Parties", parties.collect::<Vec<_>>().join(", ")),
        ("Objective", part.why.objective.clone()),
        ("Benefit", part.why.benefit.clone()),
        ("Why less would not do", part.why.less_would_not_do.clone()),
        ("Proportionality", part.why.proportionality.clone()),
        ("Confidentiality", law.confidentiality.clone()),
        ("Impact assessment", format!("{} of {}", law.dpia, law.dpia_date)),
        ("Appropriate policy document", law.appropriate_policy_document.clone()),
        ("Article 26 arrangement", or_none(&law.article_26)),
        ("Article 14 notice", or_none(&law.article_14)),
        ("Digital Economy Act register", or_none(&law.dea_register)),
        (
            "Caldicott sign-off",
            law.caldicott_sign_off.as_ref().map_or("not given".to_owned(), |by| format!("{} on {}", by.post, by.on)),
        ),
        ("Privacy notice", part.rights.privacy_notice.clone()),
        ("Subject access", part.rights.subject_access.clone()),
        ("Objections", part.rights.objections.clone()),
        ("Complaints", part.rights.complaints.clone()),
    ];
    for (what, is) in lines {
        let _ = writeln!(text, "- {what}: {is}");
    }
    text.push('\n');
}

fn heading(text: &mut String, title: &str) {
    let _ = write!(text, "\n## {title}\n\n");
}

fn list<T: Display>(text: &mut String, none: &str, lines: impl Iterator<Item = T>) {
    let before = text.len();
    for line in lines {
        let _ = writeln!(text, "- {line}");
    }
    if text.len() == before {
        let _ = writeln!(text, "{none}");
    }
}

/// A table; a bar in a cell would end it, so none is left.
fn table(text: &mut String, columns: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    let _ = writeln!(text, "| {} |", columns.join(" | "));
    let _ = writeln!(text, "|{}", "---|".repeat(columns.len()));
    for row in rows {
        let cells: Vec<String> = row.iter().map(|cell| cell.replace('|', "/").replace('\n', " ")).collect();
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
}

fn words<T: Display>(all: impl IntoIterator<Item = T>) -> String {
    all.into_iter().map(|word| word.to_string()).collect::<Vec<_>>().join(", ")
}

fn yes(is: bool) -> String {
    if is { "yes" } else { "no" }.to_owned()
}
