//! Every table as rows of whole numbers, text and bytes: what a backup reads and a restore writes.
//!
//! Tables and columns are read from the database's own catalogue, so that a new table is in the next
//! backup by itself. Only this file makes statements from names, and only from names that have the
//! shape of ours.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::TryStreamExt as _;
use sqlx::{AssertSqlSafe, SqlSafeStr as _};

use super::error::StoreError;
use super::value::{Row, Value, bind_postgres, bind_sqlite, values};
use super::{Pools, Store, Tx, TxInner};

/// Most parameters of one insert; both engines take more.
const MOST_PARAMETERS: usize = 8_000;
/// Rows of one insert.
const MOST_ROWS: usize = 256;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// Whole numbers.
    Int,
    /// Text.
    Text,
    /// Bytes.
    Bytes,
}

/// A table of the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its columns in order.
    pub columns: Vec<(String, ColumnType)>,
    /// The columns of its primary key.
    pub key: Vec<String>,
}

/// One value of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// None.
    Null,
    /// A whole number.
    Int(i64),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl Store {
    /// Begins a transaction that only reads, and sees one state of the database until its end.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when no connection can be had.
    pub async fn begin_snapshot(&self) -> Result<Tx, StoreError> {
        let inner = match &self.pools {
            Pools::Sqlite { reader, .. } => TxInner::Sqlite(reader.begin().await?),
            Pools::Postgres(postgres) => {
                let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
                TxInner::Postgres(postgres.pool().begin_with(begin).await?)
            }
        };
        Ok(Tx { inner })
    }
}

impl Tx {
    /// Every table of the schema, each after those that it refers to.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] for a table that a backup cannot carry.
    pub async fn tables(&mut self) -> Result<Vec<Table>, StoreError> {
        let engine = self.engine();
        let mut tables: BTreeMap<String, (Table, Vec<(i64, String)>)> = BTreeMap::new();
        for row in self.fetch_all(engine.columns_statement(), values![]).await? {
            let (name, column) = (ours(row.text(0)?)?, ours(row.text(1)?)?);
            let kind = match row.text(2)?.as_str() {
                "INTEGER" | "bigint" => ColumnType::Int,
                "TEXT" | "text" => ColumnType::Text,
                "BLOB" | "bytea" => ColumnType::Bytes,
                _ => return Err(StoreError::Corrupt("a column of another type than whole number, text or bytes")),
            };
            let fresh = || (Table { name: name.clone(), columns: Vec::new(), key: Vec::new() }, Vec::new());
            let (table, key) = tables.entry(name.clone()).or_insert_with(fresh);
            if row.int(3)? > 0 {
                key.push((row.int(3)?, column.clone()));
            }
            table.columns.push((column, kind));
        }
        let mut parents: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for row in self.fetch_all(engine.references_statement(), values![]).await? {
            let (child, parent) = (row.text(0)?, row.text(1)?);
            if child != parent {
                parents.entry(child).or_default().insert(parent);
            }
        }
        let tables = tables.into_iter().map(|(name, (mut table, mut key))| {
            key.sort_unstable();
            table.key = key.into_iter().map(|(_, column)| column).collect();
            (name, table)
        });
        parents_first(tables.collect(), &parents)
    }

    /// Shows every row of a table in the order of its key, one after the other. Stops at the first
    /// error of `see` and gives it.
    ///
    /// # Errors
    ///
    /// [`StoreError`] from the database.
    pub async fn each_row<E>(
        &mut self,
        table: &Table,
        see: &mut (dyn FnMut(&[Cell]) -> Result<(), E> + Send),
    ) -> Result<Result<(), E>, StoreError> {
        let columns: Vec<&str> = table.columns.iter().map(|(name, _)| name.as_str()).collect();
        let order = if table.key.is_empty() { columns.join(", ") } else { table.key.join(", ") };
        let sql = format!("SELECT {} FROM {} ORDER BY {order}", columns.join(", "), table.name);
        let sql = AssertSqlSafe(sql).into_sql_str();
        let mut cells = Vec::with_capacity(columns.len());
        macro_rules! read {
            ($tx:expr, $kind:path) => {{
                let mut rows = sqlx::query(sql).fetch(&mut **$tx);
                while let Some(row) = rows.try_next().await? {
                    read_row(&$kind(row), table, &mut cells)?;
                    if let Err(error) = see(&cells) {
                        return Ok(Err(error));
                    }
                }
            }};
        }
        match &mut self.inner {
            TxInner::Sqlite(tx) => read!(tx, Row::Sqlite),
            TxInner::Postgres(tx) => read!(tx, Row::Postgres),
        }
        Ok(Ok(()))
    }

