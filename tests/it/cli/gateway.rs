//! A gateway set up through the command line alone, in a folder of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::database::{Backend, empty_database};

/// What a command printed and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs `porth` in a folder.
pub(crate) fn porth(folder: &Path, arguments: &[&str]) -> Ran {
    let output = command(folder, arguments).output().expect("porth runs");
    Ran::of(output)
}

/// `porth` with arguments, in a folder.
pub(crate) fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_porth"));
    command.args(arguments).current_dir(folder);
    command
}

impl Ran {
    fn of(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) }
    }
    /// The command did what it was asked.
    pub(crate) fn done(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }
    /// The result as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// The policies that ship with the product.
pub(crate) fn shipped_policies() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("policies")
}

/// A gateway's folder: keys, certificates and configuration, all made by `porth keys init`.
pub(crate) struct CliGateway {
    pub(crate) folder: tempfile::TempDir,
}

impl CliGateway {
    /// Keys, certificates and a configuration; no schema yet.
    pub(crate) async fn prepare(backend: Backend, mode: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let gateway = Self { folder };
        gateway.run(&["keys", "init", "--for", "gateway", "--folder", "keys", "--kek-file", "kek"]).done();
        gateway.run(&["keys", "init", "--for", "sequencer", "--folder", "checkpoint", "--kek-file", "kek"]).done();
        gateway.run(&["keys", "init", "--for", "issuing-authority", "--folder", "authority"]).done();
        gateway
            .run(&[
                "keys",
                "init",
                "--for",
                "server",
                "--folder",
                "tls",
                "--authority",
                "authority",
                "--name",
                "localhost",
            ])
            .done();
        gateway.run(&["keys", "init", "--for", "shield", "--folder", "shield"]).done();
        let database = match backend {
            Backend::Sqlite => "sqlite = \"porth.sqlite\"".to_owned(),
            Backend::Postgres => {
                fs::write(gateway.path("postgres-url"), empty_database().await).expect("writes");
                "postgres_url_file = \"postgres-url\"".to_owned()
            }
        };
        let witnesses = if mode == "production" { "[witnesses]\nunwatched_because = \"a-test\"\n" } else { "" };
        let sequences = if mode == "pilot" { "checkpoint_folder = \"checkpoint\"" } else { "" };
        gateway.write(
            "porth.toml",
            &format!(
                "mode = \"{mode}\"\nprogramme = \"tff\"\nissuer = \"https://localhost\"\nlog_origin = \"localhost/test\"\n\
                 [database]\n{database}\nconnections = 4\n\
                 {witnesses}[listen]\nagencies = \"127.0.0.1:0\"\noperator = \"127.0.0.1:0\"\n\
                 [tls]\ncertificate = \"tls/server.pem\"\nprivate_key = \"tls/server.key\"\n\
                 client_roots = [\"authority/authority.pem\"]\n\
                 revocation_lists = [\"authority/revocation-list.pem\"]\n\
                 [keys]\nfolder = \"keys\"\nkek_file = \"kek\"\nshield_public_key = \"shield/shield-public.txt\"\n{sequences}\n"
            ),
        );
        gateway.write(
            "sequencer.toml",
            &format!(
                "mode = \"{mode}\"\nlog_origin = \"localhost/test\"\n[database]\n{database}\n\
                 [keys]\ncheckpoint_folder = \"checkpoint\"\nkek_file = \"kek\"\n"
            ),
        );
        gateway
    }

    /// Ready to serve: schema and policies in place.
    pub(crate) async fn ready(backend: Backend, mode: &str) -> Self {
        let gateway = Self::prepare(backend, mode).await;
        gateway.run(&["migrate", "--config", "porth.toml"]).done();
        let policies = shipped_policies();
        let policies = policies.to_str().expect("a plain path");
        gateway.run(&["policy", "load", "--config", "porth.toml", "--folder", policies, "--by", "ops-1"]).done();
        gateway
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        porth(self.folder.path(), arguments)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("writes");
    }

    /// Replaces a text in a file that must hold it.
    pub(crate) fn edit(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(name)).expect("reads");
        assert!(text.contains(from), "{name} holds {from}");
        self.write(name, &text.replace(from, to));
    }

    pub(crate) fn chmod(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).expect("sets the mode");
    }
}
