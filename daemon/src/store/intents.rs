//! `recon_intents`: what is being written to an entity, until the change log has it.

use std::collections::BTreeMap;

use astrops_api::{
    ids::{EntityId, JobId},
    vocabulary::EntityType,
};
use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{AssertSqlSafe, types::Json};
use uuid::Uuid;

use super::{AMONG, listed};
use crate::db::{Tx, on};

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

/// Begins; false when something was begun for this entity already.
pub async fn begin(
    tx: &mut Tx,
    kind: EntityType,
    entity: EntityId,
    intent: (Uuid, JobId, Value),
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let (id, job, plan) = intent;
    on!(tx, |conn| {
        let made = sqlx::query(
            "INSERT INTO recon_intents (entity_type, entity_id, id, job_id, plan, created_at)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (entity_type, entity_id) DO NOTHING",
        )
        .bind(kind.as_str())
        .bind(entity.0)
        .bind(id)
        .bind(job.0)
        .bind(Json(plan))
        .bind(now)
        .execute(conn)
        .await?;
        Ok(made.rows_affected() == 1)
    })
}

/// Ends it; false when somebody else has.
pub async fn finish(tx: &mut Tx, kind: EntityType, entity: EntityId, id: Uuid) -> Result<bool, sqlx::Error> {
    on!(tx, |conn| {
        let gone =
            sqlx::query("DELETE FROM recon_intents WHERE entity_type = $1 AND entity_id = $2 AND id = $3")
                .bind(kind.as_str())
                .bind(entity.0)
                .bind(id)
                .execute(conn)
                .await?;
        Ok(gone.rows_affected() == 1)
    })
}
