//! The example clients in Python and shell, run against a real gateway.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use porth::crypto::jwt::ClientKey;
use porth::crypto::token::TypeKey;
use porth::domain::ids::{ProgrammeCode, TokenType};
use rustls_pki_types::PrivatePkcs8KeyDer;
use serde_json::json;
use sha2::Digest as _;

use crate::support::agency::TestAgency;
use crate::support::database::Backend;
use crate::support::gateway::{EPOCH, ISSUER, PROGRAMME, TestGateway, hexadecimal};
use crate::support::people::{Person, flag, token};

/// A number of the range that the NHS sets aside for tests.
const NHS: &str = "9990000018";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn nhs_key(home: &TestGateway) -> TypeKey {
    let programme = ProgrammeCode::parse(PROGRAMME).expect("a code");
    TypeKey::derive(&home.linkage, &programme, EPOCH, &TokenType::parse("nhs").expect("a type"), 1)
}

fn private(folder: &Path, name: &str, text: &str) {
    fs::write(folder.join(name), text).expect("writes");
    fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o600)).expect("sets the mode");
}

fn pem_of(key: &ClientKey) -> String {
    use base64::Engine as _;
    let pkcs8 = key.to_pkcs8();
    let der = PrivatePkcs8KeyDer::from(pkcs8.to_vec());
    let body = base64::engine::general_purpose::STANDARD.encode(der.secret_pkcs8_der());
    let lines: Vec<&str> = body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).expect("ASCII")).collect();
    let kind = "PRIVATE KEY";
    format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", lines.join("\n"))
}

/// The folder as `porth join` makes it.
fn folder_of(agency: &TestAgency<'_>) -> tempfile::TempDir {
    let (home, folder) = (agency.home, tempfile::tempdir().expect("a folder"));
    let path = folder.path();
    let text = format!(
        "gateway = \"https://localhost:{}\"\nissuer = \"{ISSUER}\"\nroot = \"gateway-root.pem\"\n\
         certificate = \"client.pem\"\nprivate_key = \"client.key\"\nclient_id = \"{}\"\nassertion_key = \"assertion.key\"\n",
        home.running.agencies.port(),
        agency.client
    );
    fs::write(path.join("connection.toml"), text).expect("writes");
    fs::write(path.join("gateway-root.pem"), &home.authority.certificate().pem).expect("writes");
    fs::write(path.join("client.pem"), &agency.identity.certificate_pem).expect("writes");
    private(path, "client.key", &agency.identity.key_pem);
    private(path, "assertion.key", &pem_of(&agency.key));
    let keys = json!({
        "format": "porth-agency-keys/1", "programme": PROGRAMME, "agency": agency.code,
        "reference_key": hexadecimal(&sha2::Sha256::digest("a test's own")),
        "linkage": [{ "epoch": EPOCH, "norm": 1, "types": { "nhs": nhs_key(home).secret().expose_hex().as_str() } }],
    });
    private(path, "agency-keys.json", &serde_json::to_string_pretty(&keys).expect("JSON"));
    // The product reads the same file: the clients and it have one form.
    porth::cli::agency::key_file::AgencyKeyFile::read(&path.join("agency-keys.json")).expect("a key file");
    folder
}

/// A gateway where education knows that a child with this number misses school.
async fn with_child() -> TestGateway {
    let home = TestGateway::start(Backend::Sqlite).await;
    let education = home.agency("education").await;
    let mut row = Person::new("Known", "1 Quay").record(&home.linkage, "child", json!([flag("E1", "met")]));
    row["tokens"][EPOCH.to_string()]["nhs"] = json!([token(&home.linkage, "nhs", NHS)]);
    let mut header = education.header("attendance", "early-help-core/v1").await;
    header["epochs"][0]["key_checks"]["nhs"] = hexadecimal(&nhs_key(&home).key_check()).into();
    let reply = education.submit_text(crate::support::people::file(&header, &[row])).await;
    assert_eq!(reply.status, 202, "{reply:?}");
    education.wait_visible(reply.json()["id"].as_str().expect("an id")).await;
    home
}

async fn run(program: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(program);
    command.args(arguments);
    // The gateway answers on this runtime: waiting must not hold it up.
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("no panic");
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}; scripts/test installs it"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

const TERMS: [(&str, &str); 7] = [
    ("agreement", "early-help-core/v1"),
    ("purpose", "early-help-screening"),
    ("mode", "areas"),
    ("relationship", "referral"),
    ("role", "hub-screener"),
    ("case", "C-1"),
    ("user", "me"),
];

