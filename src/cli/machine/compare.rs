//! `reconcile compare`: every row of both databases, and what differs. Reads the databases of the configuration.

use astrops_api::vocabulary::EntityType;
use astrops_daemon::admin::{Detail, Kind, Trouble, compare};

use super::file::ConfigFile;
use crate::cli::{
    failure::{Failure, code},
    output::{Output, json_text, neutral},
    words::Words,
};

/// Arguments of `reconcile compare`.
#[derive(clap::Args)]
pub struct Args {
    /// launch, booking or user; all of them unless said
    #[arg(value_name = "TYPE", value_parser = Words(EntityType::ALL))]
    entity_type: Option<EntityType>,
    /// End with exit code 1 when something differs
    #[arg(long)]
    exit_code: bool,
    #[command(flatten)]
    file: ConfigFile,
}

impl Args {
    /// Does it: a line for each row that differs, and how many there were.
    pub async fn run(&self, out: Output) -> Result<(), Failure> {
        let config = self.file.load()?.config;
        let mut differing = 0;
        for kind in
            EntityType::ALL.iter().copied().filter(|kind| self.entity_type.is_none_or(|only| only == *kind))
        {
            let mut comparison = compare(&config, kind).await?;
            let mut found = 0u64;
            while let Some(details) = comparison.next().await? {
                for detail in &details {
                    found += 1;
                    if out.json { out.record(detail)? } else { out.line(&neutral(&line(detail)))? }
                }
            }
            let foreign = match comparison.foreign {
                0 => String::new(),
                count => {
                    format!("; {count} of ours have an id that carries no document's and were not compared")
                }
            };
            out.note(&format!(
                "{kind}: {found} differ of {} in the documents and {} of ours{foreign}",
                comparison.rows.document, comparison.rows.relational
            ));
            differing += found;
        }
        if self.exit_code && differing > 0 { Err(Failure::Told(code::FAILED)) } else { Ok(()) }
    }
}

/// `launch 65f0.. differs: capacity 20 | 21`: document first, ours second.
fn line(detail: &Detail) -> String {
    let values = detail.fields.iter().map(|field| {
        let value = |side: &Option<_>| side.as_ref().map_or("-".to_owned(), |value| json_text(value, false));
        match detail.kind {
            Kind::MissingDocument => format!("{} {}", field.field, value(&field.relational)),
            Kind::MissingRelational => format!("{} {}", field.field, value(&field.document)),
            Kind::Differs | Kind::Unreadable => {
                format!("{} {} | {}", field.field, value(&field.document), value(&field.relational))
            }
        }
    });
    let what = match detail.kind {
        Kind::Differs => "differs, document | relational",
        Kind::MissingDocument => "is missing in the documents",
        Kind::MissingRelational => "is missing in our database",
        Kind::Unreadable => "cannot be read",
    };
    let said: Vec<String> = match detail.kind {
        Kind::Unreadable => detail.faults.clone(),
        _ => values.collect(),
    };
    format!("{} {} {what}: {}", detail.entity_type, detail.id, said.join(", "))
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Documents(error) => error.into(),
            other => Self::Failed(format!("{other}; nothing was changed")),
        }
    }
}
