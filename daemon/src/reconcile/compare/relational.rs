//! Pages of our own side: one packed row from SQLite, a binary COPY from PostgreSQL. Rows that are odd are read once more
//! as every other row of ours is, and understood by the codec.

use std::borrow::Cow;

use astrops_api::ids;
use futures::TryStreamExt as _;
use sqlx::{AssertSqlSafe, PgConnection, Row as _, SqliteConnection};
use uuid::Uuid;

use super::{
    page::{Layout, Odd, Page, Raw, Raws},
    time,
};
use crate::{
    db::{Db, EngineTx, Tx},
    reconcile::{
        core::{
            codec::{self, Links},
            mapping::{Codec, Mapping},
            value::Side,
        },
        relational::{self, table},
    },
};

/// Between the values and the rows of a packed page: characters that nobody types. A text that holds one all the same
/// makes the counts wrong, and the page is read row by row.
const UNIT: u8 = 0x1f;
const RECORD: u8 = 0x1e;
/// What a binary COPY begins with.
const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
/// Microseconds from 1970 to 2000, where the times of PostgreSQL begin.
const EPOCH: i64 = 946_684_800_000_000;

/// The next rows after a key.
pub async fn read(
    db: &Db,
    mapping: &Mapping,
    layout: &Layout,
    after: Option<Uuid>,
    limit: u32,
) -> Result<Page, sqlx::Error> {
    let mut tx = db.read().await?;
    let mut page = Pending::default();
    match &mut tx.engine {
        EngineTx::Sqlite(tx) => sqlite(tx, mapping, layout, after, limit, &mut page).await?,
        EngineTx::Postgres(tx) => postgres(tx, mapping, layout, after, limit, &mut page).await?,
    }
    let page = page.finish(&mut tx, mapping, limit).await?;
    tx.rollback().await?;
    Ok(page)
}

#[derive(Default)]
struct Pending {
    page: Page,
    odd: Vec<usize>,
    last: Option<Uuid>,
    count: u32,
}

impl Pending {
    fn row(&mut self, key: Uuid, write: impl FnOnce(&mut Vec<u8>) -> Result<(), Odd>) {
        (self.last, self.count) = (Some(key), self.count + 1);
        let Some(id) = ids::extract(key) else {
            self.page.foreign += 1;
            return;
        };
        if self.page.push(id, write).is_err() {
            self.odd.push(self.page.rows.len() - 1);
        }
    }

    async fn finish(mut self, tx: &mut Tx, mapping: &Mapping, limit: u32) -> Result<Page, sqlx::Error> {
        self.page.through = self.last.filter(|_| self.count >= limit);
        if self.odd.is_empty() {
            return Ok(self.page);
        }
        let keys: Vec<Uuid> = self.odd.iter().map(|&index| ids::embed(self.page.rows[index].id)).collect();
        let found = relational::read_many(tx, mapping, &keys).await?;
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
    conn: &mut SqliteConnection,
    mapping: &Mapping,
    layout: &Layout,
    after: Option<Uuid>,
    limit: u32,
    page: &mut Pending,
) -> Result<(), sqlx::Error> {
    let names: Vec<&str> = layout.names().iter().map(|(name, _)| *name).collect();
    let (names, table) = (names.join(", "), table(mapping.entity));
    let inner = format!("SELECT id, {names} FROM {table} WHERE id > $1 ORDER BY id LIMIT $2");
    // NULL would be left out. Of a text it means the same as nothing; else a value has a sign in front.
    let value = |(index, (name, codec)): (usize, &(&str, Codec))| match (codec, layout.may_be_null(index)) {
        (Codec::Id, _) => format!("hex({name})"),
        (Codec::Text | Codec::Email, true) => format!("ifnull({name}, '')"),
        (_, true) => format!("ifnull('=' || {name}, '')"),
        (_, false) => (*name).to_owned(),
    };
    let values: Vec<String> = layout.names().iter().enumerate().map(value).collect();
    let values = values.join(", ");
    let text = format!(
        "SELECT COUNT(*), CAST(group_concat(concat_ws(char(31), hex(id), {values}), char(30)) AS BLOB) FROM ({inner})"
    );
    // Before every key.
    let after = after.map_or_else(Vec::new, |after| after.as_bytes().to_vec());
    let packed = sqlx::query(AssertSqlSafe(text)).bind(&after).bind(limit).fetch_one(&mut *conn).await?;
    let count: i64 = packed.try_get(0)?;
    let bytes: &[u8] = packed.try_get::<Option<&[u8]>, _>(1)?.unwrap_or_default();
    page.page.raw = bytes.len();
    if count == 0 || unpack(layout, count, bytes, page).is_some() {
        return Ok(());
    }
    let text = format!("SELECT id FROM ({inner}) ORDER BY id");
    let keys: Vec<Uuid> =
        sqlx::query_scalar(AssertSqlSafe(text)).bind(&after).bind(limit).fetch_all(conn).await?;
    *page = Pending::default();
    for key in keys {
        page.row(key, |_| Err(Odd));
    }
    Ok(())
}

/// `None` when the rows are not what was asked for: some value holds a separator.
fn unpack(layout: &Layout, count: i64, bytes: &[u8], page: &mut Pending) -> Option<()> {
    let columns = layout.names().len();
    let (mut start, mut seen) = (0, 0);
    for end in memchr::memchr_iter(RECORD, bytes).chain([bytes.len()]) {
        let record = bytes.get(start..end)?;
        (start, seen) = (end + 1, seen + 1);
        let mut values = [&[][..]; super::page::MOST + 1];
        let (mut from, mut index) = (0, 0);
        for to in memchr::memchr_iter(UNIT, record).chain([record.len()]) {
            *values.get_mut(index)? = &record[from..to];
            (from, index) = (to + 1, index + 1);
        }
        let key = Uuid::from_bytes(time::unhex(values[0])?);
        if index != columns + 1 || page.last.is_some_and(|last| last >= key) {
            return None;
        }
        page.row(key, |out| {
            let mut raws = Raws::default();
            for (index, (raw, text)) in raws.iter_mut().zip(&values[1..index]).enumerate() {
                *raw = text_value(layout, index, text)?;
            }
            layout.write(&raws, out)
        });
    }
    (seen == count).then_some(())
}

fn text_value<'a>(layout: &Layout, index: usize, text: &'a [u8]) -> Result<Raw<'a>, Odd> {
    let codec = layout.names()[index].1;
    let is_text = matches!(codec, Codec::Text | Codec::Email);
    let text = match (layout.may_be_null(index) && !is_text, text) {
        (true, []) => return Ok(Raw::Null),
        (true, [b'=', value @ ..]) => value,
        (true, _) => return Err(Odd),
        (false, text) => text,
    };
    let utf8 = || std::str::from_utf8(text).map_err(|_| Odd);
    Ok(match codec {
        Codec::Text | Codec::Email | Codec::Word { .. } => Raw::Text(Cow::Borrowed(utf8()?)),
        Codec::Time => Raw::Time(time::millis(text).ok_or(Odd)?),
        Codec::Money | Codec::Int { .. } => Raw::Int(utf8()?.parse().map_err(|_| Odd)?),
        Codec::Bool => Raw::Bool(match text {
            b"0" => false,
            b"1" => true,
            _ => return Err(Odd),
        }),
        Codec::Id => reference(time::unhex(text).ok_or(Odd)?)?,
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
