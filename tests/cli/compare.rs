//! `reconcile compare`: both databases of a configuration, without a daemon.

use serde_json::{Value, json};

use crate::support::{Operator, Told, told};

struct Desk {
    operator: Operator,
    folder: tempfile::TempDir,
}

impl Desk {
    /// Both databases, with one user of ours.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = format!("[data]\ndir = '{}'\n", folder.path().join("data").display());
        std::fs::write(folder.path().join("astrops.toml"), settings).unwrap();
        let desk = Self { operator: Operator::at("http://127.0.0.1:1"), folder };
        let added = desk
            .says("user add --email ana@example.com --role employee --password-stdin", "a long password\n");
        assert_eq!(added.code, 0, "{}", added.err);
        desk
    }

    fn says(&self, command: &str, stdin: &str) -> Told {
        let config = self.folder.path().join("astrops.toml");
        let command = format!("{command} --config {}", config.display());
        told(self.operator.says(&command).write_stdin(stdin.to_owned()))
    }
}

#[test]
fn what_differs_is_told_and_nothing_is_changed() {
    let desk = Desk::new();
    let refused = desk.says("reconcile compare", "");
    assert_ne!(refused.code, 0);
    assert!(refused.err.contains("comparing makes none: check documents.url"), "{}", refused.err);
    assert!(!desk.folder.path().join("data/customer.db").exists(), "nothing is made by looking");
    assert_eq!(desk.says("documents init", "").code, 0);
    let compared = desk.says("reconcile compare", "");
    assert_eq!(compared.code, 0, "{}", compared.err);
    assert!(
        compared.out.starts_with("user ")
            && compared.out.contains("is missing in the documents: email \"ana@"),
        "{}",
        compared.out
    );
    assert!(compared.err.contains("user: 1 differ of 0 in the documents and 1 of ours"), "{}", compared.err);
    let lines = desk.says("reconcile compare user --json --exit-code", "");
    let found: Value = serde_json::from_str(&lines.out).unwrap();
    assert_eq!((lines.code, &found["kind"]), (1, &json!("missing_document")));
    assert_eq!(
        found["fields"][0],
        json!({ "field": "email", "document": null, "relational": "ana@example.com" })
    );
    let document = json!({ "_id": { "$oid": found["id"] }, "email": "Ana@example.com", "password": "x", "role": "admin" });
    let imported = desk.says("documents import users -", &document.to_string());
    assert_eq!(imported.code, 0, "{}", imported.err);
    let equal = desk.says("reconcile compare user --exit-code", "");
    assert_eq!((equal.code, equal.out.as_str()), (0, ""), "{}", equal.err);
    let none = desk.says("reconcile compare launch --json --exit-code", "");
    assert_eq!((none.code, none.out.as_str()), (0, ""), "{}", none.err);
}
