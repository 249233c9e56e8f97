//! A document as it was read: raw, decoded when somebody looks.

use bson::{Bson, Document, oid::ObjectId};

use super::value;

/// One document of a page. Its bytes are as the engine keeps them: equal bytes are equal documents (of one engine), so
/// a comparison with what was seen before needs no decoding.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its `_id`.
    pub id: ObjectId,
    body: Body,
}

#[derive(Clone, Debug)]
enum Body {
    Json(Vec<u8>),
    #[cfg(feature = "mongodb")]
    Bson(bson::RawDocumentBuf),
}

/// One document of a [`super::Documents::scan`], as the engine keeps it, for the time of a call.
#[derive(Clone, Copy, Debug)]
pub enum Raw<'a> {
    /// Extended JSON, as far as anybody can know: a text that was edited by hand may be anything.
    Json(&'a [u8]),
    /// BSON; unknown fields of a projection are left out.
    #[cfg(feature = "mongodb")]
    Bson(&'a bson::RawDocument),
}

impl<'a> Raw<'a> {
    /// The stored bytes.
    pub fn as_bytes(self) -> &'a [u8] {
        match self {
            Self::Json(text) => text,
            #[cfg(feature = "mongodb")]
            Self::Bson(raw) => raw.as_bytes(),
        }
    }

    /// To keep.
    pub fn to_row(self, id: ObjectId) -> Row {
        let body = match self {
            Self::Json(text) => Body::Json(text.to_vec()),
            #[cfg(feature = "mongodb")]
            Self::Bson(raw) => Body::Bson(raw.to_owned()),
        };
        Row { id, body }
    }
}

/// A document that is there and cannot be understood; somebody edited it by hand, or another program is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{id} cannot be read: {why}; correct or remove it in the document database")]
pub struct Malformed {
    /// Its `_id`.
    pub id: ObjectId,
    /// What is wrong with it.
    pub why: String,
}

impl Row {
    pub(super) fn json(id: ObjectId, text: Vec<u8>) -> Self {
        Self { id, body: Body::Json(text) }
    }

    #[cfg(feature = "mongodb")]
    pub(super) fn bson(id: ObjectId, raw: bson::RawDocumentBuf) -> Self {
        Self { id, body: Body::Bson(raw) }
    }

    /// The time at a path of a document of a MongoDB.
    #[cfg(feature = "mongodb")]
    pub(super) fn time(&self, path: &str) -> Option<bson::DateTime> {
        match &self.body {
            Body::Json(_) => None,
            Body::Bson(raw) => raw.get_datetime(path).ok(),
        }
    }

    /// The stored bytes.
    pub fn bytes(&self) -> &[u8] {
        match &self.body {
            Body::Json(text) => text,
            #[cfg(feature = "mongodb")]
            Body::Bson(raw) => raw.as_bytes(),
        }
    }

    /// The document, with its `_id`.
    pub fn document(&self) -> Result<Document, Malformed> {
        let malformed = |why: String| Malformed { id: self.id, why };
        let document: Document = match &self.body {
            Body::Json(text) => value::from_json(text).map_err(malformed)?,
            #[cfg(feature = "mongodb")]
            Body::Bson(raw) => {
                raw.try_into().map_err(|error: bson::error::Error| malformed(error.to_string()))?
            }
        };
        match document.get("_id") {
            Some(Bson::ObjectId(id)) if *id == self.id => Ok(document),
            Some(other) => Err(malformed(format!("the _id inside it is {other}"))),
            None => {
                let mut with_id = bson::doc! { "_id": self.id };
                with_id.extend(document);
                Ok(with_id)
            }
        }
    }
}
