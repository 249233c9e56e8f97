//! docs/KEYS.md, from the table.

use std::fmt::Write;

use super::{Scope, TABLE};

/// The text of docs/KEYS.md. A test of the workspace compares the file with it.
#[must_use]
pub fn document() -> String {
    let mut out = String::from(
        "# Keys of the console\n\n\
         Made from the table in `tui/src/keys/table.rs`; do not edit by hand.\n\n\
         A lowercase letter, a digit or a ctrl key never changes data. Only uppercase letters and the `x` menu do, \
         and they ask: `y` is yes, Enter is no. On a production profile, and above 20 items, the question wants the \
         number of items typed.\n",
    );
    for scope in Scope::ALL {
        let rows: Vec<_> = TABLE.iter().filter(|row| row.scopes.first() == Some(&scope)).collect();
        if rows.is_empty() {
            continue;
        }
        let _ = write!(
            out,
            "\n## {}\n\n| keys | action | what it does | command |\n|---|---|---|---|\n",
            scope.name()
        );
        for row in rows {
            let keys: Vec<String> = row.keys.iter().map(|key| code(key)).collect();
            let also: Vec<&str> = row.scopes[1..].iter().map(|scope| scope.name()).collect();
            let also =
                if also.is_empty() { String::new() } else { format!(" Also in: {}.", also.join(", ")) };
            let asks = if row.mutating { " **Changes data; asks first.**" } else { "" };
            let _ = writeln!(
                out,
                "| {} | {} | {}{asks}{also} | {} |",
                if keys.is_empty() { "`:`".to_owned() } else { keys.join(" ") },
                row.name,
                row.help,
                row.twin.map(code).unwrap_or_default()
            );
        }
    }
    out
}

fn code(text: &str) -> String {
    format!("`{}`", text.replace('|', "\\|"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_document_names_every_key() {
        insta::assert_snapshot!(super::document());
    }
}
