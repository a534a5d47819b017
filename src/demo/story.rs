//! The story, chapter by chapter. Every figure is counted while it happens.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;

use super::DemoArgs;
use super::answers::Heard;
use super::ledger::{self, Held};
use super::partner::{AskTerms, Asked, Partner};
use super::policy_files;
use super::population::{
    AgencyFile, COHORT, FamilyId, FamilyKind, HEARTH_CHECKS, HUB_SCREENS, Options, PersonId, Population, Row,
    SOCIAL_CARE_PROTECTS,
};
use super::report::{Story, number, span};
use super::trouble::{Trouble, trouble};
use super::workshop::{Folder, Workshop};
use crate::client::ClientError;
use crate::domain::programme::Programme;
use crate::tlog::verify::FaultKind;

/// Those who ask at the same time.
const CONNECTIONS: usize = 16;
/// Of those whom every agency should find, so many in a hundred may be missed by linkage.
const MOST_MISSED_PERCENT: usize = 15;
/// The share of answers, in a hundred, that may name an area that is not met.
const MOST_WRONG_PERCENT: usize = 1;

const HUB: AskTerms = AskTerms {
    agreement: "early-help-core/v1",
    purpose: "early-help-screening",
    mode: "areas",
    relationship: "referral",
    role: "hub-screener",
};
const SOCIAL_CARE: AskTerms = AskTerms {
    agreement: "safeguarding-partners/v1",
    purpose: "safeguarding",
    mode: "areas",
    relationship: "statutory_enquiry",
    role: "social-worker",
};
const CHARITY: AskTerms = AskTerms {
    agreement: "charity-referral/v1",
    purpose: "family-support",
    mode: "eligible",
    relationship: "referral",
    role: "family-worker",
};
const LANDLORD: AskTerms = AskTerms {
    agreement: "housing-support/v1",
    purpose: "tenancy-support",
    mode: "eligible",
    relationship: "open_case",
    role: "housing-officer",
};
const OFFICERS: AskTerms = AskTerms {
    agreement: "police-contact/v1",
    purpose: "lead-contact",
    mode: "lead",
    relationship: "open_case",
    role: "safeguarding-officer",
};
/// What the landlord may hear of, besides its own tenants.
const LANDLORD_CHECKS: [(&str, &str); 3] =
    [("education", "A2"), ("childrens-social-care", "A3"), ("early-help-hub", "A3")];

/// Everybody who acts in the story.
struct Stage {
    workshop: Workshop,
    population: Population,
    files: Vec<AgencyFile>,
    partners: Vec<(&'static str, Arc<Partner>)>,
    held: Held,
}

impl Stage {
    fn partner(&self, code: &str) -> Result<&Arc<Partner>, Trouble> {
        let found = self.partners.iter().find(|(known, _)| *known == code);
        found.map(|(_, partner)| partner).ok_or_else(|| Trouble::new("an agency", "it was not enrolled"))
    }

    fn keep_receipt(&mut self, heard: &Heard) {
        self.held.receipts.extend(heard.receipt().map(ToOwned::to_owned));
    }

    /// The tokens of a person as an agency has them.
    async fn prepare(&self, agency: &str, people: &[PersonId], name: &str) -> Result<Vec<Option<Asked>>, Trouble> {
        let file = self.population.referrals(agency, people);
        let file = file.ok_or_else(|| Trouble::new("a referral", "the agency has no file"))?;
        self.partner(agency)?.prepare(&file, name).await
    }

