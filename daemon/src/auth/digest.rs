//! What is kept instead of a secret: its SHA-256. Enough for secrets with 256 random bits; passwords have argon2.

use ring::rand::{SecureRandom as _, SystemRandom};
use sha2::{Digest as _, Sha256};

/// Lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(half.into(), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// SHA-256 of `text` in hexadecimal digits.
pub fn sha256(text: &str) -> String {
    hex(&Sha256::digest(text))
}

/// 256 random bits in hexadecimal digits.
pub fn random() -> anyhow::Result<String> {
    let mut bytes = [0; 32];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| anyhow::anyhow!("the computer gives no randomness for a secret"))?;
    Ok(hex(&bytes))
}
