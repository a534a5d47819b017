//! `porth join`, `porth agency enrol --request`, `porth keys grant`, and the relay between them.

use std::os::unix::fs::MetadataExt as _;
use std::process::Child;

use porth::crypto::keyring::{Keyring, Role};
use porth::store::{Location, Store};
use rstest::rstest;

use crate::cli::gateway::{CliGateway, Ran, shipped_policies};
use crate::cli::policy::{set_status, sign_by_all_of};
use crate::cli::serve::{start, stop};
use crate::support::database::Backend;

const CUSTODIAN: &str = "childrens-social-care";

/// A gateway that serves, with a registered linkage key and an enrolled key custodian.
pub(super) struct Town {
    pub(super) gateway: CliGateway,
    serving: Option<Child>,
    pub(super) address: String,
    match_keys: String,
}

impl Town {
    pub(super) async fn open(backend: Backend) -> Self {
        Self::open_with(backend, &shipped_policies()).await
    }

    async fn open_with(backend: Backend, policies: &std::path::Path) -> Self {
        let gateway = CliGateway::prepare(backend, "pilot").await;
        gateway.run(&["migrate", "--config", "porth.toml"]).done();
        let folder = policies.to_str().expect("a plain path");
        gateway.run(&["policy", "load", "--config", "porth.toml", "--folder", folder, "--by", "ops-1"]).done();
        sign_by_all_of(&gateway, policies, "charity-referral");
        set_status(&gateway, "charity-referral", "signed").done();
        let (serving, line) = start(gateway.folder.path(), &["--json", "serve", "--config", "porth.toml"]);
        let listening: serde_json::Value = serde_json::from_str(&line).expect("a line of JSON");
        let port = listening["agencies"].as_str().expect("an address").rsplit(':').next().expect("a port").to_owned();
        let match_keys = shipped_policies().join("match-keys.toml").display().to_string();
        let town = Self { gateway, serving: Some(serving), address: format!("https://localhost:{port}"), match_keys };
        let whose = ["keys", "init", "--for", "custodian", "--programme", "tff", "--epoch", "1", "--folder", "vault"];
        town.run(&[whose.as_slice(), &["--match-keys", &town.match_keys]].concat()).done();
        let register = ["agency", "register-key-checks", "--config", "porth.toml", "--by", "ops-1"];
        town.run(&[register.as_slice(), &["vault/key-checks-epoch-1.json"]].concat()).done();
        let fingerprint = town.request(CUSTODIAN);
        town.enrol(CUSTODIAN, &fingerprint).done();
        town.finish(CUSTODIAN, None).done();
        town
    }

    pub(super) fn run(&self, arguments: &[&str]) -> Ran {
        self.gateway.run(arguments)
    }

    /// The agency makes its keys; what it reads out on the telephone.
    pub(super) fn request(&self, agency: &str) -> String {
        let made = ["--json", "join", "request", "--agency", agency, "--programme", "tff", "--folder", agency];
        let made = self.run(&made).done().json();
        made["fingerprint"].as_str().expect("a fingerprint").to_owned()
    }

    pub(super) fn enrol(&self, agency: &str, fingerprint: &str) -> Ran {
        let (request, reply) = (format!("{agency}/request.json"), format!("{agency}-reply.json"));
        let enrol =
            ["--json", "agency", "enrol", "--config", "porth.toml", "--authority", "authority", "--by", "ops-1"];
        let files = ["--request", &request, "--reply", &reply, "--gateway", &self.address];
        self.run(&[enrol.as_slice(), &files, &["--fingerprint", fingerprint]].concat())
    }

    pub(super) fn grant(&self, agency: &str, fingerprint: &str, types: &str, connection: &str) -> Ran {
        let request = format!("{agency}/request.json");
        let grant =
            ["--json", "keys", "grant", "--agency", agency, "--request", &request, "--fingerprint", fingerprint];
        let keys = ["--linkage", "vault/linkage-epoch-1.json", "--match-keys", &self.match_keys, "--types", types];
        self.run(&[grant.as_slice(), &keys, &["--connection", connection]].concat())
    }

    pub(super) fn finish(&self, agency: &str, fingerprint: Option<&str>) -> Ran {
        let reply = format!("{agency}-reply.json");
        let finish = ["--json", "join", "finish", "--folder", agency, "--reply", &reply];
        let fingerprint: Vec<&str> = fingerprint.into_iter().flat_map(|digits| ["--fingerprint", digits]).collect();
        self.run(&[finish.as_slice(), &fingerprint].concat())
    }

    pub(super) fn close(mut self) -> CliGateway {
        let serving = self.serving.take().expect("it serves until here");
        let (code, err) = stop(serving);
        assert_eq!(code, Some(0), "{err}");
        self.gateway
    }

