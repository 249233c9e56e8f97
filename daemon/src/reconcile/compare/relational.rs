//! Pages of our own side: rows borrowed from SQLite, a binary COPY from PostgreSQL. Rows that are odd are read once more
//! as every other row of ours is, and understood by the codec.

use std::{borrow::Cow, sync::Arc};

use astrops_api::ids;
use futures::TryStreamExt as _;
use rusqlite::types::{Type, ValueRef};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    page::{Layout, Odd, Page, Raw, Raws},
    time,
};
use crate::{
    db::{Db, EngineTx},
    reconcile::{
        core::{
            codec::{self, Links},
            mapping::{Codec, Mapping},
            value::Side,
        },
        relational::{self, table},
    },
    scan::Scans,
};

/// What a binary COPY begins with.
const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
/// Microseconds from 1970 to 2000, where the times of PostgreSQL begin.
const EPOCH: i64 = 946_684_800_000_000;

/// The next rows after a key.
pub async fn read(
    db: &Db,
    mapping: &Mapping,
    layout: &Arc<Layout>,
    after: Option<Uuid>,
    limit: u32,
) -> Result<Page, sqlx::Error> {
    let page = if let Some(scans) = db.scans() {
        let page = sqlite(scans, mapping, layout, after, limit).await;
        page.map_err(|error| sqlx::Error::AnyDriverError(error.into()))?
    } else {
        let (mut tx, mut page) = (db.read().await?, Pending::default());
        if let EngineTx::Postgres(tx) = &mut tx.engine {
            postgres(tx, mapping, layout, after, limit, &mut page).await?;
        }
        tx.rollback().await?;
        page
    };
    page.finish(db, mapping, limit).await
}

#[derive(Default)]
struct Pending {
    page: Page,
    odd: Vec<usize>,
    last: Option<Uuid>,
    count: u32,
}

impl Pending {
    fn row(&mut self, key: Uuid, write: impl FnOnce(&mut Vec<u8>) -> Result<Option<i64>, Odd>) {
        (self.last, self.count) = (Some(key), self.count + 1);
        let Some(id) = ids::extract(key) else {
            self.page.foreign += 1;
            return;
        };
        if self.page.push(id, write).is_err() {
            self.odd.push(self.page.rows.len() - 1);
        }
    }

    async fn finish(mut self, db: &Db, mapping: &Mapping, limit: u32) -> Result<Page, sqlx::Error> {
        self.page.raw = self.page.raw.max(self.page.size());
        self.page.through = self.last.filter(|_| self.count >= limit);
        if self.odd.is_empty() {
            return Ok(self.page);
        }
        let keys: Vec<Uuid> = self.odd.iter().map(|&index| ids::embed(self.page.rows[index].id)).collect();
        let mut tx = db.read().await?;
        let found = relational::read_many(&mut tx, mapping, &keys).await?;
        tx.rollback().await?;
        let mut found = found.into_iter().peekable();
        let mut gone = Vec::new();
        // Both ascend.
        for (index, key) in self.odd.into_iter().zip(keys) {
            match found.next_if(|(id, ..)| *id == key) {
                Some((_, columns, _)) => {
                    let said = codec::from_columns(mapping, &columns, &Links::default());
                    self.page.put(index, mapping, Side::Relational, said.ok().as_ref());
                }
                None => gone.push(self.page.rows[index].id),
            }
        }
        self.page.rows.retain(|row| gone.binary_search(&row.id).is_err());
        Ok(self.page)
    }
}

async fn sqlite(
    scans: &Scans,
    mapping: &Mapping,
    layout: &Arc<Layout>,
    after: Option<Uuid>,
    limit: u32,
) -> Result<Pending, rusqlite::Error> {
    let names: Vec<&str> = layout.names().iter().map(|(name, _)| *name).collect();
    let (names, table) = (names.join(", "), table(mapping.entity));
    let text = format!("SELECT id, {names} FROM {table} WHERE id > ?1 ORDER BY id LIMIT ?2");
    // Before every key.
    let after = after.map_or_else(Vec::new, |after| after.as_bytes().to_vec());
    let layout = layout.clone();
    let page = scans.each(text, (after, limit), Pending::default(), move |page, row| {
        let key = row.get_ref(0)?.as_blob()?;
        let key = Uuid::from_slice(key)
            .map_err(|error| rusqlite::Error::FromSqlConversionFailure(0, Type::Blob, error.into()))?;
        let (mut raws, mut is_odd) = (Raws::default(), false);
        for (index, (raw, (_, codec))) in raws.iter_mut().zip(layout.names()).enumerate() {
            match stored_value(*codec, row.get_ref(index + 1)?) {
                Ok(value) => *raw = value,
                Err(Odd) => is_odd = true,
            }
        }
        page.row(key, |out| if is_odd { Err(Odd) } else { layout.write(&raws, out) });
        Ok(())
    });
    page.await
}

