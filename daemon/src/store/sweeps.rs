//! `recon_sweeps` and `recon_watermarks`: how far each sweep is, and until when changes were compared.

use std::collections::BTreeMap;

use astrops_api::{
    ids::JobId,
    sweeps::{Sweep, SweepCounts, SweepQuery},
    vocabulary::{EntityType, Order, SweepMode, SweepStage, SweepStatus},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::{QueryBuilder, types::Json};
use uuid::Uuid;

use super::Slice;
use crate::{
    db::{Tx, on},
    reconcile::core::value::Side,
};

/// A sweep as it is stored.
#[derive(Clone, Debug)]
pub struct StoredSweep {
    /// Its id.
    pub id: Uuid,
    /// How much it compares.
    pub mode: SweepMode,
    /// Only these.
    pub entity_type: Option<EntityType>,
    /// It writes neither side.
    pub dry_run: bool,
    /// Where it stands.
    pub status: SweepStatus,
    /// What it does.
    pub stage: SweepStage,
    /// In words.
    pub text: String,
    /// What it needs to go on.
    pub state: State,
    /// The job that does it.
    pub job: JobId,
    /// Who asked.
    pub created_by: String,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When anything of it last changed.
    pub updated_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// Its job has ended, whatever the sweep says.
    pub is_orphan: bool,
}

/// What a sweep needs to go on after a pause or a crash.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct State {
    /// What it has met.
    pub counts: SweepCounts,
    /// Rows of each side, by kind of entity.
    pub tallies: BTreeMap<EntityType, [u64; 2]>,
    /// When it began to compare: what changes later is the next sweep's.
    pub began: Option<DateTime<Utc>>,
    /// The step of the stage that it is at.
    pub step: usize,
    /// Behind this entity.
    pub after: Option<Uuid>,
    /// Rows of the stage that are done, and all of them.
    pub done: u64,
    /// All rows of the stage.
    pub total: u64,
    /// Rows in a second.
    pub rate: Option<f64>,
    /// Count and sum of the hashes of each side's rows.
    pub digests: Option<[(u64, String); 2]>,
    /// What it would change.
    pub planned: Amount,
    /// What it has changed.
    pub performed: Amount,
    /// What a person allowed it to change.
    pub allowed: Option<Amount>,
    /// What it last asked a person.
    pub asked: String,
    /// It has read these to their end.
    pub read: Option<EntityType>,
    /// It asked whether to believe what it saw of these. Who goes on was told to.
    pub doubted: Option<EntityType>,
    /// Why it passed over these: a side is not believed.
    pub passed: BTreeMap<EntityType, String>,
}

impl State {
    /// What it would have changed at its end when `left` rows are left.
    pub fn at_most(&self, left: u64) -> Amount {
        let more = |planned: u64, performed: u64| planned.max(performed + left);
        let deleted = |kind| {
            let planned = self.planned.deleted_of(kind);
            (kind, more(planned, self.performed.deleted_of(kind)).min(planned + left))
        };
        Amount {
            changes: more(self.planned.changes, self.performed.changes),
            deleted: EntityType::ALL.iter().copied().map(deleted).collect(),
        }
    }
}

/// How many rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Amount {
    /// Written at all.
    pub changes: u64,
    /// Deleted, by kind: a few launches are nothing among many bookings.
    pub deleted: BTreeMap<EntityType, u64>,
}

impl Amount {
    /// So many of a kind are deleted.
    pub fn deleted_of(&self, kind: EntityType) -> u64 {
        self.deleted.get(&kind).copied().unwrap_or_default()
    }

    /// Counts a change that deletes the row, or does not.
    pub fn add(&mut self, kind: EntityType, deletes: bool) {
        self.changes += 1;
        *self.deleted.entry(kind).or_default() += u64::from(deletes);
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    #[sqlx(try_from = "String")]
    mode: SweepMode,
    entity_type: Option<String>,
    dry_run: bool,
    #[sqlx(try_from = "String")]
    status: SweepStatus,
    #[sqlx(try_from = "String")]
    stage: SweepStage,
    text: String,
    state: Json<serde_json::Value>,
    job_id: Uuid,
    created_by: String,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    ended_at: Option<DateTime<Utc>>,
    is_orphan: bool,
}

impl From<Row> for StoredSweep {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            mode: row.mode,
            entity_type: row.entity_type.and_then(|kind| kind.parse().ok()),
            dry_run: row.dry_run,
            status: row.status,
            stage: row.stage,
            text: row.text,
            state: serde_json::from_value(row.state.0).unwrap_or_default(),
            job: JobId(row.job_id),
            created_by: row.created_by,
            created_at: row.created_at,
            updated_at: row.updated_at,
            ended_at: row.ended_at,
            is_orphan: row.is_orphan,
        }
    }
}

impl StoredSweep {
    /// Whether its schedule lets it look anew although it waits for a person. One that was stopped in the middle of its
    /// repairs does not: somebody writes beside it.
    pub fn looks_again(&self) -> bool {
        self.status == SweepStatus::NeedsApproval
            && self.mode == SweepMode::Incremental
            && self.stage == SweepStage::Recheck
    }