    /// Asks about one person.
    async fn ask(&mut self, agency: &str, terms: AskTerms, person: PersonId, name: &str) -> Result<Heard, Trouble> {
        let asked = self.prepare(agency, &[person], name).await?.pop().flatten();
        let asked = asked.ok_or_else(|| Trouble::new("a referral", "it gives no token"))?;
        let answer = self.partner(agency)?.ask(terms, &asked).await.map_err(trouble("an enquiry"))?;
        let heard = Heard::read(&answer).map_err(trouble("an answer"))?;
        self.keep_receipt(&heard);
        Ok(heard)
    }
}

/// Tells the whole story. Gives the stage back if it is to stay open.
pub(super) async fn tell(args: &DemoArgs, story: &mut Story, folder: &Folder) -> Result<Workshop, Trouble> {
    let mut stage = open(args, story, folder.path()).await?;
    deliver(story, &mut stage).await?;
    let first = folder.path().join("log-before");
    ledger::export(&stage.workshop, &first).await?;
    one_family(story, &mut stage).await?;
    refusals(story, &mut stage).await?;
    shielded(story, &mut stage).await?;
    overdue(story, &mut stage).await?;
    cohort(story, &mut stage, args.enquiries as usize).await?;
    the_log(story, &mut stage, folder.path(), &first).await?;
    Ok(stage.workshop)
}

async fn open(args: &DemoArgs, story: &mut Story, folder: &Path) -> Result<Stage, Trouble> {
    story.chapter("A gateway, and invented people");
    let began = Instant::now();
    let workshop = Workshop::open(folder).await?;
    story.say(format_args!(
        "   keys, certificates, SQLite, {} agreements in force under {} signatures, TLS listener on {}; {}",
        workshop.agreements,
        workshop.signatures,
        workshop.running.agencies,
        span(began.elapsed())
    ));
    let programme = Programme::parse(policy_files::PROGRAMME).map_err(trouble("the programme"))?;
    let began = Instant::now();
    let options = Options {
        seed: args.seed,
        background_people: args.people as usize,
        overdue: Some(("police", "outcomes")),
        ..Options::new(workshop.now().await?.date())
    };
    let population = Population::generate(&programme, options);
    let files = population.files();
    let rows: usize = files.iter().map(|file| file.rows.len()).sum();
    story.say(format_args!(
        "   {} people in {} households, {} of them families of the programme; {} rows in {} files; {}",
        number(population.people.len()),
        number(population.families.len()),
        number(COHORT),
        number(rows),
        files.len(),
        span(began.elapsed())
    ));
    let began = Instant::now();
    let codes: BTreeSet<&'static str> = files.iter().map(|file| file.name.0).collect();
    let mut partners = Vec::new();
    for code in codes {
        partners.push((code, Arc::new(Partner::enrol(&workshop, folder, code).await?)));
    }
    story.say(format_args!(
        "   {} agencies enrolled, each with a client certificate, an assertion key and a share of the linkage key; {}",
        partners.len(),
        span(began.elapsed())
    ));
    Ok(Stage { workshop, population, files, partners, held: Held::default() })
}

async fn deliver(story: &mut Story, stage: &mut Stage) -> Result<(), Trouble> {
    story.chapter("Each agency turns its file into tokens and sends those");
    let (mut rows, mut found_in_clear, mut looked_for) = (0, 0, 0);
    let mut whole = true;
    for (place, file) in stage.files.iter().enumerate() {
        let (agency, feed) = file.name;
        let partner = stage.partner(agency)?;
        let batch = partner.tokenise(file, &format!("feed-{place}")).await?;
        let (looked, found) = in_clear(file, &batch.path)?;
        looked_for += looked;
        found_in_clear += found;
        let began = Instant::now();
        let id = partner.submit(&batch).await?;
        let (taken, refused) = partner.wait_visible(&id).await?;
        rows += taken;
        whole &= taken == batch.records && refused == 0;
        story.say(format_args!(
            "   {agency}/{feed} as at {}: {} rows tokenised in {} ({} gave no record), {} kB sent, {taken} visible after {}",
            file.as_at,
            number(file.rows.len()),
            span(batch.took),
            batch.refused,
            number((batch.bytes / 1000) as usize),
            span(began.elapsed())
        ));
    }
    story.figure("records", rows);
    story.claim(format_args!("every record that was sent is visible: {} in all", number(rows)), whole);
    story.claim(
        format_args!(
            "of {} names, numbers and addresses looked for in what was sent, {found_in_clear} are there",
            number(looked_for)
        ),
        looked_for > 0 && found_in_clear == 0,
    );
    Ok(())
}

/// Looks for the identities of some rows in the file of tokens.
fn in_clear(file: &AgencyFile, batch: &Path) -> Result<(usize, usize), Trouble> {
    let text = std::fs::read_to_string(batch).map_err(trouble("a file of tokens"))?;
    // Evidence has dates, and somebody may be born on one of them.
    let flags = file.rows.iter().flat_map(|row| &row.evidence.flags);
    let dates: BTreeSet<String> =
        flags.flat_map(|flag| [Some(flag.from), flag.to]).flatten().map(|day| day.to_string()).collect();
    let step = (file.rows.len() / 20).max(1);
    let (mut looked, mut found) = (0, 0);
    for Row { identity: who, .. } in file.rows.iter().step_by(step) {
        let values = [&who.surname, &who.born, &who.nhs, &who.upn, &who.nino, &who.uprn, &who.postcode, &who.address];
        for value in values.into_iter().filter(|value| value.len() > 5 && !dates.contains(*value)) {
            looked += 1;
            found += usize::from(text.contains(value.as_str()));
        }
    }
    Ok((looked, found))
}

async fn one_family(story: &mut Story, stage: &mut Stage) -> Result<(), Trouble> {
    story.chapter("Five agencies ask about one family");
    let family = linked_story_family(stage).await?;
    let subject = stage.population.families[family.0].subject;
    let truth = &stage.population.families[family.0].areas;
    story.say(format_args!("   in truth it meets {}", truth.iter().copied().collect::<Vec<_>>().join(", ")));
    for (place, (agency, terms)) in [
        ("early-help-hub", HUB),
        ("childrens-social-care", SOCIAL_CARE),
        ("hearth", CHARITY),
        ("housing", LANDLORD),
        ("police", OFFICERS),
    ]
    .into_iter()
    .enumerate()
    {
        let heard = stage.ask(agency, terms, subject, &format!("family-{place}")).await?;
        story.say(format_args!("   {agency}, {} as `{}`: {}", terms.agreement, terms.mode, heard.words()));
        let explained = stage.partner(agency)?.explain(terms).await?;
        let sentences = explained["sentences"].as_array().map(Vec::as_slice).unwrap_or_default();
        for sentence in
            sentences.iter().filter_map(|sentence| sentence.as_str()).filter(|text| is_telling(text)).take(3)
        {
            story.say(format_args!("      {sentence}"));
        }
        check_against_truth(story, stage, agency, family, subject, &heard);
    }
    Ok(())
}

/// The sentences that say what differs from one agency to the next.
fn is_telling(sentence: &str) -> bool {
    sentence.starts_with("The answer covers") || sentence.starts_with("The agreements withhold")
}

/// The story's family, or the first other like it that linkage joins, so that what is shown is the
/// agreements' doing. How often linkage fails is counted in a chapter of its own.
async fn linked_story_family(stage: &mut Stage) -> Result<FamilyId, Trouble> {
    let marked = stage.population.landmarks.story;
    let alike = |family: &FamilyId| {
        let known = &stage.population.families[family.0];
        known.areas == stage.population.families[marked.0].areas
    };
    let others: Vec<FamilyId> = stage.population.cohort().filter(alike).take(8).collect();
    for (place, family) in std::iter::once(marked).chain(others).enumerate() {
        let subject = stage.population.families[family.0].subject;
        let expected = stage.population.expected_areas(family, subject, "early-help-hub", &HUB_SCREENS);
        let heard = stage.ask("early-help-hub", HUB, subject, &format!("story-{place}")).await?;
        if heard.met() == expected {
            return Ok(family);
        }
    }
    Ok(marked)
}

fn check_against_truth(
    story: &mut Story,
    stage: &Stage,
    agency: &str,
    family: FamilyId,
    person: PersonId,
    heard: &Heard,
) {
    let permits = match agency {
        "early-help-hub" => &HUB_SCREENS[..],
        "childrens-social-care" => &SOCIAL_CARE_PROTECTS,
        "hearth" => &HEARTH_CHECKS,
        "housing" => &LANDLORD_CHECKS,
        _ => {
            let says_areas = heard.body["areas"].is_array() || heard.body["eligible"].is_object();
            story.claim(format_args!("{agency} learns who leads and no area"), !says_areas);
            return;
        }
    };
    let expected = stage.population.expected_areas(family, person, agency, permits);
    if let Some(state) = heard.eligible() {
        let says_more = !heard.met().is_empty();
        // Their agreements withhold areas: below the threshold it stays open, never `not_met`.
        let wanted = if expected.len() >= 2 { "met" } else { "not_known" };
        story.claim(format_args!("{agency} learns `{wanted}` and no area"), state == wanted && !says_more);
    } else {
        let shown: Vec<&str> = expected.iter().copied().collect();
        story.claim(
            format_args!("{agency} learns that {} are met, and no other", shown.join(", ")),
            heard.met() == expected,
        );
    }
}

async fn refusals(story: &mut Story, stage: &mut Stage) -> Result<(), Trouble> {
    story.chapter("Questions that the agreements do not allow");
    let subject = stage.population.families[stage.population.landmarks.story.0].subject;
    for (place, (agency, terms, what)) in [
        ("police", AskTerms { mode: "areas", ..OFFICERS }, "the police ask which areas are met"),
        ("housing", AskTerms { relationship: "referral", ..LANDLORD }, "the landlord asks about a referral"),
        ("housing", HUB, "the landlord asks under an agreement that gives it nothing"),
    ]
    .into_iter()
    .enumerate()
    {
        let asked = stage.prepare(agency, &[subject], &format!("refused-{place}")).await?.pop().flatten();
        let asked = asked.ok_or_else(|| Trouble::new("a referral", "it gives no token"))?;
        let answer = stage.partner(agency)?.ask(terms, &asked).await;
        let explained = stage.partner(agency)?.explain(terms).await?;
        let rules = explained["rules"].as_array().map(Vec::as_slice).unwrap_or_default();
        let first = rules.first().map(|rule| (rule["rule"].as_str().unwrap_or(""), rule["say"].as_str().unwrap_or("")));
        let (rule, say) = first.unwrap_or_default();
        let is_refused = matches!(&answer, Err(ClientError::Problem(problem)) if problem.status == 403);
        story.say(format_args!("   {what}: {rule}: {say}"));
        story.claim("refused with status 403 and a rule that says why", is_refused && !rule.is_empty());
    }
    Ok(())
}

async fn shielded(story: &mut Story, stage: &mut Stage) -> Result<(), Trouble> {
    story.chapter("A shielded child, and a child whom nobody knows");
    let landmarks = &stage.population.landmarks;
    let refuge = &stage.population.families[landmarks.refuge.0];
    let child = refuge.subject;
    let in_truth: BTreeSet<&str> = refuge.areas.clone();
    // The unknown child's row is the shielded one's, with another name, day and address.
    let file = stage.population.referrals("early-help-hub", &[child, child]);
    let mut file = file.ok_or_else(|| Trouble::new("a referral", "the Hub has no file"))?;
    let known_numbers: BTreeSet<&Option<String>> = stage.population.people.iter().map(|person| &person.nhs).collect();
    let number = unused_nhs_number(|text| known_numbers.contains(&Some(text.to_owned())));
    let unknown = &mut file.rows[1];
    unknown.key.push('X');
    "Nobody".clone_into(&mut unknown.identity.forename);
    "Unheardof".clone_into(&mut unknown.identity.surname);
    "2017-05-09".clone_into(&mut unknown.identity.born);
    "990100000001".clone_into(&mut unknown.identity.uprn);
    "TR79 6ZZ".clone_into(&mut unknown.identity.postcode);
    unknown.identity.upn.clear();
    unknown.identity.nhs = if unknown.identity.nhs.is_empty() { String::new() } else { number };
    let mut asked = stage.partner("early-help-hub")?.prepare(&file, "shielded").await?.into_iter();
    let (Some(Some(shielded)), Some(Some(unknown))) = (asked.next(), asked.next()) else {
        return Err(Trouble::new("a referral", "it gives no token"));
    };
    let mut heard = Vec::new();
    for (mode, terms) in [("areas", HUB), ("eligible", AskTerms { mode: "eligible", ..HUB })] {
        for (who, asked) in [("shielded", &shielded), ("unknown", &unknown)] {
            let answer = stage.partner("early-help-hub")?.ask(terms, asked).await.map_err(trouble("an enquiry"))?;
            let answer = Heard::read(&answer).map_err(trouble("an answer"))?;
            story.say(format_args!(
                "   {who} child, `{mode}`: status {}, {} bytes of body, {} of headers: {}",
                answer.status,
                answer.body_bytes,
                answer.header_bytes,
                answer.words()
            ));
            stage.keep_receipt(&answer);
            heard.push(answer);
        }
    }
    let is_same = heard.chunks(2).all(|pair| {
        pair[0].status == pair[1].status
            && pair[0].body_bytes == pair[1].body_bytes
            && pair[0].headers == pair[1].headers
            && pair[0].substance() == pair[1].substance()
    });
    story.say(format_args!(
        "   in truth the shielded child's family meets {}",
        in_truth.into_iter().collect::<Vec<_>>().join(", ")
    ));
    story.claim("the two are answered alike: status, headers, length and every word but time and number", is_same);
    the_rest_of_the_family(story, stage, &heard[1]).await
}

/// The whole family, asked about with the address that it fled from. A shield reaches the records that
/// share an identifier with a shielded one; a record that shares none stays visible: told, not claimed.
async fn the_rest_of_the_family(story: &mut Story, stage: &mut Stage, unknown: &Heard) -> Result<(), Trouble> {
    let (population, landmarks) = (&stage.population, &stage.population.landmarks);
    let members = population.families[landmarks.refuge.0].members.clone();
    let old_home = &population.homes[population.families[landmarks.fled_from.0].home.0];
    let file = population.referrals("early-help-hub", &members);
    let mut file = file.ok_or_else(|| Trouble::new("a referral", "the Hub has no file"))?;
    for row in &mut file.rows {
        row.identity.postcode.clone_from(&old_home.postcode);
        row.identity.uprn.clone_from(&old_home.uprn);
    }
    let asked = stage.partner("early-help-hub")?.prepare(&file, "shielded-family").await?;
    let mut hidden = 0;
    for asked in asked.iter().flatten() {
        let answer = stage.partner("early-help-hub")?.ask(HUB, asked).await.map_err(trouble("an enquiry"))?;
        let answer = Heard::read(&answer).map_err(trouble("an answer"))?;
        hidden += usize::from(answer.substance() == unknown.substance());
        stage.keep_receipt(&answer);
    }
    story.figure("shielded_people", members.len());
    story.figure("shielded_hidden", hidden);
    story.say(format_args!(
        "   asked about with the address that they fled from, {hidden} of the {} shielded people are answered like this",
        members.len()
    ));
    if hidden < members.len() {
        story.say("   of the others, another agency has a record that shares no identifier with the shielded one");
    }
    Ok(())
}

/// A number of the test range that nobody in the population has.
fn unused_nhs_number(is_used: impl Fn(&str) -> bool) -> String {
    let candidates = (0..1_000_000_u32).rev().filter_map(|serial| {
        let digits = format!("999{serial:06}");
        let sum: u32 = digits.bytes().zip((2..=10).rev()).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
        let check = (11 - sum % 11) % 11;
        (check < 10).then(|| format!("{digits}{check}"))
    });
    candidates.into_iter().find(|number| !is_used(number)).unwrap_or_default()
}

async fn overdue(story: &mut Story, stage: &mut Stage) -> Result<(), Trouble> {
    story.chapter("A feed that is overdue");
    let facts = &stage.population.facts;
    let only_police = |family: &FamilyId| {
        let known = &stage.population.families[family.0];
        let about = |criterion: &str| {
            facts.iter().any(|fact| fact.criterion == criterion && known.members.contains(&fact.person))
        };
        matches!(known.kind, FamilyKind::Background | FamilyKind::AdultOnly) && about("C2")
    };
    let found = (0..stage.population.families.len()).map(FamilyId).find(only_police);
    let family = found.ok_or_else(|| Trouble::new("the population", "no family is known to the police alone"))?;
    let convicted = facts
        .iter()
        .find(|fact| fact.criterion == "C2" && stage.population.families[family.0].members.contains(&fact.person));
    let person = convicted.map(|fact| fact.person).ok_or_else(|| Trouble::new("the population", "nobody convicted"))?;
    let as_at = stage.population.as_at(("police", "outcomes"));
    let heard = stage.ask("childrens-social-care", SOCIAL_CARE, person, "overdue").await?;
    story.say(format_args!("   the newest delivery of police/outcomes is of {as_at}"));
    story.say(format_args!(
        "   social care asks about an adult with a conviction that only the police know: {}",
        heard.words()
    ));
    let areas = heard.body["areas"].as_array().map(Vec::as_slice).unwrap_or_default();
    let crime = areas.iter().find(|area| area["code"] == "A1");
    let is_stale = crime.is_some_and(|area| area["state"] == "stale" && area["is_late"] == true);
    story.claim("crime is `stale` and marked as late, neither met nor not met", is_stale);
    Ok(())
}

async fn cohort(story: &mut Story, stage: &mut Stage, enquiries: usize) -> Result<(), Trouble> {
    story.chapter("The Hub screens families, and the answers are compared with the truth");
    let others_count = enquiries / 5;
    let others =
        stage.population.families.iter().enumerate().filter(|(_, family)| family.kind == FamilyKind::Background);
    let mut families: Vec<FamilyId> = stage.population.cohort().step_by(3).take(enquiries - others_count).collect();
    families.extend(others.map(|(place, _)| FamilyId(place)).take(others_count));
    let subjects: Vec<PersonId> = families.iter().map(|family| stage.population.families[family.0].subject).collect();
    let asked = stage.prepare("early-help-hub", &subjects, "screening").await?;
    let partner = Arc::clone(stage.partner("early-help-hub")?);
    let began = Instant::now();
    let questions = families.iter().copied().zip(subjects).zip(asked);
    let answers: Vec<Screened> = futures_util::stream::iter(questions.map(|((family, subject), asked)| {
        let partner = Arc::clone(&partner);
        async move {
            let Some(asked) = asked else { return (family, subject, None, Duration::ZERO) };
            let began = Instant::now();
            let answer = partner.ask(HUB, &asked).await;
            (family, subject, Some(answer.and_then(|answer| Heard::read(&answer))), began.elapsed())
        }
    }))
    .buffer_unordered(CONNECTIONS)
    .collect()
    .await;
    let took = began.elapsed();
    count(story, stage, &answers, took);
    for (_, _, answer, _) in &answers {
        if let Some(Ok(heard)) = answer {
            stage.keep_receipt(heard);
        }
    }
    Ok(())
}

type Screened = (FamilyId, PersonId, Option<Result<Heard, ClientError>>, Duration);

fn count(story: &mut Story, stage: &Stage, answers: &[Screened], took: Duration) {
    let (mut truly, mut missed, mut wrong, mut answered) = (0, 0, 0, 0);
    let (mut areas_truly, mut areas_missed, mut areas_wrong) = (0, 0, 0);
    let mut unanswered: Vec<String> = Vec::new();
    let mut times: Vec<Duration> = Vec::new();
    for (family, subject, answer, time) in answers {
        let expected = stage.population.expected_areas(*family, *subject, "early-help-hub", &HUB_SCREENS);
        let met: BTreeSet<&str> = match answer {
            Some(Ok(heard)) => {
                answered += 1;
                times.push(*time);
                heard.met()
            }
            Some(Err(error)) => {
                unanswered.push(error.to_string());
                BTreeSet::new()
            }
            None => {
                unanswered.push("the row gave no token".to_owned());
                BTreeSet::new()
            }
        };
        truly += usize::from(expected.len() >= 2);
        missed += usize::from(expected.len() >= 2 && met.len() < 2);
        wrong += usize::from(expected.len() < 2 && met.len() >= 2);
        areas_truly += expected.len();
        areas_missed += expected.difference(&met).count();
        areas_wrong += met.difference(&expected).count();
    }
    times.sort_unstable();
    let at = |percent: usize| times.get(times.len() * percent / 100).copied().unwrap_or_default();
    story.say(format_args!(
        "   {} enquiries over {CONNECTIONS} connections in {}: {:.0} a second; half within {}, 99 in 100 within {}",
        number(answers.len()),
        span(took),
        answers.len() as f64 / took.as_secs_f64(),
        span(at(50)),
        span(at(99))
    ));
    story.say(format_args!(
        "   truly eligible {}: {} found, {missed} missed; not eligible {}: {wrong} answered as eligible",
        number(truly),
        number(truly - missed),
        number(answers.len() - truly)
    ));
    story.say(format_args!(
        "   areas truly met {}: {} found, {areas_missed} missed; {areas_wrong} named that are not met",
        number(areas_truly),
        number(areas_truly - areas_missed)
    ));
    for (name, value) in [
        ("enquiries", answers.len()),
        ("eligible", truly),
        ("eligible_missed", missed),
        ("eligible_wrong", wrong),
        ("areas", areas_truly),
        ("areas_missed", areas_missed),
        ("areas_wrong", areas_wrong),
    ] {
        story.figure(name, value);
    }
    story.figure("enquiry_median_ms", at(50).as_secs_f64() * 1000.0);
    story.figure("enquiries_per_second", answers.len() as f64 / took.as_secs_f64());
    for reason in unanswered.iter().take(3) {
        story.say(format_args!("   not answered: {reason}"));
    }
    story.claim(format_args!("{answered} of {} enquiries were answered", answers.len()), answered == answers.len());
    story.claim(
        format_args!("at most {MOST_MISSED_PERCENT} in 100 of the eligible are missed"),
        missed * 100 <= truly * MOST_MISSED_PERCENT,
    );
    story.claim(
        format_args!("at most {MOST_WRONG_PERCENT} in 100 of the answers name an area that is not met"),
        areas_wrong * 100 <= answers.len() * MOST_WRONG_PERCENT,
    );
}

async fn the_log(story: &mut Story, stage: &mut Stage, folder: &Path, before: &Path) -> Result<(), Trouble> {
    story.chapter("The disclosure log, verified by somebody who trusts nobody here");
    stage.workshop.wait_sequenced().await?;
    stage.held.checkpoints.push(stage.partner("education")?.checkpoint().await?);
    let whole = folder.join("log");
    let entries = ledger::export(&stage.workshop, &whole).await?;
    let (report, took) = ledger::verify(&stage.workshop, &whole, &stage.held);
    story.say(format_args!(
        "   {} entries, {} openings and {} receipts checked in {}",
        number(report.entries as usize),
        number(report.openings as usize),
        number(report.receipts as usize),
        span(took)
    ));
    story.figure("log_entries", entries);
    for fault in report.faults.iter().take(3) {
        story.say(format_args!("   {fault}"));
    }
    let promised = stage.held.receipts.len() as u64;
    story.claim("nothing is wrong with the export", report.is_clean() && report.entries == entries);
    story.claim(format_args!("each of {promised} receipts has its entry"), report.receipts == promised && promised > 0);

    let altered = folder.join("log-altered");
    let (file, place) = ledger::alter_one_byte(&whole, &altered)?;
    let (report, _) = ledger::verify(&stage.workshop, &altered, &stage.held);
    story.say(format_args!("   byte {place} of {file} altered in a copy:"));
    for fault in report.faults.iter().take(2) {
        story.say(format_args!("      {fault}"));
    }
    story.claim("the altered entry is found", ledger::has(&report, FaultKind::EntryAltered));

    // The log as it was before the first enquiry: every signature in it is genuine.
    let alone = Held::default();
    let (report, _) = ledger::verify(&stage.workshop, before, &alone);
    let looks_whole = report.is_clean();
    let held = Held { checkpoints: stage.held.checkpoints.clone(), receipts: Vec::new() };
    let (report, _) = ledger::verify(&stage.workshop, before, &held);
    story.say("   a copy rolled back to before the first enquiry, against the checkpoint that education holds:");
    for fault in report.faults.iter().take(2) {
        story.say(format_args!("      {fault}"));
    }
    story.claim("by itself the copy looks whole", looks_whole);
    story.claim(
        "the checkpoint held elsewhere shows that entries were taken back",
        ledger::has(&report, FaultKind::Rollback),
    );
    Ok(())
}
