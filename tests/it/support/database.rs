//! A database of its own for every test, on both engines.

use porth::store::{Location, Store};

/// Which engine a case runs on.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Backend {
    Sqlite,
    Postgres,
}

/// An empty database with the schema in place.
pub(crate) struct TestDatabase {
    pub(crate) store: Store,
    pub(crate) location: Location,
    _folder: tempfile::TempDir,
}

impl TestDatabase {
    pub(crate) async fn create(backend: Backend) -> Self {
        let database = Self::create_empty(backend).await;
        database.store.migrate().await.expect("the schema is made");
        database
    }

    /// One that is there already, such as another process's.
    #[allow(dead_code, reason = "for tests, not for benches")]
    pub(crate) async fn opened(location: Location) -> Self {
        let store = Store::connect(&location, 4).await.expect("the database opens");
        Self { store, location, _folder: tempfile::tempdir().expect("a temporary folder") }
    }

    /// Without any schema.
    pub(crate) async fn create_empty(backend: Backend) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let location = match backend {
            Backend::Sqlite => Location::Sqlite(folder.path().join("porth.sqlite")),
            Backend::Postgres => Location::Postgres(create_postgres_database().await),
        };
        let store = Store::connect(&location, 8).await.expect("the database opens");
        Self { store, location, _folder: folder }
    }
}

/// The connection string of a new and empty PostgreSQL database.
pub(crate) async fn empty_database() -> String {
    create_postgres_database().await
}

impl TestDatabase {
    /// Notes a schema step that no binary knows, as a newer porth would have.
    pub(crate) async fn note_unknown_step(&self) {
        use porth::store::{Cell, ColumnType, Table};
        if let Location::Postgres(url) = &self.location {
            let step = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                        VALUES (9999, 'of a newer porth', true, '\\x00', 0)";
            return psql_in(url, step).await;
        }
        let columns = [
            ("version", ColumnType::Int, Cell::Int(9999)),
            ("description", ColumnType::Text, Cell::Text("of a newer porth".to_owned())),
            ("success", ColumnType::Int, Cell::Int(1)),
            ("checksum", ColumnType::Bytes, Cell::Bytes(vec![0])),
            ("execution_time", ColumnType::Int, Cell::Int(0)),
        ];
        let table = Table {
            name: "_sqlx_migrations".to_owned(),
            columns: columns.iter().map(|(name, kind, _)| ((*name).to_owned(), *kind)).collect(),
            key: Vec::new(),
        };
        let mut tx = self.store.begin().await.expect("begins");
        tx.insert_rows(&table, &[columns.into_iter().map(|(_, _, cell)| cell).collect()]).await.expect("inserted");
        tx.commit().await.expect("committed");
    }

    /// Runs a statement beside the gateway, as somebody with the database in hand could. Bytes are written
    /// as [`Self::bytes`] says.
    pub(crate) async fn execute(&self, sql: &str) {
        match &self.location {
            Location::Postgres(url) => psql_in(url, sql).await,
            Location::Sqlite(path) => {
                let run = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], timeout=30); c.execute(sys.argv[2]); c.commit()";
                let path = path.to_str().expect("a plain path");
                let output = tokio::process::Command::new("python3").args(["-c", run, path, sql]).output().await;
                let output = output.expect("python3 runs");
                assert!(output.status.success(), "python3: {}", String::from_utf8_lossy(&output.stderr));
            }
        }
    }

    /// Bytes as a literal of the engine's.
    pub(crate) fn bytes(&self, bytes: &[u8]) -> String {
        let hex = porth::app::policies::hex(bytes);
        match &self.location {
            Location::Postgres(_) => format!("decode('{hex}', 'hex')"),
            Location::Sqlite(_) => format!("X'{hex}'"),
        }
    }

    /// Takes PostgreSQL away from the gateway, or gives it back: connections are ended and refused.
    pub(crate) async fn cut_off(&self, cut_off: bool) {
        let Location::Postgres(url) = &self.location else { panic!("only PostgreSQL can be taken away") };
        let name = url.rsplit('/').next().expect("a database in the URL");
        psql(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {}", !cut_off)).await;
        if cut_off {
            psql(&format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")).await;
        }
    }
}

/// Makes a database in the cluster that `scripts/test` started.
async fn create_postgres_database() -> String {
    let url = std::env::var("PORTH_TEST_POSTGRES")
        .expect("PORTH_TEST_POSTGRES is not set: run the tests with `scripts/test`, which starts PostgreSQL for them");
    // Not by the process's number: a long run on a busy machine has one of them twice.
    let name = format!("porth_{}", uuid::Uuid::now_v7().simple());
    psql(&format!("CREATE DATABASE {name}")).await;
    let (server, _) = url.rsplit_once('/').expect("a database in the URL");
    format!("{server}/{name}")
}

/// The cluster that `scripts/test` started.
fn cluster() -> String {
    std::env::var("PORTH_TEST_POSTGRES")
        .expect("PORTH_TEST_POSTGRES is not set: run the tests with `scripts/test`, which starts PostgreSQL for them")
}

async fn psql(command: &str) {
    psql_in(&cluster(), command).await;
}

async fn psql_in(database: &str, command: &str) {
    let output = tokio::process::Command::new("psql")
        .args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--dbname", database, "--command", command])
        .output()
        .await
        .expect("psql runs");
    assert!(output.status.success(), "psql: {}", String::from_utf8_lossy(&output.stderr));
}
