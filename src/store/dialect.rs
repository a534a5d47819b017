//! What differs between the engines: the clock and the row lock.

/// Which database engine is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Engine {
    /// Embedded SQLite: one process, pilots.
    Sqlite,
    /// PostgreSQL: production, several replicas.
    Postgres,
}

impl Engine {
    /// The name as configuration and output write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }

    /// Microseconds since 1970 by the database's clock.
    pub(super) fn now_statement(self) -> &'static str {
        match self {
            Self::Sqlite => "SELECT CAST(unixepoch('subsec') * 1000000 AS INTEGER)",
            Self::Postgres => "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)",
        }
    }

    /// The clock and the programme's generation and policy revision, in one look.
    pub(super) fn view_statement(self) -> &'static str {
        match self {
            Self::Sqlite => {
                "SELECT CAST(unixepoch('subsec') * 1000000 AS INTEGER), generation, policy_revision
                 FROM programme WHERE code = $1"
            }
            Self::Postgres => {
                "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT), generation, policy_revision
                 FROM programme WHERE code = $1"
            }
        }
    }
}
