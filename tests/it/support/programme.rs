//! The shipped programme, set up in a database of its own, with the journeys called directly.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use porth::app::caller::AgencyCaller;
use porth::app::enquire::{EnquiryError, Question, Receipted};
use porth::app::error::AppError;
use porth::app::gateway::{Gateway, GatewayKeys, GatewayNames};
use porth::app::load_policy::{PartySignature, PolicyFiles};
use porth::app::sequence::{Sequencer, open_log};
use porth::app::submit::Received;
use porth::app::witness::{WitnessRule, Witnesses};
use porth::app::writer::Writer;
use porth::crypto::blind::Blinder;
use porth::crypto::field::FieldSealer;
use porth::crypto::jwt::AccessTokens;
use porth::crypto::pseudonym::Pseudonymiser;
use porth::crypto::random::{Random, SystemRandom, random_bytes};
use porth::crypto::seal::SealKeyPair;
use porth::crypto::secret::Secret;
use porth::crypto::sign::SigningKey;
use porth::crypto::tag::Tagger;
use porth::crypto::token::{LinkageKey, TypeKey};
use porth::domain::agreement::AgreementText;
use porth::domain::ids::{AgreementRef, ProgrammeCode, TokenType};
use porth::domain::match_keys::MatchKeys;
use porth::domain::programme::Programme;
use porth::store::Store;
use porth::tlog::entry::AgreementState;
use serde_json::{Value, json};

use super::database::{Backend, TestDatabase};
use super::gateway::activate;

/// A programme whose agreements are signed and in force.
#[derive(Clone)]
pub(crate) struct TestProgramme {
    pub(crate) gateway: Gateway,
    pub(crate) sequencer: Arc<Sequencer>,
    pub(crate) keys: Arc<TestKeys>,
    pub(crate) code: ProgrammeCode,
    pub(crate) linkage: Arc<LinkageKey>,
    pub(crate) match_keys: Arc<MatchKeys>,
    pub(crate) database: Arc<TestDatabase>,
}

/// The gateway's secrets, from which it can be put together again over another connection.
#[derive(Clone)]
pub(crate) struct TestKeys {
    /// The first, and those stacked on it.
    blinding: Vec<[u8; 32]>,
    /// Key-encryption keys by version.
    fields: BTreeMap<u32, [u8; 32]>,
    index: [u8; 32],
    receipt: [u8; 32],
    certificate: [u8; 32],
    checkpoint: [u8; 32],
    pub(crate) shield: Arc<SealKeyPair>,
    /// Whose private half no gateway has.
    pub(crate) match_run: Arc<SealKeyPair>,
}

impl TestKeys {
    /// Every secret of 32 bytes that a gateway holds.
    #[allow(dead_code, reason = "for tests, not for benches")]
    pub(crate) fn secrets(&self) -> impl Iterator<Item = Secret<32>> {
        let layers = self.blinding.iter().chain(self.fields.values());
        let all = layers.chain([&self.index, &self.receipt, &self.certificate, &self.checkpoint]);
        all.map(|bytes| Secret::from_slice(bytes).expect("32 bytes"))
    }

    /// The key that signs the log, as its thief has it.
    #[allow(dead_code, reason = "for tests, not for benches")]
    pub(crate) fn log_key(&self) -> SigningKey {
        SigningKey::from_seed(Secret::from_slice(&self.checkpoint).expect("32 bytes"))
    }

    fn new(random: &dyn Random) -> Self {
        Self {
            blinding: vec![random_bytes(random)],
            fields: BTreeMap::from([(1, random_bytes(random))]),
            index: random_bytes(random),
            receipt: random_bytes(random),
            certificate: random_bytes(random),
            checkpoint: random_bytes(random),
            shield: Arc::new(SealKeyPair::generate(random)),
            match_run: Arc::new(SealKeyPair::generate(random)),
        }
    }

    /// With another blinding key stacked on those that there are.
    pub(crate) fn with_next_blinding_key(&self) -> Self {
        let mut keys = self.clone();
        keys.blinding.push(random_bytes(&SystemRandom::new()));
        keys
    }

    /// With the next version of the key-encryption key.
    pub(crate) fn with_next_field_key(&self) -> Self {
        let mut keys = self.clone();
        let next = keys.fields.keys().next_back().expect("one at least") + 1;
        keys.fields.insert(next, random_bytes(&SystemRandom::new()));
        keys
    }

    /// With the newest version of the key-encryption key alone.
    pub(crate) fn with_newest_field_key_alone(&self) -> Self {
        let mut keys = self.clone();
        let newest = keys.fields.pop_last().expect("one at least");
        keys.fields = BTreeMap::from([newest]);
        keys
    }

