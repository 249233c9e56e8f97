//! The chain: SHA-256 over the hash before, the position, every column and the digest of the values, each with its length.

use astrops_api::resolution::ChainReport;
use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};
use sqlx::Row as _;
use uuid::Uuid;

use crate::{
    auth::digest::hex,
    db::{Db, Sql, Tx, on},
    store::users::ERASED,
};

/// Rows that are checked, or join the chain, at a time.
const PAGE: i64 = 500;

/// SHA-256 of the salt and the values of a row.
pub fn digest(salt: &[u8], body: &str) -> Vec<u8> {
    Sha256::new().chain_update(salt).chain_update(body).finalize().to_vec()
}

/// What the hash of a row covers.
pub struct Link<'a> {
    pub id: Uuid,
    pub at: DateTime<Utc>,
    pub entity_type: &'a str,
    pub entity_id: Uuid,
    pub job_id: Uuid,
    pub actor: &'a str,
    pub text: &'a str,
    pub digest: &'a [u8],
}

/// The end of the chain.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Head {
    /// Rows before it.
    pub seq: i64,
    /// Of the last one; 32 zero bytes when there is none.
    pub hash: Vec<u8>,
}

impl Head {
    /// With one row more.
    pub fn next(&self, link: &Link<'_>) -> Self {
        let seq = self.seq + 1;
        let mut hash = Sha256::new();
        let parts: [&[u8]; 10] = [
            &self.hash,
            &seq.to_be_bytes(),
            link.id.as_bytes(),
            &link.at.timestamp_micros().to_be_bytes(),
            link.entity_type.as_bytes(),
            link.entity_id.as_bytes(),
            link.job_id.as_bytes(),
            link.actor.as_bytes(),
            link.text.as_bytes(),
            link.digest,
        ];
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Self { seq, hash: hash.finalize().to_vec() }
    }
}

const LOCK: Sql = Sql {
    sqlite: "SELECT seq, hash FROM recon_chain WHERE id = 1",
    postgres: "SELECT seq, hash FROM recon_chain WHERE id = 1 FOR UPDATE",
};

/// The end of the chain, held until the transaction ends. The first time, what is older joins the chain.
pub async fn lock(tx: &mut Tx) -> Result<Head, sqlx::Error> {
    let sql = tx.text(&LOCK);
    let mut head: Head = on!(tx, |conn| sqlx::query_as(sql).fetch_one(conn).await)?;
    if head.seq > 0 {
        return Ok(head);
    }
    loop {
        let rows = page(tx, Which::Unchained).await?;
        if rows.is_empty() {
            return Ok(head);
        }
        for row in rows {
            let digest = row.values.as_ref().map_or_else(Vec::new, |(salt, body)| digest(salt, body));
            head = head.next(&Link { digest: &digest, ..row.link() });
            on!(tx, |conn| {
                sqlx::query("UPDATE recon_changes SET seq = $2, digest = $3, hash = $4 WHERE id = $1")
                    .bind(row.id)
                    .bind(head.seq)
                    .bind(digest)
                    .bind(&head.hash)
                    .execute(conn)
                    .await
                    .map(drop)
            })?;
        }
    }
}

/// Moves the end of the chain.
pub async fn advance(tx: &mut Tx, head: &Head) -> Result<(), sqlx::Error> {
    on!(tx, |conn| {
        sqlx::query("UPDATE recon_chain SET seq = $1, hash = $2 WHERE id = 1")
            .bind(head.seq)
            .bind(&head.hash)
            .execute(conn)
            .await
            .map(drop)
    })
}

/// A row as it is found, with whatever somebody may have made of it.
#[derive(Default)]
struct Found {
    seq: Option<i64>,
    id: Uuid,
    at: DateTime<Utc>,
    entity_type: String,
    entity_id: Uuid,
    job_id: Uuid,
    actor: String,
    text: String,
    digest: Vec<u8>,
    hash: Vec<u8>,
    /// Salt and body.
    values: Option<(Vec<u8>, String)>,
    /// It is about a person who was erased.
    may_be_empty: bool,
}

impl Found {
    fn link(&self) -> Link<'_> {
        Link {
            id: self.id,
            at: self.at,
            entity_type: &self.entity_type,
            entity_id: self.entity_id,
            job_id: self.job_id,
            actor: &self.actor,
            text: &self.text,
            digest: &self.digest,
        }
    }
}

enum Which {
    /// In the chain, behind the first and up to the second position.
    Chained(i64, i64),
    /// In no chain.
    Unchained,
}

