//! What differs between the engines: the clock and the row lock.

/// What a presented certificate and an access token's client stand for, asked on every request.
macro_rules! standing {
    ($now:literal) => {
        concat!(
            "SELECT certificate.agency, certificate.status, certificate.not_after, agency.status, client.status, ",
            $now,
            " FROM certificate JOIN agency ON agency.code = certificate.agency
             LEFT JOIN client ON client.id = $2 AND client.agency = certificate.agency
             WHERE certificate.sha256 = $1"
        )
    };
}

/// The clock, what the programme shows and the reply that is kept for a request, in one look.
macro_rules! opening {
    ($now:literal) => {
        concat!(
            "SELECT ",
            $now,
            ", programme.generation, programme.policy_revision, reply.request_hash, reply.event,
                    reply.policy_revision, reply.generation
             FROM programme
             LEFT JOIN reply ON reply.client = $2 AND reply.idempotency_tag = $3 AND reply.expires_at > ",
            $now,
            " WHERE programme.code = $1"
        )
    };
}

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

    /// The view, and the reply that is kept for a request.
    pub(super) fn opening_statement(self) -> &'static str {
        match self {
            Self::Sqlite => opening!("CAST(unixepoch('subsec') * 1000000 AS INTEGER)"),
            Self::Postgres => opening!("CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)"),
        }
    }

    /// See [`super::Standing`], with the clock.
    pub(super) fn standing_statement(self) -> &'static str {
        match self {
            Self::Sqlite => standing!("CAST(unixepoch('subsec') * 1000000 AS INTEGER)"),
            Self::Postgres => standing!("CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)"),
        }
    }

    /// Brings the planner's statistics up to date after many rows came or went.
    pub(super) fn statistics_statements(self) -> &'static [&'static str] {
        match self {
            Self::Sqlite => &["PRAGMA optimize"],
            Self::Postgres => {
                &["ANALYZE submission", "ANALYZE record", "ANALYZE token", "ANALYZE household", "ANALYZE link"]
            }
        }
    }

    /// The statements above, for the test that prepares every one.
    pub(super) fn statements(self) -> [(&'static str, &'static str); 4] {
        [
            ("now", self.now_statement()),
            ("view", self.view_statement()),
            ("opening", self.opening_statement()),
            ("standing", self.standing_statement()),
        ]
    }
}