fn stored_value(codec: Codec, value: ValueRef<'_>) -> Result<Raw<'_>, Odd> {
    Ok(match (codec, value) {
        (_, ValueRef::Null) => Raw::Null,
        (Codec::Text | Codec::Email | Codec::Word { .. }, ValueRef::Text(text)) => {
            Raw::Text(Cow::Borrowed(std::str::from_utf8(text).map_err(|_| Odd)?))
        }
        (Codec::Time, ValueRef::Text(text)) => Raw::Time(time::millis(text).ok_or(Odd)?),
        (Codec::Money | Codec::Int { .. }, ValueRef::Integer(number)) => Raw::Int(number),
        (Codec::Bool, ValueRef::Integer(number @ 0..=1)) => Raw::Bool(number == 1),
        (Codec::Id, ValueRef::Blob(id)) => reference(id.try_into().map_err(|_| Odd)?)?,
        _ => return Err(Odd),
    })
}

fn reference(bytes: [u8; 16]) -> Result<Raw<'static>, Odd> {
    ids::extract(Uuid::from_bytes(bytes)).map(Raw::Id).ok_or(Odd)
}

async fn postgres(
    conn: &mut PgConnection,
    mapping: &Mapping,
    layout: &Layout,
    after: Option<Uuid>,
    limit: u32,
    page: &mut Pending,
) -> Result<(), sqlx::Error> {
    let names: Vec<&str> = layout.names().iter().map(|(name, _)| *name).collect();
    let (names, table) = (names.join(", "), table(mapping.entity));
    // COPY takes no parameters; the key is one of sixteen bytes, not a text of somebody.
    let range = after.map_or_else(String::new, |after| format!("WHERE id > '{after}'"));
    let text = format!(
        "COPY (SELECT id, {names} FROM {table} {range} ORDER BY id LIMIT {limit}) TO STDOUT (FORMAT binary)"
    );
    let mut bytes = Vec::new();
    let mut answer = conn.copy_out_raw(&text).await?;
    while let Some(part) = answer.try_next().await? {
        bytes.extend_from_slice(&part);
    }
    page.page.raw = bytes.len();
    tuples(layout, &bytes, page).ok_or_else(|| sqlx::Error::Protocol("a binary COPY that is none".to_owned()))
}

/// Signature, flags, extension; then rows of counted, measured values; then -1.
fn tuples(layout: &Layout, bytes: &[u8], page: &mut Pending) -> Option<()> {
    let mut rest = bytes.strip_prefix(SIGNATURE)?.get(4..)?;
    let extension = take::<4>(&mut rest)?;
    rest = rest.get(u32::from_be_bytes(extension) as usize..)?;
    loop {
        let columns = i16::from_be_bytes(take(&mut rest)?);
        if columns == -1 {
            return rest.is_empty().then_some(());
        }
        let mut next = || {
            let length = i32::from_be_bytes(take(&mut rest)?);
            let Ok(length) = usize::try_from(length) else { return Some(None) };
            let (value, after) = rest.split_at_checked(length)?;
            rest = after;
            Some(Some(value))
        };
        let key = Uuid::from_bytes(next()??.try_into().ok()?);
        let mut raws = Raws::default();
        let mut is_odd = false;
        for (raw, (_, codec)) in raws.iter_mut().zip(layout.names()) {
            match binary_value(*codec, next()?) {
                Ok(value) => *raw = value,
                Err(Odd) => is_odd = true,
            }
        }
        if usize::try_from(columns) != Ok(layout.names().len() + 1)
            || page.last.is_some_and(|last| last >= key)
        {
            return None;
        }
        page.row(key, |out| if is_odd { Err(Odd) } else { layout.write(&raws, out) });
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk()?;
    *rest = tail;
    Some(*head)
}

fn binary_value(codec: Codec, value: Option<&[u8]>) -> Result<Raw<'_>, Odd> {
    let Some(value) = value else { return Ok(Raw::Null) };
    let number = || value.try_into().map(i64::from_be_bytes).map_err(|_| Odd);
    Ok(match codec {
        Codec::Text | Codec::Email | Codec::Word { .. } => {
            Raw::Text(Cow::Borrowed(std::str::from_utf8(value).map_err(|_| Odd)?))
        }
        // Infinity is far outside of what is a time here.
        Codec::Time => Raw::Time(number()?.saturating_add(EPOCH).div_euclid(1_000)),
        Codec::Money | Codec::Int { .. } => Raw::Int(number()?),
        Codec::Bool => Raw::Bool(value == [1]),
        Codec::Id => reference(value.try_into().map_err(|_| Odd)?)?,
    })
}
