//! Markup typed into every field of every form: it is refused or kept as text, and no page ever shows it
//! as markup. Officers work their way through the forms; at each page everything is tried before the step.

use std::collections::BTreeSet;

use porth::domain::ids::AgreementRef;
use porth::tlog::entry::AgreementState;

use super::TestConsole;
use super::refusals::{form_token, location};
use crate::support::connection::Reply;
use crate::support::database::Backend;

/// Breaks out of an attribute and out of an element where it is not escaped.
const MARKUP: &str = "\"'><img src=x onerror=alert(1)><script>alert(1)</script>";
/// The same as a form sends it.
const SENT: &str = "%22%27%3E%3Cimg+src%3Dx+onerror%3Dalert%281%29%3E%3Cscript%3Ealert%281%29%3C%2Fscript%3E";
/// Fields that the walk below does not come to, each with why.
const NOT_REACHED: &[(&str, &str)] = &[
    ("engagement", "the form of a claim stands on a family's page, and this gateway has no family"),
    ("case", ASKING),
    ("family", ASKING),
    ("hours", ASKING),
    ("person", ASKING),
];
const ASKING: &str = "the form that asks who somebody is comes with a recipient's key, and none is enrolled here";

/// A form of a page, as a browser reads it.
struct ShownForm {
    path: String,
    step: String,
    fields: Vec<ShownField>,
}

struct ShownField {
    name: String,
    value: String,
    is_typed: bool,
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let value = tag.split(&format!(" {name}=\"")).nth(1)?.split('"').next()?;
    Some(
        value
            .replace("&#34;", "\"")
            .replace("&#39;", "'")
            .replace("&#60;", "<")
            .replace("&#62;", ">")
            .replace("&#38;", "&"),
    )
}

/// The forms of a page that change something, without signing out.
fn forms(page: &str) -> Vec<ShownForm> {
    let texts = page.split("<form ").skip(1).filter_map(|text| text.split("</form>").next());
    let posted = texts.filter(|text| text.starts_with("method=\"post\""));
    let read = |text: &str| {
        let path = text.split("action=\"").nth(1)?.split('"').next()?.to_owned();
        let mut fields: Vec<ShownField> = Vec::new();
        for tag in text
            .split('<')
            .filter(|tag| tag.starts_with("input ") || tag.starts_with("select ") || tag.starts_with("textarea "))
        {
            let name = attribute(tag, "name")?;
            let kind = attribute(tag, "type").unwrap_or_default();
            let value = attribute(tag, "value").unwrap_or_default();
            if !fields.iter().any(|field| field.name == name) {
                fields.push(ShownField { name, value, is_typed: kind == "text" || tag.starts_with("textarea ") });
            }
        }
        let step =
            fields.iter().find(|field| field.name == "step").map_or_else(String::new, |field| field.value.clone());
        Some(ShownForm { path, step, fields })
    };
    posted.filter_map(read).filter(|form| form.path != "/sign-out").collect()
}

/// Something that a field takes, by its name: so that one field alone is wrong.
fn fitting(field: &ShownField) -> String {
    match field.name.as_str() {
        _ if !field.value.is_empty() => field.value.clone(),
        "size" | "people" | "records" | "days" => "2".to_owned(),
        "minimum" => "1".to_owned(),
        "since" | "until" | "due" | "aware-day" => "2026-09-20".to_owned(),
        "aware-time" => "09:30".to_owned(),
        _ if field.is_typed => "case-note/1".to_owned(),
        _ => String::new(),
    }
}

/// What tried markup, by the name of its field.
#[derive(Default)]
struct Tried {
    typed: BTreeSet<String>,
    posts: usize,
}

impl Tried {
    /// Sends each form of a page once for each of its fields, with markup in that field.
    async fn page(&mut self, console: &TestConsole, cookie: &str, path: &str) {
        let page = console.get(path, Some(cookie)).await;
        assert_eq!(page.status, 200, "{path}: {}", page.text());
        for form in forms(&String::from_utf8_lossy(&page.body)) {
            for wrong in form.fields.iter().filter(|field| field.name != "form-token" && field.name != "step") {
                let pairs = form.fields.iter().map(|field| {
                    let value = if field.name == wrong.name {
                        SENT.to_owned()
                    } else {
                        fitting(field).replace('/', "%2F").replace('+', "%2B")
                    };
                    format!("{}={value}", field.name)
                });
                let body = pairs.collect::<Vec<_>>().join("&");
                let reply = console.post(&form.path, Some(cookie), &body).await;
                let named = format!("{} of {} at {}", wrong.name, form.step, form.path);
                assert!(matches!(reply.status, 400 | 404 | 409 | 422), "{named} takes markup: {}", reply.text());
                is_text(&named, &reply);
                if wrong.is_typed {
                    assert!(
                        reply.text().contains("&#60;script&#62;") || reply.status != 422,
                        "{named}: what was typed stays"
                    );
                    self.typed.insert(wrong.name.clone());
                }
                self.posts += 1;
            }
        }
    }
}

/// Nothing of what was typed is markup.
fn is_text(named: &str, reply: &Reply) {
    let text = String::from_utf8_lossy(&reply.body).into_owned();
    assert!(!text.contains("<script>") && !text.contains("<img") && !text.contains(MARKUP), "{named}: {text}");
    assert!(location(reply).find(['<', '"', '\'']).is_none(), "{named} leads on with it");
}

impl TestConsole {
    /// Sends one form as it should be; where it leads.
    async fn step(&self, cookie: &str, path: &str, fields: &str) -> String {
        let token = form_token(&self.get(path, Some(cookie)).await);
        let done = self.post(path, Some(cookie), &format!("form-token={token}&{fields}")).await;
        assert_eq!(done.status, 303, "{fields} at {path}: {}", done.text());
        location(&done).split('?').next().expect("a path").to_owned()
    }

