//! What every list takes and says: which slice of it is wanted, and how much more there is.

use astrops_api::vocabulary::Order;

use super::{context::Context, failure::Failure, output::Output, table::Table, words::Words};

/// Rows shown unless said.
const USUAL: u32 = 20;

/// Which rows.
#[derive(clap::Args, Clone, Copy)]
pub struct Slice {
    /// The page, from 1
    #[arg(long, value_name = "N")]
    pub page: Option<u32>,
    /// Rows per page, at most 200 [default: 20]
    #[arg(long, value_name = "N")]
    pub page_size: Option<u32>,
    /// Rows to show, at most 200; another way to say --page-size
    #[arg(long, value_name = "N", conflicts_with_all = ["page", "page_size"])]
    pub limit: Option<u32>,
    /// Rows to pass over
    #[arg(long, value_name = "N", conflicts_with_all = ["page", "page_size"])]
    pub offset: Option<u64>,
    /// asc: smallest or oldest first; desc: largest or newest first
    #[arg(long, value_parser = Words(Order::ALL))]
    pub order: Option<Order>,
}

impl Slice {
    /// With the usual size, unless one was said.
    pub fn usual(self) -> Self {
        let counted = self.limit.is_some() || self.offset.is_some();
        Self { page_size: if counted { None } else { self.page_size.or(Some(USUAL)) }, ..self }
    }
}

/// What a list answered about itself.
#[derive(Clone, Copy, Debug)]
pub struct Counts {
    /// Rows of this page.
    pub shown: usize,
    /// Rows that match in all.
    pub total: u64,
    /// This page, from 1.
    pub page: u32,
    /// Rows per page.
    pub page_size: u32,
}

impl Counts {
    /// How many `things` there are, and how to see more: `more` says it when a person looks and there are more.
    pub fn summary(self, things: &str, out: Output, more: impl FnOnce() -> String) -> String {
        let shown = u64::try_from(self.shown).unwrap_or(u64::MAX);
        let seen = u64::from(self.page.saturating_sub(1)) * u64::from(self.page_size) + shown;
        match (shown, self.total) {
            (0, 0) => format!("no such {things}"),
            (shown, total) if shown == total => format!("{total} in all"),
            (shown, total) if shown > 0 && seen < total && out.width.is_some() => {
                format!("{shown} of {total}{}", more())
            }
            (shown, total) => format!("{shown} of {total}"),
        }
    }
}

/// Takes the counts of a page whose rows are under its plural name.
macro_rules! counts {
    ($page:ident.$plural:ident) => {
        $crate::cli::listing::Counts {
            shown: $page.$plural.len(),
            total: $page.total,
            page: $page.page,
            page_size: $page.page_size,
        }
    };
}
pub(crate) use counts;

/// A page for people: with `--quiet` only `ids`, else the table and how many `things` there are.
pub fn write<const N: usize>(
    context: &Context,
    things: &str,
    counts: Counts,
    ids: impl IntoIterator<Item = String>,
    table: impl FnOnce() -> Table<N>,
) -> Result<(), Failure> {
    let out = context.out;
    if out.quiet {
        return ids.into_iter().try_for_each(|id| out.line(&id));
    }
    table().write(out)?;
    let next = || format!("; more: --page {} --page-size {}", counts.page + 1, counts.page_size);
    out.note(&counts.summary(things, out, next));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_is_offered_only_when_there_is_more() {
        let terminal = Output { json: false, quiet: false, width: Some(80), colour: false };
        let summary = |shown, total, page, out| {
            Counts { shown, total, page, page_size: 20 }.summary("users", out, || "; more".to_owned())
        };
        assert_eq!(summary(0, 0, 1, terminal), "no such users");
        assert_eq!(summary(7, 7, 1, terminal), "7 in all");
        assert_eq!(summary(20, 41, 2, terminal), "20 of 41; more");
        assert_eq!(summary(1, 41, 3, terminal), "1 of 41");
        assert_eq!(summary(0, 41, 9, terminal), "0 of 41");
        assert_eq!(summary(20, 41, 1, Output { width: None, ..terminal }), "20 of 41");
    }
}
