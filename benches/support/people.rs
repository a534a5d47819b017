//! Invented people as feeds and questions carry them: a dozen tokens each, three at an address, known
//! to two agencies.

use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use bytes::Bytes;
use porth::app::caller::AgencyCaller;
use porth::app::policies::hex;
use porth::crypto::token::{LinkageKey, TypeKey};
use porth::domain::ids::{ProgrammeCode, SubmissionId, TokenType};
use porth::domain::token::encode_base64url;
use serde_json::{Value, json};

use super::fixtures::gateway::{EPOCH, PROGRAMME, TestGateway};

/// The types that a record's tokens have: those of names, birthday and address, and one number.
pub(crate) const TYPES: [&str; 12] =
    ["nhs", "k3", "k3s", "k4", "k5", "k6", "k7", "k8", "k9-day", "k9-swap", "k9-forename", "k9-surname"];
const ADDRESS: &str = "uprn";
const AGREEMENT: &str = "early-help-core/v1";
/// Rows of tokens that a record makes: its own and that of its address.
pub(crate) const TOKEN_ROWS: usize = TYPES.len();

/// A feed whose records are invented here.
#[derive(Clone, Copy)]
pub(crate) struct Feed {
    pub(crate) agency: &'static str,
    pub(crate) code: &'static str,
    criterion: &'static str,
}

pub(crate) const ATTENDANCE: Feed = Feed { agency: "education", code: "attendance", criterion: "E1" };
pub(crate) const TENANCIES: Feed = Feed { agency: "housing", code: "tenancies", criterion: "H2" };
pub(crate) const CASES: Feed = Feed { agency: "childrens-social-care", code: "cases", criterion: "H2" };

/// The keys under which people get their tokens.
pub(crate) struct People {
    types: Vec<(&'static str, TypeKey)>,
    address: TypeKey,
}

impl People {
    pub(crate) fn new(linkage: &LinkageKey) -> Self {
        let programme = ProgrammeCode::parse(PROGRAMME).expect("a code");
        let derive =
            |name: &str| TypeKey::derive(linkage, &programme, EPOCH, &TokenType::parse(name).expect("a type"), 1);
        Self { types: TYPES.map(|name| (name, derive(name))).into(), address: derive(ADDRESS) }
    }

    fn push_tokens(&self, person: u64, line: &mut String) {
        write!(line, "{{\"{EPOCH}\":{{").expect("a string takes it");
        for (place, (name, key)) in self.types.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            let token = key.token(format!("{name} of {person}").as_bytes()).to_text();
            write!(line, "{comma}\"{name}\":[\"{token}\"]").expect("a string takes it");
        }
        line.push_str("}}");
    }

    /// A record line of a person in a feed.
    pub(crate) fn record(&self, feed: Feed, person: u64) -> String {
        let mut line = String::with_capacity(1024);
        let role = if person.is_multiple_of(3) { "adult" } else { "child" };
        write!(line, "{{\"ref\":\"{}\",\"role\":\"{role}\",\"tokens\":", reference(person)).expect("a string takes it");
        self.push_tokens(person, &mut line);
        let home = self.address.token(format!("address {}", person / 3).as_bytes()).to_text();
        let Feed { criterion, .. } = feed;
        write!(
            line,
            ",\"household\":{{\"{EPOCH}\":{{\"{ADDRESS}\":[\"{home}\"]}}}},\"flags\":[{{\"criterion\":\"{criterion}\",\
             \"state\":\"met\",\"from\":\"2026-09-03\"}}]}}"
        )
        .expect("a string takes it");
        line
    }

    fn epochs(&self) -> Value {
        let all = self.types.iter().map(|(name, key)| (*name, key)).chain([(ADDRESS, &self.address)]);
        let checks: serde_json::Map<String, Value> =
            all.map(|(name, key)| (name.to_owned(), hex(&key.key_check()).into())).collect();
        json!([{ "epoch": EPOCH, "key_checks": checks }])
    }

    /// A question of the Early Help Hub about a person.
    pub(crate) fn question(&self, person: u64) -> Bytes {
        let mut tokens = String::new();
        self.push_tokens(person, &mut tokens);
        let tokens: Value = serde_json::from_str(&tokens).expect("JSON");
        let question = json!({
            "programme": PROGRAMME, "agreement": AGREEMENT, "purpose": "early-help-screening", "mode": "areas",
            "relationship": "referral", "role": "hub-screener", "case": reference(1), "user": reference(2),
            "scheme": "pt1", "norm": 1, "epochs": self.epochs(), "tokens": tokens,
        });
        question.to_string().into()
    }

    /// The first line of a file.
    pub(crate) async fn header(&self, home: &TestGateway, feed: Feed) -> String {
        let policies = home.gateway().current_policies().await.expect("policies");
        json!({
            "programme": PROGRAMME, "agency": feed.agency, "feed": feed.code, "agreement": AGREEMENT,
            "mode": "snapshot", "rows": "all_or_nothing", "as_at": home.now().await.date(), "scheme": "pt1",
            "norm": 1, "match_keys": policies.match_keys_sha256_hex(), "epochs": self.epochs(),
        })
        .to_string()
    }

    /// Writes a whole file; its length.
    pub(crate) async fn write(&self, home: &TestGateway, feed: Feed, records: u64, path: &Path) -> io::Result<u64> {
        let mut file = BufWriter::new(std::fs::File::create(path)?);
        writeln!(file, "{}", self.header(home, feed).await)?;
        for person in 0..records {
            writeln!(file, "{}", self.record(feed, person))?;
        }
        writeln!(file, "{}", json!({ "end": records }))?;
        file.flush()?;
        Ok(file.get_ref().metadata()?.len())
    }

    /// Puts records into a gateway without the wire, and waits until enquiries see them.
    pub(crate) async fn load(&self, home: &TestGateway, feed: Feed, records: u64) {
        let lines = (0..records).map(|person| self.record(feed, person));
        self.load_lines(home, feed, lines).await;
    }

    /// Likewise records of these people that their agency shields, saying nothing else of them.
    pub(crate) async fn load_restricted(&self, home: &TestGateway, feed: Feed, people: &[u64]) {
        let line = |person: &u64| {
            let mut line =
                format!("{{\"ref\":\"{}\",\"role\":\"child\",\"restricted\":true,\"tokens\":", reference(*person));
            self.push_tokens(*person, &mut line);
            line + "}"
        };
        self.load_lines(home, feed, people.iter().map(line)).await;
    }

    async fn load_lines(&self, home: &TestGateway, feed: Feed, lines: impl Iterator<Item = String>) {
        let caller = AgencyCaller { agency: feed.agency.parse().expect("a code"), client: "bench".to_owned() };
        let header = self.header(home, feed).await;
        let submission = home.gateway().begin_submission(&caller, header.as_bytes()).await;
        let mut submission = submission.expect("a good header");
        let mut records = 0;
        for line in lines {
            submission.push(Bytes::from(line)).await.expect("staged");
            records += 1;
        }
        submission.push(Bytes::from(json!({ "end": records }).to_string())).await.expect("staged");
        let received = submission.finish().await.expect("a good file");
        wait_visible(home, received.id).await;
    }
}

/// Waits until enquiries see a submission.
pub(crate) async fn wait_visible(home: &TestGateway, id: SubmissionId) {
    loop {
        let found = home.gateway().store().submission(id).await.expect("the database").expect("it is there");
        match found.state.as_str() {
            "visible" => return,
            "failed" => panic!("the submission failed: {:?}", found.failure),
            _ => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
        }
    }
}

fn reference(number: u64) -> String {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    encode_base64url(&bytes)
}
