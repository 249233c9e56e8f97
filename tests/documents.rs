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
