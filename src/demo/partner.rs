//! An agency's own machine: its keys, its files, and its system that talks to the gateway.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use secrecy::SecretString;
use serde_json::Value;

use super::population::AgencyFile;
use super::trouble::{Trouble, trouble};
use super::workshop::{DAYS, ISSUER, PROGRAMME, Workshop, write};
use crate::app::enquire::{MOST_TOKENS, Question};
use crate::app::enrol::Enrolment;
use crate::cli::agency::check_tokens::token_checks;
use crate::cli::agency::key_file::AgencyKeyFile;
use crate::client::{Answer, CallHeaders, Client, ClientError, ClientIdentity, ClientOptions};
use crate::crypto::certs::{self, Validity};
use crate::crypto::jwt::{ClientKey, make_assertion};
use crate::crypto::random::{SystemRandom, uuid_v7};
use crate::domain::ids::{AgencyCode, OpaqueRef};
use crate::domain::match_keys::MatchKeys;
use crate::domain::submission::{EpochKeys, Header, RecordLine, SCHEME};
use crate::domain::time::Timestamp;
use crate::identity::UK_MATCH_KEYS;
use crate::web::api::token_checks::TokenCheckView;

/// An enrolled agency with its keys and its open line to the gateway.
pub(super) struct Partner {
    folder: PathBuf,
    keys: AgencyKeyFile,
    client: Client,
    bearer: String,
    enrolled: Timestamp,
}

/// A file of tokens.
pub(super) struct Batch {
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
    /// Rows that gave a record, and rows that gave none.
    pub(super) records: usize,
    pub(super) refused: usize,
    pub(super) took: Duration,
}

/// The tokens of one person, to ask with.
#[derive(Clone)]
pub(super) struct Asked {
    line: RecordLine,
    epochs: Vec<EpochKeys>,
    norm: u16,
}

/// The terms of an enquiry.
#[derive(Debug, Clone, Copy)]
pub(super) struct AskTerms {
    pub(super) agreement: &'static str,
    pub(super) purpose: &'static str,
    pub(super) mode: &'static str,
    pub(super) relationship: &'static str,
    pub(super) role: &'static str,
}

impl Partner {
    /// Makes the agency's keys on its own machine, enrols its system and fetches an access token.
    pub(super) async fn enrol(workshop: &Workshop, folder: &Path, code: &str) -> Result<Self, Trouble> {
        let random = SystemRandom::new();
        let agency = AgencyCode::parse(code).map_err(trouble("an agency"))?;
        let folder = folder.join("agencies").join(code);
        std::fs::create_dir_all(&folder).map_err(trouble("an agency's folder"))?;
        let mut keys = AgencyKeyFile::generate(workshop.linkage.programme().clone(), agency.clone(), &random);
        keys.add(workshop.linkage.whole()).map_err(trouble("an agency's keys"))?;
        keys.write(&folder.join("keys")).map_err(trouble("an agency's keys"))?;

        let now = workshop.now().await?;
        let request = certs::request(&agency).map_err(trouble("a certificate request"))?;
        let certificate = workshop
            .authority
            .client(&request.pem, &agency, Validity::days(now, DAYS - 1), &random)
            .map_err(trouble("a client certificate"))?;
        let key = ClientKey::generate(&random);
        let enrolment = Enrolment {
            agency,
            client: format!("{code}-demo"),
            kid: key.public().thumbprint(),
            key: key.public(),
            certificate: certs::fingerprint(&certificate.der),
            not_after: now.plus_seconds(86_400),
        };
        workshop.gateway().enrol(&enrolment, "operator").await.map_err(trouble("an enrolment"))?;
        let identity = ClientIdentity {
            certificate_pem: certificate.pem.into_bytes(),
            private_key_pem: SecretString::from(request.key_pem.as_str()),
        };
        let address = format!("https://localhost:{}", workshop.running.agencies.port());
        let options = ClientOptions::new(address, workshop.authority.certificate().pem.clone()).with_identity(identity);
        let client = Client::new(options).map_err(trouble("a client"))?;
        let assertion = make_assertion(&key, &enrolment.kid, &enrolment.client, ISSUER, now, &random)
            .map_err(trouble("a client assertion"))?;
        let bearer = fetch_token(&client, &assertion).await?;
        let partner = Self { folder, keys, client, bearer, enrolled: now };
        partner.check_tokens().await?;
        Ok(partner)
    }

