//! `porth keys rotate` and `porth keys restack`: the gateway's and the sequencer's own keys get a next version.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::app::rotate::signing::{Rotation, note_rotation};
use crate::cli::operator::{ConfigFile, app_failure, config_failure, start_failure, store_failure, with_gateway};
use crate::cli::output::{Failure, Output};
use crate::config::{Config, SequencerConfig};
use crate::crypto::kek::Kek;
use crate::crypto::keyring::{Keyring, Role};
use crate::crypto::random::SystemRandom;
use crate::domain::token::encode_base64url;
use crate::runtime::{self, machine_time};
use crate::store::{Location, Store};

/// A key that `porth keys rotate` makes the next version of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Name {
    /// Blinds stored tokens; `porth keys restack` then takes them through it
    Blinding,
    /// Signs access tokens
    TokenSigning,
    /// Signs receipts
    Receipt,
    /// Signs release certificates
    Certificate,
    /// Signs checkpoints of the log
    Checkpoint,
}

impl Name {
    fn role(self) -> Role {
        match self {
            Self::Blinding => Role::Blinding,
            Self::TokenSigning => Role::TokenSigning,
            Self::Receipt => Role::Receipt,
            Self::Certificate => Role::Certificate,
            Self::Checkpoint => Role::Checkpoint,
        }
    }
}

/// Which configuration, and who does it why.
#[derive(Debug, Args)]
pub(super) struct Place {
    /// The gateway's configuration
    #[arg(long, value_name = "FILE", required_unless_present = "sequencer", conflicts_with = "sequencer")]
    config: Option<PathBuf>,
    /// The sequencer's configuration, where it is a process of its own
    #[arg(long, value_name = "FILE")]
    sequencer: Option<PathBuf>,
}

/// A key folder with what is needed to change it and to say so in the log.
pub(super) struct Opened {
    pub(super) folders: Vec<PathBuf>,
    pub(super) checkpoint_folder: Option<PathBuf>,
    pub(super) kek: Kek,
    pub(super) kek_file: Option<PathBuf>,
    location: Location,
    connections: u32,
    log_origin: String,
    /// The gateway's configuration, when this is the gateway.
    pub(super) gateway: Option<Config>,
}

impl Place {
    pub(super) fn open(&self) -> Result<Opened, Failure> {
        if let Some(path) = &self.sequencer {
            let config = SequencerConfig::read(path).map_err(config_failure)?;
            return Ok(Opened {
                folders: vec![config.keys.checkpoint_folder.clone()],
                checkpoint_folder: Some(config.keys.checkpoint_folder.clone()),
                kek: runtime::open_sequencer_kek(&config).map_err(start_failure)?,
                kek_file: config.keys.kek_file.clone(),
                location: config.database.location().map_err(config_failure)?,
                connections: config.database.connections,
                log_origin: config.log_origin.clone(),
                gateway: None,
            });
        }
        let path = self.config.as_ref().ok_or_else(|| Failure::failed("--config is missing"))?;
        let config = Config::read(path).map_err(config_failure)?;
        let folders = [Some(config.keys.folder.clone()), config.keys.checkpoint_folder.clone()];
        Ok(Opened {
            folders: folders.into_iter().flatten().collect(),
            checkpoint_folder: config.keys.checkpoint_folder.clone(),
            kek: runtime::open_kek(&config).map_err(start_failure)?,
            kek_file: config.keys.kek_file.clone(),
            location: config.database.location().map_err(config_failure)?,
            connections: config.database.connections,
            log_origin: config.log_origin.clone(),
            gateway: Some(config),
        })
    }
}

impl Opened {
    /// The folder in which a role's key lies.
    fn folder_of(&self, role: Role) -> Result<PathBuf, Failure> {
        let gateway = self.gateway.as_ref().map(|config| config.keys.folder.clone());
        let found = if role == Role::Checkpoint { self.checkpoint_folder.clone() } else { gateway };
        found.ok_or_else(|| {
            let other = if role == Role::Checkpoint { "--sequencer" } else { "--config" };
            Failure::failed(format!("the {} key is not in the folders of this configuration", role.name()))
                .next(format!("name the other process's configuration: {other}"))
        })
    }

    /// Says in the disclosure log what became of a key.
    pub(super) fn note(&self, rotation: &Rotation<'_>) -> Result<(), Failure> {
        crate::cli::block_on(async {
            let store = Store::connect(&self.location, self.connections).await.map_err(store_failure)?;
            store.check_schema().await.map_err(store_failure)?;
            let noted = note_rotation(&store, &self.log_origin, &SystemRandom::new(), rotation).await;
            store.close().await;
            noted.map_err(app_failure)
        })
    }
}

