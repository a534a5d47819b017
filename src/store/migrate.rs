//! The schema: migrations in pairs, built into the binary.

use std::borrow::Cow;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, SqlSafeStr as _};

use super::error::StoreError;
use super::value::values;
use super::{Pools, Store};

/// One step of the schema: its up and down texts for both engines.
struct Step {
    version: i64,
    name: &'static str,
    sqlite: [&'static str; 2],
    postgres: [&'static str; 2],
}

macro_rules! step {
    ($version:literal, $name:literal, $file:literal) => {
        Step {
            version: $version,
            name: $name,
            sqlite: [
                include_str!(concat!("../../migrations/sqlite/", $file, ".up.sql")),
                include_str!(concat!("../../migrations/sqlite/", $file, ".down.sql")),
            ],
            postgres: [
                include_str!(concat!("../../migrations/postgres/", $file, ".up.sql")),
                include_str!(concat!("../../migrations/postgres/", $file, ".down.sql")),
            ],
        }
    };
}

const STEPS: &[Step] = &[
    step!(1, "first release", "0001_first_release"),
    step!(2, "feeds", "0002_feeds"),
    step!(3, "keys", "0003_keys"),
    step!(4, "onboarding", "0004_onboarding"),
    step!(5, "operate", "0005_operate"),
    step!(6, "screenings", "0006_screenings"),
    step!(7, "pairs", "0007_pairs"),
    step!(8, "profiles", "0008_profiles"),
    step!(9, "families", "0009_families"),
    step!(10, "statistics", "0010_statistics"),
    step!(11, "claims", "0011_claims"),
    step!(12, "uploads", "0012_uploads"),
    step!(13, "retired tokens", "0013_retired_tokens"),
    step!(14, "token checks", "0014_token_checks"),
    step!(15, "match runs", "0015_match_runs"),
    step!(16, "submissions", "0016_submissions"),
    step!(17, "weighings", "0017_weighings"),
    step!(18, "log index", "0018_log_index"),
    step!(21, "agreement activation", "0021_agreement_activation"),
    step!(22, "review", "0022_review"),
    step!(23, "rights", "0023_rights"),
    step!(24, "recalls", "0024_recalls"),
    step!(26, "re-identification", "0026_reidentification"),
    step!(27, "console", "0027_console"),
    step!(28, "erasures", "0028_erasures"),
    step!(29, "marks by decision", "0029_marks_by_decision"),
    step!(30, "accounts", "0030_accounts"),
    step!(31, "console handles", "0031_console_handles"),
];

/// The schema version that this binary was built for.
pub const SCHEMA_VERSION: i64 = STEPS[STEPS.len() - 1].version;

fn migrator(pick: fn(&Step) -> &[&'static str; 2]) -> Migrator {
    let migrations = STEPS.iter().flat_map(|step| {
        let [up, down] = *pick(step);
        [(MigrationType::ReversibleUp, up), (MigrationType::ReversibleDown, down)].map(|(kind, sql)| {
            let text = AssertSqlSafe(sql.to_owned()).into_sql_str();
            Migration::new(step.version, Cow::Borrowed(step.name), kind, text, false)
        })
    });
    let mut migrator = Migrator::with_migrations(migrations.collect());
    // No advisory locks anywhere: some engines that speak PostgreSQL's protocol only pretend to have them.
    migrator.set_locking(false);
    migrator
}

impl Store {
    /// Brings the schema up to this binary's version.
    ///
    /// # Errors
    ///
    /// [`StoreError::Schema`] when the database holds a step that this binary does not know.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        match &self.pools {
            Pools::Sqlite { writer, .. } => migrator(|step| &step.sqlite).run(writer).await,
            Pools::Postgres(postgres) => migrator(|step| &step.postgres).run(postgres.pool()).await,
        }
        .map_err(schema_error)
    }

    /// Takes the schema down to a version; 0 removes everything.
    ///
    /// # Errors
    ///
    /// [`StoreError::Schema`] when a step cannot be undone.
    pub async fn migrate_down(&self, version: i64) -> Result<(), StoreError> {
        match &self.pools {
            Pools::Sqlite { writer, .. } => migrator(|step| &step.sqlite).undo(writer, version).await,
            Pools::Postgres(postgres) => migrator(|step| &step.postgres).undo(postgres.pool(), version).await,
        }
        .map_err(schema_error)
    }

    /// The newest schema step that the database holds, and how many it holds; zeros when it has none.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database does not answer.
    pub async fn schema_found(&self) -> Result<(i64, i64), StoreError> {
        match self.fetch_all(SCHEMA_FOUND, values![]).await {
            Ok(rows) => rows.first().map_or(Ok((0, 0)), |row| Ok((row.int(0)?, row.int(1)?))),
            Err(StoreError::Unavailable(reason)) => Err(StoreError::Unavailable(reason)),
            Err(_) => Ok((0, 0)), // the bookkeeping table does not exist yet
        }
    }

    /// Refuses a database whose schema is not exactly this binary's.
    ///
    /// # Errors
    ///
    /// [`StoreError::Schema`] naming both versions and what to do.
    pub async fn check_schema(&self) -> Result<(), StoreError> {
        let (found, steps) = self.schema_found().await?;
        match found {
            SCHEMA_VERSION if steps == STEPS.len() as i64 => Ok(()),
            SCHEMA_VERSION => Err(StoreError::Schema(format!(
                "the database holds {steps} of the {} schema steps of this binary: run `porth migrate`",
                STEPS.len()
            ))),
            0 => Err(StoreError::Schema("the database has no schema yet: run `porth migrate`".to_owned())),
            older if older < SCHEMA_VERSION => Err(StoreError::Schema(format!(
                "the database's schema is version {older}, this binary needs {SCHEMA_VERSION}: run `porth migrate`"
            ))),
            newer => Err(StoreError::Schema(format!(
                "the database's schema is version {newer}, newer than this binary's {SCHEMA_VERSION}: use the newer porth"
            ))),
        }
    }
}

const SCHEMA_FOUND: &str =
    "SELECT CAST(COALESCE(MAX(version), 0) AS BIGINT), CAST(COUNT(*) AS BIGINT) FROM _sqlx_migrations";

fn schema_error(error: MigrateError) -> StoreError {
    match error {
        MigrateError::VersionMissing(version) => StoreError::Schema(format!(
            "the database holds schema step {version}, which this binary does not know: use the newer porth"
        )),
        MigrateError::VersionMismatch(version) => {
            StoreError::Schema(format!("schema step {version} was applied with another text"))
        }
        MigrateError::Dirty(version) => StoreError::Schema(format!("schema step {version} stopped half way")),
        MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _) => StoreError::from(source),
        _ => StoreError::Schema("the schema could not be changed".to_owned()),
    }
}
