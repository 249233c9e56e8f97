//! Documents that are made from code, or promise something about the tree.

/// `UPDATE_DOCS=1 cargo test --test documents` writes it anew.
#[test]
fn the_keys_document_is_the_key_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/KEYS.md");
    let made = astrops_tui::keys_document();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &made).unwrap();
    }
    assert!(
        std::fs::read_to_string(path).unwrap() == made,
        "docs/KEYS.md is not what the table says: run UPDATE_DOCS=1 cargo test --test documents"
    );
}

/// `docs/COVERAGE.md` says where everything is: each path that it names is there, and each test too.
#[test]
fn the_coverage_table_names_what_exists() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources = rust_files(root);
    let table = std::fs::read_to_string(root.join("docs/COVERAGE.md")).unwrap();
    let mut named = 0;
    for word in table.split('`').skip(1).step_by(2) {
        if let Some((file, test)) = word.split_once("::") {
            let there = sources.iter().any(|path| {
                path.file_stem().is_some_and(|stem| stem == file)
                    && std::fs::read_to_string(path).unwrap().contains(&format!("fn {test}("))
            });
            assert!(there, "docs/COVERAGE.md names the test {word}, which is not there");
            named += 1;
        } else if word.contains('/') && word.contains('.') && !word.contains('?') {
            assert!(root.join(word).exists(), "docs/COVERAGE.md names the file {word}, which is not there");
            named += 1;
        }
    }
    assert!(named > 80, "only {named} names were understood");
}

fn rust_files(root: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    let mut folders: Vec<_> = ["api", "daemon", "tui", "src", "tests"].map(|name| root.join(name)).into();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                found.push(path);
            }
        }
    }
    found
}

#[test]
fn the_tree_has_one_crypto_library() {
    let lock = include_str!("../Cargo.lock");
    for banned in ["aws-lc-sys", "aws-lc-rs", "openssl-sys", "openssl", "native-tls", "rsa"] {
        assert!(
            !lock.contains(&format!("name = \"{banned}\"\n")),
            "{banned} has come into the tree; deny.toml says why it must not"
        );
    }
}
