//! `recon_*`: what both databases agreed on, what was changed, what waits for a person, who nominated what.

use std::collections::{BTreeMap, BTreeSet};

use astrops_api::{
    ids::{EntityId, JobId, object_hex},
    reconciliation::{Conflict, ConflictQuery, NewEvent, ReconEvent},
    vocabulary::{EntityType, JobStatus, Order, ReconAction, Severity},
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use sqlx::{AssertSqlSafe, QueryBuilder, types::Json};
use uuid::Uuid;

pub use super::change_log::Done;
use super::{AMONG, Slice, change_log, id_text, listed};
use crate::{
    auth::digest,
    clock::first_id_of,
    db::{Sql, Tx, on},
};

/// What is known of an entity's past.
#[derive(Clone, Debug)]
pub struct StoredLink {
    /// What both were last seen to hold, by field.
    pub base: Value,
    /// It is gone on one side, and inactive on the other.
    pub deleted: bool,
    /// Of all compared values, when all of them were agreed on.
    pub digest: Option<Vec<u8>>,
    /// One more at every change.
    pub version: i64,
}

impl StoredLink {
    /// Whether both say the same.
    pub fn says(&self, other: &Self) -> bool {
        (&self.base, self.deleted, &self.digest) == (&other.base, other.deleted, &other.digest)
    }
}

#[derive(sqlx::FromRow)]
struct LinkRow {
    entity_id: Uuid,
    base: Json<Value>,
    deleted: bool,
    digest: Option<Vec<u8>>,
    version: i64,
}

/// The links of some entities, by relational id.
pub async fn links(
    tx: &mut Tx,
    kind: EntityType,
    ids: &[EntityId],
) -> Result<BTreeMap<Uuid, StoredLink>, sqlx::Error> {
    let text = format!(
        "SELECT entity_id, base, deleted, digest, version FROM recon_links WHERE entity_type = $2 AND entity_id {}",
        tx.text(&AMONG)
    );
    let rows: Vec<LinkRow> = on!(tx, |conn| {
        sqlx::query_as(AssertSqlSafe(text))
            .bind(listed(ids.iter().map(|id| id.0)))
            .bind(kind.as_str())
            .fetch_all(conn)
            .await
    })?;
    let link = |row: LinkRow| {
        (
            row.entity_id,
            StoredLink { base: row.base.0, deleted: row.deleted, digest: row.digest, version: row.version },
        )
    };
    Ok(rows.into_iter().map(link).collect())
}

/// Digest, and whether it is deleted, of every link in a range of ids: behind `after`, up to `through`.
pub async fn digests(
    tx: &mut Tx,
    kind: EntityType,
    after: Option<Uuid>,
    through: Option<Uuid>,
) -> Result<Vec<(Uuid, Option<Vec<u8>>, bool)>, sqlx::Error> {
    on!(tx, |conn| {
        let mut query = QueryBuilder::<DB>::new(
            "SELECT entity_id, digest, deleted FROM recon_links WHERE entity_type = ",
        );
        query.push_bind(kind.as_str());
        if let Some(after) = after {
            query.push(" AND entity_id > ").push_bind(after);
        }
        if let Some(through) = through {
            query.push(" AND entity_id <= ").push_bind(through);
        }
        query.push(" ORDER BY entity_id").build_query_as().fetch_all(conn).await
    })
}

/// What both were seen to hold now, and what was known of it before.
pub struct NewLink<'a> {
    /// Of which entity.
    pub entity: EntityId,
    /// What was known when it was read.
    pub seen: Option<&'a StoredLink>,
    /// What is known now; its version is the store's to count.
    pub link: &'a StoredLink,
}

#[derive(Serialize)]
struct BatchedLink<'a> {
    entity_id: String,
    document_id: String,
    base: &'a Value,
    deleted: bool,
    digest: Option<String>,
    version: i64,
}

const AGREE: Sql = Sql {
    sqlite: "INSERT INTO recon_links
                    (entity_type, entity_id, document_id, base, deleted, digest, version, agreed_at, updated_at)
             SELECT $2, unhex(value->>'entity_id'), value->>'document_id', value->'base', value->>'deleted',
                    unhex(value->>'digest'), value->>'version', $3, $3
               FROM json_each($1) WHERE true
             ON CONFLICT (entity_type, entity_id) DO UPDATE
                SET base = excluded.base, deleted = excluded.deleted, digest = excluded.digest,
                    updated_at = excluded.updated_at, version = excluded.version
              WHERE recon_links.version = excluded.version - 1",
    postgres: "INSERT INTO recon_links
                      (entity_type, entity_id, document_id, base, deleted, digest, version, agreed_at, updated_at)
               SELECT $2, entity_id, document_id, base, deleted, decode(digest, 'hex'), version, $3, $3
                 FROM jsonb_to_recordset($1) AS d (entity_id UUID, document_id TEXT, base JSONB, deleted BOOLEAN,
                      digest TEXT, version BIGINT)
               ON CONFLICT (entity_type, entity_id) DO UPDATE
                  SET base = excluded.base, deleted = excluded.deleted, digest = excluded.digest,
                      updated_at = excluded.updated_at, version = excluded.version
                WHERE recon_links.version = excluded.version - 1",
};

