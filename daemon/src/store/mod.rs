//! SQL, one file per table family. Functions take `&mut Tx`; rows stay private to their file.
//!
//! To add a table: a migration in both folders, a file here, and its cases in `tests.rs` (they run on both engines).

pub mod audit;
pub mod bookings;
pub mod capacity;
pub mod change_log;
pub mod contacts;
pub mod cursor;
pub mod drift;
pub mod follows;
pub mod idempotency;
pub mod intents;
pub mod interests;
pub mod jobs;
pub mod keys;
pub mod launches;
pub mod lockout;
pub mod logs;
pub mod nodes;
pub mod outbox;
pub mod pauses;
pub mod payments;
pub mod reconcile;
pub mod schedules;
pub mod sessions;
pub mod sweeps;
pub mod users;

use chrono::{DateTime, SecondsFormat, Utc};
use sqlx::types::Json;
use uuid::Uuid;

use crate::db::Sql;

/// Which rows of a list: from [`crate::http::paging`].
#[derive(Clone, Copy, Debug)]
pub struct Slice {
    /// Rows to answer.
    pub limit: i64,
    /// Rows to pass over.
    pub offset: i64,
}

/// `time` as sqlx binds it on SQLite, so that rows written in a JSON batch sort among the others.
pub fn time_text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, false)
}

/// `id` as both `unhex` and PostgreSQL's UUID understand it.
pub fn id_text(id: Uuid) -> String {
    id.simple().to_string()
}

/// Compares a column with the list of ids that is bound first, by [`listed`].
pub const AMONG: Sql = Sql {
    sqlite: "IN (SELECT unhex(value) FROM json_each($1))",
    postgres: "= ANY (ARRAY(SELECT jsonb_array_elements_text($1)::uuid))",
};

/// Ids as one parameter, however many.
pub fn listed(ids: impl IntoIterator<Item = Uuid>) -> Json<Vec<String>> {
    Json(ids.into_iter().map(id_text).collect())
}

/// The operator that compares with a pattern whatever the case. SQLite knows the case of ASCII letters only.
pub const LIKE: Sql = Sql { sqlite: " LIKE ", postgres: " ILIKE " };

/// A pattern for [`LIKE`] that finds `text` anywhere; use with `ESCAPE '\'`.
pub fn contains_pattern(text: &str) -> String {
    format!("%{}%", escaped(text))
}

/// `text` in a pattern, where it stands for itself; use with `ESCAPE '\'`.
pub fn escaped(text: &str) -> String {
    let mut pattern = String::new();
    for letter in text.chars() {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern
}
