//! What can go wrong in the database, with nothing in it that came from a row.

/// A failed database operation.
///
/// Carries codes and constraint names only: a server's own message can quote the row that offended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// A unique or foreign key forbids the change; the constraint (or its columns) is named.
    #[error("conflict with what is stored ({0})")]
    Conflict(String),
    /// The database cannot be reached, is shutting down or has no free connection in time.
    #[error("the database is unavailable ({0})")]
    Unavailable(String),
    /// The database has no space left.
    #[error("the database has no space left ({0})")]
    Full(String),
    /// Another transaction got there first; the caller may try again.
    #[error("another change got there first ({0})")]
    Busy(String),
    /// Stored data does not have the shape that the code expects.
    #[error("stored data is damaged or from another version: {0}")]
    Corrupt(&'static str),
    /// The schema is not the one this binary was built for.
    #[error("{0}")]
    Schema(String),
    /// Anything else, by the engine's error code.
    #[error("database error ({0})")]
    Other(String),
}

impl StoreError {
    /// Whether the same call may succeed a moment later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Busy(_) | Self::Unavailable(_))
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(source) => {
                let code = source.code().map(std::borrow::Cow::into_owned).unwrap_or_default();
                if source.is_unique_violation() || source.is_foreign_key_violation() {
                    return Self::Conflict(source.constraint().unwrap_or("constraint").to_owned());
                }
                match code.as_str() {
                    "13" | "53100" => Self::Full(code),
                    "5" | "6" | "261" | "517" | "40001" | "40P01" | "55P03" => Self::Busy(code),
                    // 55000: the database takes no connections at present.
                    "10" | "14" | "53300" | "55000" => Self::Unavailable(code),
                    other if other.starts_with("08") || other.starts_with("57P") => Self::Unavailable(code),
                    // SQLite's extended I/O codes keep the primary code in the low byte.
                    other if other.parse::<i64>().is_ok_and(|n| n > 255 && n & 0xff == 10) => Self::Unavailable(code),
                    other if other.parse::<i64>().is_ok_and(|n| n > 255 && n & 0xff == 13) => Self::Full(code),
                    _ => Self::Other(code),
                }
            }
            sqlx::Error::PoolTimedOut => Self::Unavailable("no free connection in time".to_owned()),
            sqlx::Error::PoolClosed => Self::Unavailable("pool closed".to_owned()),
            sqlx::Error::Io(source) => Self::Unavailable(format!("{:?}", source.kind())),
            sqlx::Error::Tls(_) => Self::Unavailable("tls".to_owned()),
            sqlx::Error::WorkerCrashed => Self::Unavailable("worker stopped".to_owned()),
            sqlx::Error::Protocol(_) => Self::Unavailable("protocol".to_owned()),
            sqlx::Error::RowNotFound => Self::Corrupt("a row that must exist is missing"),
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
                Self::Corrupt("a column of an unexpected type")
            }
            other => Self::Other(kind_of(&other).to_owned()),
        }
    }
}

fn kind_of(error: &sqlx::Error) -> &'static str {
    match error {
        sqlx::Error::Configuration(_) => "configuration",
        sqlx::Error::Encode(_) => "encode",
        sqlx::Error::ColumnIndexOutOfBounds { .. } | sqlx::Error::ColumnNotFound(_) => "column",
        sqlx::Error::Migrate(_) => "migration",
        _ => "unexpected",
    }
}
