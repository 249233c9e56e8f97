//! Refresh tokens: `ar_`, the session's id, its generation, and an HMAC-SHA256 over both with the signing key, all in
//! hexadecimal digits. Whoever knows session and generation (we do) can make the token again, so the table keeps only
//! a hash of the newest one, and a spent token can be told from a forged one.

use astrops_api::{Secret, ids::SessionId};
use chrono::TimeDelta;
use ring::hmac;
use uuid::Uuid;

use super::digest::hex;

/// A session ends when it was not refreshed for so long.
pub const SLIDING: TimeDelta = TimeDelta::days(14);
/// A session ends so long after the sign-in, however often it was refreshed.
pub const ABSOLUTE: TimeDelta = TimeDelta::days(30);
/// For so long a spent token gets the successor that it got before: an answer may have been lost on the way.
pub const GRACE: TimeDelta = TimeDelta::seconds(10);

const PREFIX: &str = "ar_";
const ID: usize = 32;
const GENERATION: usize = 16;
const TAG: usize = 64;

/// Makes and reads refresh tokens.
pub struct RefreshTokens(hmac::Key);

impl RefreshTokens {
    /// Tokens under the daemon's signing key.
    pub fn new(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// The token of `session` in its `generation`.
    pub fn make(&self, session: SessionId, generation: i64) -> Secret {
        let tag = hex(hmac::sign(&self.0, &message(session, generation)).as_ref());
        format!("{PREFIX}{}{generation:0GENERATION$x}{tag}", session.0.simple()).into()
    }

    /// Session and generation of a token that we made.
    pub fn read(&self, token: &Secret) -> Option<(SessionId, i64)> {
        let text = token.expose().strip_prefix(PREFIX)?;
        if text.len() != ID + GENERATION + TAG || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let (id, rest) = text.split_at(ID);
        let (generation, tag) = rest.split_at(GENERATION);
        let session = SessionId(Uuid::try_parse(id).ok()?);
        let generation = i64::from_str_radix(generation, 16).ok()?;
        let tag: Vec<u8> = (0..TAG)
            .step_by(2)
            .map(|at| u8::from_str_radix(&tag[at..at + 2], 16))
            .collect::<Result<_, _>>()
            .ok()?;
        // The comparison takes the same time wherever they differ.
        hmac::verify(&self.0, &message(session, generation), &tag).ok()?;
        Some((session, generation))
    }
}

/// No signed access token begins so: those begin with `eyJ`.
fn message(session: SessionId, generation: i64) -> Vec<u8> {
    [b"refresh".as_slice(), session.0.as_bytes(), &generation.to_be_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: SessionId = SessionId(Uuid::from_u128(7));

    #[test]
    fn a_token_names_its_session_and_generation() {
        let tokens = RefreshTokens::new(&[7; 32]);
        let token = tokens.make(SESSION, 3);
        assert!(token.expose().len() <= 200, "as the contract says");
        assert_eq!(tokens.read(&token), Some((SESSION, 3)));
        assert_eq!(tokens.make(SESSION, 3), token, "it can be made again");
        assert_ne!(tokens.make(SESSION, 4), token);
        assert_eq!(RefreshTokens::new(&[8; 32]).read(&token), None, "another key");
    }

    #[test]
    fn whatever_is_changed_makes_it_nobodys() {
        let tokens = RefreshTokens::new(&[7; 32]);
        let token = tokens.make(SESSION, 3);
        for at in 0..token.expose().len() {
            let mut changed = token.expose().as_bytes().to_vec();
            changed[at] = if changed[at] == b'1' { b'2' } else { b'1' };
            assert_eq!(tokens.read(&String::from_utf8(changed).unwrap().into()), None, "at {at}");
        }
        for text in ["", "ar_", "ar_é", "eyJhbGciOiJIUzI1NiJ9.e30.x"] {
            assert_eq!(tokens.read(&text.into()), None);
        }
    }
}
