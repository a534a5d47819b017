//! What differs between the engines: the clock and the catalogue of tables.

/// What a presented certificate and an access token's client and key stand for, asked on every request.
macro_rules! standing {
    ($now:literal) => {
        concat!(
            "SELECT certificate.agency, certificate.status, certificate.not_after, agency.status, client.status, ",
            $now,
            ", client_key.status FROM certificate JOIN agency ON agency.code = certificate.agency
             LEFT JOIN client ON client.id = $2 AND client.agency = certificate.agency
             LEFT JOIN client_key ON client_key.client = client.id AND client_key.kid = $3
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

    /// The programme's generation and policy revision, and nobody changes them until the end of the
    /// transaction. SQLite has one transaction that writes at a time. In PostgreSQL this is the weakest lock of
    /// a row: transactions that decide do not wait for one another, nor for those that hold the row while they
    /// change something else, but only for [`Engine::hold_view_statement`].
    pub(super) fn decided_on_statement(self) -> &'static str {
        match self {
            Self::Sqlite => "SELECT generation, policy_revision FROM programme WHERE code = $1",
            Self::Postgres => "SELECT generation, policy_revision FROM programme WHERE code = $1 FOR KEY SHARE",
        }
    }

    /// Waits for whatever rests on a programme's generation and policy revision, or on those of all, and keeps
    /// others from it: to be run before either changes. Nothing to do where one transaction writes at a time.
    pub(super) fn hold_view_statement(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => Some("SELECT code FROM programme WHERE $1 = '' OR code = $1 ORDER BY code FOR UPDATE"),
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

    /// Every column: table, name, type, and its place in the primary key or 0; in the order of columns.
    pub(super) fn columns_statement(self) -> &'static str {
        match self {
            Self::Sqlite => {
                "SELECT found.name, info.name, info.type, info.pk
                 FROM sqlite_schema AS found JOIN pragma_table_info(found.name) AS info
                 WHERE found.type = 'table' AND substr(found.name, 1, 7) <> 'sqlite_'
                   AND found.name <> '_sqlx_migrations'
                 ORDER BY found.name, info.cid"
            }
            Self::Postgres => {
                "SELECT CAST(found.relname AS TEXT), CAST(info.attname AS TEXT),
                        CAST(format_type(info.atttypid, NULL) AS TEXT),
                        CAST(COALESCE(array_position(string_to_array(CAST(key.indkey AS TEXT), ' '),
                                                     CAST(info.attnum AS TEXT)), 0) AS BIGINT)
                 FROM pg_class AS found
                 JOIN pg_namespace AS home ON home.oid = found.relnamespace
                 JOIN pg_attribute AS info ON info.attrelid = found.oid AND info.attnum > 0 AND NOT info.attisdropped
                 LEFT JOIN pg_index AS key ON key.indrelid = found.oid AND key.indisprimary
                 WHERE found.relkind = 'r' AND home.nspname = current_schema() AND found.relname <> '_sqlx_migrations'
                 ORDER BY found.relname, info.attnum"
            }
        }
    }

    /// Every foreign key: the table that refers, and the one that it refers to.
    pub(super) fn references_statement(self) -> &'static str {
        match self {
            Self::Sqlite => {
                "SELECT DISTINCT found.name, key.\"table\"
                 FROM sqlite_schema AS found JOIN pragma_foreign_key_list(found.name) AS key
                 WHERE found.type = 'table'"
            }
            Self::Postgres => {
                "SELECT DISTINCT CAST(child.relname AS TEXT), CAST(parent.relname AS TEXT)
                 FROM pg_constraint AS key
                 JOIN pg_class AS child ON child.oid = key.conrelid
                 JOIN pg_class AS parent ON parent.oid = key.confrelid
                 JOIN pg_namespace AS home ON home.oid = child.relnamespace
                 WHERE key.contype = 'f' AND home.nspname = current_schema()"
            }
        }
    }

    /// The statements above, for the test that prepares every one.
    pub(super) fn statements(self) -> [(&'static str, &'static str); 6] {
        [
            ("columns", self.columns_statement()),
            ("references", self.references_statement()),
            ("now", self.now_statement()),
            ("view", self.view_statement()),
            ("opening", self.opening_statement()),
            ("standing", self.standing_statement()),
        ]
    }
}