/// Remembers what both were seen to hold, unless somebody else has remembered something since it was read.
pub async fn agree(
    tx: &mut Tx,
    kind: EntityType,
    links: &[NewLink<'_>],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let batch = links.iter().map(|new| BatchedLink {
        entity_id: id_text(new.entity.0),
        document_id: object_hex(new.entity.0).unwrap_or_default(),
        base: &new.link.base,
        deleted: new.link.deleted,
        digest: new.link.digest.as_deref().map(digest::hex),
        version: new.seen.map_or(0, |seen| seen.version) + 1,
    });
    let (sql, batch) = (tx.text(&AGREE), Json(batch.collect::<Vec<_>>()));
    on!(tx, |conn| {
        sqlx::query(sql).bind(batch).bind(kind.as_str()).bind(now).execute(conn).await.map(drop)
    })
}

/// Opens the conflict of an entity, or renews the one that is open. One that becomes critical wakes.
pub async fn open_conflict(tx: &mut Tx, done: &Done<'_>, severity: Severity) -> Result<(), sqlx::Error> {
    on!(tx, |conn| {
        sqlx::query(
            "INSERT INTO recon_conflicts (id, entity_type, entity_id, job_id, text, severity, fields, first_seen, last_seen)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)
             ON CONFLICT (entity_type, entity_id) WHERE closed_at IS NULL DO UPDATE
                SET job_id = excluded.job_id, text = excluded.text, severity = excluded.severity,
                    fields = excluded.fields, last_seen = excluded.last_seen,
                    snoozed_until = CASE WHEN excluded.severity = 'critical' AND recon_conflicts.severity <> 'critical'
                                         THEN NULL ELSE recon_conflicts.snoozed_until END",
        )
        .bind(done.id)
        .bind(done.kind.as_str())
        .bind(done.entity.0)
        .bind(done.job.0)
        .bind(done.text)
        .bind(severity.as_str())
        .bind(Json(done.fields))
        .bind(done.at)
        .execute(conn)
        .await
        .map(drop)
    })
}

/// Closes the open conflicts of some entities; answers those that had one.
pub async fn close_conflicts(
    tx: &mut Tx,
    kind: EntityType,
    ids: &[EntityId],
    now: DateTime<Utc>,
) -> Result<BTreeSet<Uuid>, sqlx::Error> {
    let text = format!(
        "UPDATE recon_conflicts SET closed_at = $3
          WHERE entity_type = $2 AND entity_id {} AND closed_at IS NULL RETURNING entity_id",
        tx.text(&AMONG)
    );
    on!(tx, |conn| {
        let closed: Vec<Uuid> = sqlx::query_scalar(AssertSqlSafe(text))
            .bind(listed(ids.iter().map(|id| id.0)))
            .bind(kind.as_str())
            .bind(now)
            .fetch_all(conn)
            .await?;
        Ok(closed.into_iter().collect())
    })
}

/// Forgets what the change log and the conflicts hold of a person who is erased.
pub async fn forget_user(tx: &mut Tx, id: EntityId) -> Result<(), sqlx::Error> {
    change_log::forget_user(tx, id).await?;
    on!(tx, |conn| {
        sqlx::query("DELETE FROM recon_conflicts WHERE entity_type = 'user' AND entity_id = $1")
            .bind(id.0)
            .execute(conn)
            .await
            .map(drop)
    })
}

macro_rules! push_filter {
    ($builder:expr, $query:expr, $now:expr) => {{
        let (builder, query) = (&mut $builder, $query);
        if let Some(kind) = query.entity_type {
            builder.push(" AND entity_type = ").push_bind(kind.as_str());
        }
        if let Some(id) = query.entity_id {
            builder.push(" AND entity_id = ").push_bind(id.0);
        }
        if query.snoozed != Some(true) {
            builder.push(" AND (snoozed_until IS NULL OR snoozed_until <= ").push_bind($now).push(")");
        }
    }};
}

#[derive(sqlx::FromRow)]
struct ConflictRow {
    id: Uuid,
    #[sqlx(try_from = "String")]
    entity_type: EntityType,
    entity_id: Uuid,
    job_id: Uuid,
    text: String,
    #[sqlx(try_from = "String")]
    severity: Severity,
    fields: Json<Value>,
    first_seen: DateTime<Utc>,
    last_seen: DateTime<Utc>,
    snoozed_until: Option<DateTime<Utc>>,
    closed_at: Option<DateTime<Utc>>,
}

impl From<ConflictRow> for Conflict {
    fn from(row: ConflictRow) -> Self {
        Self {
            id: row.id,
            entity_type: row.entity_type,
            entity_id: EntityId(row.entity_id),
            job_id: JobId(row.job_id),
            text: row.text,
            severity: row.severity,
            fields: serde_json::from_value(row.fields.0).unwrap_or_default(),
            first_seen: row.first_seen,
            last_seen: row.last_seen,
            snoozed_until: row.snoozed_until,
            decision: None,
        }
    }
}

