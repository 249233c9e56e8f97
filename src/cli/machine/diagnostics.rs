//! The daemon's own diagnostic log, apart from the system logs in its database: one line per record on stderr
//! (fit for journald), and JSON lines in a file that is rotated daily when `[logs] file` names one.
//!
//! `ASTROPS_LOG` says what is recorded, in the words of `tracing`: `warn`, `info,sqlx=debug`. Default `info`.
//! Limits: the file's writer drops records rather than stop the daemon when the disk cannot keep up.

use std::{
    env, fs,
    io::{self, Write},
    panic,
    path::Path,
};

use tracing_appender::{
    non_blocking::{NonBlocking, WorkerGuard},
    rolling::{RollingFileAppender, Rotation},
};
use tracing_subscriber::{EnvFilter, Layer, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::cli::{
    failure::{Failure, code},
    output::neutral,
};

/// The scheduler's library tells its own life at level info.
const USUAL: &str = "info,tokio_cron_scheduler=warn";

/// Whether records go to stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stderr {
    /// They do.
    On,
    /// A console owns the terminal.
    Off,
}

/// Starts the log of this process. What is in the file is complete when the guard is dropped.
pub fn start(file: Option<&Path>, keep: usize, stderr: Stderr) -> Result<Option<WorkerGuard>, Failure> {
    let words = env::var("ASTROPS_LOG").ok().filter(|words| !words.is_empty());
    let filter = EnvFilter::try_new(words.as_deref().unwrap_or(USUAL))
        .map_err(|error| wrong(format!("ASTROPS_LOG is not a filter: {error}")))?;
    let (writer, guard) = file.map(|path| rotating(path, keep)).transpose()?.unzip();
    let to_file =
        writer.map(|writer: NonBlocking| fmt::layer().json().flatten_event(true).with_writer(writer));
    let to_stderr = (stderr == Stderr::On).then(|| {
        let layer = fmt::layer().with_ansi(false).with_writer(|| OneLine(io::stderr()));
        // journald writes the time itself.
        if env::var_os("JOURNAL_STREAM").is_some() { layer.without_time().boxed() } else { layer.boxed() }
    });
    tracing_subscriber::registry()
        .with(filter)
        .with(to_file)
        .with(to_stderr)
        .try_init()
        .map_err(|error| Failure::Failed(format!("cannot start the diagnostic log: {error}")))?;
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(panic.place = %place, "panic: {}", panic.payload_as_str().unwrap_or("without words"));
    }));
    Ok(guard)
}

/// `astrops.log` becomes `astrops.2026-08-01.log`; `keep` of them are kept.
fn rotating(path: &Path, keep: usize) -> Result<(NonBlocking, WorkerGuard), Failure> {
    let refused = |why: &str| wrong(format!("[logs] file: cannot write to {}: {why}", path.display()));
    let folder = path.parent().unwrap_or(Path::new("."));
    let part =
        |part: Option<&std::ffi::OsStr>| part.and_then(|part| part.to_str()).unwrap_or_default().to_owned();
    let (name, suffix) = (part(path.file_stem()), part(path.extension()));
    if name.is_empty() {
        return Err(refused("it names no file"));
    }
    fs::create_dir_all(folder).map_err(|error| refused(&error.to_string()))?;
    let appender: RollingFileAppender = RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix(name)
        .filename_suffix(suffix)
        .max_log_files(keep)
        .build(folder)
        .map_err(|error| refused(&error.to_string()))?;
    Ok(tracing_appender::non_blocking(appender))
}

fn wrong(words: String) -> Failure {
    Failure::Explained { words, code: code::CONFIGURATION }
}

/// Makes each record one harmless line: a message may come from outside.
struct OneLine<W>(W);

impl<W: Write> Write for OneLine<W> {
    fn write(&mut self, record: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(record);
        writeln!(self.0, "{}", neutral(text.trim_end()))?;
        Ok(record.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_one_harmless_line() {
        let mut out = Vec::new();
        OneLine(&mut out).write_all(b"INFO mail to a\nb\x1b[2J\n").unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "INFO mail to a↵b␛[2J\n");
    }

    #[test]
    fn rotated_files_are_json_lines_and_only_so_many_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        for day in ["2020-01-01", "2020-01-02"] {
            fs::write(folder.path().join(format!("astrops.{day}.log")), "old\n").unwrap();
        }
        let (writer, guard) = rotating(&folder.path().join("astrops.log"), 2).unwrap();
        let subscriber =
            tracing_subscriber::registry().with(fmt::layer().json().flatten_event(true).with_writer(writer));
        tracing::subscriber::with_default(subscriber, || tracing::info!(job.id = "j1", "mail sent"));
        drop(guard);
        let mut files: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        assert_eq!(files.len(), 2, "{files:?}");
        let record: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(&files[1]).unwrap()).unwrap();
        assert_eq!((&record["message"], &record["job.id"]), (&"mail sent".into(), &"j1".into()));
    }
}
