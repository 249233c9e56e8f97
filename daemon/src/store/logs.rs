//! `system_logs`: what happened, for operators.

use astrops_api::{
    ids::{JobId, LogId, UserId},
    logs::{Bucket, LogEntry, LogQuery},
    vocabulary::{EventType, Order, Severity},
};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde_json::Value;
use sqlx::{QueryBuilder, types::Json};
use tokio::sync::Notify;
use uuid::Uuid;

use super::{
    LIKE, Slice, contains_pattern,
    cursor::{Cursor, Followed, Told, followed},
    id_text, time_text,
};
use crate::{
    clock::{first_id_of, last_id_of},
    db::{Signals, Sql, Tx, on},
};

/// One row of a JSON batch.
#[derive(Serialize)]
struct Batched<'a> {
    id: String,
    at: String,
    event_type: EventType,
    severity: Severity,
    message: &'a str,
    user_id: Option<String>,
    ip_address: Option<&'a str>,
    job_id: Option<String>,
    additional_data: Option<&'a Value>,
    recorded_by: &'a str,
}

const INSERT: Sql = Sql {
    sqlite: "INSERT INTO system_logs (id, at, event_type, severity, message, user_id, ip_address, job_id, additional_data, recorded_by)
             SELECT unhex(value->>'id'), value->>'at', value->>'event_type', value->>'severity', value->>'message',
                    unhex(value->>'user_id'), value->>'ip_address', unhex(value->>'job_id'),
                    NULLIF(value->'additional_data', 'null'), value->>'recorded_by'
               FROM json_each($1)",
    postgres: "INSERT INTO system_logs (id, at, event_type, severity, message, user_id, ip_address, job_id, additional_data, recorded_by)
               SELECT id, at, event_type, severity, message, user_id, ip_address, job_id, NULLIF(additional_data, 'null'), recorded_by
                 FROM jsonb_to_recordset($1) AS d (id UUID, at TIMESTAMPTZ, event_type TEXT, severity TEXT, message TEXT,
                      user_id UUID, ip_address TEXT, job_id UUID, additional_data JSONB, recorded_by TEXT)",
};

/// Writes `entries` in one statement and wakes the stream after the commit.
pub async fn insert(tx: &mut Tx, entries: &[LogEntry]) -> Result<(), sqlx::Error> {
    if entries.is_empty() {
        return Ok(());
    }
    let batch: Vec<Batched<'_>> = entries
        .iter()
        .map(|entry| Batched {
            id: id_text(entry.id.0),
            at: time_text(entry.timestamp),
            event_type: entry.event_type,
            severity: entry.severity,
            message: &entry.message,
            user_id: entry.user_id.map(|id| id_text(id.0)),
            ip_address: entry.ip_address.as_deref(),
            job_id: entry.job_id.map(|id| id_text(id.0)),
            additional_data: entry.additional_data.as_ref(),
            recorded_by: &entry.recorded_by,
        })
        .collect();
    tx.wake_logs();
    let sql = tx.text(&INSERT);
    on!(tx, |conn| sqlx::query(sql).bind(Json(&batch)).execute(conn).await.map(drop))
}

#[derive(sqlx::FromRow)]
struct Row {
    tx: i64,
    seq: i64,
    id: Uuid,
    at: DateTime<Utc>,
    #[sqlx(try_from = "String")]
    event_type: EventType,
    #[sqlx(try_from = "String")]
    severity: Severity,
    message: String,
    user_id: Option<Uuid>,
    ip_address: Option<String>,
    job_id: Option<Uuid>,
    additional_data: Option<Json<Value>>,
    recorded_by: String,
}

impl From<Row> for LogEntry {
    fn from(row: Row) -> Self {
        Self {
            id: LogId(row.id),
            timestamp: row.at,
            event_type: row.event_type,
            severity: row.severity,
            message: row.message,
            user_id: row.user_id.map(UserId),
            ip_address: row.ip_address,
            job_id: row.job_id.map(JobId),
            additional_data: row.additional_data.map(|json| json.0),
            recorded_by: row.recorded_by,
        }
    }
}

macro_rules! columns {
    () => {
        "tx, seq, id, at, event_type, severity, message, user_id, ip_address, job_id, additional_data, recorded_by"
    };
}

/// The words of `severity` or worse.
fn at_least(severity: Severity) -> impl Iterator<Item = &'static str> {
    Severity::ALL.iter().filter(move |other| **other >= severity).map(|other| other.as_str())
}

macro_rules! push_filter {
    ($builder:expr, $query:expr, $like:expr) => {{
        let (builder, query) = (&mut $builder, $query);
        builder.push(" WHERE 1 = 1");
        if let Some(from) = query.from {
            builder.push(" AND id >= ").push_bind(first_id_of(from)).push(" AND at >= ").push_bind(from);
        }
        if let Some(to) = query.to {
            builder.push(" AND id <= ").push_bind(last_id_of(to)).push(" AND at <= ").push_bind(to);
        }
        if let Some(event_type) = query.event_type {
            builder.push(" AND event_type = ").push_bind(event_type.as_str());
        }
        if let Some(severity) = query.severity {
            builder.push(" AND severity = ").push_bind(severity.as_str());
        }
        if let Some(severity) = query.min_severity {
            let mut words = builder.push(" AND severity IN (").separated(", ");
            at_least(severity).for_each(|word| {
                words.push_bind(word);
            });
            builder.push(")");
        }
        if let Some(user) = query.user_id {
            builder.push(" AND user_id = ").push_bind(user.0);
        }
        if let Some(job) = query.job_id {
            builder.push(" AND job_id = ").push_bind(job.0);
        }
        if let Some(text) = &query.q {
            builder.push(" AND message").push($like).push_bind(contains_pattern(text)).push(r" ESCAPE '\'");
        }
        if let Some(before) = query.before {
            builder.push(" AND id < ").push_bind(before.0);
        }
        if let Some(after) = query.after {
            builder.push(" AND id > ").push_bind(after.0);
        }
    }};
}

