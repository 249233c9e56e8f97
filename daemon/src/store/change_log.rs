//! `recon_changes`, `recon_change_values`, `recon_chain`: what reconciliation has written, as a log that shows whether
//! somebody tampered with it. Rows are only ever added, in batches, under a lock on the one row of `recon_chain`.
//!
//! The values of a row stand apart, and the row has a salted digest of them: when a person is erased the values go and the
//! chain stays. What is written about a person who is erased already has no values from the beginning.
//!
//! Limits: whoever can write all three tables can make a new chain. That shows by the head that [`verify`] answers, when
//! it was noted elsewhere. Rows that are older than the chain join it with the first row that is added.

mod chain;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use astrops_api::{
    ids::{EntityId, JobId},
    reconciliation::{Change, ChangeQuery, FieldChange},
    vocabulary::{EntityType, Order},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::{AssertSqlSafe, QueryBuilder, types::Json};
use uuid::Uuid;

pub use chain::verify;

use super::{AMONG, Slice, id_text, listed, time_text, users};
use crate::{
    auth::digest,
    db::{Sql, Tx, on},
};

/// What was done to an entity by a job.
pub struct Done<'a> {
    /// A `UUIDv7`.
    pub id: Uuid,
    /// Its kind.
    pub kind: EntityType,
    /// Which.
    pub entity: EntityId,
    /// By which job; who asked for it, and why, is taken from there.
    pub job: JobId,
    /// In words, without values.
    pub text: &'a str,
    /// Field by field; or what of it is in conflict.
    pub fields: &'a Value,
    /// Now.
    pub at: DateTime<Utc>,
}

/// What can be erased of a row; the digest is of exactly these bytes.
#[derive(Serialize, Deserialize)]
struct Values<T> {
    changes: T,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

#[derive(Serialize)]
struct Batched<'a> {
    id: String,
    at: String,
    entity_type: EntityType,
    entity_id: String,
    job_id: String,
    actor: &'a str,
    text: &'a str,
    seq: i64,
    digest: String,
    hash: String,
    salt: String,
    body: Option<String>,
}

const INSERT: Sql = Sql {
    sqlite: "INSERT INTO recon_changes (id, at, entity_type, entity_id, job_id, actor, text, seq, digest, hash)
             SELECT unhex(value->>'id'), value->>'at', value->>'entity_type', unhex(value->>'entity_id'),
                    unhex(value->>'job_id'), value->>'actor', value->>'text', value->>'seq', unhex(value->>'digest'),
                    unhex(value->>'hash')
               FROM json_each($1)",
    postgres: "INSERT INTO recon_changes (id, at, entity_type, entity_id, job_id, actor, text, seq, digest, hash)
               SELECT id, at, entity_type, entity_id, job_id, actor, text, seq, decode(digest, 'hex'), decode(hash, 'hex')
                 FROM jsonb_to_recordset($1) AS d (id UUID, at TIMESTAMPTZ, entity_type TEXT, entity_id UUID, job_id UUID,
                      actor TEXT, text TEXT, seq BIGINT, digest TEXT, hash TEXT)",
};

const INSERT_VALUES: Sql = Sql {
    sqlite: "INSERT INTO recon_change_values (change_id, salt, body)
             SELECT unhex(value->>'id'), unhex(value->>'salt'), value->>'body'
               FROM json_each($1) WHERE value->>'body' IS NOT NULL",
    postgres: "INSERT INTO recon_change_values (change_id, salt, body)
               SELECT id, decode(salt, 'hex'), body
                 FROM jsonb_to_recordset($1) AS d (id UUID, salt TEXT, body TEXT) WHERE body IS NOT NULL",
};

