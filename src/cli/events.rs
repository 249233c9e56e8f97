//! `events`: what happens to users, launches and bookings, as it happens.

use std::ops::ControlFlow;

use astrops_api::{
    events::{DomainEvent, EventStreamQuery},
    ids::EntityId,
    vocabulary::{DomainEventKind, EntityType},
};
use serde_json::json;

use super::{
    context::Context,
    failure::Failure,
    follow::{Event, follow},
    output::{Output, Tone, json_text, neutral},
    times,
    words::Words,
};

/// Arguments of `events`.
#[derive(clap::Args)]
pub struct Args {
    /// Follow: said or not, events are shown as they come
    #[arg(long, short)]
    follow: bool,
    /// Only of this kind
    #[arg(long = "type", value_name = "TYPE", value_parser = Words(DomainEventKind::ALL))]
    kind: Option<DomainEventKind>,
    /// Only about this kind of entity
    #[arg(long, value_name = "TYPE", value_parser = Words(EntityType::ALL))]
    entity_type: Option<EntityType>,
    /// Only about this entity
    #[arg(long, value_name = "ID")]
    entity_id: Option<EntityId>,
}

impl Args {
    /// Follows until interrupted.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let out = context.out;
        let open = async |after: Option<&str>| {
            let query = EventStreamQuery {
                after: after.map(str::to_owned),
                entity_type: self.entity_type,
                entity_id: self.entity_id,
            };
            context.client.event_stream_of(&query).await
        };
        follow(context, open, |event| {
            match event {
                Event::Value(event) if self.kind.is_none_or(|kind| kind == event.kind) => write(out, &event)?,
                Event::Value(_) => {}
                Event::Gap(count) if out.json => out.record(&json!({ "gap": count }))?,
                Event::Gap(count) => out.note(&format!("--- gap: {count} events are no longer kept ---")),
            }
            Ok(ControlFlow::Continue(()))
        })
        .await
    }
}

fn write(out: Output, event: &DomainEvent) -> Result<(), Failure> {
    if out.json {
        return out.record(event);
    }
    if out.quiet {
        return out.line(&event.id.to_string());
    }
    let time = out.paint(Tone::Dim, &times::fine(event.at));
    let kind = out.paint(tone(event.kind), &format!("{:<19}", event.kind));
    let data = match &event.data {
        serde_json::Value::Object(fields) if fields.is_empty() => String::new(),
        data => format!("  {}", neutral(&json_text(data, false))),
    };
    out.line(&format!("{time}  {kind}  {}{data}", event.entity_id))
}

const fn tone(kind: DomainEventKind) -> Tone {
    match kind {
        DomainEventKind::BookingCreated
        | DomainEventKind::LaunchCreated
        | DomainEventKind::LaunchSaleStarted
        | DomainEventKind::UserCreated => Tone::Good,
        DomainEventKind::BookingCancelled
        | DomainEventKind::LaunchCancelled
        | DomainEventKind::UserDeleted => Tone::Warn,
        DomainEventKind::BookingUpdated
        | DomainEventKind::LaunchUpdated
        | DomainEventKind::LaunchCompleted
        | DomainEventKind::UserUpdated => Tone::Plain,
    }
}
