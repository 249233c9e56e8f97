//! Pages of the customer documents.

use std::sync::Arc;

use astrops_api::{ids, vocabulary::EntityType};
use bson::oid::ObjectId;

#[cfg(feature = "mongodb")]
use super::bson as binary;
use super::{
    json,
    page::{Layout, Page},
};
use crate::{
    documents::{Documents, DocumentsError, Raw},
    reconcile::{
        core::{
            codec,
            mapping::Mapping,
            value::{Id, Record, Side},
        },
        facts::collection,
    },
};

/// The next documents after an id.
pub async fn read(
    documents: &Documents,
    mapping: &Mapping,
    layout: &Arc<Layout>,
    after: Option<Id>,
    limit: u32,
) -> Result<Page, DocumentsError> {
    // Leaving fields out costs the server more than sending them; a password is never asked for.
    let names: Option<Vec<&str>> =
        (mapping.entity == EntityType::User).then(|| layout.names().iter().map(|(name, _)| *name).collect());
    let (owned, of) = (layout.clone(), mapping.clone());
    let each = move |page: &mut Page, id: ObjectId, raw: Raw<'_>| {
        row(page, &of, &owned, id, raw);
    };
    let (after, page) = (after.map(ObjectId::from_bytes), Page::default());
    let scanned = documents.scan(collection(mapping.entity), after, limit, names.as_deref(), page, each);
    let mut page = scanned.await?;
    let full = u32::try_from(page.rows.len()).is_ok_and(|count| count >= limit);
    page.through = page.rows.last().filter(|_| full).map(|row| ids::embed(row.id));
    Ok(page)
}

/// Adds a document; whether it was understood at once.
pub fn row(page: &mut Page, mapping: &Mapping, layout: &Layout, object: ObjectId, raw: Raw<'_>) -> bool {
    let id = object.bytes();
    page.raw += raw.as_bytes().len();
    let done = page.push(id, |out| match raw {
        Raw::Json(text) => layout.write(&json::read(layout, &id, text)?, out),
        #[cfg(feature = "mongodb")]
        Raw::Bson(document) => layout.write(&binary::read(layout, document)?, out),
    });
    if done.is_err() {
        page.put(page.rows.len() - 1, mapping, Side::Document, decode(mapping, object, raw).as_ref());
    }
    done.is_ok()
}

fn decode(mapping: &Mapping, id: ObjectId, raw: Raw<'_>) -> Option<Record> {
    codec::from_document(mapping, &raw.to_row(id).document().ok()?).ok()
}