fn python(folder: &Path, nhs: &str, signer: &str) -> Vec<String> {
    let program = root().join("examples/python-client/porth_client.py").display().to_string();
    let mut arguments = vec![program, "ask".to_owned(), "--folder".to_owned(), folder.display().to_string()];
    arguments.extend(["--signer".to_owned(), signer.to_owned(), "--nhs".to_owned(), nhs.to_owned()]);
    arguments.extend(TERMS.iter().flat_map(|(name, value)| [format!("--{name}"), (*value).to_owned()]));
    arguments
}

fn borrowed(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

fn assert_answered((code, out, err): (Option<i32>, String, String)) {
    assert_eq!(code, Some(0), "{out}\n{err}");
    assert!(out.contains("A2: met\n"), "{out}");
    assert!(out.contains("receipt:\nporth-receipt/v1\nporth.test/2026\n"), "{out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clients_ask_with_a_token_an_assertion_and_a_certificate_and_print_the_receipt() {
    let home = with_child().await;
    let hub = home.agency("early-help-hub").await;
    let folder = folder_of(&hub);
    for signer in ["openssl", "auto"] {
        assert_answered(run("python3", &borrowed(&python(folder.path(), "999 000 0018", signer))).await);
    }
    let shell = root().join("examples/shell-client/porth-ask").display().to_string();
    let place = folder.path().display().to_string();
    let mut words = vec![shell.as_str(), &place, "999 000 0018"];
    words.extend(TERMS.iter().map(|(_, value)| *value));
    assert_answered(run("bash", &words).await);
    assert_eq!(home.events("enquiry", "answered").await, 3, "each was asked once and logged");

    let (code, _, err) = run("python3", &borrowed(&python(folder.path(), "999 000 0019", "openssl"))).await;
    assert!(code == Some(1) && err.contains("check digit"), "{err}");
    words[2] = "999 000 0019";
    let (code, _, err) = run("bash", &words).await;
    assert!(code == Some(2) && err.contains("check digit"), "{err}");
    assert_eq!(home.events("enquiry", "answered").await, 3);
    home.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_with_another_linkage_key_or_key_of_assertions_is_refused_and_says_why() {
    let home = with_child().await;
    let hub = home.agency("early-help-hub").await;
    let folder = folder_of(&hub);
    private(folder.path(), "assertion.key", &pem_of(&ClientKey::generate_p256().expect("a key")));
    let (code, _, err) = run("python3", &borrowed(&python(folder.path(), NHS, "openssl"))).await;
    assert!(code == Some(1) && err.contains("client-unknown"), "{err}");
    private(folder.path(), "assertion.key", &pem_of(&hub.key));
    let keys = fs::read_to_string(folder.path().join("agency-keys.json")).expect("reads");
    let right = nhs_key(&home).secret().expose_hex().to_string();
    private(folder.path(), "agency-keys.json", &keys.replace(&right, &hexadecimal(&sha2::Sha256::digest("wrong"))));
    let (code, _, err) = run("python3", &borrowed(&python(folder.path(), NHS, "openssl"))).await;
    assert!(code == Some(1) && err.contains("wrong-key-check"), "{err}");
    home.stop().await;
}

#[tokio::test]
async fn the_clients_compute_the_golden_vectors() {
    let vectors = root().join("tests/vectors/token-v1.json");
    let python = root().join("examples/python-client/porth_client.py").display().to_string();
    let path = vectors.display().to_string();
    let (code, out, err) = run("python3", &[&python, "check-vectors", &path]).await;
    assert!(code == Some(0) && out.starts_with("6 golden vectors"), "{out}{err}");
    let text = fs::read_to_string(&vectors).expect("reads");
    let folder = tempfile::tempdir().expect("a folder");
    let changed = folder.path().join("changed.json");
    fs::write(&changed, text.replace("7kbGVthM8uxg", "7kbGVthM8uxh")).expect("writes");
    let (code, _, err) = run("python3", &[&python, "check-vectors", &changed.display().to_string()]).await;
    assert!(code == Some(1) && err.contains("nhs"), "{err}");

    let shell = root().join("examples/shell-client/porth-ask").display().to_string();
    let vectors: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    for vector in vectors["tokens"].as_array().expect("tokens") {
        let word = |name: &str| vector[name].as_str().expect("a word").to_owned();
        let hex = word("value_hex");
        let bytes: Vec<u8> =
            (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).expect("hex")).collect();
        let Ok(value) = String::from_utf8(bytes) else { continue };
        if value.contains('\0') {
            continue; // no shell passes one on: keys of several fields are for the other clients
        }
        let (key, name) = (word("type_key"), word("type"));
        let words = [&shell, "--check-vector", &key, "demo-programme", "1", &name, &value];
        let (code, out, err) = run("bash", &words).await;
        assert_eq!((code, out), (Some(0), format!("{}\n{}\n", word("token"), word("key_check"))), "{name} {err}");
    }
}