    /// Shows on the test people that this agency makes the tokens that the custodian registered.
    async fn check_tokens(&self) -> Result<(), Trouble> {
        let match_keys = MatchKeys::parse(UK_MATCH_KEYS).map_err(trouble("the match keys"))?;
        for check in token_checks(&self.keys, &match_keys).map_err(trouble("the test people's tokens"))? {
            let answer = self.client.post_json("/v1/token-checks", &self.headers(false), &check).await;
            let found: TokenCheckView =
                answer.and_then(|answer| answer.json()).map_err(trouble("the check of tokens"))?;
            if !found.passed {
                return Err(Trouble::new("the check of tokens", "this agency's tokens are not the registered ones"));
            }
        }
        Ok(())
    }

    /// Runs `porth tokenise` on the agency's file, as a process of its own.
    pub(super) async fn tokenise(&self, file: &AgencyFile, name: &str) -> Result<Batch, Trouble> {
        let csv = file.to_csv().map_err(trouble("an agency's file"))?;
        std::fs::write(self.folder.join(format!("{name}.csv")), csv).map_err(trouble("an agency's file"))?;
        write(&self.folder, &format!("{name}.toml"), &file.mapping(PROGRAMME))?;
        let path = self.folder.join(format!("{name}.ndjson"));
        let mut command = Command::new(std::env::current_exe().map_err(trouble("the program's own path"))?);
        command.arg("--json").arg("tokenise").arg(self.folder.join(format!("{name}.csv")));
        command.arg("--mapping").arg(self.folder.join(format!("{name}.toml")));
        command.arg("--keys").arg(self.folder.join("keys")).arg("--output").arg(&path);
        let began = Instant::now();
        let ran = tokio::task::spawn_blocking(move || command.output()).await.map_err(trouble("`porth tokenise`"))?;
        let output = ran.map_err(trouble("`porth tokenise`"))?;
        let took = began.elapsed();
        if !output.status.success() {
            return Err(Trouble::new("`porth tokenise`", String::from_utf8_lossy(&output.stderr)));
        }
        let report: Value =
            serde_json::from_slice(&output.stdout).map_err(trouble("the report of `porth tokenise`"))?;
        let count = |name: &str| report[name].as_u64().unwrap_or_default() as usize;
        let bytes = std::fs::metadata(&path).map_err(trouble("a file of tokens"))?.len();
        Ok(Batch { path, bytes, records: count("records"), refused: count("refused"), took })
    }

    /// Sends a file of tokens; gives its id.
    pub(super) async fn submit(&self, batch: &Batch) -> Result<String, Trouble> {
        let file = tokio::fs::File::open(&batch.path).await.map_err(trouble("a file of tokens"))?;
        let answer = self.client.post_stream("/v1/submissions", &self.headers(true), file).await;
        let answer: Value = answer.and_then(|answer| answer.json()).map_err(trouble("a submission"))?;
        let id = answer["id"].as_str().ok_or_else(|| Trouble::new("a submission", "the answer has no id"))?;
        Ok(id.to_owned())
    }

