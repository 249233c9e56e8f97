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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        db::Db,
        store::reconcile::{NewLink, StoredLink, agree, links},
        testing::{contract, noon},
    };

    const KIND: EntityType = EntityType::Booking;

    contract!(
        one_intent_at_a_time_is_begun_and_ended_by_its_id,
        what_was_remembered_meanwhile_is_not_overwritten,
    );

    fn entity(number: u8) -> EntityId {
        EntityId(astrops_api::ids::embed([number; 12]))
    }

    fn intent(entity: EntityId) -> NewIntent {
        NewIntent {
            id: Uuid::new_v4(), entity, job: JobId(Uuid::new_v4()), plan: json!({ "text": "ä\"\n" })
        }
    }

    async fn one_intent_at_a_time_is_begun_and_ended_by_its_id(db: Db) {
        let mut tx = db.write().await.unwrap();
        let [one, two, three] = [1, 2, 3].map(entity);
        let first = [intent(one), intent(two)];
        let begun = begin(&mut tx, KIND, &first, noon()).await.unwrap();
        assert_eq!(begun, BTreeSet::from([one.0, two.0]));
        let second = [intent(two), intent(three)];
        assert_eq!(begin(&mut tx, KIND, &second, noon()).await.unwrap(), BTreeSet::from([three.0]));
        let kept = of(&mut tx, KIND, &[two]).await.unwrap().remove(&two.0).unwrap();
        assert_eq!((kept.id, kept.job_id), (first[1].id, first[1].job.0));
        assert_eq!(kept.plan.0, first[1].plan);
        // By the id that is not there any more nothing ends.
        let ended = finish(&mut tx, KIND, &[(one, first[0].id), (two, second[0].id)]).await.unwrap();
        assert_eq!(ended, BTreeSet::from([first[0].id]));
        let left = of(&mut tx, KIND, &[one, two, three]).await.unwrap();
        assert_eq!(left.into_keys().collect::<BTreeSet<_>>(), BTreeSet::from([two.0, three.0]));
    }

    async fn what_was_remembered_meanwhile_is_not_overwritten(db: Db) {
        let mut tx = db.write().await.unwrap();
        let [one, two] = [1, 2].map(entity);
        let link = |amount: i64, digest: Option<Vec<u8>>| StoredLink {
            base: json!({ "amount": amount }),
            deleted: false,
            digest,
            version: 0,
        };
        let (first, second, third) = (link(1, Some(vec![0xab; 16])), link(2, None), link(3, None));
        let new = |entity, seen, link| NewLink { entity, seen, link };
        let both = [new(one, None, &first), new(two, None, &first)];
        agree(&mut tx, KIND, &both, noon()).await.unwrap();
        let seen = links(&mut tx, KIND, &[one, two]).await.unwrap();
        assert!(seen.values().all(|seen| seen.says(&first) && seen.version == 1), "{seen:?}");
        agree(&mut tx, KIND, &[new(one, seen.get(&one.0), &second)], noon()).await.unwrap();
        // The second has it from before, the third from nowhere.
        let late = [new(one, seen.get(&one.0), &third), new(two, None, &third)];
        agree(&mut tx, KIND, &late, noon()).await.unwrap();
        let kept = links(&mut tx, KIND, &[one, two]).await.unwrap();
        assert!(kept[&one.0].says(&second) && kept[&one.0].version == 2, "{kept:?}");
        assert!(kept[&two.0].says(&first) && kept[&two.0].version == 1, "{kept:?}");
    }
}
