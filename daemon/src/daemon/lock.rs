//! A data folder is used by one daemon, and so is a SQLite database, wherever it lies.

use std::{
    fs::{self, DirBuilder, File, TryLockError},
    io::{Read as _, Seek as _, Write as _},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};

/// Held while the daemon lives; the kernel lets go when the process ends, however it ends.
pub struct DataLock {
    _files: Vec<File>,
}

impl DataLock {
    /// Makes the folder if it is missing (for its owner only) and takes its lock, and that of a SQLite database at
    /// `database_url`: what a daemon takes back at its start must be nobody else's.
    pub fn take(dir: &Path, database_url: &str) -> anyhow::Result<Self> {
        make_folder(dir)?;
        let mut files = vec![lock(&dir.join("daemon.lock"), &format!("the data folder {}", dir.display()))?];
        if let Some(path) = sqlite_file(database_url) {
            if let Some(folder) = path.parent().filter(|folder| *folder != Path::new("")) {
                make_folder(folder)?;
            }
            let mut name = path.clone().into_os_string();
            name.push(".lock");
            files.push(lock(Path::new(&name), &format!("the database {}", path.display()))?);
        }
        Ok(Self { _files: files })
    }
}

fn sqlite_file(url: &str) -> Option<PathBuf> {
    let path = url.strip_prefix("sqlite:")?;
    let path = path.strip_prefix("//").unwrap_or(path).split('?').next().unwrap_or_default();
    (!path.is_empty() && path != ":memory:").then(|| PathBuf::from(path))
}

/// Makes a folder, for its owner only, unless it is there.
pub fn make_folder(dir: &Path) -> anyhow::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .with_context(|| format!("cannot make the folder {}", dir.display()))
}

fn lock(path: &Path, what: &str) -> anyhow::Result<File> {
    let mut file = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .with_context(|| format!("cannot open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            let _ = file.read_to_string(&mut pid);
            bail!(
                "{what} is in use by the daemon with pid {}; stop it, or name another one in the configuration",
                pid.trim()
            );
        }
        Err(TryLockError::Error(error)) => {
            return Err(error).with_context(|| format!("cannot lock {}", path.display()));
        }
    }
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())?;
    file.sync_all()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_daemon_is_told_the_pid_of_the_first() {
        let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let url = format!("sqlite:{}", dir.path().join("astrops.db").display());
        let first = DataLock::take(dir.path(), &url).unwrap();
        let pid = format!("pid {}", std::process::id());
        let refusal = |dir: &Path, url: &str| DataLock::take(dir, url).err().unwrap().to_string();
        assert!(refusal(dir.path(), "postgres://localhost/x").contains(&pid));
        let same_database = refusal(other.path(), &url);
        assert!(same_database.contains(&pid) && same_database.contains("astrops.db"), "{same_database}");
        drop(first);
        DataLock::take(dir.path(), &url).unwrap();
    }
}