    /// Waits until enquiries see a submission; gives how many of its rows were taken and refused.
    pub(super) async fn wait_visible(&self, id: &str) -> Result<(usize, usize), Trouble> {
        for _ in 0..1200 {
            let found = self.client.get(&format!("/v1/submissions/{id}"), &self.headers(false)).await;
            let found: Value = found.and_then(|answer| answer.json()).map_err(trouble("a submission"))?;
            match found["state"].as_str() {
                Some("visible") => {
                    let rows = |name: &str| found[name].as_u64().unwrap_or_default() as usize;
                    return Ok((rows("rows_accepted"), rows("rows_rejected")));
                }
                Some("failed") => return Err(Trouble::new("a submission", &found["failure"])),
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
        Err(Trouble::new("a submission", "not visible after a minute"))
    }

    /// Tokenises people to ask about, in the order of the file; nothing for a row that gave no record.
    pub(super) async fn prepare(&self, file: &AgencyFile, name: &str) -> Result<Vec<Option<Asked>>, Trouble> {
        let batch = self.tokenise(file, name).await?;
        let match_keys = MatchKeys::parse(UK_MATCH_KEYS).map_err(trouble("the match keys"))?;
        let text = std::fs::read_to_string(&batch.path).map_err(trouble("a file of tokens"))?;
        let mut lines = text.lines();
        let header: Header =
            serde_json::from_str(lines.next().unwrap_or_default()).map_err(trouble("a header of tokens"))?;
        let mut found: BTreeMap<OpaqueRef, RecordLine> = BTreeMap::new();
        for line in lines.filter(|line| line.starts_with("{\"ref\"")) {
            let mut line: RecordLine = serde_json::from_str(line).map_err(trouble("a record of tokens"))?;
            keep_strongest(&mut line, &match_keys);
            found.insert(line.reference.clone(), line);
        }
        let asked = |line: RecordLine| Asked { line, epochs: header.epochs.clone(), norm: header.norm };
        let of_row = |row: &super::population::Row| found.remove(&self.keys.reference().record(&row.key)).map(asked);
        Ok(file.rows.iter().map(of_row).collect())
    }

    /// Asks about a person.
    pub(super) async fn ask(&self, terms: AskTerms, asked: &Asked) -> Result<Answer, ClientError> {
        let question = self.question(terms, asked).ok_or(ClientError::NotUnderstood { what: "request" })?;
        self.client.post_json("/v1/enquiries", &self.headers(true), &question).await
    }

    /// What the agreements would allow on these terms, whoever it was about.
    pub(super) async fn explain(&self, terms: AskTerms) -> Result<Value, Trouble> {
        let body = serde_json::json!({
            "agreement": terms.agreement, "purpose": terms.purpose, "mode": terms.mode, "role": terms.role,
            "relationship": terms.relationship,
        });
        let answer = self.client.post_json("/v1/policy/explain", &self.headers(false), &body).await;
        answer.and_then(|answer| answer.json()).map_err(trouble("an explanation"))
    }

    /// The log's newest checkpoint, to be held outside the gateway.
    pub(super) async fn checkpoint(&self) -> Result<Vec<u8>, Trouble> {
        let answer = self.client.get("/v1/log/checkpoint", &self.headers(false)).await;
        answer.map(|answer| answer.body.to_vec()).map_err(trouble("a checkpoint"))
    }

    fn question(&self, terms: AskTerms, asked: &Asked) -> Option<Question> {
        let word = |text: &str| Value::String(text.to_owned());
        Some(Question {
            programme: self.keys.programme().clone(),
            agreement: terms.agreement.parse().ok()?,
            purpose: terms.purpose.parse().ok()?,
            mode: serde_json::from_value(word(terms.mode)).ok()?,
            relationship: serde_json::from_value(word(terms.relationship)).ok()?,
            emergency: None,
            role: terms.role.parse().ok()?,
            case: self.keys.reference().case("DEMO-1"),
            user: self.keys.reference().user("demo"),
            scheme: SCHEME.to_owned(),
            norm: asked.norm,
            epochs: asked.epochs.clone(),
            tokens: asked.line.tokens.clone(),
            household: asked.line.household.clone(),
        })
    }

    fn headers(&self, changes_something: bool) -> CallHeaders {
        let key = || uuid_v7(self.enrolled, &SystemRandom::new()).to_string();
        CallHeaders {
            bearer: Some(SecretString::from(self.bearer.as_str())),
            idempotency_key: changes_something.then(key),
        }
    }
}

async fn fetch_token(client: &Client, assertion: &str) -> Result<String, Trouble> {
    // The alphabet of an assertion needs no escaping in a form.
    let form = format!(
        "grant_type=client_credentials&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3A\
         client-assertion-type%3Ajwt-bearer&client_assertion={assertion}"
    );
    let media_type = "application/x-www-form-urlencoded";
    let answer = client.post_bytes("/oauth/token", &CallHeaders::default(), media_type, form.into()).await;
    let answer: Value = answer.and_then(|answer| answer.json()).map_err(trouble("an access token"))?;
    let token = answer["access_token"].as_str();
    token.map(ToOwned::to_owned).ok_or_else(|| Trouble::new("an access token", "the answer has none"))
}

/// A record may carry more tokens than a question: of somebody with former names, the weakest keys
/// are left out.
fn keep_strongest(line: &mut RecordLine, match_keys: &MatchKeys) {
    let households: usize = line.household.values().flat_map(BTreeMap::values).map(Vec::len).sum();
    let mut room = MOST_TOKENS.saturating_sub(households);
    for types in line.tokens.values_mut() {
        for key in match_keys.keys() {
            if let Some(tokens) = types.get_mut(&key.name) {
                tokens.truncate(room);
                room -= tokens.len();
            }
        }
        types.retain(|_, tokens| !tokens.is_empty());
    }
}