    /// As the API shows it. A sweep whose job has ended waits for somebody to resume it.
    pub fn view(self) -> Sweep {
        let (status, text) = if self.status == SweepStatus::Running && self.is_orphan {
            (SweepStatus::Paused, format!("its job ended; resume or cancel it ({})", self.text))
        } else {
            (self.status, self.text)
        };
        let State { counts, done, total, rate, digests, .. } = self.state;
        let rate = rate.filter(|rate| status == SweepStatus::Running && *rate > 0.0);
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an estimate in seconds"
        )]
        let eta_seconds = rate.map(|rate| (total.saturating_sub(done) as f64 / rate).ceil() as u64);
        let digest = |(count, sum): (u64, String)| format!("{count}:{sum}");
        let (document, relational) = digests.map_or((None, None), |[document, relational]| {
            (Some(digest(document)), Some(digest(relational)))
        });
        Sweep {
            id: self.id,
            mode: self.mode,
            entity_type: self.entity_type,
            dry_run: self.dry_run,
            status,
            stage: self.stage,
            text,
            counts,
            done,
            total,
            rate,
            eta_seconds,
            digest_document: document,
            digest_relational: relational,
            job_id: Some(self.job),
            created_by: self.created_by,
            created_by_email: None,
            created_at: self.created_at,
            updated_at: self.updated_at,
            ended_at: self.ended_at,
        }
    }
}

const SELECT: &str = "SELECT s.id, s.mode, s.entity_type, s.dry_run, s.status, s.stage, s.text, s.state, s.job_id,
        s.created_by, s.created_at, s.updated_at, s.ended_at,
        NOT EXISTS (SELECT 1 FROM jobs j WHERE j.id = s.job_id AND j.status IN ('queued', 'processing')) AS is_orphan
   FROM recon_sweeps s WHERE 1 = 1";

/// Stores a new sweep; false when one of its mode is open.
pub async fn insert(tx: &mut Tx, sweep: &StoredSweep) -> Result<bool, sqlx::Error> {
    on!(tx, |conn| {
        let made = sqlx::query(
            "INSERT INTO recon_sweeps (id, mode, entity_type, dry_run, status, stage, text, state, job_id, created_by,
                                       created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)
             ON CONFLICT (mode) WHERE status IN ('running', 'paused', 'needs_approval') DO NOTHING",
        )
        .bind(sweep.id)
        .bind(sweep.mode.as_str())
        .bind(sweep.entity_type.map(EntityType::as_str))
        .bind(sweep.dry_run)
        .bind(sweep.status.as_str())
        .bind(sweep.stage.as_str())
        .bind(&sweep.text)
        .bind(Json(&sweep.state))
        .bind(sweep.job.0)
        .bind(&sweep.created_by)
        .bind(sweep.created_at)
        .execute(conn)
        .await?;
        Ok(made.rows_affected() == 1)
    })
}

/// Stores how far it is; false when it is no longer this job's to do.
pub async fn save(tx: &mut Tx, sweep: &StoredSweep, now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
    on!(tx, |conn| {
        let saved = sqlx::query(
            "UPDATE recon_sweeps SET status = $3, stage = $4, text = $5, state = $6, updated_at = $7, ended_at = $8
              WHERE id = $1 AND job_id = $2 AND status = 'running'",
        )
        .bind(sweep.id)
        .bind(sweep.job.0)
        .bind(sweep.status.as_str())
        .bind(sweep.stage.as_str())
        .bind(&sweep.text)
        .bind(Json(&sweep.state))
        .bind(now)
        .bind(sweep.ended_at)
        .execute(conn)
        .await?;
        Ok(saved.rows_affected() == 1)
    })
}

/// Changes it from outside: where it stands, whose it is, what it may. It must still stand as `from` says.
pub async fn steer(
    tx: &mut Tx,
    sweep: &StoredSweep,
    from: SweepStatus,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    on!(tx, |conn| {
        let steered = sqlx::query(
            "UPDATE recon_sweeps SET status = $3, text = $4, state = $5, job_id = $6, updated_at = $7, ended_at = $8,
                                     stage = $9
              WHERE id = $1 AND status = $2",
        )
        .bind(sweep.id)
        .bind(from.as_str())
        .bind(sweep.status.as_str())
        .bind(&sweep.text)
        .bind(Json(&sweep.state))
        .bind(sweep.job.0)
        .bind(now)
        .bind(sweep.ended_at)
        .bind(sweep.stage.as_str())
        .execute(conn)
        .await?;
        Ok(steered.rows_affected() == 1)
    })
}

/// One sweep.
pub async fn find(tx: &mut Tx, id: Uuid) -> Result<Option<StoredSweep>, sqlx::Error> {
    on!(tx, |conn| {
        let mut query = QueryBuilder::<DB>::new(SELECT);
        query.push(" AND s.id = ").push_bind(id);
        let row: Option<Row> = query.build_query_as().fetch_optional(conn).await?;
        Ok(row.map(Into::into))
    })
}

