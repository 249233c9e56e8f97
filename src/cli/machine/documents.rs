//! `documents`: the customer document database of the configuration, whether the daemon runs or not.
//!
//! Files are as `mongoexport` writes them: one document of extended JSON per line; an array is read too.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
};

use astrops_daemon::{
    admin::open_documents,
    documents::{
        Collection, Documents, DocumentsError, Form,
        transfer::{self, Exported, ImportError},
    },
};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde_json::json;

use super::file::ConfigFile;
use crate::cli::{
    failure::{Failure, code, tell},
    output::{Output, neutral, safe_json},
};

/// A long import or export says how far it is after so many documents.
const TOLD_EVERY: u64 = 10_000;

/// What can be done about the document database.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Make the collections, indexes and validators that are missing; nothing that is there is changed.
    Init(ConfigFile),
    /// Store the documents of a file; what is there already is never changed.
    Import(Import),
    /// Write the documents of a collection to stdout or a new file.
    Export(Export),
    /// Show where it is, whether it answers, and how many documents there are.
    Status(ConfigFile),
}

/// Arguments of `documents import`.
#[derive(clap::Args)]
pub struct Import {
    /// users, sessions, events, bookings or eventcapacitylogs
    #[arg(value_name = "COLLECTION", value_parser = collections())]
    collection: Collection,
    /// The file; - is stdin
    #[arg(value_name = "FILE")]
    path: PathBuf,
    #[command(flatten)]
    file: ConfigFile,
}

/// Arguments of `documents export`.
#[derive(clap::Args)]
pub struct Export {
    /// users, sessions, events, bookings or eventcapacitylogs
    #[arg(value_name = "COLLECTION", value_parser = collections())]
    collection: Collection,
    /// A file that is not there yet, for its owner only; - is stdout [default: stdout]
    #[arg(value_name = "FILE")]
    path: Option<PathBuf>,
    /// Write every type in words, so that no reader can mistake an int64 for an int32
    #[arg(long)]
    canonical: bool,
    #[command(flatten)]
    file: ConfigFile,
}

fn collections() -> impl TypedValueParser<Value = Collection> {
    PossibleValuesParser::new(Collection::ALL.map(Collection::name))
        .try_map(|name| Collection::named(&name).ok_or("it is no collection"))
}

impl Command {
    /// Does it.
    pub async fn run(self, out: Output) -> Result<(), Failure> {
        match self {
            Self::Init(file) => init(&open(&file).await?, out).await,
            Self::Import(args) => args.run(out).await,
            Self::Export(args) => args.run(out).await,
            Self::Status(file) => status(&open(&file).await?, out).await,
        }
    }
}

async fn open(file: &ConfigFile) -> Result<Documents, Failure> {
    Ok(open_documents(&file.load()?.config).await?)
}

async fn init(documents: &Documents, out: Output) -> Result<(), Failure> {
    let steps = documents.init().await?;
    out.answer(&json!({ "documents": documents.at(), "steps": steps }), |out| {
        for step in steps.iter().filter(|step| step.done != "there") {
            let why = step.why.as_ref().map_or(String::new(), |why| format!(": {why}"));
            out.done(&format!("{} {}{why}", step.done, step.what))?;
        }
        let kept = steps.iter().filter(|step| step.done == "kept").count();
        out.done(&match kept {
            0 => format!("{} is complete", documents.at()),
            _ => format!("{} is complete but for {kept} that differ and were kept", documents.at()),
        })
    })
}

async fn status(documents: &Documents, out: Output) -> Result<(), Failure> {
    documents.ping().await?;
    let mut tallies = Vec::new();
    for collection in Collection::ALL {
        tallies.push((collection.name(), documents.count(collection).await?));
    }
    let counts: serde_json::Map<_, _> =
        tallies.iter().map(|(name, tally)| ((*name).to_owned(), json!(tally))).collect();
    let answer = json!({ "kind": documents.kind(), "at": documents.at(), "collections": counts });
    out.answer(&answer, |out| {
        out.line(&neutral(&format!("{} {} answers", documents.kind(), documents.at())))?;
        tallies.iter().try_for_each(|(name, tally)| {
            let foreign = match tally.foreign {
                0 => String::new(),
                count => format!(", and {count} whose _id is no ObjectId: nothing here sees those"),
            };
            out.line(&format!("{name:<18} {:>9}{foreign}", tally.documents))
        })
    })
}