    /// How many rows a table has.
    ///
    /// # Errors
    ///
    /// [`StoreError`] from the database.
    pub async fn count_rows(&mut self, table: &Table) -> Result<i64, StoreError> {
        let sql = AssertSqlSafe(format!("SELECT COUNT(*) FROM {}", table.name)).into_sql_str();
        Ok(match &mut self.inner {
            TxInner::Sqlite(tx) => sqlx::query_scalar(sql).fetch_one(&mut **tx).await?,
            TxInner::Postgres(tx) => sqlx::query_scalar(sql).fetch_one(&mut **tx).await?,
        })
    }

    /// Removes every row of a table.
    ///
    /// # Errors
    ///
    /// [`StoreError`] from the database.
    pub async fn clear_table(&mut self, table: &Table) -> Result<(), StoreError> {
        let sql = AssertSqlSafe(format!("DELETE FROM {}", table.name)).into_sql_str();
        match &mut self.inner {
            TxInner::Sqlite(tx) => sqlx::query(sql).execute(&mut **tx).await.map(drop)?,
            TxInner::Postgres(tx) => sqlx::query(sql).execute(&mut **tx).await.map(drop)?,
        }
        Ok(())
    }

    /// Inserts rows whose cells are in the order of the table's columns.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; [`StoreError::Corrupt`] for a cell that the column cannot hold.
    pub async fn insert_rows(&mut self, table: &Table, rows: &[Vec<Cell>]) -> Result<(), StoreError> {
        let size = Self::rows_at_once(table);
        for piece in rows.chunks(size) {
            let sql = insert_text(table, piece.len());
            let mut values = Vec::with_capacity(piece.len() * table.columns.len());
            for row in piece {
                if row.len() != table.columns.len() {
                    return Err(StoreError::Corrupt("a row of another length than its table"));
                }
                for (cell, (_, kind)) in row.iter().zip(&table.columns) {
                    values.push(value(cell, *kind)?);
                }
            }
            // Full pieces share one text; the statement of a remainder is used once.
            let (sql, keep) = (AssertSqlSafe(sql).into_sql_str(), piece.len() == size);
            match &mut self.inner {
                TxInner::Sqlite(tx) => {
                    bind_sqlite(sqlx::query(sql).persistent(keep), &values).execute(&mut **tx).await.map(drop)?;
                }
                TxInner::Postgres(tx) => {
                    bind_postgres(sqlx::query(sql).persistent(keep), &values).execute(&mut **tx).await.map(drop)?;
                }
            }
        }
        Ok(())
    }

    /// How many rows of a table one insert takes.
    pub fn rows_at_once(table: &Table) -> usize {
        (MOST_PARAMETERS / table.columns.len().max(1)).clamp(1, MOST_ROWS)
    }
}

fn insert_text(table: &Table, rows: usize) -> String {
    let columns: Vec<&str> = table.columns.iter().map(|(name, _)| name.as_str()).collect();
    let row = |n: usize| {
        let first = n * columns.len();
        let parameters: Vec<String> = (1..=columns.len()).map(|place| format!("${}", first + place)).collect();
        format!("({})", parameters.join(", "))
    };
    let rows: Vec<String> = (0..rows).map(row).collect();
    format!("INSERT INTO {} ({}) VALUES {}", table.name, columns.join(", "), rows.join(", "))
}

