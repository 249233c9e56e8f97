//! `launches create`, `edit`, `cancel`.

use astrops_api::{
    ids::LaunchId,
    launches::{CancelLaunch, EditLaunch, Launch, NewLaunch},
    money::Money,
};
use chrono::{DateTime, Utc};

use crate::cli::{
    context::{Context, Sure},
    failure::Failure,
    times,
    users::who::{self, Who},
};

/// Arguments of `launches create`.
#[derive(clap::Args)]
pub struct Create {
    /// What it is called
    #[arg(long, value_name = "TEXT")]
    title: String,
    /// When it starts: 2026-08-01T10:00:00Z, 2026-08-01, the next 10:00 (UTC), or 30d from now
    #[arg(long, value_name = "TIME", value_parser = times::future)]
    start: DateTime<Utc>,
    /// When it ends
    #[arg(long, value_name = "TIME", value_parser = times::future)]
    end: DateTime<Utc>,
    /// Seats, 1 to 1,000,000
    #[arg(long, value_name = "N")]
    capacity: u32,
    /// Of one seat, such as 120 or 120.50
    #[arg(long, value_name = "AMOUNT", default_value = "0")]
    price: Money,
    /// Where it lifts off
    #[arg(long, value_name = "TEXT")]
    venue: Option<String>,
    /// Its kind
    #[arg(long, value_name = "TEXT")]
    category: Option<String>,
    /// More about it
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// When its sale starts; at once unless said
    #[arg(long, value_name = "TIME", value_parser = times::future)]
    sales_start: Option<DateTime<Utc>>,
    /// The supplier, by id or e-mail address; operators must say it, suppliers are it
    #[arg(long, value_name = "ID")]
    host: Option<Who>,
    #[command(flatten)]
    sure: Sure,
}

/// Arguments of `launches edit`.
#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("change").required(true).multiple(true).args([
    "title", "start", "end", "capacity", "price", "venue", "category", "description", "sales_start", "sale_now",
])))]
pub struct Edit {
    /// The launch: a UUID or 24 hexadecimal digits
    id: LaunchId,
    /// What it is called
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// When it starts: 2026-08-01T10:00:00Z, 2026-08-01, the next 10:00 (UTC), or 30d from now
    #[arg(long, value_name = "TIME", value_parser = times::future)]
    start: Option<DateTime<Utc>>,
    /// When it ends
    #[arg(long, value_name = "TIME", value_parser = times::future)]
    end: Option<DateTime<Utc>>,
    /// Seats; not fewer than are held
    #[arg(long, value_name = "N")]
    capacity: Option<u32>,
    /// Of one seat; bookings that exist keep their amount
    #[arg(long, value_name = "AMOUNT")]
    price: Option<Money>,
    /// Where it lifts off; an empty text removes it
    #[arg(long, value_name = "TEXT")]
    venue: Option<String>,
    /// Its kind; an empty text removes it
    #[arg(long, value_name = "TEXT")]
    category: Option<String>,
    /// More about it; an empty text removes it
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// When its sale starts
    #[arg(long, value_name = "TIME", value_parser = times::future)]
    sales_start: Option<DateTime<Utc>>,
    /// Put it on sale at once
    #[arg(long, conflicts_with = "sales_start")]
    sale_now: bool,
    #[command(flatten)]
    sure: Sure,
}

/// Arguments of `launches cancel`.
#[derive(clap::Args)]
pub struct Cancel {
    /// The launch: a UUID or 24 hexadecimal digits
    id: LaunchId,
    /// Why; told to everybody who had booked
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    sure: Sure,
}

impl Create {
    /// Makes it.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        context.danger(&format!("put launch {} on sale", self.title), self.sure)?;
        let body = NewLaunch {
            title: self.title,
            description: self.description,
            venue: self.venue,
            category: self.category,
            start_date_time: self.start,
            end_date_time: self.end,
            capacity: self.capacity,
            price: self.price,
            sales_start_at: self.sales_start,
            host_id: who::maybe(context, self.host.as_ref()).await?,
        };
        let launch = context.client.create_launch(&body).await?;
        if context.out.quiet && !context.out.json {
            return context.out.line(&launch.id.to_string());
        }
        tell(context, &launch, "created")
    }
}

impl Edit {
    /// Changes it.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        context.danger(&format!("change launch {}", self.id), self.sure)?;
        let emptied = |text: String| (!text.is_empty()).then_some(text);
        let body = EditLaunch {
            title: self.title,
            description: self.description.map(emptied),
            venue: self.venue.map(emptied),
            category: self.category.map(emptied),
            start_date_time: self.start,
            end_date_time: self.end,
            capacity: self.capacity,
            price: self.price,
            sales_start_at: if self.sale_now { Some(None) } else { self.sales_start.map(Some) },
        };
        tell(context, &context.client.edit_launch(self.id, &body).await?, "changed")
    }
}

impl Cancel {
    /// Cancels it.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        context.danger(&format!("cancel launch {} and every booking of it", self.id), self.sure)?;
        let body = CancelLaunch { reason: self.reason };
        let launch = context.client.cancel_launch(self.id, &body).await?;
        tell(context, &launch, "cancelled with its bookings; everybody booked is told")
    }
}

/// What the launch is now.
fn tell(context: &Context, launch: &Launch, words: &str) -> Result<(), Failure> {
    context.out.answer(launch, |out| out.done(&format!("{}: {} {words}", launch.id, launch.title)))
}
