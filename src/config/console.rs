//! The console's part of the configuration: where it listens, who lets people in, and as what.

use std::path::PathBuf;

use serde::Deserialize;

use super::{ConfigError, Mode};
use crate::domain::ids::{AgencyCode, AgreementRef, RoleCode};

/// The console for officers, data team and auditors.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsoleConfig {
    /// Address and port for browsers: TLS 1.3, no client certificates.
    pub listen: String,
    /// Where browsers find it, such as `https://porth.example.gov.uk`; the sign-in comes back there.
    pub address: String,
    /// The organisation's name in the header of every page.
    pub organisation: String,
    /// The console's certificate chain, leaf first, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM, mode 0600.
    pub private_key: PathBuf,
    /// The provider by which people sign in.
    #[serde(default)]
    pub provider: Option<ProviderConfig>,
    /// Who is let in as what. The first line whose claim the provider gives a person counts.
    #[serde(default)]
    pub access: Vec<AccessConfig>,
    /// A page where anybody may sign in as any of the lines of access. For demonstrations with invented
    /// people; production mode refuses it.
    #[serde(default)]
    pub demonstration_sign_in: bool,
}

impl ConsoleConfig {
    pub(super) fn check(&self, mode: Mode) -> Result<(), ConfigError> {
        let unusable = |sentence| Err(ConfigError::Unusable(sentence));
        if !self.address.starts_with("https://") || self.address["https://".len()..].contains('/') {
            return unusable("console.address is of the form https://host or https://host:port");
        }
        if self.access.is_empty() {
            return unusable("console.access has no line: nobody could sign in");
        }
        if self.demonstration_sign_in && mode == Mode::Production {
            return unusable("console.demonstration_sign_in lets anybody in: production mode refuses it");
        }
        if self.provider.is_none() && !self.demonstration_sign_in {
            return unusable("console.provider is missing: nobody could sign in");
        }
        Ok(())
    }

    /// Makes the paths absolute, from the folder of the configuration file.
    pub(super) fn resolve(&mut self, own: impl Fn(&mut PathBuf)) {
        own(&mut self.certificate);
        own(&mut self.private_key);
        if let Some(provider) = &mut self.provider {
            own(&mut provider.client_secret_file);
            own(&mut provider.roots);
        }
    }
}

/// An OpenID Connect provider.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderConfig {
    /// The provider's issuer; its configuration is read from `/.well-known/openid-configuration` below it.
    pub issuer: String,
    /// The console's name at the provider.
    pub client_id: String,
    /// A file that holds the console's secret at the provider, readable by its user alone.
    pub client_secret_file: PathBuf,
    /// The claim of the identity token that lists a person's roles or groups.
    #[serde(default = "default_roles_claim")]
    pub roles_claim: String,
    /// Certificates of the authorities that the provider's certificate may be from, PEM.
    #[serde(default = "default_roots")]
    pub roots: PathBuf,
}

/// A line of access: whoever has the claim works in this part, on behalf of this agency.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessConfig {
    /// The value that the provider's claim has to hold.
    pub claim: String,
    /// Which pages there are for them.
    pub persona: Persona,
    /// On behalf of which agency they look.
    pub agency: AgencyCode,
    /// The agreement whose receive clauses allow it.
    pub agreement: AgreementRef,
    /// Their role in the programme.
    pub role: RoleCode,
    /// For the data team: which of the agency's enrolled systems collects and opens what is asked for here.
    #[serde(default)]
    pub system: Option<String>,
}

/// What somebody comes to the console for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Persona {
    /// Information governance: agreements, log, reviews, rights, approvals.
    Officer,
    /// The data team: match runs, families, tables, requests.
    DataTeam,
    /// Audit: reads and verifies, changes nothing.
    Auditor,
    /// Keeps the gateway running; sees nothing about anybody.
    Operator,
}

impl Persona {
    /// Every persona.
    pub const ALL: [Self; 4] = [Self::Officer, Self::DataTeam, Self::Auditor, Self::Operator];

    /// As people are told.
    pub const fn plain(self) -> &'static str {
        match self {
            Self::Officer => "Information governance officer",
            Self::DataTeam => "Data team",
            Self::Auditor => "Auditor",
            Self::Operator => "Operator",
        }
    }
}

fn default_roles_claim() -> String {
    "roles".to_owned()
}

fn default_roots() -> PathBuf {
    PathBuf::from("/etc/ssl/certs/ca-certificates.crt")
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEMONSTRATION: &str = r#"
        listen = "127.0.0.1:0"
        address = "https://localhost:8444"
        organisation = "Example council"
        certificate = "c"
        private_key = "k"
        demonstration_sign_in = true
        [[access]]
        claim = "officer"
        persona = "officer"
        agency = "programme-team"
        agreement = "programme-delivery/v1"
        role = "auditor"
    "#;

    #[test]
    fn production_lets_nobody_in_by_the_page_of_the_demonstration() {
        let read = |text: &str| toml::from_str::<ConsoleConfig>(text).expect("a configuration");
        assert!(read(DEMONSTRATION).check(Mode::Pilot).is_ok());
        let refused = read(DEMONSTRATION).check(Mode::Production).expect_err("anybody could sign in");
        assert!(refused.to_string().contains("demonstration_sign_in"), "{refused}");
        let nobody = read(&DEMONSTRATION.replace("sign_in = true", "sign_in = false")).check(Mode::Pilot);
        assert!(nobody.is_err(), "without a provider nobody could sign in");
    }
}
