//! `recon_drift`: what is known to differ now, and how far both databases are known to agree.

use std::collections::BTreeMap;

use astrops_api::{
    drift::{Agreement, Drift, DriftQuery},
    ids::EntityId,
    vocabulary::{DriftKind, EntityType, Order, SweepStatus},
};
use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, QueryBuilder};
use uuid::Uuid;

use super::{AMONG, Slice, listed};
use crate::db::{Tx, on};

/// What is known of an entity that differs.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct StoredDrift {
    /// Which.
    pub entity_id: Uuid,
    /// How it differs.
    #[sqlx(try_from = "String")]
    pub kind: DriftKind,
    /// In words.
    pub text: String,
    /// Since when it is missing on one side, after both had agreed on it.
    pub missing_since: Option<DateTime<Utc>>,
}

/// Of some entities, by relational id.
pub async fn of(
    tx: &mut Tx,
    kind: EntityType,
    ids: &[EntityId],
) -> Result<BTreeMap<Uuid, StoredDrift>, sqlx::Error> {
    let text = format!(
        "SELECT entity_id, kind, text, missing_since FROM recon_drift WHERE entity_type = $2 AND entity_id {}",
        tx.text(&AMONG)
    );
    let rows: Vec<StoredDrift> = on!(tx, |conn| {
        sqlx::query_as(AssertSqlSafe(text))
            .bind(listed(ids.iter().map(|id| id.0)))
            .bind(kind.as_str())
            .fetch_all(conn)
            .await
    })?;
    Ok(rows.into_iter().map(|row| (row.entity_id, row)).collect())
}

/// How an entity differs.
#[derive(Clone, Copy, Debug)]
pub struct Differs<'a> {
    /// The kind of entity.
    pub kind: EntityType,
    /// Which.
    pub id: EntityId,
    /// How.
    pub how: DriftKind,
    /// In words.
    pub text: &'a str,
    /// It is missing on one side, after both had agreed on it.
    pub is_missing: bool,
}

/// Remembers that an entity differs, was looked at now, and since when.
pub async fn note(tx: &mut Tx, differs: &Differs<'_>, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    on!(tx, |conn| {
        sqlx::query(
            "INSERT INTO recon_drift (entity_type, entity_id, kind, text, first_seen, last_seen, missing_since)
             VALUES ($1, $2, $3, $4, $5, $5, CASE WHEN $6 THEN $5 END)
             ON CONFLICT (entity_type, entity_id) DO UPDATE
                SET kind = excluded.kind, text = excluded.text, last_seen = excluded.last_seen, sweep_id = NULL,
                    missing_since = CASE WHEN $6 THEN COALESCE(recon_drift.missing_since, excluded.last_seen) END",
        )
        .bind(differs.kind.as_str())
        .bind(differs.id.0)
        .bind(differs.how.as_str())
        .bind(differs.text)
        .bind(now)
        .bind(differs.is_missing)
        .execute(conn)
        .await
        .map(drop)
    })
}

/// Remembers that a sweep found an entity to differ and has to look at it again.
pub async fn nominate(
    tx: &mut Tx,
    kind: EntityType,
    found: &[(EntityId, DriftKind)],
    sweep: Uuid,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    on!(tx, |conn| {
        for some in found.chunks(500) {
            let mut query = QueryBuilder::<DB>::new(
                "INSERT INTO recon_drift (entity_type, entity_id, kind, text, first_seen, last_seen, sweep_id) ",
            );
            query.push_values(some, |mut row, (id, how)| {
                row.push_bind(kind.as_str()).push_bind(id.0).push_bind(how.as_str());
                row.push_bind("found by a sweep, not looked at yet");
                row.push_bind(now).push_bind(now).push_bind(sweep);
            });
            query.push(
                " ON CONFLICT (entity_type, entity_id) DO UPDATE
                  SET last_seen = excluded.last_seen, sweep_id = excluded.sweep_id",
            );
            query.build().execute(&mut *conn).await?;
        }
        Ok(())
    })
}

