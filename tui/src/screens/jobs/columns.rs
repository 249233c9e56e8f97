//! The columns of the jobs.

use astrops_api::{
    jobs::Job,
    vocabulary::{Delivery, JobPhase, JobStatus},
};
use ratatui::style::Style;

use super::about;
use crate::{
    format,
    screen::Context,
    widgets::table::{Cell, Column},
};

/// The place of the column that the daemon orders by.
pub const CREATED: usize = 4;

/// Every column; which are shown depends on the room.
pub fn columns() -> Vec<Column<Job>> {
    let column = |title, width, rank, cell| Column { title, width, rank, right: false, cell, order: None };
    vec![
        column("ID", 8, 0, |job: &Job, context| (job.id.short(), context.look.dim)),
        column("TYPE", 14, 3, |job, _| (job.kind.to_string(), Style::new())),
        column("STATUS", 10, 0, status),
        column("TRY", 5, 4, |job, _| (format!("{}/{}", job.attempt, job.max_attempts), Style::new())),
        column("CREATED", 11, 2, |job, context| (format::moment(job.created_at, context.now), Style::new())),
        column("TOOK", 8, 6, took),
        column("TARGET", 0, 1, |job, _| (about::target(job), Style::new())),
        column("ERROR", 0, 5, |job, context| {
            (job.error_message.clone().unwrap_or_default(), context.look.bad)
        }),
    ]
}

/// The status, or the phase where it says more.
fn status(job: &Job, context: &Context<'_>) -> Cell {
    let style = context.look.job(job.status);
    match job.phase {
        _ if job.delivery == Some(Delivery::Unknown) => ("unknown ?".to_owned(), context.look.critical),
        JobPhase::Scheduled | JobPhase::Retrying | JobPhase::Cancelling => (job.phase.to_string(), style),
        _ => (job.status.to_string(), style),
    }
}

fn took(job: &Job, context: &Context<'_>) -> Cell {
    let shown = match (job.status, job.started_at, job.completed_at) {
        (JobStatus::Processing, Some(start), _) => format!("{}..", format::coarse(context.now - start)),
        (_, Some(start), Some(end)) => format::span(end - start),
        _ => String::new(),
    };
    (shown, context.look.dim)
}
