//! Tokens of signed-in sessions: one file per daemon address in the OS state directory, for its owner only.
//!
//! One file each, so that two sign-ins at the same time cannot lose one another; written beside and renamed,
//! so that no reader sees half of one. Limits: the token is not encrypted, as those of other command lines.
//!
//! A refresh token is good for one refresh, and a spent one that comes back ends the session. So whoever refreshes holds
//! a lock file from reading the old tokens to writing the new ones; who waited for it finds them there.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use astrops_api::{Client, ClientError, Secret, auth::Refresh};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// A token that ends within this is refreshed before it is used.
const MARGIN: TimeDelta = TimeDelta::seconds(30);

/// A session that was signed in here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    /// The daemon.
    pub url: String,
    /// Who signed in.
    pub email: String,
    /// The access token.
    pub token: Secret,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
    /// What gets the next one; sessions that an older version kept have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<Secret>,
}

/// Where tokens are kept.
#[derive(Clone, Debug)]
pub struct Tokens {
    folder: PathBuf,
}

impl Tokens {
    /// Tokens under the state directory `state`.
    pub fn new(state: &Path) -> Self {
        Self { folder: state.join("tokens") }
    }

    /// The file for `url`: percent-encoded, so that no two addresses share one and none leaves the folder.
    fn path(&self, url: &str) -> PathBuf {
        let name = url.bytes().fold(String::new(), |name, byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' => name + &char::from(byte).to_string(),
            _ => name + &format!("%{byte:02X}"),
        });
        self.folder.join(name + ".json")
    }

    /// The session at `url`, if there is one.
    pub fn load(&self, url: &str) -> io::Result<Option<Saved>> {
        match fs::read(self.path(url)) {
            // A file that cannot be read as ours is like none: the next sign-in replaces it.
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Keeps a session, instead of the last one at its address.
    pub fn save(&self, saved: &Saved) -> io::Result<()> {
        make_private(&self.folder)?;
        // The temporary file is made with mode 0600.
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        serde_json::to_writer(&mut file, saved)?;
        file.flush()?;
        file.as_file().sync_all()?;
        file.persist(self.path(&saved.url)).map(drop).map_err(|error| error.error)
    }

    /// The session at the address of `client` with a token that is good and not `spent`: as it is kept, or refreshed
    /// and kept anew. `None` when there is none, or nothing to refresh it with.
    pub async fn renew(
        &self,
        client: &Client,
        spent: Option<&Secret>,
        now: impl Fn() -> DateTime<Utc>,
    ) -> Result<Option<Saved>, ClientError> {
        let is_good = |saved: &Saved| spent != Some(&saved.token) && saved.expires_at > now() + MARGIN;
        let url = client.base();
        match self.load(url).map_err(|error| unkept(&error))? {
            None => return Ok(None),
            Some(saved) if is_good(&saved) => return Ok(Some(saved)),
            Some(_) => {}
        }
        let _lock = self.lock(url).await.map_err(|error| unkept(&error))?;
        // Another process may have refreshed it, or signed out, before we had the lock.
        let Some(mut saved) = self.load(url).map_err(|error| unkept(&error))? else { return Ok(None) };
        if is_good(&saved) {
            return Ok(Some(saved));
        }
        let Some(refresh_token) = saved.refresh_token.take() else { return Ok(None) };
        let body = Refresh { refresh_token };
        let refreshed = match client.refresh(&body).await {
            // The answer may have been lost on its way; for some seconds the same token gets it again.
            Err(ClientError::Unreachable(_)) => client.refresh(&body).await?,
            answer => answer?,
        };
        saved.token = refreshed.token;
        saved.refresh_token = Some(refreshed.refresh_token);
        saved.expires_at = now() + TimeDelta::seconds(i64::try_from(refreshed.expires_in).unwrap_or(0));
        if self.save(&saved).is_err() {
            // The old tokens are spent, and using them again would end the session: better none.
            drop(self.forget(url));
        }
        Ok(Some(saved))
    }

    /// Waits until no other process refreshes the session at `url`; ends when it is dropped.
    async fn lock(&self, url: &str) -> io::Result<File> {
        let path = self.path(url).with_extension("lock");
        let lock = move || {
            let file = File::options().create(true).truncate(false).write(true).open(path)?;
            file.lock()?;
            Ok(file)
        };
        tokio::task::spawn_blocking(lock).await.map_err(io::Error::other)?
    }

    /// Forgets the session at `url`; it is well if there is none.
    pub fn forget(&self, url: &str) -> io::Result<()> {
        match fs::remove_file(self.path(url)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

fn unkept(error: &io::Error) -> ClientError {
    ClientError::Unexpected(format!("the kept session cannot be read or locked: {error}"))
}

#[cfg(unix)]
fn make_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn make_private(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved(url: &str) -> Saved {
        Saved {
            url: url.to_owned(),
            email: "ana@example.com".to_owned(),
            token: "a-token".into(),
            expires_at: "2026-08-01T10:00:00Z".parse().unwrap(),
            refresh_token: Some("a-refresh-token".into()),
        }
    }

    #[test]
    fn each_address_has_its_own_session() {
        let state = tempfile::tempdir().unwrap();
        let tokens = Tokens::new(state.path());
        assert_eq!(tokens.load("http://a").unwrap(), None);
        tokens.save(&saved("http://a")).unwrap();
        tokens.save(&saved("http://a/../b")).unwrap();
        tokens.forget("http://a/../b").unwrap();
        tokens.forget("http://a/../b").unwrap();
        assert_eq!(tokens.load("http://a").unwrap(), Some(saved("http://a")));
        assert_eq!(fs::read_dir(state.path().join("tokens")).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_a_token() {
        use std::os::unix::fs::PermissionsExt;
        let state = tempfile::tempdir().unwrap();
        let tokens = Tokens::new(&state.path().join("new"));
        tokens.save(&saved("http://a")).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&tokens.path("http://a")), 0o600);
        assert_eq!(mode(&tokens.folder), 0o700);
        let shown = format!("{:?}", saved("http://a"));
        assert!(!shown.contains("a-token") && !shown.contains("a-refresh-token"));
    }
}