    /// With another match-run key, of which the gateway has the public half as before.
    pub(crate) fn with_next_match_run_key(&self) -> Self {
        Self { match_run: Arc::new(SealKeyPair::generate(&SystemRandom::new())), ..self.clone() }
    }

    fn gateway(&self, store: &Store, code: &ProgrammeCode) -> Gateway {
        self.watched_gateway(store, code, None)
    }

    fn watched_gateway(&self, store: &Store, code: &ProgrammeCode, witnesses: Option<Witnesses>) -> Gateway {
        let secret = |bytes: &[u8; 32]| Secret::from_slice(bytes).expect("32 bytes");
        let keys = GatewayKeys {
            blinder: self.blinder(code),
            fields: self.fields(),
            tagger: Tagger::new(&secret(&self.index)),
            receipt: SigningKey::from_seed(secret(&self.receipt)),
            certificate: SigningKey::from_seed(secret(&self.certificate)),
            access: AccessTokens::new("https://porth.test", &SigningKey::generate(&SystemRandom::new())),
            shield: self.shield.public().clone(),
            pseudonyms: Pseudonymiser::new(&secret(&self.index)),
            match_run: Some(self.match_run.public().clone()),
        };
        let names =
            GatewayNames { programme: code.clone(), log: ORIGIN.to_owned(), issuer: "https://porth.test".to_owned() };
        let (writer, _) = Writer::start(store.clone());
        Gateway::with_witnesses(store.clone(), writer, keys, names, Arc::new(SystemRandom::new()), witnesses)
    }

    fn blinder(&self, code: &ProgrammeCode) -> Blinder {
        let secret = |bytes: &[u8; 32]| Secret::from_slice(bytes).expect("32 bytes");
        let first = Blinder::new(&secret(&self.blinding[0]), code);
        self.blinding[1..].iter().fold(first, |blinder, layer| blinder.with_layer(&secret(layer), code))
    }

    fn fields(&self) -> FieldSealer {
        let keys = self.fields.iter().map(|(version, key)| (*version, Secret::from_slice(key).expect("32 bytes")));
        let newest = *self.fields.keys().next_back().expect("one at least");
        FieldSealer::new(keys.collect(), newest).expect("its current key")
    }

    fn sequencer(&self, store: &Store) -> Arc<Sequencer> {
        let seed = Secret::from_slice(&self.checkpoint).expect("32 bytes");
        Arc::new(Sequencer::new(store.clone(), SigningKey::from_seed(seed)))
    }
}

/// The log's origin in tests.
pub(crate) const ORIGIN: &str = "gw.test/2026";

impl TestProgramme {
    pub(crate) async fn start(backend: Backend) -> Self {
        Self::start_with(backend, policy_files()).await
    }

    pub(crate) async fn start_with(backend: Backend, files: PolicyFiles) -> Self {
        Self::start_with_keys(backend, files, &SystemRandom::new()).await
    }

    /// The same programme in another process: its database, and the gateway's secrets made as they were.
    #[allow(dead_code, reason = "for tests, not for benches")]
    pub(crate) fn reopened(database: TestDatabase, keys: &dyn Random) -> Self {
        let files = policy_files();
        let code = Programme::parse(&files.programme).expect("the shipped programme").code().clone();
        let match_keys = MatchKeys::parse(std::str::from_utf8(&files.match_keys).expect("UTF-8")).expect("shipped");
        let keys = Arc::new(TestKeys::new(keys));
        Self {
            gateway: keys.gateway(&database.store, &code),
            sequencer: keys.sequencer(&database.store),
            keys,
            code,
            linkage: Arc::new(LinkageKey::generate(&SystemRandom::new())),
            match_keys: Arc::new(match_keys),
            database: Arc::new(database),
        }
    }

    /// With the gateway's secrets from a source of their own.
    pub(crate) async fn start_with_keys(backend: Backend, files: PolicyFiles, keys: &dyn Random) -> Self {
        let database = TestDatabase::create(backend).await;
        let random = SystemRandom::new();
        let programme = Programme::parse(&files.programme).expect("the shipped programme");
        let code = programme.code().clone();
        let match_keys = MatchKeys::parse(std::str::from_utf8(&files.match_keys).expect("UTF-8")).expect("shipped");
        let keys = Arc::new(TestKeys::new(keys));
        let gateway = keys.gateway(&database.store, &code);
        open_log(&database.store, ORIGIN).await.expect("the log opens");
        let sequencer = keys.sequencer(&database.store);

        gateway.load_policies(&files, "operator").await.expect("the shipped policies load");
        let test = Self {
            gateway,
            sequencer,
            keys,
            code,
            linkage: Arc::new(LinkageKey::generate(&random)),
            match_keys: Arc::new(match_keys),
            database: Arc::new(database),
        };
        test.sign_everything(&files).await;
        test.register_key_checks().await;
        test
    }

