//! Many rows in one statement, in a few fixed sizes so that prepared statements are reused.

use std::sync::OnceLock;

use super::dialect::Engine;
use super::error::StoreError;
use super::value::Value;
use super::{Row, Tx};

/// How many rows one statement carries at the most; smaller pieces come in these sizes. Powers of two:
/// a batch of the writer is cut into few statements, whatever its size.
const SIZES: [usize; 10] = [512, 256, 128, 64, 32, 16, 8, 4, 2, 1];

/// `INSERT … VALUES` with a varying number of rows.
pub(super) struct BulkInsert {
    /// Up to and including `VALUES`.
    head: &'static str,
    columns: usize,
    /// After the rows: a conflict clause, `RETURNING`, or nothing.
    tail: &'static str,
    sqlite: Texts,
    postgres: Texts,
}

/// The texts for one engine, made when they are first needed.
type Texts = [OnceLock<&'static str>; SIZES.len()];

impl BulkInsert {
    pub(super) const fn new(head: &'static str, columns: usize, tail: &'static str) -> Self {
        Self {
            head,
            columns,
            tail,
            sqlite: [const { OnceLock::new() }; SIZES.len()],
            postgres: [const { OnceLock::new() }; SIZES.len()],
        }
    }

    /// The statement for one row, for the test that prepares every statement.
    pub(super) fn sample(&self, engine: Engine) -> &'static str {
        self.text(SIZES.len() - 1, engine)
    }

    /// Parameters are numbered for PostgreSQL. In SQLite a parameter with a name is looked for among
    /// all the others whenever one is bound, which for thousands costs more than the insert itself.
    fn text(&self, size: usize, engine: Engine) -> &'static str {
        let texts = match engine {
            Engine::Sqlite => &self.sqlite,
            Engine::Postgres => &self.postgres,
        };
        texts[size].get_or_init(|| {
            let rows = SIZES[size];
            let mut text = String::with_capacity(self.head.len() + rows * self.columns * 7 + self.tail.len());
            text.push_str(self.head);
            for row in 0..rows {
                text.push_str(if row == 0 { " (" } else { ", (" });
                for column in 0..self.columns {
                    if column > 0 {
                        text.push_str(", ");
                    }
                    match engine {
                        Engine::Sqlite => text.push('?'),
                        Engine::Postgres => {
                            text.push('$');
                            text.push_str(&(row * self.columns + column + 1).to_string());
                        }
                    }
                }
                text.push(')');
            }
            text.push(' ');
            text.push_str(self.tail);
            // One text per statement and size for the life of the process: bounded by design.
            Box::leak(text.into_boxed_str())
        })
    }
}

impl Tx {
    /// Inserts rows given as one flat list of values; returns what `RETURNING` gives.
    pub(super) async fn insert_many(
        &mut self,
        insert: &BulkInsert,
        values: &[Value<'_>],
    ) -> Result<Vec<Row>, StoreError> {
        debug_assert_eq!(values.len() % insert.columns, 0);
        let (returns, engine) = (insert.tail.contains("RETURNING"), self.engine());
        let mut rows = Vec::new();
        let mut rest = values;
        for (index, size) in SIZES.iter().enumerate() {
            let length = size * insert.columns;
            while rest.len() >= length {
                let (piece, tail) = rest.split_at(length);
                if returns {
                    rows.extend(self.fetch_all(insert.text(index, engine), piece).await?);
                } else {
                    self.execute(insert.text(index, engine), piece).await?;
                }
                rest = tail;
            }
        }
        Ok(rows)
    }
}
