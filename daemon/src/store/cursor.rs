//! Tables that are followed: rows are told in the order of `(tx, seq)`, each once, whoever wrote them.

use std::{fmt, str::FromStr};

use tokio::sync::Notify;

use crate::db::{Signals, Sql, Tx, on};

/// A place in a followed table: everything at or before it has been seen. On PostgreSQL a higher serial number may
/// commit earlier, so the transaction's number comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// The writing transaction; 0 on SQLite.
    pub tx: i64,
    /// The serial number.
    pub seq: i64,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.tx, self.seq)
    }
}

impl FromStr for Cursor {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('-').and_then(|(tx, seq)| Some((tx.parse().ok()?, seq.parse().ok()?)));
        let parts = parts.filter(|(tx, seq): &(i64, i64)| *tx >= 0 && *seq >= 0);
        parts
            .map(|(tx, seq)| Self { tx, seq })
            .ok_or_else(|| format!("{text:?} is not an event id of this stream"))
    }
}

/// What differs between the statements of followed tables.
pub struct Followed {
    /// What its rows are, for the daemon's own log.
    pub rows: &'static str,
    /// The next rows: cursor in `$1`, `$2`, at most `$3`.
    pub behind: Sql,
    /// The place that leaves `$1` rows behind it.
    pub end: Sql,
    /// The place of the oldest row.
    pub oldest: &'static str,
    /// How many rows lie behind `$1`, `$2`.
    pub count: &'static str,
}

/// The statements for a table: `followed!("log rows", "system_logs", "tx, seq, ..")`.
macro_rules! followed {
    ($rows:literal, $table:literal, $columns:expr) => {
        $crate::store::cursor::Followed {
            rows: $rows,
            behind: $crate::db::Sql {
                sqlite: concat!(
                    "SELECT ", $columns, " FROM ", $table, " WHERE seq > $2 AND tx = $1 ORDER BY seq LIMIT $3"
                ),
                // Older transactions that still run may yet commit rows before what is at or behind the horizon.
                postgres: concat!(
                    "SELECT ", $columns, " FROM ", $table,
                    " WHERE tx >= $1 AND (tx > $1 OR seq > $2) AND tx < pg_snapshot_xmin(pg_current_snapshot())::TEXT::BIGINT
                      ORDER BY tx, seq LIMIT $3"
                ),
            },
            end: $crate::db::Sql {
                sqlite: concat!("SELECT tx, seq FROM ", $table, " ORDER BY seq DESC LIMIT 1 OFFSET $1"),
                postgres: concat!(
                    "SELECT tx, seq FROM (SELECT tx, seq FROM ", $table,
                    " WHERE tx < pg_snapshot_xmin(pg_current_snapshot())::TEXT::BIGINT ORDER BY id DESC LIMIT $1 + 1000) AS latest
                      ORDER BY tx DESC, seq DESC LIMIT 1 OFFSET $1"
                ),
            },
            oldest: concat!("SELECT tx, seq FROM ", $table, " ORDER BY id LIMIT 1"),
            count: concat!("SELECT COUNT(*) FROM ", $table, " WHERE tx >= $1 AND (tx > $1 OR seq > $2)"),
        }
    };
}
pub(crate) use followed;

/// A row of a followed table, as streams tell it.
pub trait Told: Clone + Send + Sync + 'static {
    /// The statements of its table.
    const TABLE: Followed;

    /// What is notified when rows were added.
    fn signal(signals: &Signals) -> &Notify;

    /// The next rows behind `cursor`, in the order of the stream. Nothing is ever inserted before a row that this has
    /// answered.
    fn behind(
        tx: &mut Tx,
        cursor: Cursor,
        limit: i64,
    ) -> impl Future<Output = Result<Vec<(Cursor, Self)>, sqlx::Error>> + Send;
}

/// The cursor that leaves the latest `tail` rows to be read behind it.
pub async fn end<T: Told>(tx: &mut Tx, tail: u32) -> Result<Cursor, sqlx::Error> {
    let sql = tx.text(&T::TABLE.end);
    let row: Option<(i64, i64)> =
        on!(tx, |conn| sqlx::query_as(sql).bind(i64::from(tail)).fetch_optional(conn).await)?;
    Ok(row.map_or_else(Cursor::default, |(tx, seq)| Cursor { tx, seq }))
}

/// How many rows behind `cursor` were pruned before they could be read; 0 when none was.
pub async fn pruned_behind<T: Told>(tx: &mut Tx, cursor: Cursor) -> Result<u64, sqlx::Error> {
    let oldest: Option<(i64, i64)> =
        on!(tx, |conn| sqlx::query_as(T::TABLE.oldest).fetch_optional(conn).await)?;
    let Some((tx, seq)) = oldest else { return Ok(0) };
    let oldest = Cursor { tx, seq };
    // A serial number may be passed over on PostgreSQL (a rollback), so only a cursor whose own row is gone counts.
    Ok(if oldest <= cursor {
        0
    } else {
        oldest.seq.saturating_sub(cursor.seq).saturating_sub(1).max(0).unsigned_abs()
    })
}

/// How many rows lie behind `cursor`.
pub async fn count_behind<T: Told>(tx: &mut Tx, cursor: Cursor) -> Result<u64, sqlx::Error> {
    let count: i64 = on!(tx, |conn| {
        sqlx::query_scalar(T::TABLE.count).bind(cursor.tx).bind(cursor.seq).fetch_one(conn).await
    })?;
    Ok(count.unsigned_abs())
}

/// Begins the durable cursor `name` at the end of its table, unless it is there.
pub async fn begin<T: Told>(tx: &mut Tx, name: &str) -> Result<(), sqlx::Error> {
    let Cursor { tx: at, seq } = end::<T>(tx, 0).await?;
    on!(tx, |conn| {
        sqlx::query("INSERT INTO cursors (name, tx, seq) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING")
            .bind(name)
            .bind(at)
            .bind(seq)
            .execute(conn)
            .await
            .map(drop)
    })
}

/// Where the durable cursor `name` stands; `None` before [`begin`]. With `lock` nobody else moves it until this transaction
/// ends.
pub async fn kept(tx: &mut Tx, name: &str, lock: bool) -> Result<Option<Cursor>, sqlx::Error> {
    let sql = if lock {
        tx.text(&Sql {
            sqlite: "SELECT tx, seq FROM cursors WHERE name = $1",
            postgres: "SELECT tx, seq FROM cursors WHERE name = $1 FOR UPDATE",
        })
    } else {
        "SELECT tx, seq FROM cursors WHERE name = $1"
    };
    let row: Option<(i64, i64)> = on!(tx, |conn| sqlx::query_as(sql).bind(name).fetch_optional(conn).await)?;
    Ok(row.map(|(tx, seq)| Cursor { tx, seq }))
}

/// Moves the durable cursor `name`.
pub async fn keep(tx: &mut Tx, name: &str, cursor: Cursor) -> Result<(), sqlx::Error> {
    on!(tx, |conn| {
        sqlx::query("UPDATE cursors SET tx = $2, seq = $3 WHERE name = $1")
            .bind(name)
            .bind(cursor.tx)
            .bind(cursor.seq)
            .execute(conn)
            .await
            .map(drop)
    })
}
