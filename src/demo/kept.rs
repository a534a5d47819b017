//! What stays after the story for whoever wants to go on: connection files, the authority's key, and the
//! commands to begin with.

use std::path::Path;

use super::partner::Partner;
use super::trouble::{Trouble, trouble};
use super::workshop::{ISSUER, Workshop, write};
use crate::cli::agency::join::{ASSERTION_KEY, CERTIFICATE, CLIENT_KEY, CONNECTION, ROOT};
use crate::cli::operator::keys::files;
use crate::cli::output::Failure;
use crate::crypto::jwt::ClientKey;

/// Who looks into the log.
const TEAM: &str = "programme-team";
/// On what grounds the team does.
const GROUNDS: &str = "--agreement programme-delivery/v1 --role auditor";

/// What an agency's system proves with who it is.
pub(super) struct Proof<'a> {
    pub(super) client: &'a str,
    pub(super) certificate_pem: &'a str,
    pub(super) private_key_pem: &'a str,
    pub(super) assertion_key: &'a ClientKey,
}

/// Writes an agency's connection file with what it names, as joining does.
pub(super) fn write_connection(folder: &Path, workshop: &Workshop, proof: &Proof<'_>) -> Result<(), Trouble> {
    let address = format!("https://localhost:{}", workshop.running.agencies.port());
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let connection = format!(
        "gateway = {}\nissuer = {}\nroot = \"{ROOT}\"\ncertificate = \"{CERTIFICATE}\"\nprivate_key = \"{CLIENT_KEY}\"\n\
         client_id = {}\nassertion_key = \"{ASSERTION_KEY}\"\n",
        quoted(&address),
        quoted(ISSUER),
        quoted(proof.client),
    );
    let assertion = files::private_key_pem(&proof.assertion_key.to_pkcs8());
    files::write_private(&folder.join(CLIENT_KEY), proof.private_key_pem.as_bytes()).map_err(failed)?;
    files::write_private(&folder.join(ASSERTION_KEY), assertion.as_bytes()).map_err(failed)?;
    write(folder, CERTIFICATE, proof.certificate_pem)?;
    write(folder, ROOT, &workshop.authority.certificate().pem)?;
    write(folder, CONNECTION, &connection)
}

/// Leaves what the story itself did not need: the team's system, and the authority that enrols others.
pub(super) async fn leave(workshop: &Workshop, folder: &Path) -> Result<(), Trouble> {
    Partner::enrol(workshop, folder, TEAM).await?;
    let authority = folder.join("authority");
    std::fs::create_dir_all(&authority).map_err(trouble("the authority's folder"))?;
    write(&authority, "authority.pem", &workshop.authority.certificate().pem)?;
    files::write_private(&authority.join("authority.key"), workshop.authority.key_pem().as_bytes()).map_err(failed)
}

/// Commands that work in the folder while the gateway runs.
pub(super) fn commands(folder: &Path) -> String {
    let team = format!("-c agencies/{TEAM}/{CONNECTION} {GROUNDS}");
    let officer =
        "porth review officer add --config porth.toml --agency programme-team --by operator --reason appointed";
    [
        format!("cd {}", folder.display()),
        format!("porth log find {team} --type enquiry --outcome refused"),
        format!("porth log explain {team} --entry <an event that log find printed>"),
        "porth log trust --config porth.toml > trust.toml".to_owned(),
        "porth log export --config porth.toml --to export && porth log verify export --trust trust.toml".to_owned(),
        format!("{officer} --account ig-1"),
        "porth alerts watch --config porth.toml && porth alerts list --config porth.toml".to_owned(),
        "porth emergency list --config porth.toml".to_owned(),
        format!("porth notices list -c agencies/education/{CONNECTION}"),
        format!("porth review findings -c agencies/early-help-hub/{CONNECTION}"),
        format!("porth subject list -c agencies/education/{CONNECTION}"),
    ]
    .join("\n  ")
}

fn failed(failure: Failure) -> Trouble {
    Trouble::new("a file of the demonstration", failure.message())
}

#[cfg(test)]
mod tests {
    use super::super::workshop::Folder;
    use super::*;
    use crate::cli::agency::connection::Connection;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_is_left_is_enough_to_look_into_the_log_as_the_programmes_team() {
        let folder = Folder::create(false).expect("a folder");
        let workshop = Workshop::open(folder.path()).await.expect("a gateway");
        leave(&workshop, folder.path()).await.expect("left");
        workshop.wait_sequenced().await.expect("sequenced");

        let connection = folder.path().join("agencies").join(TEAM).join(CONNECTION);
        let mut session = Connection::read(&connection).expect("a connection file").open().expect("its keys");
        let headers = session.headers(None).await.expect("an access token");
        let path = "/v1/log/entries?agreement=programme-delivery/v1&role=auditor&limit=5";
        let page: serde_json::Value =
            session.client().get(path, &headers).await.expect("an answer").json().expect("a page");
        assert!(page["entries"].as_array().is_some_and(|entries| !entries.is_empty()), "{page}");
        assert!(folder.path().join("authority/authority.key").exists());
        assert!(commands(folder.path()).contains("porth log find -c agencies/programme-team/connection.toml"));
        workshop.running.stop().await;
    }
}