/// Lets a sweep look again at everything that is known to differ; answers how many.
pub async fn nominate_open(tx: &mut Tx, kind: EntityType, sweep: Uuid) -> Result<u64, sqlx::Error> {
    on!(tx, |conn| {
        let done = sqlx::query("UPDATE recon_drift SET sweep_id = $2 WHERE entity_type = $1")
            .bind(kind.as_str())
            .bind(sweep)
            .execute(conn)
            .await?;
        Ok(done.rows_affected())
    })
}

/// The next entities behind `after` that a sweep has to look at.
pub async fn of_sweep(
    tx: &mut Tx,
    sweep: Uuid,
    kind: EntityType,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<EntityId>, sqlx::Error> {
    let ids: Vec<Uuid> = on!(tx, |conn| {
        let mut query = QueryBuilder::<DB>::new("SELECT entity_id FROM recon_drift WHERE sweep_id = ");
        query.push_bind(sweep).push(" AND entity_type = ").push_bind(kind.as_str());
        query.push(" AND entity_id > ").push_bind(after.unwrap_or_default());
        query.push(" ORDER BY entity_id LIMIT ").push_bind(limit);
        query.build_query_scalar().fetch_all(conn).await
    })?;
    Ok(ids.into_iter().map(EntityId).collect())
}

/// How many a sweep has to look at.
pub async fn left(tx: &mut Tx, sweep: Uuid) -> Result<u64, sqlx::Error> {
    let count: i64 = on!(tx, |conn| {
        sqlx::query_scalar("SELECT COUNT(*) FROM recon_drift WHERE sweep_id = $1")
            .bind(sweep)
            .fetch_one(conn)
            .await
    })?;
    Ok(count.unsigned_abs())
}

/// How many of these kinds were looked at and wait: for a person, and for their other side.
pub async fn waiting(tx: &mut Tx, kinds: &[EntityType]) -> Result<(u64, u64), sqlx::Error> {
    let found: Vec<(String, bool, i64)> = on!(tx, |conn| {
        sqlx::query_as(
            "SELECT entity_type, kind = 'conflict', COUNT(*) FROM recon_drift
              WHERE sweep_id IS NULL AND kind <> 'differs' GROUP BY 1, 2",
        )
        .fetch_all(conn)
        .await
    })?;
    let of = |conflicts: bool| {
        let found = found.iter().filter(|(kind, is_conflict, _)| {
            *is_conflict == conflicts && kinds.iter().any(|wanted| wanted.as_str() == kind)
        });
        found.map(|(.., count)| count.unsigned_abs()).sum()
    };
    Ok((of(true), of(false)))
}

/// How many of a kind one side does not have.
pub async fn missing(tx: &mut Tx, kind: EntityType) -> Result<u64, sqlx::Error> {
    let count: i64 = on!(tx, |conn| {
        sqlx::query_scalar(
            "SELECT COUNT(*) FROM recon_drift
              WHERE entity_type = $1 AND kind IN ('missing_document', 'missing_relational')",
        )
        .bind(kind.as_str())
        .fetch_one(conn)
        .await
    })?;
    Ok(count.unsigned_abs())
}

/// An entity agrees; nothing of it is remembered.
pub async fn forget(tx: &mut Tx, kind: EntityType, ids: &[EntityId]) -> Result<(), sqlx::Error> {
    if ids.is_empty() {
        return Ok(());
    }
    let text = format!("DELETE FROM recon_drift WHERE entity_type = $2 AND entity_id {}", tx.text(&AMONG));
    on!(tx, |conn| {
        let gone = sqlx::query(AssertSqlSafe(text))
            .bind(listed(ids.iter().map(|id| id.0)))
            .bind(kind.as_str())
            .execute(conn);
        gone.await.map(drop)
    })
}

/// A sweep is through with it, whatever is left.
pub async fn release(tx: &mut Tx, sweep: Uuid) -> Result<(), sqlx::Error> {
    on!(tx, |conn| {
        sqlx::query("UPDATE recon_drift SET sweep_id = NULL WHERE sweep_id = $1")
            .bind(sweep)
            .execute(conn)
            .await
            .map(drop)
    })
}

#[derive(sqlx::FromRow)]
struct Row {
    #[sqlx(try_from = "String")]
    entity_type: EntityType,
    entity_id: Uuid,
    #[sqlx(try_from = "String")]
    kind: DriftKind,
    text: String,
    first_seen: DateTime<Utc>,
    last_seen: DateTime<Utc>,
    conflict_id: Option<Uuid>,
}

/// What differs, the oldest first, and how much there is.
pub async fn list(tx: &mut Tx, query: &DriftQuery, slice: Slice) -> Result<(Vec<Drift>, u64), sqlx::Error> {
    macro_rules! filtered {
        ($builder:expr) => {{
            if let Some(kind) = query.entity_type {
                $builder.push(" AND d.entity_type = ").push_bind(kind.as_str());
            }
            if let Some(id) = query.entity_id {
                $builder.push(" AND d.entity_id = ").push_bind(id.0);
            }
            if let Some(kind) = query.kind {
                $builder.push(" AND d.kind = ").push_bind(kind.as_str());
            }
        }};
    }
    on!(tx, |conn| {
        let mut count = QueryBuilder::<DB>::new("SELECT COUNT(*) FROM recon_drift d WHERE 1 = 1");
        filtered!(count);
        let total: i64 = count.build_query_scalar().fetch_one(&mut *conn).await?;
        let mut rows = QueryBuilder::<DB>::new(
            "SELECT d.entity_type, d.entity_id, d.kind, d.text, d.first_seen, d.last_seen, c.id AS conflict_id
               FROM recon_drift d LEFT JOIN recon_conflicts c
                 ON c.entity_type = d.entity_type AND c.entity_id = d.entity_id AND c.closed_at IS NULL
              WHERE 1 = 1",
        );
        filtered!(rows);
        let order = if query.order == Some(Order::Desc) { "DESC" } else { "ASC" };
        rows.push(format!(" ORDER BY d.first_seen {order}, d.entity_id {order}"));
        rows.push(" LIMIT ").push_bind(slice.limit).push(" OFFSET ").push_bind(slice.offset);
        let rows: Vec<Row> = rows.build_query_as().fetch_all(conn).await?;
        let drift = |row: Row| Drift {
            entity_type: row.entity_type,
            entity_id: EntityId(row.entity_id),
            kind: row.kind,
            text: row.text,
            first_seen: row.first_seen,
            last_seen: row.last_seen,
            conflict_id: row.conflict_id,
        };
        Ok((rows.into_iter().map(drift).collect(), total.unsigned_abs()))
    })
}

/// In short, how far both databases agree.
pub async fn agreement(tx: &mut Tx) -> Result<Agreement, sqlx::Error> {
    #[derive(sqlx::FromRow)]
    struct Numbers {
        drift: i64,
        oldest: Option<DateTime<Utc>>,
        conflicts: i64,
        critical: i64,
        sides: i64,
        verified_through: Option<DateTime<Utc>>,
    }
    let (numbers, sweep): (Numbers, Option<(Uuid, String)>) = on!(tx, |conn| {
        let numbers = sqlx::query_as(
            "SELECT (SELECT COUNT(*) FROM recon_drift) AS drift,
                    (SELECT MIN(first_seen) FROM recon_drift) AS oldest,
                    (SELECT COUNT(*) FROM recon_conflicts WHERE closed_at IS NULL) AS conflicts,
                    (SELECT COUNT(*) FROM recon_conflicts WHERE closed_at IS NULL AND severity = 'critical') AS critical,
                    (SELECT COUNT(*) FROM recon_watermarks) AS sides,
                    (SELECT MIN(at) FROM recon_watermarks) AS verified_through",
        )
        .fetch_one(&mut *conn)
        .await?;
        let sweep = sqlx::query_as("SELECT id, status FROM recon_sweeps ORDER BY id DESC LIMIT 1");
        (numbers, sweep.fetch_optional(conn).await?)
    });
    let everything = 2 * EntityType::ALL.len();
    Ok(Agreement {
        drift: numbers.drift.unsigned_abs(),
        conflicts: numbers.conflicts.unsigned_abs(),
        critical: numbers.critical.unsigned_abs(),
        oldest: numbers.oldest,
        // A side that was never compared makes no promise.
        verified_through: numbers
            .verified_through
            .filter(|_| usize::try_from(numbers.sides) == Ok(everything)),
        sweep: sweep.as_ref().map(|(id, _)| *id),
        sweep_status: sweep.and_then(|(_, status)| status.parse::<SweepStatus>().ok()),
    })
}