/// The open sweep of a mode.
pub async fn open(tx: &mut Tx, mode: SweepMode) -> Result<Option<StoredSweep>, sqlx::Error> {
    on!(tx, |conn| {
        let mut query = QueryBuilder::<DB>::new(SELECT);
        query.push(" AND s.status IN ('running', 'paused', 'needs_approval') AND s.mode = ");
        query.push_bind(mode.as_str());
        let row: Option<Row> = query.build_query_as().fetch_optional(conn).await?;
        Ok(row.map(Into::into))
    })
}

/// How many rows each side had when a full sweep last compared this kind of entity and was believed: one that only looks
/// changes nothing, so nobody thinks twice before it goes on.
pub async fn last_full(tx: &mut Tx, kind: EntityType) -> Result<Option<[u64; 2]>, sqlx::Error> {
    on!(tx, |conn| {
        let mut query = QueryBuilder::<DB>::new(SELECT);
        query.push(
            " AND s.status = 'completed' AND s.mode = 'full' AND NOT s.dry_run
              AND (s.entity_type IS NULL OR s.entity_type = ",
        );
        query.push_bind(kind.as_str()).push(") ORDER BY s.id DESC LIMIT 1");
        let row: Option<Row> = query.build_query_as().fetch_optional(conn).await?;
        Ok(row.and_then(|row| StoredSweep::from(row).state.tallies.get(&kind).copied()))
    })
}

/// Sweeps, newest first, and how many match.
pub async fn list(
    tx: &mut Tx,
    query: &SweepQuery,
    slice: Slice,
) -> Result<(Vec<StoredSweep>, u64), sqlx::Error> {
    macro_rules! filtered {
        ($builder:expr) => {{
            if let Some(status) = query.status {
                $builder.push(" AND s.status = ").push_bind(status.as_str());
            }
            if let Some(mode) = query.mode {
                $builder.push(" AND s.mode = ").push_bind(mode.as_str());
            }
        }};
    }
    on!(tx, |conn| {
        let mut count = QueryBuilder::<DB>::new("SELECT COUNT(*) FROM recon_sweeps s WHERE 1 = 1");
        filtered!(count);
        let total: i64 = count.build_query_scalar().fetch_one(&mut *conn).await?;
        let mut rows = QueryBuilder::<DB>::new(SELECT);
        filtered!(rows);
        rows.push(if query.order == Some(Order::Asc) { " ORDER BY s.id ASC" } else { " ORDER BY s.id DESC" });
        rows.push(" LIMIT ").push_bind(slice.limit).push(" OFFSET ").push_bind(slice.offset);
        let rows: Vec<Row> = rows.build_query_as().fetch_all(conn).await?;
        Ok((rows.into_iter().map(Into::into).collect(), total.unsigned_abs()))
    })
}

/// Until when the changes of a side were compared.
pub async fn watermark(
    tx: &mut Tx,
    kind: EntityType,
    side: Side,
) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    on!(tx, |conn| {
        sqlx::query_scalar("SELECT at FROM recon_watermarks WHERE entity_type = $1 AND side = $2")
            .bind(kind.as_str())
            .bind(side.as_str())
            .fetch_optional(conn)
            .await
    })
}

/// Both sides' changes were compared until then.
pub async fn verified(tx: &mut Tx, kind: EntityType, at: DateTime<Utc>) -> Result<(), sqlx::Error> {
    on!(tx, |conn| {
        for side in [Side::Document, Side::Relational] {
            sqlx::query(
                "INSERT INTO recon_watermarks (entity_type, side, at) VALUES ($1, $2, $3)
                 ON CONFLICT (entity_type, side) DO UPDATE SET at = excluded.at
                  WHERE recon_watermarks.at < excluded.at",
            )
            .bind(kind.as_str())
            .bind(side.as_str())
            .bind(at)
            .execute(&mut *conn)
            .await?;
        }
        Ok(())
    })
}

/// Deletes ended sweeps that were asked for before then; the latest full one stays, as later ones compare with it.
pub async fn prune(tx: &mut Tx, before: DateTime<Utc>, limit: i64) -> Result<u64, sqlx::Error> {
    on!(tx, |conn| {
        let deleted = sqlx::query(
            "DELETE FROM recon_sweeps WHERE id IN
               (SELECT id FROM recon_sweeps WHERE created_at < $1 AND ended_at IS NOT NULL
                   AND id NOT IN (SELECT id FROM recon_sweeps WHERE mode = 'full' AND status = 'completed' AND NOT dry_run
                                      AND entity_type IS NULL ORDER BY id DESC LIMIT 1)
                 ORDER BY id LIMIT $2)",
        )
        .bind(before)
        .bind(limit)
        .execute(conn)
        .await?;
        Ok(deleted.rows_affected())
    })
}
