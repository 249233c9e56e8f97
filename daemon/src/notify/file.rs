//! Writes each mail to `<dir>/<job id>.eml`, exactly once: temporary file, fsync, rename, fsync of the folder.
//!
//! The file's name is the proof: whoever finds it there does nothing. Readers see whole mails only. A crash may leave
//! a hidden temporary file (`.<job id>.<process>-<number>.tmp`), which nobody reads.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
};

use chrono::{DateTime, Utc};

use super::{Delivered, Mail};

/// Tells apart the temporary files of one process.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// A folder of `.eml` files.
#[derive(Clone, Debug)]
pub struct FileTransport {
    dir: PathBuf,
}

impl FileTransport {
    /// Writes below `dir`, which is made when the first mail comes.
    #[must_use]
    pub fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    pub(super) async fn deliver(&self, mail: &Mail, now: DateTime<Utc>) -> Delivered {
        let message = match mail.message(now) {
            Ok(message) => message.formatted(),
            Err(error) => return Delivered::refused(error),
        };
        let (dir, name) = (self.dir.clone(), format!("{}.eml", mail.job));
        let path = dir.join(&name);
        match blocking(move || write_once(&dir, &name, &message)).await {
            Ok(()) => Delivered::Sent { response: format!("written to {}", path.display()) },
            // Even if the file is there already, the next attempt finds it.
            Err(error) => Delivered::not_sent(format!("{} cannot be written: {error}", path.display())),
        }
    }

    /// Whether a file can be made in the folder.
    pub(super) async fn check(&self) -> Result<String, String> {
        let dir = self.dir.clone();
        let probe = move || {
            make_dir(&dir)?;
            let (path, _) = make_temporary(&dir, "check")?;
            fs::remove_file(path)
        };
        match blocking(probe).await {
            Ok(()) => Ok(format!("writes to {}", self.dir.display())),
            Err(error) => Err(format!("{} cannot be written to: {error}", self.dir.display())),
        }
    }
}

async fn blocking(work: impl FnOnce() -> io::Result<()> + Send + 'static) -> io::Result<()> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

fn write_once(dir: &Path, name: &str, message: &[u8]) -> io::Result<()> {
    make_dir(dir)?;
    let path = dir.join(name);
    if !path.try_exists()? {
        let (temporary, mut file) = make_temporary(dir, name)?;
        let written = file
            .write_all(message)
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::rename(&temporary, &path));
        if let Err(error) = written {
            // The error that matters is the first one; a hidden file left behind does no harm.
            let _ = fs::remove_file(&temporary);
            return Err(error);
        }
    }
    // Also when the file was there: its writer may have died between the rename and this.
    File::open(dir)?.sync_all()
}

/// A new file that only we can read: mails are private.
fn make_temporary(dir: &Path, name: &str) -> io::Result<(PathBuf, File)> {
    loop {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = dir.join(format!(".{name}.{}-{number}.tmp", process::id()));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        match options.open(&path) {
            Ok(file) => return Ok((path, file)),
            // Left by a crashed process that had our process id.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

/// Makes `dir` if need be, durably: a folder that a power cut takes away takes its mails along.
fn make_dir(dir: &Path) -> io::Result<()> {
    if dir.try_exists()? {
        return Ok(());
    }
    fs::create_dir_all(dir)?;
    match dir.canonicalize()?.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::notify::{
        Transport,
        mail::tests::{mail_to, noon},
        transport::tests::Marks,
    };

    async fn deliver(dir: &Path, to: &str, marks: &Marks) -> Delivered {
        let transport = Transport::File(FileTransport::new(dir.to_owned()));
        transport.deliver(&mail_to(to), noon(), marks, &CancellationToken::new()).await
    }

    fn names(dir: &Path) -> Vec<String> {
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[tokio::test]
    async fn a_mail_becomes_one_private_file_named_after_its_job() {
        let scratch = tempfile::tempdir().unwrap();
        let dir = scratch.path().join("deep/mail");
        let marks = Marks::default();
        let sent = deliver(&dir, "ada@example.org", &marks).await;
        let path = dir.join("01890a5d-ac96-774b-bcce-b302099a8007.eml");
        assert_eq!(sent, Delivered::Sent { response: format!("written to {}", path.display()) });
        assert!(fs::read_to_string(&path).unwrap().contains("To: ada@example.org\r\n"));
        assert_eq!(names(&dir).len(), 1, "no temporary file is left");
        assert!(marks.made.lock().unwrap().is_empty(), "a crash here is never unknown");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[tokio::test]
    async fn a_second_attempt_finds_the_file_and_leaves_it_alone() {
        let scratch = tempfile::tempdir().unwrap();
        deliver(scratch.path(), "first@example.org", &Marks::default()).await;
        let again = deliver(scratch.path(), "second@example.org", &Marks::default()).await;
        assert!(matches!(again, Delivered::Sent { .. }));
        let path = scratch.path().join(&names(scratch.path())[0]);
        assert!(fs::read_to_string(path).unwrap().contains("To: first@example.org\r\n"));
    }

    #[tokio::test]
    async fn attempts_at_the_same_time_leave_one_whole_mail() {
        let scratch = tempfile::tempdir().unwrap();
        let dir = scratch.path();
        let marks = Marks::default();
        let ends = futures::future::join_all((0..16).map(|_| deliver(dir, "ada@example.org", &marks))).await;
        assert!(ends.iter().all(|end| matches!(end, Delivered::Sent { .. })), "{ends:?}");
        assert_eq!(names(dir), ["01890a5d-ac96-774b-bcce-b302099a8007.eml"]);
        let whole = mail_to("ada@example.org").message(noon()).unwrap().formatted();
        assert_eq!(fs::read(dir.join(&names(dir)[0])).unwrap(), whole);
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_is_not_sent_and_may_be_tried_again() {
        let scratch = tempfile::tempdir().unwrap();
        let in_the_way = scratch.path().join("file");
        fs::write(&in_the_way, "").unwrap();
        let end = deliver(&in_the_way, "ada@example.org", &Marks::default()).await;
        assert!(matches!(end, Delivered::NotSent { permanent: false, .. }), "{end:?}");
        let end = deliver(scratch.path(), "nobody", &Marks::default()).await;
        assert!(matches!(end, Delivered::NotSent { permanent: true, .. }), "{end:?}");
    }

    #[tokio::test]
    async fn check_says_whether_the_folder_can_be_written_to() {
        let scratch = tempfile::tempdir().unwrap();
        let dir = scratch.path().join("mail");
        let transport = Transport::File(FileTransport::new(dir.clone()));
        assert_eq!(transport.check().await, Ok(format!("writes to {}", dir.display())));
        assert!(names(&dir).is_empty());
        fs::remove_dir(&dir).unwrap();
        fs::write(&dir, "").unwrap();
        assert!(transport.check().await.is_err());
    }
}