/// Rows that match, and how many match in all. Newest first unless asked otherwise.
pub async fn list(tx: &mut Tx, query: &LogQuery, slice: Slice) -> Result<(Vec<LogEntry>, u64), sqlx::Error> {
    let like = tx.text(&LIKE);
    on!(tx, |conn| {
        let mut count = QueryBuilder::<DB>::new("SELECT COUNT(*) FROM system_logs");
        push_filter!(count, query, like);
        let total: i64 = count.build_query_scalar().fetch_one(&mut *conn).await?;
        let mut rows = QueryBuilder::<DB>::new(concat!("SELECT ", columns!(), " FROM system_logs"));
        push_filter!(rows, query, like);
        rows.push(if query.order == Some(Order::Asc) { " ORDER BY id ASC" } else { " ORDER BY id DESC" });
        rows.push(" LIMIT ").push_bind(slice.limit).push(" OFFSET ").push_bind(slice.offset);
        let rows: Vec<Row> = rows.build_query_as().fetch_all(conn).await?;
        Ok((rows.into_iter().map(LogEntry::from).collect(), total.unsigned_abs()))
    })
}

/// A job's latest entries, oldest first.
pub async fn of_job(tx: &mut Tx, job: JobId, limit: i64) -> Result<Vec<LogEntry>, sqlx::Error> {
    let query = LogQuery { job_id: Some(job), ..LogQuery::default() };
    let (mut rows, _) = list(tx, &query, Slice { limit, offset: 0 }).await?;
    rows.reverse();
    Ok(rows)
}

impl Told for LogEntry {
    const TABLE: Followed = followed!("log rows", "system_logs", columns!());

    fn signal(signals: &Signals) -> &Notify {
        &signals.logs
    }

    async fn behind(tx: &mut Tx, cursor: Cursor, limit: i64) -> Result<Vec<(Cursor, Self)>, sqlx::Error> {
        let sql = tx.text(&Self::TABLE.behind);
        let rows: Vec<Row> = on!(tx, |conn| sqlx::query_as(sql)
            .bind(cursor.tx)
            .bind(cursor.seq)
            .bind(limit)
            .fetch_all(conn)
            .await)?;
        Ok(rows.into_iter().map(|row| (Cursor { tx: row.tx, seq: row.seq }, row.into())).collect())
    }
}

const HISTOGRAM: Sql = Sql {
    sqlite: "SELECT (unixepoch(at) - $1) / $2 AS bucket, severity, COUNT(*) FROM system_logs
              WHERE id >= $3 AND id < $4 GROUP BY bucket, severity",
    postgres: "SELECT CAST(FLOOR((EXTRACT(EPOCH FROM at) - $1) / $2) AS BIGINT) AS bucket, severity, COUNT(*) FROM system_logs
                WHERE id >= $3 AND id < $4 GROUP BY bucket, severity",
};

/// Counts per severity in `count` buckets of `seconds` each from `from`, empty ones too.
pub async fn histogram(
    tx: &mut Tx,
    from: DateTime<Utc>,
    seconds: i64,
    count: u32,
) -> Result<Vec<Bucket>, sqlx::Error> {
    let start = |n: i64| from + TimeDelta::seconds(seconds * n);
    let mut buckets: Vec<Bucket> = (0..i64::from(count))
        .map(|n| Bucket { at: start(n), info: 0, warning: 0, error: 0, critical: 0 })
        .collect();
    let sql = tx.text(&HISTOGRAM);
    let rows: Vec<(i64, String, i64)> = on!(tx, |conn| {
        sqlx::query_as(sql)
            .bind(from.timestamp())
            .bind(seconds)
            .bind(first_id_of(from))
            .bind(first_id_of(start(i64::from(count))))
            .fetch_all(conn)
            .await
    })?;
    for (place, severity, rows) in rows {
        let bucket = usize::try_from(place).ok().and_then(|place| buckets.get_mut(place));
        let (Some(bucket), Ok(severity)) = (bucket, severity.parse::<Severity>()) else { continue };
        let counter = match severity {
            Severity::Info => &mut bucket.info,
            Severity::Warning => &mut bucket.warning,
            Severity::Error => &mut bucket.error,
            Severity::Critical => &mut bucket.critical,
        };
        *counter += rows.unsigned_abs();
    }
    Ok(buckets)
}

/// Deletes up to `limit` rows older than `before`; answers how many.
pub async fn prune(tx: &mut Tx, before: DateTime<Utc>, limit: i64) -> Result<u64, sqlx::Error> {
    on!(tx, |conn| {
        let deleted = sqlx::query(
            "DELETE FROM system_logs WHERE id IN (SELECT id FROM system_logs WHERE id < $1 ORDER BY id LIMIT $2)",
        )
        .bind(first_id_of(before))
        .bind(limit)
        .execute(conn)
        .await?;
        Ok(deleted.rows_affected())
    })
}