const CONFLICT: &str =
    "SELECT id, entity_type, entity_id, job_id, text, severity, fields, first_seen, last_seen,
                               snoozed_until, closed_at
                          FROM recon_conflicts WHERE ";

/// One conflict, and when it was over.
pub async fn conflict(
    tx: &mut Tx,
    id: Uuid,
) -> Result<Option<(Conflict, Option<DateTime<Utc>>)>, sqlx::Error> {
    let row: Option<ConflictRow> = on!(tx, |conn| {
        let mut query = QueryBuilder::<DB>::new(format!("{CONFLICT} id = "));
        query.push_bind(id).build_query_as().fetch_optional(conn).await
    })?;
    Ok(row.map(|row| {
        let closed = row.closed_at;
        (row.into(), closed)
    }))
}

/// Keeps an open conflict off the list until then, or puts it back; false when it is over.
pub async fn snooze(
    tx: &mut Tx,
    id: Uuid,
    until: Option<DateTime<Utc>>,
    reason: &str,
) -> Result<bool, sqlx::Error> {
    on!(tx, |conn| {
        let done = sqlx::query(
            "UPDATE recon_conflicts SET snoozed_until = $2, snooze_reason = $3 WHERE id = $1 AND closed_at IS NULL",
        )
        .bind(id)
        .bind(until)
        .bind(reason)
        .execute(conn)
        .await?;
        Ok(done.rows_affected() > 0)
    })
}

/// The open conflicts, the critical ones first, then the oldest; and how many there are.
pub async fn conflicts(
    tx: &mut Tx,
    query: &ConflictQuery,
    now: DateTime<Utc>,
    slice: Slice,
) -> Result<(Vec<Conflict>, u64), sqlx::Error> {
    on!(tx, |conn| {
        let mut count =
            QueryBuilder::<DB>::new("SELECT COUNT(*) FROM recon_conflicts WHERE closed_at IS NULL");
        push_filter!(count, query, now);
        let total: i64 = count.build_query_scalar().fetch_one(&mut *conn).await?;
        let mut rows = QueryBuilder::<DB>::new(format!("{CONFLICT} closed_at IS NULL"));
        push_filter!(rows, query, now);
        // `critical` comes before `warning` by its letters too.
        rows.push(match query.order {
            None => " ORDER BY severity, id",
            Some(Order::Asc) => " ORDER BY id ASC",
            Some(Order::Desc) => " ORDER BY id DESC",
        });
        rows.push(" LIMIT ").push_bind(slice.limit).push(" OFFSET ").push_bind(slice.offset);
        let rows: Vec<ConflictRow> = rows.build_query_as().fetch_all(conn).await?;
        Ok((rows.into_iter().map(Conflict::from).collect(), total.unsigned_abs()))
    })
}

/// Remembers that somebody said that an entity changed.
pub async fn insert_event(
    tx: &mut Tx,
    id: Uuid,
    event: &NewEvent,
    job: JobId,
    by: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    on!(tx, |conn| {
        sqlx::query(
            "INSERT INTO recon_events (id, entity_type, entity_id, action, job_id, created_by, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(id)
        .bind(event.entity_type.as_str())
        .bind(event.entity_id.0)
        .bind(event.action.as_str())
        .bind(job.0)
        .bind(by)
        .bind(now)
        .execute(conn)
        .await
        .map(drop)
    })
}

/// One event with how its job stands.
pub async fn event(tx: &mut Tx, id: Uuid) -> Result<Option<ReconEvent>, sqlx::Error> {
    #[derive(sqlx::FromRow)]
    struct Row {
        #[sqlx(try_from = "String")]
        entity_type: EntityType,
        entity_id: Uuid,
        #[sqlx(try_from = "String")]
        action: ReconAction,
        job_id: Uuid,
        created_at: DateTime<Utc>,
        status: Option<String>,
    }
    let row: Option<Row> = on!(tx, |conn| {
        sqlx::query_as(
            "SELECT e.entity_type, e.entity_id, e.action, e.job_id, e.created_at, j.status
               FROM recon_events e LEFT JOIN jobs j ON j.id = e.job_id WHERE e.id = $1",
        )
        .bind(id)
        .fetch_optional(conn)
        .await
    })?;
    Ok(row.map(|row| ReconEvent {
        event_id: id,
        entity_type: row.entity_type,
        entity_id: EntityId(row.entity_id),
        action: row.action,
        job_id: JobId(row.job_id),
        status: row.status.and_then(|status| status.parse::<JobStatus>().ok()),
        created_at: row.created_at,
    }))
}

/// Deletes up to `limit` events that were told before `before`; answers how many.
pub async fn prune_events(tx: &mut Tx, before: DateTime<Utc>, limit: i64) -> Result<u64, sqlx::Error> {
    on!(tx, |conn| {
        let deleted = sqlx::query(
            "DELETE FROM recon_events WHERE id IN (SELECT id FROM recon_events WHERE id < $1 ORDER BY id LIMIT $2)",
        )
        .bind(first_id_of(before))
        .bind(limit)
        .execute(conn)
        .await?;
        Ok(deleted.rows_affected())
    })
}