/// Arguments of `porth keys rotate`.
#[derive(Debug, Args)]
pub(super) struct RotateArgs {
    /// Which key
    #[arg(value_enum)]
    name: Name,
    #[command(flatten)]
    place: Place,
    /// Destroy the secrets of earlier versions now; access tokens signed with them end at once
    #[arg(long)]
    destroy_old: bool,
    /// Your account, for the log; never a person's name
    #[arg(long, value_parser = crate::cli::typed::code)]
    by: String,
    /// Why, as a code for the log, such as yearly
    #[arg(long, value_parser = crate::cli::typed::code)]
    reason: String,
}

#[derive(Serialize)]
struct Rotated {
    key: &'static str,
    version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    public_key: Option<String>,
    destroyed: Vec<u32>,
}

/// Makes the next version of a key.
pub(super) fn run(args: &RotateArgs, output: Output) -> Result<(), Failure> {
    let role = args.name.role();
    if role == Role::Blinding && args.destroy_old {
        return Err(Failure::failed("new arrivals go through every blinding key: none may be destroyed")
            .next("`porth keys restack` makes the old ones useless by themselves"));
    }
    let opened = args.place.open()?;
    let folder = opened.folder_of(role)?;
    let keyring = Keyring::open(&folder, &opened.kek).map_err(Failure::unusable)?;
    let added = keyring.add_version(&folder, role, &opened.kek, &SystemRandom::new(), machine_time());
    let version = added.map_err(Failure::failed)?;
    let keyring = Keyring::open(&folder, &opened.kek).map_err(Failure::unusable)?;
    let public = keyring.verifying_keys(role).into_iter().find(|(of, _)| *of == version).map(|(_, key)| key);
    let name = format!("{}-v{version}", role.name());
    let rotation = |key: &'_ str, action: &'static str, public: Option<[u8; 32]>| -> Result<(), Failure> {
        let used_for = role.name();
        opened.note(&Rotation { key, used_for, action, public_key: public, by: &args.by, reason: &args.reason })
    };
    rotation(&name, "created", public.map(|key| *key.as_bytes()))?;
    let mut destroyed = Vec::new();
    if args.destroy_old {
        destroyed = keyring.retire_older(&folder, role).map_err(Failure::failed)?;
        for version in &destroyed {
            rotation(&format!("{}-v{version}", role.name()), "destroyed", None)?;
        }
    }
    let rotated = Rotated {
        key: role.name(),
        version,
        public_key: public.map(|key| encode_base64url(key.as_bytes())),
        destroyed,
    };
    let gone = match rotated.destroyed.len() {
        0 => String::new(),
        count => format!(" The secrets of {count} earlier version(s) are destroyed."),
    };
    output.result(format_args!("Made {name} in {}.{gone}", folder.display()), &rotated);
    output.note(match args.name {
        Name::Blinding => "Start every gateway again, so that it holds the key; then run `porth keys restack`.",
        Name::TokenSigning => {
            "Start every gateway again. Access tokens of the old key end then if it was destroyed, else after five minutes."
        }
        Name::Receipt | Name::Certificate => {
            "Start every gateway again, and give auditors the new trust file: `porth log trust`. Old public keys stay in it."
        }
        Name::Checkpoint => {
            "Start the sequencer again, and give auditors the new trust file: `porth log trust`. Old public keys stay in it."
        }
    });
    Ok(())
}

/// Arguments of `porth keys restack`.
#[derive(Debug, Args)]
pub(super) struct RestackArgs {
    #[command(flatten)]
    config: ConfigFile,
    /// Your account, for the log; never a person's name
    #[arg(long, value_parser = crate::cli::typed::code)]
    by: String,
    /// Why, as a code for the log, such as yearly
    #[arg(long, value_parser = crate::cli::typed::code)]
    reason: String,
}

/// Takes every stored token through the next blinding key.
pub(super) fn restack(args: &RestackArgs, output: Output) -> Result<(), Failure> {
    let config = args.config.read()?;
    let bar = indicatif::ProgressBar::new_spinner();
    let done = crate::cli::block_on(with_gateway(&config, async |gateway| {
        let mut progress = |count: u64| {
            bar.set_position(count);
            true
        };
        gateway.restack(&args.by, &args.reason, &mut progress).await.map_err(app_failure)
    }));
    bar.finish_and_clear();
    let done = done?;
    let value = serde_json::json!({
        "keys": done.layers, "records": done.records, "tags": done.tags, "was_resumed": done.was_resumed,
    });
    let resumed = if done.was_resumed { "completed an interrupted run: " } else { "" };
    output.result(
        format_args!(
            "Stored tokens went through {} blinding keys; {resumed}{} records and {} tags in this run.",
            done.layers, done.records, done.tags
        ),
        &value,
    );
    Ok(())
}