    /// The public half of the key that signs checkpoints.
    #[allow(dead_code, reason = "for benches that verify exports")]
    pub(crate) fn checkpoint_key(&self) -> porth::crypto::sign::VerifyingKey {
        SigningKey::from_seed(Secret::from_slice(&self.keys.checkpoint).expect("32 bytes")).verifying_key()
    }

    /// The gateway's certificate key, whole: for tests of what its thief could do.
    #[allow(dead_code, reason = "for tests, not for benches")]
    pub(crate) fn certificate_key(&self) -> SigningKey {
        SigningKey::from_seed(Secret::from_slice(&self.keys.certificate).expect("32 bytes"))
    }

    /// The same programme over another connection to the same database.
    pub(crate) fn on(&self, store: Store) -> Self {
        let gateway = self.keys.gateway(&store, &self.code);
        Self { gateway, sequencer: self.keys.sequencer(&store), ..self.clone() }
    }

    /// The same programme and database with other keys: a gateway that was started again with them.
    pub(crate) fn restarted_with(&self, keys: TestKeys) -> Self {
        let store = self.gateway.store().clone();
        let gateway = keys.gateway(&store, &self.code);
        Self { gateway, keys: Arc::new(keys), ..self.clone() }
    }

    /// The same programme and database, with witnesses.
    #[allow(dead_code, reason = "for tests, not for benches")]
    pub(crate) fn watched(&self, rule: WitnessRule) -> Self {
        let witnesses = Witnesses::new(rule).expect("verifier keys");
        let gateway = self.keys.watched_gateway(self.gateway.store(), &self.code, Some(witnesses));
        Self { gateway, ..self.clone() }
    }

    async fn sign_everything(&self, files: &PolicyFiles) {
        let random = SystemRandom::new();
        let mut signatories: BTreeMap<String, SigningKey> = BTreeMap::new();
        for bytes in &files.agreements {
            let text = AgreementText::parse(bytes).expect("shipped");
            for party in text.parties() {
                let key_id = format!("{}-signatory", party.agency);
                if !signatories.contains_key(&key_id) {
                    let key = SigningKey::generate(&random);
                    let public = *key.verifying_key().as_bytes();
                    self.gateway.enrol_signatory(&key_id, &party.agency, &public, "operator").await.expect("enrolled");
                    signatories.insert(key_id.clone(), key);
                }
                let signature = PartySignature {
                    agreement: text.reference().clone(),
                    signature: signatories[&key_id].sign(text.bytes()).to_vec(),
                    key_id,
                };
                self.gateway.sign_agreement(&signature).await.expect("signed");
            }
            let of = text.reference();
            self.gateway.set_agreement_status(of, AgreementState::Signed, "officer", "board").await.expect("signed");
            activate(&self.gateway, of).await;
        }
    }

    async fn register_key_checks(&self) {
        let checks: Vec<(TokenType, [u8; 8])> = self
            .match_keys
            .token_types()
            .map(|name| (name.clone(), self.type_key(name.as_str()).key_check()))
            .collect();
        let differing = self.gateway.register_key_checks(1, &checks, &[], "custodian").await.expect("registered");
        assert!(differing.is_empty());
    }

    pub(crate) fn type_key(&self, token_type: &str) -> TypeKey {
        TypeKey::derive(&self.linkage, &self.code, 1, &TokenType::parse(token_type).expect("a type"), 1)
    }

    /// `{"<epoch>": {type: [token]}}` of these type and value pairs.
    pub(crate) fn tokens(&self, values: &[(&str, &str)]) -> Value {
        let mut types: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (token_type, value) in values {
            types.entry(token_type).or_default().push(self.type_key(token_type).token(value.as_bytes()).to_text());
        }
        if types.is_empty() { json!({}) } else { json!({ "1": types }) }
    }

    pub(crate) fn epochs(&self) -> Value {
        let checks: BTreeMap<String, String> = self
            .match_keys
            .token_types()
            .map(|name| (name.to_string(), porth::app::policies::hex(&self.type_key(name.as_str()).key_check())))
            .collect();
        json!([{ "epoch": 1, "key_checks": checks }])
    }

    pub(crate) async fn today(&self) -> jiff::civil::Date {
        self.gateway.store().now().await.expect("the clock").date()
    }

    /// A header for a feed, as at today.
    pub(crate) async fn header(&self, agency: &str, feed: &str, agreement: &str) -> Value {
        json!({
            "programme": self.code, "agency": agency, "feed": feed, "agreement": agreement, "mode": "snapshot",
            "as_at": self.today().await.to_string(), "scheme": "pt1", "norm": 1,
            "match_keys": porth::app::policies::hex(self.match_keys.sha256()), "epochs": self.epochs(),
        })
    }

