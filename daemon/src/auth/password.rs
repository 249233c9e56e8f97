//! Passwords: argon2id on a bounded pool. An unknown user costs the same time as a wrong password.

use std::sync::{Arc, OnceLock};

use argon2::{Argon2, PasswordHasher, PasswordVerifier, password_hash::phc::PasswordHash};
use astrops_api::Secret;
use tokio::sync::Semaphore;

/// Requests that may wait for a free core; the next one is told to come again.
const QUEUE: usize = 32;
/// Shortest and longest password, in characters (NIST SP 800-63B: length matters, composition rules do not).
const LENGTH: std::ops::RangeInclusive<usize> = 8..=128;
/// Passwords that are tried first by everybody who guesses.
const COMMON: &str = include_str!("common_passwords.txt");

/// Hashes and checks passwords, at most one a core.
#[derive(Clone)]
pub struct Passwords {
    cores: Arc<Semaphore>,
    queue: Arc<Semaphore>,
}

/// Why a password could not be hashed or checked.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// The queue is full.
    #[error("too many sign-ins at once")]
    Busy,
    /// A stored hash cannot be read, or the computer gives no randomness.
    #[error("password hashing failed: {0}")]
    Hashing(String),
}

/// What checking a password found.
#[derive(Debug, PartialEq, Eq)]
pub enum Checked {
    /// It is right; a new hash when the old one had other parameters.
    Right(Option<String>),
    /// It is wrong.
    Wrong,
}

impl Default for Passwords {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        Self { cores: Arc::new(Semaphore::new(cores)), queue: Arc::new(Semaphore::new(cores + QUEUE)) }
    }
}

impl Passwords {
    /// The argon2id hash of `password` as a PHC string.
    pub async fn hash(&self, password: &Secret) -> Result<String, PasswordError> {
        let password = password.clone();
        self.on_a_core(move || hash(&password)).await
    }

    /// Compares `password` with the hash of a user; without one it takes as long and is wrong.
    pub async fn check(&self, password: &Secret, stored: Option<String>) -> Result<Checked, PasswordError> {
        let password = password.clone();
        self.on_a_core(move || check(&password, stored.as_deref())).await
    }

    async fn on_a_core<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, PasswordError> + Send + 'static,
    ) -> Result<T, PasswordError> {
        let place = self.queue.clone().try_acquire_owned().map_err(|_| PasswordError::Busy)?;
        let core = self.cores.clone().acquire_owned().await.map_err(|_| PasswordError::Busy)?;
        // The permits go with the work: a caller that hangs up frees its place only when the hash is done.
        let work = tokio::task::spawn_blocking(move || {
            let _held = (place, core);
            work()
        });
        work.await.map_err(|error| PasswordError::Hashing(error.to_string()))?
    }
}

fn hash(password: &Secret) -> Result<String, PasswordError> {
    // The crate's default is the OWASP choice: argon2id, m = 19456 KiB, t = 2, p = 1.
    let hash = Argon2::default().hash_password(password.expose().as_bytes());
    hash.map(|hash: PasswordHash| hash.to_string()).map_err(|error| PasswordError::Hashing(error.to_string()))
}

fn check(password: &Secret, stored: Option<&str>) -> Result<Checked, PasswordError> {
    static NOBODY: OnceLock<String> = OnceLock::new();
    let argon2 = Argon2::default();
    let Some(stored) = stored else {
        let nobody = match NOBODY.get() {
            Some(nobody) => nobody,
            None => NOBODY.get_or_init(|| hash(&Secret::from("nobody has this")).unwrap_or_default()),
        };
        let _ = argon2.verify_password(password.expose().as_bytes(), nobody.as_str());
        return Ok(Checked::Wrong);
    };
    let parsed = PasswordHash::new(stored).map_err(|error| PasswordError::Hashing(error.to_string()))?;
    if argon2.verify_password(password.expose().as_bytes(), stored).is_err() {
        return Ok(Checked::Wrong);
    }
    let wanted = argon2::Params::default();
    let same = argon2::Params::try_from(&parsed).is_ok_and(|params| {
        (params.m_cost(), params.t_cost(), params.p_cost())
            == (wanted.m_cost(), wanted.t_cost(), wanted.p_cost())
    });
    Ok(Checked::Right(if same { None } else { Some(hash(password)?) }))
}

/// Whether `password` may be chosen; says why not.
pub fn check_choice(password: &Secret) -> Result<(), String> {
    let text = password.expose();
    let length = text.chars().count();
    if !LENGTH.contains(&length) {
        return Err(format!("must have {} to {} characters, not {length}", LENGTH.start(), LENGTH.end()));
    }
    let lower = text.to_lowercase();
    if COMMON.lines().any(|common| common == lower) {
        return Err("is among the passwords that are guessed first; choose another one".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_right_wrong_or_nobodys() {
        let passwords = Passwords::default();
        let hash = passwords.hash(&"correct horse".into()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert_eq!(
            passwords.check(&"correct horse".into(), Some(hash.clone())).await.unwrap(),
            Checked::Right(None)
        );
        assert_eq!(passwords.check(&"wrong horse!".into(), Some(hash)).await.unwrap(), Checked::Wrong);
        assert_eq!(passwords.check(&"correct horse".into(), None).await.unwrap(), Checked::Wrong);
    }

    #[tokio::test]
    async fn a_weaker_hash_is_made_anew_at_the_next_sign_in() {
        let weak = Argon2::from(argon2::Params::new(8192, 1, 1, None).unwrap());
        let hash: PasswordHash = weak.hash_password(b"correct horse").unwrap();
        let checked =
            Passwords::default().check(&"correct horse".into(), Some(hash.to_string())).await.unwrap();
        let Checked::Right(Some(stronger)) = checked else { panic!("{checked:?}") };
        assert!(stronger.contains("m=19456,t=2,p=1"));
    }

    #[test]
    fn short_long_and_common_passwords_are_refused() {
        assert!(check_choice(&"1234567".into()).is_err());
        assert!(check_choice(&"x".repeat(129).into()).is_err());
        assert!(check_choice(&"Password1".into()).unwrap_err().contains("guessed"));
        assert_eq!(check_choice(&"SecurePass123!".into()), Ok(()));
        assert_eq!(check_choice(&"пароль-длинный".into()), Ok(()));
    }
}
