//! Access tokens: JWT HS256 over a session's id. The key is made at first start or comes from the configuration.

use std::{io::Write as _, path::Path, sync::Once};

use anyhow::{Context as _, bail};
use astrops_api::{
    Secret,
    ids::{SessionId, UserId},
};
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey, EncodingKey, Header, Validation,
    crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils},
    errors::{ErrorKind, Result as JwtResult},
};
use ring::{
    hmac,
    rand::{SecureRandom as _, SystemRandom},
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use signature::{Error, Signer, Verifier};

const AUDIENCE: &str = "astrops";
const KEY_FILE: &str = "auth.key";
const KEY_BYTES: usize = 32;

/// Signs and reads access tokens.
pub struct Tokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    lifetime: TimeDelta,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    aud: String,
    sub: UserId,
    sid: SessionId,
    iat: i64,
    exp: i64,
}

impl Tokens {
    /// Tokens signed with `key` that live for `seconds`.
    pub fn new(key: &[u8; KEY_BYTES], seconds: u64) -> Self {
        install_provider();
        Self {
            encoding: EncodingKey::from_secret(key),
            decoding: DecodingKey::from_secret(key),
            lifetime: TimeDelta::seconds(i64::try_from(seconds).unwrap_or(3600)),
        }
    }

    /// How long a token lives.
    pub fn lifetime(&self) -> TimeDelta {
        self.lifetime
    }

    /// A token for `session`.
    pub fn sign(&self, user: UserId, session: SessionId, now: DateTime<Utc>) -> anyhow::Result<Secret> {
        let claims = Claims {
            aud: AUDIENCE.to_owned(),
            sub: user,
            sid: session,
            iat: now.timestamp(),
            exp: (now + self.lifetime).timestamp(),
        };
        Ok(jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding)?.into())
    }

    /// The session of a token that is ours and has not expired at `now`.
    pub fn session(&self, token: &str, now: DateTime<Utc>) -> Option<SessionId> {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "aud", "sub"]);
        // The library asks the computer for the time; ours is a parameter.
        validation.validate_exp = false;
        let token = jsonwebtoken::decode::<Claims>(token, &self.decoding, &validation).ok()?;
        let typed = token.header.typ.as_deref() == Some("JWT");
        (typed && token.claims.exp > now.timestamp()).then_some(token.claims.sid)
    }
}

/// The signing key: `configured` (64 hexadecimal digits), else the file in `folder`, made with mode 0600 when missing.
pub fn signing_key(configured: Option<&SecretString>, folder: &Path) -> anyhow::Result<[u8; KEY_BYTES]> {
    if let Some(key) = configured {
        return decode(key.expose_secret()).context("auth.key must be 64 hexadecimal digits");
    }
    let path = folder.join(KEY_FILE);
    match std::fs::read_to_string(&path) {
        Ok(text) => decode(text.trim())
            .with_context(|| format!("{} is not a key: 64 hexadecimal digits", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => make_key(folder, &path),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// A key for another purpose, from which the signing key cannot be told.
pub fn derived(key: &[u8; KEY_BYTES], purpose: &str) -> [u8; KEY_BYTES] {
    let tag = ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key), purpose.as_bytes());
    let mut derived = [0; KEY_BYTES];
    derived.copy_from_slice(tag.as_ref());
    derived
}

fn make_key(folder: &Path, path: &Path) -> anyhow::Result<[u8; KEY_BYTES]> {
    let mut key = [0; KEY_BYTES];
    if SystemRandom::new().fill(&mut key).is_err() {
        bail!("the computer gives no randomness for a signing key");
    }
    let text = key.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    // NamedTempFile has mode 0600 from the start.
    let write = || -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    write().with_context(|| format!("cannot write {}", path.display()))?;
    Ok(key)
}

fn decode(text: &str) -> anyhow::Result<[u8; KEY_BYTES]> {
    let mut key = [0; KEY_BYTES];
    if text.len() != KEY_BYTES * 2 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        bail!("it has another length or other characters");
    }
    for (place, pair) in key.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *place = u8::from_str_radix(std::str::from_utf8(pair)?, 16)?;
    }
    Ok(key)
}

/// HS256 on ring: the library's own back ends would bring a second crypto library. Every other algorithm is refused.
struct Hs256(hmac::Key);

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(hmac::sign(&self.0, message).as_ref().to_vec())
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], tag: &Vec<u8>) -> Result<(), Error> {
        hmac::verify(&self.0, message, tag).map_err(|_| Error::new())
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

fn hs256(algorithm: Algorithm, family: AlgorithmFamily, key: &[u8]) -> JwtResult<Hs256> {
    match (algorithm, family) {
        (Algorithm::HS256, AlgorithmFamily::Hmac) => Ok(Hs256(hmac::Key::new(hmac::HMAC_SHA256, key))),
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    }
}

fn install_provider() {
    static PROVIDER: CryptoProvider = CryptoProvider {
        signer_factory: |algorithm, key| Ok(Box::new(hs256(*algorithm, key.family(), key.as_bytes())?)),
        verifier_factory: |algorithm, key| {
            Ok(Box::new(hs256(*algorithm, key.family(), key.try_get_as_bytes()?)?))
        },
        key_utils: KeyUtils::new_unimplemented(),
    };
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // It fails only when one is installed already, and nobody else does that.
        let _ = PROVIDER.install_default();
    });
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_token_names_its_session_until_it_expires() {
        let tokens = Tokens::new(&[7; 32], 60);
        let now: DateTime<Utc> = "2026-03-01T12:00:00Z".parse().unwrap();
        let session = SessionId(Uuid::from_u128(1));
        let token = tokens.sign(UserId(Uuid::from_u128(2)), session, now).unwrap();
        assert_eq!(tokens.session(token.expose(), now), Some(session));
        assert_eq!(tokens.session(token.expose(), now + TimeDelta::seconds(60)), None);
        assert_eq!(Tokens::new(&[8; 32], 60).session(token.expose(), now), None, "another key");
    }

    #[test]
    fn a_token_without_a_signature_or_with_another_algorithm_is_nobodys() {
        let tokens = Tokens::new(&[7; 32], 60);
        let now: DateTime<Utc> = "2026-03-01T12:00:00Z".parse().unwrap();
        let token = tokens.sign(UserId(Uuid::from_u128(2)), SessionId(Uuid::from_u128(1)), now).unwrap();
        let payload = token.expose().split('.').nth(1).unwrap();
        // {"alg":"none","typ":"JWT"} and {"alg":"HS512","typ":"JWT"}
        for header in ["eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0", "eyJhbGciOiJIUzUxMiIsInR5cCI6IkpXVCJ9"] {
            assert_eq!(tokens.session(&format!("{header}.{payload}."), now), None);
            let signature = token.expose().split('.').nth(2).unwrap();
            assert_eq!(tokens.session(&format!("{header}.{payload}.{signature}"), now), None);
        }
        assert_eq!(tokens.session("", now), None);
        assert_eq!(tokens.session("a.b.c", now), None);
    }

    #[test]
    fn the_key_is_made_once_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let key = signing_key(None, folder.path()).unwrap();
        assert_eq!(signing_key(None, folder.path()).unwrap(), key);
        let mode = std::fs::metadata(folder.path().join(KEY_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::write(folder.path().join(KEY_FILE), "nonsense").unwrap();
        assert!(signing_key(None, folder.path()).is_err());
    }
}