fn value(cell: &Cell, kind: ColumnType) -> Result<Value<'_>, StoreError> {
    Ok(match (cell, kind) {
        (Cell::Int(value), ColumnType::Int) => Value::Int(*value),
        (Cell::Text(value), ColumnType::Text) => Value::Text(value),
        (Cell::Bytes(value), ColumnType::Bytes) => Value::Bytes(value),
        (Cell::Null, ColumnType::Int) => Value::NoInt,
        (Cell::Null, ColumnType::Text) => Value::NoText,
        (Cell::Null, ColumnType::Bytes) => Value::NoBytes,
        _ => return Err(StoreError::Corrupt("a value of another type than its column")),
    })
}

fn read_row(row: &Row, table: &Table, cells: &mut Vec<Cell>) -> Result<(), StoreError> {
    cells.clear();
    for (place, (_, kind)) in table.columns.iter().enumerate() {
        cells.push(match kind {
            ColumnType::Int => row.optional_int(place)?.map_or(Cell::Null, Cell::Int),
            ColumnType::Text => row.optional_text(place)?.map_or(Cell::Null, Cell::Text),
            ColumnType::Bytes => row.optional_bytes(place)?.map_or(Cell::Null, Cell::Bytes),
        });
    }
    Ok(())
}

/// A name that may stand in a statement: as every table and column of ours is called.
fn ours(name: String) -> Result<String, StoreError> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if name.bytes().all(allowed) && name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase()) {
        Ok(name)
    } else {
        Err(StoreError::Corrupt("a table or column that is not ours"))
    }
}

/// Tables in an order in which each comes after those that it refers to.
fn parents_first(
    mut tables: BTreeMap<String, Table>,
    parents: &BTreeMap<String, BTreeSet<String>>,
) -> Result<Vec<Table>, StoreError> {
    let mut ordered = Vec::with_capacity(tables.len());
    while !tables.is_empty() {
        let waits = |name: &String| parents.get(name).is_some_and(|of| of.iter().any(|it| tables.contains_key(it)));
        let Some(next) = tables.keys().find(|name| !waits(name)).cloned() else {
            return Err(StoreError::Corrupt("tables that refer to each other in a circle"));
        };
        ordered.extend(tables.remove(&next));
    }
    Ok(ordered)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str) -> (String, Table) {
        let columns = vec![("id".to_owned(), ColumnType::Int), ("name".to_owned(), ColumnType::Text)];
        (name.to_owned(), Table { name: name.to_owned(), columns, key: vec!["id".to_owned()] })
    }

    #[test]
    fn a_table_comes_after_those_that_it_refers_to_and_a_circle_is_refused() {
        let of = |pairs: &[(&str, &str)]| {
            let mut parents: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
            for (child, parent) in pairs {
                parents.entry((*child).to_owned()).or_default().insert((*parent).to_owned());
            }
            let tables = ["a", "b", "c"].map(table).into_iter().collect();
            parents_first(tables, &parents).map(|tables| tables.into_iter().map(|it| it.name).collect::<Vec<_>>())
        };
        assert_eq!(of(&[("a", "c"), ("c", "b")]), Ok(["b", "c", "a"].map(str::to_owned).to_vec()));
        assert!(of(&[("a", "b"), ("b", "a")]).is_err());
    }

    #[test]
    fn only_names_of_our_shape_stand_in_a_statement() {
        assert!(ours("log_leaf".to_owned()).is_ok());
        for wrong in ["", "1a", "Event", "a b", "a;drop", "a\"b"] {
            assert!(ours(wrong.to_owned()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_insert_numbers_its_parameters() {
        let (_, table) = table("t");
        assert_eq!(insert_text(&table, 2), "INSERT INTO t (id, name) VALUES ($1, $2), ($3, $4)");
        assert!(value(&Cell::Text(String::new()), ColumnType::Int).is_err());
    }
}
