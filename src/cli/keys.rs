//! `keys`: service keys, with which other programs call.

use astrops_api::{
    ids::KeyId,
    keys::{NewKey, ServiceKey},
    vocabulary::Scope,
};
use chrono::{DateTime, Utc};

use super::{
    context::{Context, Sure},
    failure::Failure,
    output::Tone,
    table::{Cell, Fit, Table},
    times,
    words::Words,
};

/// What can be done about service keys.
#[derive(clap::Subcommand)]
pub enum Command {
    /// List service keys, newest first, revoked ones too.
    List,
    /// Make a service key; its secret is written to stdout, once.
    Create(Create),
    /// Revoke a service key: it works no more from the next call.
    Revoke(Revoke),
}

/// Arguments of `keys create`.
#[derive(clap::Args)]
pub struct Create {
    /// What it is called in logs: lower-case letters, digits and hyphens
    name: String,
    /// What it may do; one or several
    #[arg(long = "scope", value_name = "SCOPE", required = true, num_args = 1.., value_delimiter = ',')]
    #[arg(value_parser = Words(Scope::ALL))]
    scopes: Vec<Scope>,
    #[command(flatten)]
    sure: Sure,
}

/// Arguments of `keys revoke`.
#[derive(clap::Args)]
pub struct Revoke {
    /// The key, by id or by name
    #[arg(value_name = "ID")]
    key: String,
    #[command(flatten)]
    sure: Sure,
}

impl Command {
    /// Does it.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::List => list(context).await,
            Self::Create(args) => args.run(context).await,
            Self::Revoke(args) => args.run(context).await,
        }
    }
}

async fn list(context: &Context) -> Result<(), Failure> {
    let list = context.client.keys().await?;
    context.out.answer(&list, |out| {
        if out.quiet {
            return list.keys.iter().try_for_each(|key| out.line(&key.id.to_string()));
        }
        if list.keys.is_empty() {
            out.note("no service keys; make one: astrops keys create NAME --scope SCOPE");
            return Ok(());
        }
        table(&list.keys, context.now).write(out)
    })
}

fn table(keys: &[ServiceKey], now: DateTime<Utc>) -> Table<6> {
    let mut table = Table::new([
        ("ID", Fit::Whole),
        ("NAME", Fit::Whole),
        ("STATE", Fit::Whole),
        ("SCOPES", Fit::Cut),
        ("LAST USED", Fit::Optional(1)),
        ("AGE", Fit::Optional(2)),
    ]);
    for key in keys {
        let state = match key.revoked_at {
            Some(time) => Cell::new(&format!("revoked {} ago", times::ago(now, time)), Tone::Dim),
            None => Cell::new("living", Tone::Good),
        };
        let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.as_str()).collect();
        table.row([
            key.id.to_string().into(),
            key.name.as_str().into(),
            state,
            scopes.join(", ").into(),
            key.last_used_at.map_or_else(|| "never".to_owned(), |time| times::ago(now, time)).into(),
            times::ago(now, key.created_at).into(),
        ]);
    }
    table
}

impl Create {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        context.danger(&format!("make service key {}", self.name), self.sure)?;
        let made = context.client.create_key(&NewKey { name: self.name, scopes: self.scopes }).await?;
        context.out.answer(&made, |out| {
            let key = &made.key;
            out.note(&format!("{} ({}): keep this secret, it is never shown again", key.name, key.id));
            // With --quiet too: without it the key would be lost. Alone on stdout, so that a script can take it.
            out.line(&super::output::neutral(made.secret.expose()))
        })
    }
}

impl Revoke {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        context.danger(&format!("revoke service key {}", self.key), self.sure)?;
        context.client.revoke_key(self.id(context).await?).await?;
        context.out.done(&format!("{}: revoked", self.key))
    }

    /// A name may look like an id, so the keys that there are decide.
    async fn id(&self, context: &Context) -> Result<KeyId, Failure> {
        let keys = context.client.keys().await?.keys;
        let named = keys.iter().find(|key| key.revoked_at.is_none() && key.name == self.key);
        let id = named.map(|key| key.id).or_else(|| self.key.parse().ok());
        id.ok_or_else(|| {
            Failure::Usage(format!(
                "no living service key is named {}: nothing was done\nsee: astrops keys list",
                self.key
            ))
        })
    }
}