    async fn events(&self, backend: Backend) -> Vec<String> {
        let location = match backend {
            Backend::Sqlite => Location::Sqlite(self.gateway.path("porth.sqlite")),
            Backend::Postgres => Location::Postgres(
                std::fs::read_to_string(self.gateway.path("postgres-url")).expect("an address").trim().to_owned(),
            ),
        };
        let store = Store::connect(&location, 2).await.expect("the database");
        let mut kinds = Vec::new();
        for (kind, _, count) in store.event_counts().await.expect("counts") {
            kinds.extend(std::iter::repeat_n(kind, usize::try_from(count).expect("a count")));
        }
        store.close().await;
        kinds
    }
}

fn connection() -> String {
    format!("{CUSTODIAN}/connection.toml")
}

fn spoilt(fingerprint: &str) -> String {
    let first = if fingerprint.starts_with('0') { "1" } else { "0" };
    format!("{first}{}", &fingerprint[1..])
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn an_agency_joins_with_two_files_and_three_telephone_calls(#[case] backend: Backend) {
    let town = Town::open(backend).await;
    let fingerprint = town.request("hearth");
    for private in ["client.key", "assertion.key", "sealing.key", "agency-keys.json"] {
        let mode = std::fs::metadata(town.gateway.path(&format!("hearth/{private}"))).expect("there").mode();
        assert_eq!(mode & 0o777, 0o600, "{private}");
    }
    assert_eq!(std::fs::metadata(town.gateway.path("hearth")).expect("there").mode() & 0o777, 0o700);

    town.enrol("hearth", &fingerprint).done();
    let before = town.events(backend).await.len();
    let granted = town.grant("hearth", &fingerprint, "nhs,uprn", &connection()).done().json();
    let keys = granted["fingerprint"].as_str().expect("a fingerprint");
    let joined = town.finish("hearth", Some(keys)).done().json();
    assert_eq!(joined["types"], 2);
    assert_eq!(town.events(backend).await.len(), before + 4, "granted, fetched, acknowledged, checked");

    let held: serde_json::Value =
        serde_json::from_slice(&std::fs::read(town.gateway.path("hearth/agency-keys.json")).expect("there"))
            .expect("JSON");
    let types: Vec<&String> = held["linkage"][0]["types"].as_object().expect("types").keys().collect();
    assert_eq!(types, ["nhs", "uprn"]);
    let again = town.finish("hearth", Some(keys));
    assert!(again.code == 1 && again.err.contains("no keys for this agency yet"), "{again:?}");
    town.close();
}

#[tokio::test]
async fn the_gateway_never_holds_a_key_in_clear_and_has_none_that_opens_the_sealed_ones() {
    let town = Town::open(Backend::Sqlite).await;
    let fingerprint = town.request("hearth");
    town.enrol("hearth", &fingerprint).done();
    let keys = town.grant("hearth", &fingerprint, "nhs", &connection()).done().json();
    let keys = keys["fingerprint"].as_str().expect("a fingerprint").to_owned();

    // While it waits: the row is there, and nothing that the gateway has opens it.
    let location = Location::Sqlite(town.gateway.path("porth.sqlite"));
    let store = Store::connect(&location, 2).await.expect("the database");
    let mut tx = store.begin().await.expect("a transaction");
    let hearth = porth::domain::ids::AgencyCode::parse("hearth").expect("a code");
    let waiting = tx.waiting_grants(&hearth).await.expect("the database");
    drop(tx);
    assert_eq!(waiting.len(), 1);
    let sealed = waiting[0].sealed.clone();
    let opens = |hex: &str| {
        let Ok(key) = porth::crypto::secret::Secret::from_hex(hex) else { return false };
        let pair = porth::crypto::seal::SealKeyPair::from_private(key);
        porth::cli::agency::key_file::LinkageShare::from_sealed(&pair, &hearth, &sealed).is_ok()
    };
    let hexadecimal = |name: &str| {
        let text = std::fs::read_to_string(town.gateway.path(name)).expect("reads");
        text.lines().find(|line| !line.starts_with('#')).expect("a line").trim().to_owned()
    };
    assert!(opens(&hexadecimal("hearth/sealing.key")), "the agency's own key opens it");
    assert!(!opens(&hexadecimal("shield/shield-private.key")));
    let kek = porth::crypto::kek::Kek::from_file(&town.gateway.path("kek")).expect("the gateway's own");
    let ring = Keyring::open(&town.gateway.path("keys"), &kek).expect("opens");
    let seeds: Vec<String> = Role::GATEWAY
        .into_iter()
        .filter_map(|role| ring.signing_key(role).ok())
        .map(|key| key.seed().expose_hex().to_string())
        .collect();
    assert!(seeds.len() >= 2 && !seeds.iter().any(|seed| opens(seed)));

    town.finish("hearth", Some(&keys)).done();
    let held: serde_json::Value =
        serde_json::from_slice(&std::fs::read(town.gateway.path("hearth/agency-keys.json")).expect("there"))
            .expect("JSON");
    let key = held["linkage"][0]["types"]["nhs"].as_str().expect("a key").to_owned();
    let raw: Vec<u8> = (0..32).map(|at| u8::from_str_radix(&key[2 * at..2 * at + 2], 16).expect("hex")).collect();
    let mut tx = store.begin().await.expect("a transaction");
    assert!(tx.waiting_grants(&hearth).await.expect("the database").is_empty(), "removed once acknowledged");
    let kept = tx.grant(waiting[0].id).await.expect("the database").expect("that it passed stays known");
    assert_eq!(kept.digest, <[u8; 32]>::from(<sha2::Sha256 as sha2::Digest>::digest(&sealed)));
    drop(tx);
    store.close().await;
    let gateway = town.close();
    for name in ["porth.sqlite", "porth.sqlite-wal"] {
        let bytes = std::fs::read(gateway.path(name)).unwrap_or_default();
        let holds = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
        assert!(!holds(&raw) && !holds(key.as_bytes()), "{name} holds a type key");
    }
}

#[tokio::test]
async fn what_was_exchanged_on_the_way_is_refused_on_every_side() {
    let town = Town::open(Backend::Sqlite).await;
    let fingerprint = town.request("hearth");

    let wrong = town.enrol("hearth", &spoilt(&fingerprint));
    assert!(wrong.code == 1 && wrong.err.contains("not that of the request"), "{wrong:?}");
    assert!(!town.gateway.path("hearth-reply.json").exists());
    let text = std::fs::read_to_string(town.gateway.path("hearth/request.json")).expect("reads");
    town.gateway.write("hearth/request.json", &text.replace("hearth-system", "hearth-systen"));
    let altered = town.enrol("hearth", &fingerprint);
    assert!(altered.code == 1 && altered.err.contains("request.proof"), "{altered:?}");
    town.gateway.write("hearth/request.json", &text);
    town.enrol("hearth", &fingerprint).done();
    let twice = town.enrol("hearth", &fingerprint);
    assert!(twice.code == 1 && twice.err.contains("there already"), "{twice:?}");

    let wrong = town.grant("hearth", &spoilt(&fingerprint), "nhs", &connection());
    assert!(wrong.code == 1 && wrong.err.contains("nothing was sealed"), "{wrong:?}");
    let early = town.finish("hearth", Some(&fingerprint));
    assert!(early.code == 1 && early.err.contains("no keys for this agency yet"), "{early:?}");
    let unasked = town.grant("hearth", &fingerprint, "nhs", "hearth/connection.toml");
    assert!(unasked.code == 3 && unasked.err.contains("not-custodian"), "{unasked:?}");

    let keys = town.grant("hearth", &fingerprint, "nhs", &connection()).done().json();
    let keys = keys["fingerprint"].as_str().expect("a fingerprint");
    let wrong = town.finish("hearth", Some(&spoilt(keys)));
    assert!(wrong.code == 4 && wrong.err.contains("join.fingerprint"), "{wrong:?}");
    let held = std::fs::read_to_string(town.gateway.path("hearth/agency-keys.json")).expect("reads");
    assert!(!held.contains("epoch"), "nothing was kept");
    town.finish("hearth", Some(keys)).done();
    town.close();
}

#[tokio::test]
async fn an_agreement_that_lists_an_agencys_token_types_keeps_all_other_keys_from_it() {
    let policies = tempfile::tempdir().expect("a folder");
    copy(&shipped_policies(), policies.path());
    let path = policies.path().join("agreements/charity-referral.toml");
    let text = std::fs::read_to_string(&path).expect("reads");
    let party = "agency = \"hearth\"\nrole";
    assert!(text.contains(party), "hearth is a party");
    let listed = "agency = \"hearth\"\ntoken_types = [\"nhs\", \"uprn\"]\nrole";
    std::fs::write(&path, text.replacen(party, listed, 1)).expect("writes");
    let town = Town::open_with(Backend::Sqlite, policies.path()).await;

    let fingerprint = town.request("hearth");
    let enrolled = town.enrol("hearth", &fingerprint).done().json();
    assert_eq!(enrolled["token_types"], serde_json::json!(["nhs", "uprn"]));
    let more = town.grant("hearth", &fingerprint, "nhs,nino8", &connection());
    assert!(more.code == 3 && more.err.contains("keys of every type named"), "{more:?}");
    town.grant("hearth", &fingerprint, "nhs,uprn", &connection()).done();
    town.close();
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).expect("makes");
    for entry in std::fs::read_dir(from).expect("a folder").flatten() {
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() { copy(&path, &to) } else { std::fs::copy(&path, &to).map(drop).expect("copies") }
    }
}
