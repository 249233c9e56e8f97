//! `notify`: mails made from templates.

use astrops_api::{
    notifications::{NewNotification, NewPreview},
    vocabulary::NotificationType,
};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::{
    context::{Context, Sure},
    failure::Failure,
    jobs::watch,
    output::{Output, Tone, neutral},
    table::{Cell, Fit, Table},
    times,
    words::Words,
};

/// Arguments of `notify`.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(override_usage = "astrops notify [OPTIONS] <TYPE> <RECIPIENT> [KEY=VALUE]...\n       \
    astrops notify types\n       astrops notify preview <TYPE> [KEY=VALUE]...")]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    send: Option<Send>,
    // Beside `send` and not in it: clap does not see that an optional group with a group inside was given.
    #[command(flatten)]
    data: Data,
    #[command(flatten)]
    sure: Sure,
}

#[derive(clap::Subcommand)]
enum Command {
    /// List the types with the data that each needs.
    Types,
    /// Show subject and text of a notification; sends nothing.
    Preview(Preview),
}

#[derive(clap::Args)]
struct Send {
    /// The mail; see `astrops notify types`
    #[arg(value_name = "TYPE", value_parser = Words(NotificationType::ALL), ignore_case = true, hide_possible_values = true)]
    kind: NotificationType,
    /// Address of the one recipient
    recipient: String,
    /// Not before this time: 2026-08-01T10:00:00Z, 2026-08-01, the next 10:00 (UTC), or 30m from now
    #[arg(long, value_name = "TIME", value_parser = times::future)]
    run_at: Option<DateTime<Utc>>,
    /// Wait until it is sent; exit code 1 when it could not be
    #[arg(long)]
    wait: bool,
}

#[derive(clap::Args)]
struct Preview {
    /// The mail; see `astrops notify types`
    #[arg(value_name = "TYPE", value_parser = Words(NotificationType::ALL), ignore_case = true, hide_possible_values = true)]
    kind: NotificationType,
    #[command(flatten)]
    data: Data,
    /// Show the HTML body instead of the plain text
    #[arg(long)]
    html: bool,
}

/// What fills the template.
#[derive(clap::Args)]
struct Data {
    /// Fields of the data: KEY=TEXT, or KEY:=JSON for a number or an object
    #[arg(value_name = "KEY=VALUE", value_parser = pair)]
    pairs: Vec<(String, Value)>,
    /// The data as a JSON object, or one KEY=VALUE of it; may be repeated
    #[arg(long, value_name = "JSON", value_parser = fields)]
    data: Vec<Map<String, Value>>,
}

impl Data {
    fn value(self) -> Value {
        Value::Object(self.data.into_iter().flatten().chain(self.pairs).collect())
    }
}

fn pair(text: &str) -> Result<(String, Value), String> {
    let (key, value) = text.split_once('=').ok_or("say KEY=TEXT or KEY:=JSON")?;
    let (key, value) = match key.strip_suffix(':') {
        Some(key) => {
            (key, serde_json::from_str(value).map_err(|error| format!("not JSON after := ({error})"))?)
        }
        None => (key, Value::from(value)),
    };
    if key.is_empty() { Err("the key is empty".to_owned()) } else { Ok((key.to_owned(), value)) }
}

fn fields(text: &str) -> Result<Map<String, Value>, String> {
    if text.trim_start().starts_with('{') {
        serde_json::from_str(text).map_err(|error| format!("not a JSON object: {error}"))
    } else {
        pair(text).map(|pair| Map::from_iter([pair]))
    }
}

impl Args {
    /// Sends, lists or previews.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        match (self.command, self.send) {
            (Some(Command::Types), _) => types(context).await,
            (Some(Command::Preview(args)), _) => args.run(context).await,
            (None, Some(args)) => args.run(self.data, self.sure, context).await,
            (None, None) => Err(Failure::Usage("say what to send: astrops notify TYPE RECIPIENT".to_owned())),
        }
    }
}

impl Send {
    async fn run(self, data: Data, sure: Sure, context: &Context) -> Result<(), Failure> {
        context.danger(&format!("queue {} for {}", self.kind, neutral(&self.recipient)), sure)?;
        let body = NewNotification {
            kind: self.kind,
            recipient: self.recipient,
            data: data.value(),
            run_at: self.run_at,
        };
        let queued = context.client.notify(&body).await?;
        let out = context.out;
        if out.quiet && !out.json {
            out.line(&queued.job_id.to_string())?;
        }
        if self.wait {
            return watch::until_ended(context, &[queued.job_id]).await;
        }
        out.answer(&queued, |out| {
            out.done(&format!("{}: {} to {} {}", queued.job_id, body.kind, body.recipient, queued.status))
        })
    }
}

impl Preview {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let body = NewPreview { kind: self.kind, data: self.data.value() };
        let preview = context.client.preview(&body).await?;
        context.out.answer(&preview, |out| {
            out.line(&out.paint(Tone::Strong, &neutral(&preview.subject)))?;
            out.line("")?;
            let text = if self.html { &preview.html } else { &preview.text };
            text.lines().try_for_each(|line| out.line(&neutral(line)))
        })
    }
}

async fn types(context: &Context) -> Result<(), Failure> {
    let list = context.client.notification_types().await?;
    context.out.answer(&list, |out: Output| {
        if out.quiet {
            return list.types.iter().try_for_each(|kind| out.line(kind.kind.as_str()));
        }
        let mut table = Table::new([
            ("TYPE", Fit::Whole),
            ("REQUIRED", Fit::Whole),
            ("OPTIONAL", Fit::Optional(2)),
            ("DESCRIPTION", Fit::Optional(1)),
        ]);
        for kind in &list.types {
            table.row([
                kind.kind.as_str().into(),
                kind.required.join(", ").into(),
                Cell::new(&kind.optional.join(", "), Tone::Dim),
                kind.description.as_str().into(),
            ]);
        }
        table.write(out)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn data_is_a_json_object_with_pairs_added() {
        let pairs = ["name=Ana = B", "seats:=2", "empty="].map(|text| pair(text).unwrap());
        let data = [r#"{"seats":1,"venue":"Pad 1"}"#, "venue=Pad 39A"].map(|text| fields(text).unwrap());
        let data = Data { pairs: pairs.into(), data: data.into() };
        assert_eq!(data.value(), json!({"seats": 2, "venue": "Pad 39A", "name": "Ana = B", "empty": ""}));
        for bad in ["name", "=x", ":=1", "n:=x"] {
            assert!(pair(bad).is_err(), "{bad}");
        }
        assert!(fields("[1]").is_err() && fields("{1}").is_err());
    }
}
