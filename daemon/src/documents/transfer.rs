//! Files of documents: one extended JSON document per line, as `mongoexport` writes them, or one array of them.
//!
//! Limits: a document of a file is at most 16 MiB, as in MongoDB. A line that is wrong is told and passed over; in an
//! array that ends in the middle nothing after that place is read.

use std::io::{self, BufRead, Read as _};

use bson::{Document, oid::ObjectId};

use super::{Collection, Documents, DocumentsError, Form, Inserted, from_json, same, to_json};

/// Larger is no document of MongoDB either.
const LARGEST: u64 = 16 * 1024 * 1024;
/// Documents of one write.
const BATCH: usize = 500;
/// Documents of one read.
const PAGE: u32 = 1_000;

/// What an import did so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Imported {
    /// Documents that were stored.
    pub inserted: u64,
    /// Documents that were there already, equal: the file was imported before.
    pub unchanged: u64,
    /// Lines that were not imported.
    pub refused: u64,
}

/// What is wrong with a line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The line, from 1; where the document begins.
    pub line: u64,
    /// What is wrong.
    pub why: String,
}

/// Why an import ended early; what was stored stays, and importing the file again goes on.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be read.
    #[error("cannot read the file after line {line}: {error}")]
    File {
        /// The last line that was read.
        line: u64,
        /// Why.
        error: io::Error,
    },
    /// The database.
    #[error(transparent)]
    Documents(#[from] DocumentsError),
}

/// Stores the documents of a file, in batches. `tell` hears what is wrong; `progress` how far it is.
pub async fn import(
    documents: &Documents,
    collection: Collection,
    file: impl BufRead,
    mut tell: impl FnMut(&Wrong),
    mut progress: impl FnMut(&Imported),
) -> Result<Imported, ImportError> {
    let mut done = Imported::default();
    let mut reader = Reader::new(file);
    let mut batch: Vec<(u64, Document)> = Vec::with_capacity(BATCH);
    loop {
        let next = reader.next().map_err(|error| ImportError::File { line: reader.line, error })?;
        let ended = next.is_none();
        match next.map(|(line, text)| (line, text.and_then(|text| parse(&text)))) {
            Some((line, Ok(document))) => batch.push((line, document)),
            Some((line, Err(why))) => {
                done.refused += 1;
                tell(&Wrong { line, why });
            }
            None => {}
        }
        if batch.len() == BATCH || ended {
            store(documents, collection, std::mem::take(&mut batch), &mut done, &mut tell).await?;
            progress(&done);
        }
        if ended {
            return Ok(done);
        }
    }
}

fn parse(text: &[u8]) -> Result<Document, String> {
    let document = from_json(text)?;
    match document.get("_id") {
        Some(bson::Bson::ObjectId(_)) => Ok(document),
        Some(other) => Err(format!("its _id is {other}, and must be {{\"$oid\": \"24 hex digits\"}}")),
        None => Err("it has no _id".to_owned()),
    }
}

async fn store(
    documents: &Documents,
    collection: Collection,
    batch: Vec<(u64, Document)>,
    done: &mut Imported,
    tell: &mut impl FnMut(&Wrong),
) -> Result<(), DocumentsError> {
    let (lines, batch): (Vec<u64>, Vec<Document>) = batch.into_iter().unzip();
    let outcomes = documents.insert(collection, &batch).await?;
    let id = |document: &Document| document.get_object_id("_id").unwrap_or_default();
    let exist: Vec<ObjectId> = batch
        .iter()
        .zip(&outcomes)
        .filter(|(_, outcome)| **outcome == Inserted::Exists)
        .map(|(document, _)| id(document))
        .collect();
    let there = if exist.is_empty() { Vec::new() } else { documents.get(collection, &exist).await? };
    for ((line, document), outcome) in lines.into_iter().zip(&batch).zip(outcomes) {
        let why = match outcome {
            Inserted::Done => {
                done.inserted += 1;
                continue;
            }
            Inserted::Exists => {
                let stored =
                    there.iter().find(|row| row.id == id(document)).and_then(|row| row.document().ok());
                if stored.is_some_and(|stored| same(&stored.into(), &document.clone().into())) {
                    done.unchanged += 1;
                    continue;
                }
                format!("another document with the _id {} is there; it was not touched", id(document))
            }
            Inserted::Taken(index) => format!("{} shares what must be unique ({index})", id(document)),
            Inserted::Refused(why) => why,
        };
        done.refused += 1;
        tell(&Wrong { line, why });
    }
    Ok(())
}

/// What an export wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Exported {
    /// Documents that were written.
    pub documents: u64,
    /// Documents that cannot be read.
    pub malformed: u64,
}

