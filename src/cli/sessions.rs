//! `sessions`: one's own sign-ins on other devices; and how sessions look, one's own and others'.

use astrops_api::{auth::Session, ids::SessionId};

use super::{
    context::{Context, Sure},
    failure::Failure,
    output::Tone,
    table::{Cell, Fit, Table},
    times,
};

/// What can be done about one's sessions.
#[derive(clap::Subcommand)]
pub enum Command {
    /// List your living sessions, the last used first.
    List,
    /// End one of your sessions; it works no more from the next call.
    Revoke(Revoke),
}

/// Arguments of `sessions revoke`.
#[derive(clap::Args)]
pub struct Revoke {
    /// The session
    id: SessionId,
    #[command(flatten)]
    sure: Sure,
}

impl Command {
    /// Does it.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::List => {
                let list = context.client.sessions().await?;
                context.out.answer(&list, |_| write(context, &list.sessions))
            }
            Self::Revoke(Revoke { id, sure }) => {
                context.danger(&format!("end session {id}"), sure)?;
                context.client.revoke_session(id).await?;
                context.out.done(&format!("{id}: ended"))
            }
        }
    }
}

/// Sessions for people.
pub fn write(context: &Context, sessions: &[Session]) -> Result<(), Failure> {
    let out = context.out;
    if out.quiet {
        return sessions.iter().try_for_each(|session| out.line(&session.id.to_string()));
    }
    if sessions.is_empty() {
        out.note("no living sessions");
        return Ok(());
    }
    let mut table = Table::new([
        ("ID", Fit::Whole),
        ("LAST USED", Fit::Number),
        ("BEGAN", Fit::Optional(2)),
        ("ENDS", Fit::Whole),
        ("ADDRESS", Fit::Cut),
        ("DEVICE", Fit::Cut),
        ("PROGRAM", Fit::Optional(1)),
    ]);
    for session in sessions {
        let device = &session.device_info;
        let mut last_used: Cell = times::ago(context.now, session.last_used_at).into();
        if session.is_current {
            last_used = Cell::new("this one", Tone::Good);
        }
        table.row([
            session.id.to_string().into(),
            last_used,
            times::ago(context.now, session.created_at).into(),
            times::ago(context.now, session.expires_at).into(),
            device.ip.as_deref().unwrap_or_default().into(),
            device.device_id.as_deref().unwrap_or_default().into(),
            device.user_agent.as_deref().unwrap_or_default().into(),
        ]);
    }
    table.write(out)
}
