//! Both sides of rows that differ, field by field, exactly as the codec reads them.

use astrops_api::{ids, vocabulary::EntityType};
use bson::oid::ObjectId;
use serde::Serialize;
use serde_json::Value as Json;

use super::{Differing, Kind};
use crate::{
    db::Db,
    documents::Documents,
    reconcile::{
        core::{
            codec::{self, Fault, Links},
            mapping::Mapping,
            value::{Record, Side, hex},
        },
        engine::Trouble,
        facts::collection,
        relational, seats,
    },
};

/// A row that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Detail {
    /// Of what.
    pub entity_type: EntityType,
    /// The document's id: 24 hexadecimal digits.
    pub id: String,
    /// How, as it was compared.
    pub kind: Kind,
    /// The compared fields that differ, and the seats that a launch has left by its counters; every field when one side
    /// is missing.
    pub fields: Vec<FieldDetail>,
    /// What cannot be understood, in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<String>,
}

/// What both sides hold in a field. A side that is missing or unreadable has nothing.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FieldDetail {
    /// Its name.
    pub field: &'static str,
    /// The document's value.
    pub document: Option<Json>,
    /// Ours.
    pub relational: Option<Json>,
}

/// What one side says.
enum Said {
    Missing,
    Row(Record),
    Unreadable(Vec<String>),
}

impl From<Result<Record, Vec<Fault>>> for Said {
    fn from(read: Result<Record, Vec<Fault>>) -> Self {
        match read {
            Ok(record) => Self::Row(record),
            Err(faults) => Self::Unreadable(faults.iter().map(ToString::to_string).collect()),
        }
    }
}

impl Said {
    fn value(&self, index: usize) -> Option<Json> {
        if let Self::Row(record) = self { Some(record.at(index).to_json()) } else { None }
    }
}

/// What both sides say now of rows that differed: one query for each side. Ascending ids in, the same order out. Rows that
/// are equal by now are left out.
pub async fn detail(
    db: &Db,
    documents: &Documents,
    mapping: &Mapping,
    differing: &[Differing],
) -> Result<Vec<Detail>, Trouble> {
    let objects: Vec<ObjectId> = differing.iter().map(|row| ObjectId::from_bytes(row.id)).collect();
    let keys: Vec<_> = differing.iter().map(|row| ids::embed(row.id)).collect();
    let found = documents.get(collection(mapping.entity), &objects).await?;
    let mut tx = db.read().await?;
    let ours = relational::read_many(&mut tx, mapping, &keys).await?;
    tx.rollback().await?;
    let (mut found, mut ours) = (found.into_iter().peekable(), ours.into_iter().peekable());
    let mut details = Vec::with_capacity(differing.len());
    for row in differing {
        let document = match found.next_if(|found| found.id.bytes() == row.id).map(|found| found.document()) {
            None => Said::Missing,
            Some(Ok(document)) => codec::from_document(mapping, &document).into(),
            Some(Err(malformed)) => Said::Unreadable(vec![malformed.why]),
        };
        let relational = match ours.next_if(|(key, ..)| *key == ids::embed(row.id)) {
            None => Said::Missing,
            Some((_, columns, _)) => codec::from_columns(mapping, &columns, &Links::default()).into(),
        };
        details.extend(compare(mapping, *row, &document, &relational));
    }
    Ok(details)
}

fn compare(mapping: &Mapping, row: Differing, document: &Said, relational: &Said) -> Option<Detail> {
    let kind = match (document, relational) {
        (Said::Missing, Said::Missing) => return None,
        (Said::Unreadable(_), _) | (_, Said::Unreadable(_)) => Kind::Unreadable,
        (Said::Missing, _) => Kind::MissingDocument,
        (_, Said::Missing) => Kind::MissingRelational,
        (Said::Row(_), Said::Row(_)) => Kind::Differs,
    };
    let mut fields: Vec<FieldDetail> = mapping
        .compared()
        .map(|index| FieldDetail {
            field: mapping.fields()[index].name,
            document: document.value(index),
            relational: relational.value(index),
        })
        .filter(|field| field.document != field.relational)
        .collect();
    if let (Said::Row(document), Said::Row(relational)) = (document, relational) {
        let left = |side, record| seats::left(mapping, side, record);
        let (one, other) = (left(Side::Document, document), left(Side::Relational, relational));
        let differs = (one != other).then(|| FieldDetail {
            field: "availableTickets",
            document: one.map(Json::from),
            relational: other.map(Json::from),
        });
        fields.extend(differs);
    }
    if kind == Kind::Differs && fields.is_empty() {
        return None;
    }
    let faults = [document, relational].into_iter().flat_map(|said| match said {
        Said::Unreadable(faults) => faults.clone(),
        Said::Missing | Said::Row(_) => Vec::new(),
    });
    let faults = faults.collect();
    Some(Detail { entity_type: mapping.entity, id: hex(&row.id), kind, fields, faults })
}