/// Writes every document of a collection by `write`, a line each without its end, ascending by id. `tell` hears of those
/// that cannot be read.
pub async fn export<E: From<DocumentsError>>(
    documents: &Documents,
    collection: Collection,
    form: Form,
    mut write: impl FnMut(&str) -> Result<(), E>,
    mut tell: impl FnMut(&super::Malformed),
) -> Result<Exported, E> {
    let mut done = Exported::default();
    let mut after = None;
    loop {
        let page = documents.page(collection, after, PAGE, None).await?;
        for row in &page.rows {
            match row.document() {
                Ok(document) => {
                    write(&to_json(&document, form))?;
                    done.documents += 1;
                }
                Err(malformed) => {
                    tell(&malformed);
                    done.malformed += 1;
                }
            }
        }
        after = page.next;
        if after.is_none() {
            return Ok(done);
        }
    }
}

/// The line on which a document begins, and its text or why there is none.
type Piece = (u64, Result<Vec<u8>, String>);

/// Cuts a file into documents.
struct Reader<R> {
    file: R,
    line: u64,
    /// Inside `[ .. ]`; `None` before the first document.
    array: Option<bool>,
}

impl<R: BufRead> Reader<R> {
    fn new(file: R) -> Self {
        Self { file, line: 0, array: None }
    }

    /// The next document's text and the line on which it begins.
    fn next(&mut self) -> io::Result<Option<Piece>> {
        if self.array.is_none() {
            if self.file.fill_buf()?.starts_with("\u{feff}".as_bytes()) {
                self.file.consume(3);
            }
            self.line = 1;
            let is_array = self.skip(|byte| byte.is_ascii_whitespace())? == Some(b'[');
            if is_array {
                self.file.consume(1);
            }
            self.array = Some(is_array);
        }
        if self.array == Some(true) { self.element() } else { self.whole_line() }
    }

    /// Passes over bytes and gives the first other one, which stays.
    fn skip(&mut self, over: impl Fn(u8) -> bool) -> io::Result<Option<u8>> {
        loop {
            let Some(byte) = self.file.fill_buf()?.first().copied() else { return Ok(None) };
            if !over(byte) {
                return Ok(Some(byte));
            }
            self.line += u64::from(byte == b'\n');
            self.file.consume(1);
        }
    }

    /// Gives up what is left.
    fn end(&mut self) -> io::Result<()> {
        self.array = Some(false);
        self.skip(|_| true).map(|_| ())
    }

    fn whole_line(&mut self) -> io::Result<Option<Piece>> {
        if self.skip(|byte| byte.is_ascii_whitespace())?.is_none() {
            return Ok(None);
        }
        let (began, mut text) = (self.line, Vec::new());
        (&mut self.file).take(LARGEST).read_until(b'\n', &mut text)?;
        let too_large = text.last() != Some(&b'\n') && self.skip(|byte| byte != b'\n')?.is_some();
        self.line += u64::from(text.last() == Some(&b'\n'));
        Ok(Some((began, if too_large { Err(TOO_LARGE.to_owned()) } else { Ok(text) })))
    }

    /// One element of the array, cut out by its braces; what is inside is judged later.
    fn element(&mut self) -> io::Result<Option<Piece>> {
        let over = |byte: u8| byte.is_ascii_whitespace() || byte == b',';
        let first = self.skip(over)?;
        let began = self.line;
        let told = |why: &str| Ok(Some((began, Err(why.to_owned()))));
        match first {
            Some(b'{') => {}
            Some(b']') => {
                self.file.consume(1);
                if self.skip(|byte| byte.is_ascii_whitespace())?.is_none() {
                    return Ok(None);
                }
                let follows = self.line;
                self.end()?;
                let why = "something follows the end of the array; it is not imported".to_owned();
                return Ok(Some((follows, Err(why))));
            }
            Some(_) => {
                self.end()?;
                return told("this is no document; nothing from here on is imported");
            }
            None if self.array == Some(true) => {
                self.array = Some(false);
                return told("the array has no end: the file may have been cut");
            }
            None => return Ok(None),
        }
        let (mut text, mut depth, mut quoted, mut escaped) = (Vec::new(), 0_u32, false, false);
        loop {
            let Some(byte) = self.file.fill_buf()?.first().copied() else {
                self.array = Some(false);
                return told("this document has no end: the file may have been cut");
            };
            self.file.consume(1);
            self.line += u64::from(byte == b'\n');
            text.push(byte);
            match byte {
                _ if escaped => escaped = false,
                b'\\' if quoted => escaped = true,
                b'"' => quoted = !quoted,
                b'{' if !quoted => depth += 1,
                b'}' if !quoted => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return Ok(Some((began, Ok(text))));
            }
            if u64::try_from(text.len()).unwrap_or(u64::MAX) > LARGEST {
                self.end()?;
                return told(TOO_LARGE);
            }
        }
    }
}

const TOO_LARGE: &str = "it is larger than 16 MiB";