/// Adds rows to the change log. Who else adds some waits until the transaction ends, so call it last.
pub async fn append(tx: &mut Tx, done: &[Done<'_>]) -> Result<(), sqlx::Error> {
    if done.is_empty() {
        return Ok(());
    }
    let mut head = chain::lock(tx).await?;
    let asked = askers(tx, done).await?;
    let persons = done.iter().filter(|one| one.kind == EntityType::User).map(|one| one.entity.0);
    let erased = users::erased_among(tx, &persons.collect::<BTreeSet<_>>()).await?;
    let mut batch = Vec::with_capacity(done.len());
    for one in done {
        let (actor, reason) = asked.get(&one.job.0).map_or(("daemon", &None), |(by, why)| (by.as_str(), why));
        let values = Values { changes: one.fields, reason: reason.clone() };
        let body = serde_json::to_string(&values).map_err(|error| sqlx::Error::Encode(error.into()))?;
        let salt = digest::random().map_err(|error| sqlx::Error::Encode(error.into()))?;
        let digest = chain::digest(salt.as_bytes(), &body);
        let link = chain::Link {
            id: one.id,
            at: one.at,
            entity_type: one.kind.as_str(),
            entity_id: one.entity.0,
            job_id: one.job.0,
            actor,
            text: one.text,
            digest: &digest,
        };
        head = head.next(&link);
        let is_erased = one.kind == EntityType::User && erased.contains(&one.entity.0);
        batch.push(Batched {
            id: id_text(one.id),
            at: time_text(one.at),
            entity_type: one.kind,
            entity_id: id_text(one.entity.0),
            job_id: id_text(one.job.0),
            actor,
            text: one.text,
            seq: head.seq,
            digest: digest::hex(&digest),
            hash: digest::hex(&head.hash),
            salt: digest::hex(salt.as_bytes()),
            body: (!is_erased).then_some(body),
        });
    }
    for sql in [tx.text(&INSERT), tx.text(&INSERT_VALUES)] {
        on!(tx, |conn| sqlx::query(sql).bind(Json(&batch)).execute(conn).await.map(drop))?;
    }
    chain::advance(tx, &head).await
}

/// Who asked for each job, and why when a person decided something.
async fn askers(
    tx: &mut Tx,
    done: &[Done<'_>],
) -> Result<BTreeMap<Uuid, (String, Option<String>)>, sqlx::Error> {
    let jobs: BTreeSet<Uuid> = done.iter().map(|one| one.job.0).collect();
    let text = format!(
        "SELECT id, created_by, payload->'reconciliation'->'decision'->>'reason' FROM jobs WHERE id {}",
        tx.text(&AMONG)
    );
    let found: Vec<(Uuid, String, Option<String>)> =
        on!(tx, |conn| sqlx::query_as(AssertSqlSafe(text)).bind(listed(jobs)).fetch_all(conn).await)?;
    Ok(found.into_iter().map(|(id, by, why)| (id, (by, why))).collect())
}

/// Removes the values that the change log holds of a person who is erased. The rows stay, and so does their chain.
pub async fn forget_user(tx: &mut Tx, id: EntityId) -> Result<(), sqlx::Error> {
    on!(tx, |conn| {
        sqlx::query(
            "DELETE FROM recon_change_values
              WHERE change_id IN (SELECT id FROM recon_changes WHERE entity_type = 'user' AND entity_id = $1)",
        )
        .bind(id.0)
        .execute(conn)
        .await
        .map(drop)
    })
}

/// What a job wrote to an entity, in words; newest last.
pub async fn texts_of(tx: &mut Tx, job: JobId, entity: EntityId) -> Result<Vec<String>, sqlx::Error> {
    on!(tx, |conn| {
        sqlx::query_scalar("SELECT text FROM recon_changes WHERE job_id = $1 AND entity_id = $2 ORDER BY id")
            .bind(job.0)
            .bind(entity.0)
            .fetch_all(conn)
            .await
    })
}

#[derive(sqlx::FromRow)]
struct ChangeRow {
    id: Uuid,
    at: DateTime<Utc>,
    #[sqlx(try_from = "String")]
    entity_type: EntityType,
    entity_id: Uuid,
    job_id: Uuid,
    actor: String,
    text: String,
    body: Option<String>,
}

impl From<ChangeRow> for Change {
    fn from(row: ChangeRow) -> Self {
        let values = row.body.and_then(|body| serde_json::from_str::<Values<Vec<FieldChange>>>(&body).ok());
        let (fields, reason) = values.map(|values| (values.changes, values.reason)).unwrap_or_default();
        Self {
            id: row.id,
            at: row.at,
            entity_type: row.entity_type,
            entity_id: EntityId(row.entity_id),
            job_id: JobId(row.job_id),
            actor: row.actor,
            actor_email: None,
            changes_log: row.text,
            reason,
            fields,
        }
    }
}

const COLUMNS: &str = "SELECT c.id, c.at, c.entity_type, c.entity_id, c.job_id, c.actor, c.text, v.body
                         FROM recon_changes c LEFT JOIN recon_change_values v ON v.change_id = c.id WHERE ";

macro_rules! push_filter {
    ($builder:expr, $query:expr) => {{
        let (builder, query) = (&mut $builder, $query);
        if let Some(kind) = query.entity_type {
            builder.push(" AND c.entity_type = ").push_bind(kind.as_str());
        }
        if let Some(id) = query.entity_id {
            builder.push(" AND c.entity_id = ").push_bind(id.0);
        }
        if let Some(job) = query.job_id {
            builder.push(" AND c.job_id = ").push_bind(job.0);
        }
    }};
}

/// The change log, newest first, and how many rows match.
pub async fn changes(
    tx: &mut Tx,
    query: &ChangeQuery,
    slice: Slice,
) -> Result<(Vec<Change>, u64), sqlx::Error> {
    on!(tx, |conn| {
        let mut count = QueryBuilder::<DB>::new("SELECT COUNT(*) FROM recon_changes c WHERE 1 = 1");
        push_filter!(count, query);
        let total: i64 = count.build_query_scalar().fetch_one(&mut *conn).await?;
        let mut rows = QueryBuilder::<DB>::new(format!("{COLUMNS} 1 = 1"));
        push_filter!(rows, query);
        rows.push(if query.order == Some(Order::Asc) { " ORDER BY c.id ASC" } else { " ORDER BY c.id DESC" });
        rows.push(" LIMIT ").push_bind(slice.limit).push(" OFFSET ").push_bind(slice.offset);
        let rows: Vec<ChangeRow> = rows.build_query_as().fetch_all(conn).await?;
        Ok((rows.into_iter().map(Change::from).collect(), total.unsigned_abs()))
    })
}

/// One row of the change log.
pub async fn change(tx: &mut Tx, id: Uuid) -> Result<Option<Change>, sqlx::Error> {
    let row: Option<ChangeRow> = on!(tx, |conn| {
        let mut query = QueryBuilder::<DB>::new(format!("{COLUMNS} c.id = "));
        query.push_bind(id).build_query_as().fetch_optional(conn).await
    })?;
    Ok(row.map(Change::from))
}
