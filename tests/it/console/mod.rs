//! The console: pages in a real browser, signed in at an independent provider, and what it refuses.

mod data_team;
mod forged;
mod forms;
mod markup;
mod oversight;
mod pages;
mod refusals;
mod reidentification;
mod sessions;

use std::process::Stdio;

use porth::app::console::DEMONSTRATION;
use porth::app::review::officers::NewOfficer;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::support::database::Backend;
use crate::support::gateway::TestGateway;
use crate::support::people::Person;

const UNKNOWN: Person = Person::new("Unknown", "2 Quay");

/// A gateway with a console, and the provider by which people sign in to it.
struct TestConsole {
    gateway: TestGateway,
    address: String,
    issuer: String,
    _provider: Option<Child>,
}

/// Lines of access of the tests: one for each part, and housing’s own officers and auditor.
const ACCESS: &str = r#"
[[console.access]]
claim = "porth-officer"
persona = "officer"
agency = "programme-team"
agreement = "programme-delivery/v1"
role = "auditor"

[[console.access]]
claim = "porth-auditor"
persona = "auditor"
agency = "programme-team"
agreement = "programme-delivery/v1"
role = "auditor"

[[console.access]]
claim = "porth-data-team"
persona = "data-team"
agency = "programme-team"
agreement = "programme-delivery/v1"
role = "data-analyst"
system = "programme-desk"

[[console.access]]
claim = "porth-approver"
persona = "officer"
agency = "housing"
agreement = "programme-delivery/v1"
role = "auditor"

[[console.access]]
claim = "porth-inspector"
persona = "auditor"
agency = "housing"
agreement = "programme-delivery/v1"
role = "auditor"

[[console.access]]
claim = "porth-operator"
persona = "operator"
agency = "programme-team"
agreement = "programme-delivery/v1"
role = "data-analyst"

[[console.access]]
claim = "porth-second-officer"
persona = "officer"
agency = "programme-team"
agreement = "programme-delivery/v1"
role = "auditor"

[[console.access]]
claim = "porth-third-officer"
persona = "officer"
agency = "programme-team"
agreement = "programme-delivery/v1"
role = "auditor"
"#;

impl TestConsole {
    /// With the provider of `tests/console/provider.mjs`.
    async fn start(backend: Backend) -> Self {
        let (port, provider_port) = (free_port(), free_port());
        let address = format!("https://localhost:{port}");
        let mut provider = node("provider.mjs")
            .args([&provider_port.to_string(), &address])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("node starts");
        let mut lines = BufReader::new(provider.stdout.take().expect("its output")).lines();
        let said = lines.next_line().await.expect("the provider says something");
        assert_eq!(said.as_deref(), Some("listening"));
        // It says more as people sign in, and would end if nobody took that.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let secret = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(secret.path(), "a secret of the tests alone").expect("written");
        let provider_lines = format!(
            "[console.provider]\nissuer = \"http://127.0.0.1:{provider_port}\"\nclient_id = \"porth-console\"\n\
             client_secret_file = \"{}\"\n",
            secret.path().display()
        );
        let gateway = TestGateway::start_with(backend, &console_lines(port, &provider_lines)).await;
        let issuer = format!("http://127.0.0.1:{provider_port}");
        Self { gateway, address, issuer, _provider: Some(provider) }
    }

    /// With the demonstration's sign-in.
    async fn start_demonstration(backend: Backend) -> Self {
        let port = free_port();
        let more = console_lines(port, "").replace("council\"\n", "council\"\ndemonstration_sign_in = true\n");
        let gateway = TestGateway::start_with(backend, &more).await;
        let issuer = DEMONSTRATION.to_owned();
        Self { gateway, address: format!("https://localhost:{port}"), issuer, _provider: None }
    }

    /// Runs a walk of `tests/console/` in the browser.
    async fn walk(&self, script: &str, environment: &[(&str, &str)]) {
        let shots = std::env::var("PORTH_TEST_SHOTS").unwrap_or_default();
        let walked = node(script)
            .env("PORTH_TEST_CONSOLE", &self.address)
            .env("PORTH_TEST_SHOTS", shots)
            .env("PORTH_TEST_PROVIDER", &self.issuer)
            .envs(environment.iter().copied())
            .output()
            .await
            .expect("node runs");
        let (out, err) = (String::from_utf8_lossy(&walked.stdout), String::from_utf8_lossy(&walked.stderr));
        assert!(walked.status.success() && out.contains("walked"), "{script}: {out}{err}");
    }

    /// Registers somebody who signs in as a reviewing officer; what the log calls them.
    async fn register(&self, subject: &str) -> String {
        let account = self.gateway.gateway().console_account(&self.issuer, subject);
        let officer = NewOfficer {
            account: account.clone(),
            agency: "programme-team".parse().expect("a code"),
            keys: Vec::new(),
            clients: Vec::new(),
            users: Vec::new(),
        };
        self.gateway.gateway().register_officer(&officer, "ops-1", "appointed").await.expect("registered");
        account
    }

    /// Somebody asks once, so that the log holds a disclosure.
    async fn ask_once(&self) {
        let asker = self.gateway.agency("early-help-hub").await;
        let reply = asker.enquire(&asker.question("areas", &UNKNOWN)).await;
        assert_eq!(reply.status, 201, "{}", reply.text());
        self.gateway.wait_sequenced().await;
    }
}

fn console_lines(port: u16, more: &str) -> String {
    format!(
        "\n[alerts]\nevery_seconds = 1\nrepeats_a_day = 2\n\n[console]\nlisten = \"127.0.0.1:{port}\"\naddress = \"https://localhost:{port}\"\n\
         organisation = \"Example council\"\ncertificate = \"server.pem\"\nprivate_key = \"server.key\"\n{more}{ACCESS}"
    )
}

fn node(script: &str) -> Command {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/console");
    let mut node = Command::new("node");
    node.current_dir(folder).arg(script).kill_on_drop(true);
    node
}

/// A port that nobody listens on at this moment.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}
