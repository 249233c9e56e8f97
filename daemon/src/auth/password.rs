//! Passwords: argon2id on a bounded pool. An unknown user costs the same time as a wrong password.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use argon2::{Argon2, PasswordHasher, PasswordVerifier, password_hash::phc::PasswordHash};
use astrops_api::Secret;
use tokio::sync::Semaphore;

/// Requests that may wait for a free core; the next one is told to come again.
const QUEUE: usize = 32;
/// Shortest and longest password, in characters (NIST SP 800-63B: length matters, composition rules do not).
const LENGTH: std::ops::RangeInclusive<usize> = 8..=128;
/// Passwords that are tried first by everybody who guesses.
const COMMON: &str = include_str!("common_passwords.txt");
/// The hash of a password that nobody knows, with the parameters of a new one: checked where there is no hash to check.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$i34+HjTKoTR5g5rd0TSC/Q$0FtoPH70Uv8Xq5f3EmFmrFTTM+06IpeDDhWWxKIt+2c";

/// Hashes and checks passwords, at most one a core.
#[derive(Clone)]
pub struct Passwords {
    cores: Arc<Semaphore>,
    queue: Arc<Semaphore>,
    computed: Arc<AtomicU64>,
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
        Self {
            cores: Arc::new(Semaphore::new(cores)),
            queue: Arc::new(Semaphore::new(cores + QUEUE)),
            computed: Arc::default(),
        }
    }
}

impl Passwords {
    /// The argon2id hash of `password` as a PHC string.
    pub async fn hash(&self, password: &Secret) -> Result<String, PasswordError> {
        let (password, computed) = (password.clone(), self.computed.clone());
        self.on_a_core(move || hash(&password, &computed)).await
    }

    /// How many hashes were computed so far.
    pub fn computed(&self) -> u64 {
        self.computed.load(Ordering::Relaxed)
    }

    /// Compares `password` with the hash of a user; without one it takes as long and is wrong.
    pub async fn check(&self, password: &Secret, stored: Option<String>) -> Result<Checked, PasswordError> {
        let (password, computed) = (password.clone(), self.computed.clone());
        self.on_a_core(move || check(&password, stored.as_deref(), &computed)).await
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

fn hash(password: &Secret, computed: &AtomicU64) -> Result<String, PasswordError> {
    computed.fetch_add(1, Ordering::Relaxed);
    // The crate's default is the OWASP choice: argon2id, m = 19456 KiB, t = 2, p = 1.
    let hash = Argon2::default().hash_password(password.expose().as_bytes());
    hash.map(|hash: PasswordHash| hash.to_string()).map_err(|error| PasswordError::Hashing(error.to_string()))
}

fn check(password: &Secret, stored: Option<&str>, computed: &AtomicU64) -> Result<Checked, PasswordError> {
    let parsed = PasswordHash::new(stored.unwrap_or(NOBODY))
        .map_err(|error| PasswordError::Hashing(error.to_string()))?;
    computed.fetch_add(1, Ordering::Relaxed);
    let right = Argon2::default().verify_password(password.expose().as_bytes(), &parsed).is_ok();
    if !right || stored.is_none() {
        return Ok(Checked::Wrong);
    }
    let wanted = argon2::Params::default();
    let same = argon2::Params::try_from(&parsed).is_ok_and(|params| {
        (params.m_cost(), params.t_cost(), params.p_cost())
            == (wanted.m_cost(), wanted.t_cost(), wanted.p_cost())
    });
    Ok(Checked::Right(if same { None } else { Some(hash(password, computed)?) }))
}

/// Whether the owner of `email` may choose `password`; says why not.
pub fn check_choice(password: &Secret, email: &str) -> Result<(), String> {
    let text = password.expose();
    let length = text.chars().count();
    if !LENGTH.contains(&length) {
        return Err(format!("must have {} to {} characters, not {length}", LENGTH.start(), LENGTH.end()));
    }
    let lower = text.to_lowercase();
    if lower == email.trim().to_lowercase() {
        return Err("is the e-mail address; choose another one".to_owned());
    }
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

    #[tokio::test]
    async fn nobodys_hash_costs_what_a_new_one_does() {
        let made = Passwords::default();
        let fresh = made.hash(&"correct horse".into()).await.unwrap();
        assert_eq!(made.computed(), 1);
        for stored in [Some(fresh.clone()), None] {
            let before = made.computed();
            assert_eq!(made.check(&"wrong horse!".into(), stored).await.unwrap(), Checked::Wrong);
            assert_eq!(made.computed() - before, 1);
        }
        let costs = |hash: &str| hash.split('$').nth(3).map(ToOwned::to_owned);
        assert_eq!(costs(NOBODY), costs(&fresh));
        assert_eq!(NOBODY.len(), fresh.len());
    }

    #[test]
    fn short_long_common_and_own_passwords_are_refused() {
        let check = |password: &str| check_choice(&password.into(), "ana.maria@example.com");
        assert!(check("1234567").is_err());
        assert!(check(&"x".repeat(129)).is_err());
        assert!(check("Password1").unwrap_err().contains("guessed"));
        assert!(check("Ana.Maria@example.com").unwrap_err().contains("e-mail"));
        assert_eq!(check("SecurePass123!"), Ok(()));
        assert_eq!(check("пароль-длинный"), Ok(()));
    }

    #[test]
    fn the_common_ones_are_written_as_they_are_compared() {
        let all: Vec<&str> = COMMON.lines().collect();
        assert!(all.len() > 1000, "{}", all.len());
        for (n, common) in all.iter().enumerate() {
            assert!(LENGTH.contains(&common.chars().count()), "{common}: refused for its length anyway");
            assert_eq!(common.to_lowercase(), *common);
            assert!(n == 0 || all[n - 1] < *common, "{common} is out of order, or twice");
        }
    }
}