    /// The first address on a page that begins so.
    async fn link(&self, cookie: &str, path: &str, start: &str) -> String {
        let page = self.get(path, Some(cookie)).await;
        let text = String::from_utf8_lossy(&page.body).into_owned();
        let mut links = text.split("href=\"").skip(1).filter_map(|link| link.split('"').next());
        links.find(|link| link.starts_with(start)).unwrap_or_else(|| panic!("{start} at {path}: {text}")).to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn markup_in_any_field_of_any_form_is_refused_or_stays_text() {
    let console = TestConsole::start_demonstration(Backend::Sqlite).await;
    let gateway = console.gateway.gateway();
    for officer in ["porth-officer", "porth-second-officer", "porth-third-officer"] {
        console.register(officer).await;
    }
    for _ in 0..3 {
        console.ask_once().await;
    }
    let of: AgreementRef = "early-help-core/v1".parse().expect("a reference");
    gateway.set_agreement_status(&of, AgreementState::Suspended, "board", "incident").await.expect("suspended");
    for _ in 0..100 {
        if !gateway.store().open_alerts().await.expect("alerts").is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let (first, second) = (console.enter("porth-officer").await, console.enter("porth-second-officer").await);
    let mut tried = Tried::default();

    let alert = console.link(&first, "/alerts", "/alerts/").await;
    tried.page(&console, &first, &alert).await;

    tried.page(&console, &first, "/reviews/draw").await;
    let days = "since=2020-01-01&until=2099-12-31&agency=&size=1&minimum=1&reason=plan";
    let sample = console.step(&first, "/reviews/draw", &format!("step=draw&strategy=random&{days}")).await;
    tried.page(&console, &first, &sample).await;
    let review = console.link(&first, &sample, "/reviews/0").await;
    tried.page(&console, &first, &review).await;
    console.step(&first, &review, "step=read").await;
    tried.page(&console, &first, &review).await;
    let verdict = "finding=not_justified_minimisation&severity=low&action=retrain&agreement=&owner=manager";
    console.step(&first, &review, &format!("step=decide&{verdict}&due=2099-01-01&reason=note")).await;
    console.step(&second, &review, "step=read").await;
    tried.page(&console, &second, &review).await;
    console.step(&second, &review, "step=confirm&reason=agreed").await;
    tried.page(&console, &second, &review).await;

    tried.page(&console, &first, "/incidents/new").await;
    let new = "step=open&nature=wrong-match&aware-day=2026-09-20&aware-time=09%3A30&link=&reason=found";
    let incident = console.step(&first, "/incidents/new", new).await;
    tried.page(&console, &first, &incident).await;
    let assessed = "step=assess&risk=risk&people=2&records=2&consequences=&measures=&reason=limited";
    console.step(&first, &incident, assessed).await;
    tried.page(&console, &first, &incident).await;
    let proposed = "step=propose&commissioner=yes&people=no&reason=duty&late=found-late";
    console.step(&first, &incident, proposed).await;
    tried.page(&console, &second, &incident).await;
    let page = console.get(&incident, Some(&second)).await;
    let shown = forms(&String::from_utf8_lossy(&page.body));
    let confirm = shown.iter().find(|form| form.step == "confirm").expect("the form to confirm");
    let proposal = confirm.fields.iter().find(|field| field.name == "proposal").expect("the proposal");
    console.step(&second, &incident, &format!("step=confirm&proposal={}", proposal.value.replace(':', "%3A"))).await;
    tried.page(&console, &first, &incident).await;

    let team = console.enter("porth-data-team").await;
    tried.page(&console, &team, "/families").await;
    for path in ["/recalls/new", "/verify", "/agreements/early-help-core/1/differences"] {
        tried.page(&console, &first, path).await;
    }

    let agreement = "/agreements/early-help-core/1";
    tried.page(&console, &first, agreement).await;
    console.step(&first, agreement, "step=ask&reason=over").await;
    tried.page(&console, &first, agreement).await;
    tried.page(&console, &second, agreement).await;

    let is_excused = |name: &String| NOT_REACHED.iter().any(|(known, _)| known == name);
    let missing: Vec<String> =
        declared().into_iter().filter(|name| !tried.typed.contains(name) && !is_excused(name)).collect();
    assert!(missing.is_empty(), "no markup was typed into {missing:?}: let the walk above come to their form");
    assert!(tried.posts > 60, "{}", tried.posts);
    // Nothing of it was kept: neither on a page nor in the log.
    for path in ["/", "/log", "/alerts", "/reviews", "/incidents", "/agreements", &incident, &review, &alert, agreement]
    {
        is_text(path, &console.get(path, Some(&first)).await);
    }
}

/// The names of the fields that people type into, as the sources declare them.
fn declared() -> BTreeSet<String> {
    let folder = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src/web/console"));
    let mut names = BTreeSet::new();
    for file in std::fs::read_dir(folder).expect("a folder").map(|file| file.expect("a file").path()) {
        let is_source = file.extension().is_some_and(|ending| ending == "rs");
        if !is_source || file.ends_with("fields.rs") {
            continue;
        }
        let text = std::fs::read_to_string(&file).expect("a source");
        for kind in [".text(", ".long(", ".day(", ".number("] {
            let calls = text.split(kind).skip(1).map(str::trim_start);
            names.extend(calls.filter_map(|call| call.strip_prefix('"')?.split('"').next()).map(str::to_owned));
        }
    }
    assert!(names.len() > 10, "{names:?}");
    names
}
