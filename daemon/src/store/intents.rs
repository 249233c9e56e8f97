//! `recon_intents`: what is being written to an entity, until the change log has it.

use std::collections::{BTreeMap, BTreeSet};

use astrops_api::{
    ids::{EntityId, JobId},
    vocabulary::EntityType,
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use sqlx::{AssertSqlSafe, types::Json};
use uuid::Uuid;

use super::{AMONG, id_text, listed};
use crate::db::{Sql, Tx, on};

/// A stored intent.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct StoredIntent {
    entity_id: Uuid,
    /// Its own id.
    pub id: Uuid,
    /// The job that began it.
    pub job_id: Uuid,
    /// What it does.
    pub plan: Json<Value>,
}

/// Of some entities, by relational id.
pub async fn of(
    tx: &mut Tx,
    kind: EntityType,
    ids: &[EntityId],
) -> Result<BTreeMap<Uuid, StoredIntent>, sqlx::Error> {
    let text = format!(
        "SELECT entity_id, id, job_id, plan FROM recon_intents WHERE entity_type = $2 AND entity_id {}",
        tx.text(&AMONG)
    );
    let rows: Vec<StoredIntent> = on!(tx, |conn| {
        sqlx::query_as(AssertSqlSafe(text))
            .bind(listed(ids.iter().map(|id| id.0)))
            .bind(kind.as_str())
            .fetch_all(conn)
            .await
    })?;
    Ok(rows.into_iter().map(|row| (row.entity_id, row)).collect())
}

/// What is to be begun with one entity.
pub struct NewIntent {
    /// Its own id.
    pub id: Uuid,
    /// Which entity.
    pub entity: EntityId,
    /// The job that begins it.
    pub job: JobId,
    /// What it does.
    pub plan: Value,
}

#[derive(Serialize)]
struct Batched<'a> {
    id: String,
    entity_id: String,
    job_id: String,
    plan: &'a Value,
}

const INSERT: Sql = Sql {
    sqlite: "INSERT INTO recon_intents (entity_type, entity_id, id, job_id, plan, created_at)
             SELECT $2, unhex(value->>'entity_id'), unhex(value->>'id'), unhex(value->>'job_id'), value->'plan', $3
               FROM json_each($1) WHERE true
             ON CONFLICT (entity_type, entity_id) DO NOTHING RETURNING entity_id",
    postgres: "INSERT INTO recon_intents (entity_type, entity_id, id, job_id, plan, created_at)
               SELECT $2, entity_id, id, job_id, plan, $3
                 FROM jsonb_to_recordset($1) AS d (entity_id UUID, id UUID, job_id UUID, plan JSONB)
               ON CONFLICT (entity_type, entity_id) DO NOTHING RETURNING entity_id",
};

/// Begins them; answers the entities of which nothing was under way already.
pub async fn begin(
    tx: &mut Tx,
    kind: EntityType,
    intents: &[NewIntent],
    now: DateTime<Utc>,
) -> Result<BTreeSet<Uuid>, sqlx::Error> {
    let batch = intents.iter().map(|intent| Batched {
        id: id_text(intent.id),
        entity_id: id_text(intent.entity.0),
        job_id: id_text(intent.job.0),
        plan: &intent.plan,
    });
    let (sql, batch) = (tx.text(&INSERT), Json(batch.collect::<Vec<_>>()));
    on!(tx, |conn| {
        let begun: Vec<Uuid> =
            sqlx::query_scalar(sql).bind(batch).bind(kind.as_str()).bind(now).fetch_all(conn).await?;
        Ok(begun.into_iter().collect())
    })
}

const ALSO_AMONG: Sql = Sql {
    sqlite: "IN (SELECT unhex(value) FROM json_each($3))",
    postgres: "= ANY (ARRAY(SELECT jsonb_array_elements_text($3)::uuid))",
};

/// Ends what was begun with each entity, by the id of the intent; answers the ids of those that nobody else has ended.
pub async fn finish(
    tx: &mut Tx,
    kind: EntityType,
    begun: &[(EntityId, Uuid)],
) -> Result<BTreeSet<Uuid>, sqlx::Error> {
    if begun.is_empty() {
        return Ok(BTreeSet::new());
    }
    let text = format!(
        "DELETE FROM recon_intents WHERE entity_type = $2 AND entity_id {} AND id {} RETURNING id",
        tx.text(&AMONG),
        tx.text(&ALSO_AMONG)
    );
    on!(tx, |conn| {
        let gone: Vec<Uuid> = sqlx::query_scalar(AssertSqlSafe(text))
            .bind(listed(begun.iter().map(|(entity, _)| entity.0)))
            .bind(kind.as_str())
            .bind(listed(begun.iter().map(|(_, id)| *id)))
            .fetch_all(conn)
            .await?;
        Ok(gone.into_iter().collect())
    })
}