impl Import {
    async fn run(self, out: Output) -> Result<(), Failure> {
        let shown = self.path.display();
        let file: Box<dyn BufRead> = if self.path == Path::new("-") {
            Box::new(BufReader::new(io::stdin()))
        } else {
            let file = File::open(&self.path)
                .map_err(|error| Failure::Usage(format!("cannot open {shown}: {error}; nothing was done")))?;
            Box::new(BufReader::new(file))
        };
        let documents = open(&self.file).await?;
        let mut next = TOLD_EVERY;
        let done = transfer::import(
            &documents,
            self.collection,
            file,
            |wrong| tell(&format!("{shown}:{}: {}", wrong.line, wrong.why)),
            |done| {
                let read = done.inserted + done.unchanged + done.refused;
                if read >= next {
                    next = read + TOLD_EVERY;
                    out.note(&format!("{read} documents read"));
                }
            },
        );
        let done = done.await.map_err(|error| match error {
            ImportError::Documents(error) => {
                let failure = Failure::from(error);
                let words = format!("{failure}\nwhat was stored stays; import the file again to go on");
                Failure::Explained { words, code: failure.code() }
            }
            error @ ImportError::File { .. } => Failure::Failed(format!("{shown}: {error}")),
        })?;
        let name = self.collection.name();
        out.answer(&done, |out| {
            let unchanged = match done.unchanged {
                0 => String::new(),
                count => format!(", {count} there already"),
            };
            out.done(&format!("{} documents imported into {name}{unchanged}", done.inserted))
        })?;
        if done.refused > 0 {
            tell(&format!("{} documents of {shown} were not imported, see above", done.refused));
            return Err(Failure::Told(code::FAILED));
        }
        Ok(())
    }
}

impl Export {
    async fn run(self, out: Output) -> Result<(), Failure> {
        let documents = open(&self.file).await?;
        let form = if self.canonical { Form::Canonical } else { Form::Relaxed };
        let path = self.path.as_deref().filter(|path| *path != Path::new("-"));
        let done = match path {
            None => {
                let mut stdout = BufWriter::new(io::stdout().lock());
                let done = write(&documents, self.collection, form, out, |line| {
                    // The same document to every parser, and harmless on a terminal.
                    Ok(writeln!(stdout, "{}", safe_json(line))?)
                });
                let done = done.await?;
                stdout.flush()?;
                done
            }
            Some(path) => to_file(&documents, self.collection, form, out, path).await?,
        };
        let shown = path.map_or_else(|| "stdout".to_owned(), |path| path.display().to_string());
        if path.is_some() {
            out.answer(&done, |out| {
                out.done(&format!("{} documents of {} in {shown}", done.documents, self.collection.name()))
            })?;
        }
        if done.malformed > 0 {
            tell(&format!("{} documents cannot be read and are not in {shown}, see above", done.malformed));
            return Err(Failure::Told(code::FAILED));
        }
        Ok(())
    }
}

/// A file that is complete or not there: it takes its name at the end. For its owner only, as people's data must be.
async fn to_file(
    documents: &Documents,
    collection: Collection,
    form: Form,
    out: Output,
    path: &Path,
) -> Result<Exported, Failure> {
    let failed = |error: io::Error| Failure::Failed(format!("cannot write {}: {error}", path.display()));
    if path.symlink_metadata().is_ok() {
        return Err(Failure::Usage(format!(
            "{} is there already: nothing was done; remove it or name another file",
            path.display()
        )));
    }
    let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    let mut file = BufWriter::new(tempfile::NamedTempFile::new_in(folder).map_err(failed)?);
    let done = write(documents, collection, form, out, |line| {
        file.write_all(line.as_bytes()).and_then(|()| file.write_all(b"\n")).map_err(failed)
    });
    let done = done.await?;
    let file = file.into_inner().map_err(|error| failed(error.into_error()))?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist_noclobber(path).map_err(|error| failed(error.error))?;
    Ok(done)
}

async fn write(
    documents: &Documents,
    collection: Collection,
    form: Form,
    out: Output,
    mut line: impl FnMut(&str) -> Result<(), Failure>,
) -> Result<Exported, Failure> {
    let mut written = 0;
    let told = |text: &str| {
        line(text)?;
        written += 1;
        if written % TOLD_EVERY == 0 {
            out.note(&format!("{written} documents written"));
        }
        Ok(())
    };
    transfer::export(documents, collection, form, told, |malformed| tell(&malformed.to_string())).await
}

impl From<DocumentsError> for Failure {
    fn from(error: DocumentsError) -> Self {
        let code = match error {
            DocumentsError::Url(_) => code::CONFIGURATION,
            DocumentsError::Unreachable { .. } | DocumentsError::Timeout { .. } => code::UNREACHABLE,
            DocumentsError::Refused { .. } => code::REFUSED,
        };
        Self::Explained { words: error.to_string(), code }
    }
}