    /// Submits a file of these lines; the end line is added.
    pub(crate) async fn submit(&self, header: &Value, rows: &[Value]) -> Result<Received, AppError> {
        let agency = header["agency"].as_str().expect("an agency").parse().expect("a code");
        let caller = AgencyCaller { agency, client: "test-client".to_owned() };
        let mut submission = self.gateway.begin_submission(&caller, header.to_string().as_bytes()).await?;
        for row in rows {
            submission.push(Bytes::from(row.to_string())).await?;
        }
        submission.push(Bytes::from(json!({ "end": rows.len() }).to_string())).await?;
        submission.finish().await
    }

    /// Submits and makes visible.
    pub(crate) async fn deliver(&self, agency: &str, feed: &str, agreement: &str, rows: &[Value]) -> Received {
        let header = self.header(agency, feed, agreement).await;
        let received = self.submit(&header, rows).await.expect("the file is good");
        self.publish().await;
        received
    }

    pub(crate) async fn publish(&self) {
        while self.gateway.publish_next().await.expect("publishing works").is_some() {}
    }

    /// A record line with the given extra members.
    pub(crate) fn row(&self, reference: u32, tokens: &[(&str, &str)], extra: Value) -> Value {
        let mut row = json!({ "ref": opaque(reference), "tokens": self.tokens(tokens) });
        for (name, value) in extra.as_object().expect("an object") {
            row[name] = value.clone();
        }
        row
    }

    pub(crate) fn question(&self, ask: Ask, tokens: &[(&str, &str)], household: &[(&str, &str)]) -> Question {
        serde_json::from_value(json!({
            "programme": self.code, "agreement": ask.agreement, "purpose": ask.purpose, "mode": ask.mode,
            "relationship": "open_case", "role": ask.role, "case": opaque(7), "user": opaque(8), "scheme": "pt1",
            "norm": 1, "epochs": self.epochs(), "tokens": self.tokens(tokens), "household": self.tokens(household),
        }))
        .expect("a question")
    }

    pub(crate) async fn ask(
        &self,
        ask: Ask,
        tokens: &[(&str, &str)],
        household: &[(&str, &str)],
    ) -> Result<Receipted, EnquiryError> {
        let caller = AgencyCaller { agency: ask.agency.parse().expect("a code"), client: "test-client".to_owned() };
        let question = self.question(ask, tokens, household);
        let key = uuid::Uuid::from_bytes(random_bytes(&SystemRandom::new())).to_string();
        self.gateway.enquire(&caller, &question, &key).await
    }
}

/// Who asks, and under what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask {
    pub(crate) agency: &'static str,
    pub(crate) agreement: &'static str,
    pub(crate) purpose: &'static str,
    pub(crate) mode: &'static str,
    pub(crate) role: &'static str,
}

/// The Early Help Hub asks which areas are met.
pub(crate) const HUB_AREAS: Ask = Ask {
    agency: "early-help-hub",
    agreement: "early-help-core/v1",
    purpose: "family-support",
    mode: "areas",
    role: "early-help-practitioner",
};

/// 22 characters that stand for a number.
pub(crate) fn opaque(number: u32) -> String {
    let mut bytes = [0; 16];
    bytes[12..].copy_from_slice(&number.to_be_bytes());
    porth::domain::token::encode_base64url(&bytes)
}

/// The policy files that the repository ships.
pub(crate) fn policy_files() -> PolicyFiles {
    policy_files_of("policies", "policies/match-keys.toml")
}

/// The policy files of a folder, with the shipped rules.
pub(crate) fn policy_files_of(folder: &str, match_keys: &str) -> PolicyFiles {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = root.join(folder);
    let read = |path: &Path| std::fs::read(path).expect("a policy file");
    let all = |sub: &Path| {
        let mut paths: Vec<_> = std::fs::read_dir(sub)
            .expect("a folder")
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| !path.to_string_lossy().ends_with("cases.toml"))
            .collect();
        paths.sort();
        paths
    };
    PolicyFiles {
        programme: read(&folder.join("programme.toml")),
        match_keys: read(&root.join(match_keys)),
        agencies: all(&folder.join("agencies")).iter().map(|path| read(path)).collect(),
        rules: all(&root.join("policies/rules"))
            .iter()
            .map(|path| (path.file_name().expect("a name").to_string_lossy().into_owned(), read(path)))
            .collect(),
        agreements: all(&folder.join("agreements")).iter().map(|path| read(path)).collect(),
    }
}

/// An agreement reference.
pub(crate) fn agreement(text: &str) -> AgreementRef {
    text.parse().expect("an agreement reference")
}