/// Some rows, in the order of the chain, or of their ids.
async fn page(tx: &mut Tx, which: Which) -> Result<Vec<Found>, sqlx::Error> {
    on!(tx, |conn| {
        let mut query = sqlx::QueryBuilder::<DB>::new(
            "SELECT c.seq, c.id, c.at, c.entity_type, c.entity_id, c.job_id, c.actor, c.text, c.digest, c.hash,
                    v.salt, v.body, CASE WHEN c.entity_type = 'user' AND (u.id IS NULL OR u.email LIKE ",
        );
        query.push_bind(format!("%{ERASED}")).push(
            ") THEN 1 ELSE 0 END AS may_be_empty
               FROM recon_changes c LEFT JOIN recon_change_values v ON v.change_id = c.id
               LEFT JOIN users u ON u.id = c.entity_id WHERE ",
        );
        match which {
            Which::Chained(after, through) => {
                query.push("c.seq > ").push_bind(after).push(" AND c.seq <= ").push_bind(through);
                query.push(" ORDER BY c.seq LIMIT ").push_bind(PAGE);
            }
            Which::Unchained => {
                query.push("c.seq IS NULL ORDER BY c.id LIMIT ").push_bind(PAGE);
            }
        }
        let rows = query.build().fetch_all(conn).await?;
        // What cannot be read any more was not written by us: its hash will not fit.
        let found = rows.into_iter().map(|row| Found {
            seq: row.try_get("seq").unwrap_or_default(),
            id: row.try_get("id").unwrap_or_default(),
            at: row.try_get("at").unwrap_or_default(),
            entity_type: row.try_get("entity_type").unwrap_or_default(),
            entity_id: row.try_get("entity_id").unwrap_or_default(),
            job_id: row.try_get("job_id").unwrap_or_default(),
            actor: row.try_get("actor").unwrap_or_default(),
            text: row.try_get("text").unwrap_or_default(),
            digest: row.try_get("digest").unwrap_or_default(),
            hash: row.try_get("hash").unwrap_or_default(),
            values: row.try_get("salt").ok().flatten().zip(row.try_get("body").ok().flatten()),
            may_be_empty: row.try_get::<i32, _>("may_be_empty").unwrap_or_default() == 1,
        });
        Ok(found.collect())
    })
}

#[derive(sqlx::FromRow)]
struct End {
    seq: i64,
    hash: Vec<u8>,
    last: i64,
}

/// Checks the whole chain, page by page, up to where it ends now. What is added meanwhile is not looked at.
pub async fn verify(db: &Db) -> Result<ChainReport, sqlx::Error> {
    let mut tx = db.read().await?;
    let end: End = on!(tx, |conn| {
        sqlx::query_as(
            "SELECT seq, hash, (SELECT COALESCE(MAX(seq), 0) FROM recon_changes) AS last FROM recon_chain WHERE id = 1",
        )
        .fetch_one(conn)
        .await
    })?;
    let loose = loose(&mut tx, end.seq > 0).await?;
    tx.rollback().await?;
    let mut report =
        ChainReport { ok: true, rows: 0, erased: 0, broken_at: None, why: None, head: hex(&end.hash) };
    let mut head = Head { seq: 0, hash: vec![0; 32] };
    let mut after = i64::MIN;
    loop {
        let mut tx = db.read().await?;
        let rows = page(&mut tx, Which::Chained(after, end.seq.max(end.last))).await?;
        tx.rollback().await?;
        let Some(last) = rows.last().and_then(|row| row.seq) else { break };
        after = last;
        for row in rows {
            if let Err(why) = fits(&mut head, &row) {
                return Ok(broken(report, Some(row.id), &why));
            }
            report.rows += 1;
            report.erased += u64::from(row.values.is_none());
        }
    }
    if head.seq < end.seq {
        let why =
            format!("the log ends at row {}, and {} were written: the last are gone", head.seq, end.seq);
        report = broken(report, None, &why);
    } else if (head.seq, head.hash) != (end.seq, end.hash) {
        let why =
            "the last row is not the one that the chain ends with: rows were added, or the end was changed";
        report = broken(report, None, why);
    } else if let Some(id) = loose {
        report = broken(report, Some(id), "it has no place in the chain: it was not written by us");
    }
    Ok(report)
}

fn broken(report: ChainReport, at: Option<Uuid>, why: &str) -> ChainReport {
    ChainReport { ok: false, broken_at: at, why: Some(why.to_owned()), ..report }
}

/// A row, or the values of one, outside the chain. Rows that are older than it stand there until it begins.
async fn loose(tx: &mut Tx, has_begun: bool) -> Result<Option<Uuid>, sqlx::Error> {
    on!(tx, |conn| {
        sqlx::query_scalar(
            "SELECT id FROM recon_changes WHERE seq IS NULL AND $1
              UNION ALL
             SELECT change_id FROM recon_change_values WHERE change_id NOT IN (SELECT id FROM recon_changes) LIMIT 1",
        )
        .bind(has_begun)
        .fetch_optional(conn)
        .await
    })
}

/// Whether a row is the next one, as it was written.
fn fits(head: &mut Head, row: &Found) -> Result<(), String> {
    if row.seq != Some(head.seq + 1) {
        let found = row.seq.unwrap_or_default();
        return Err(format!(
            "it is row {found}, and row {} should follow: rows before it are gone",
            head.seq + 1
        ));
    }
    *head = head.next(&row.link());
    if head.hash != row.hash {
        return Err("it is not as it was written, or stands where another row was".to_owned());
    }
    match &row.values {
        Some((salt, body)) if digest(salt, body) != row.digest => Err("its values were changed".to_owned()),
        None if !row.may_be_empty => Err("its values are gone, and nobody was erased".to_owned()),
        _ => Ok(()),
    }
}
