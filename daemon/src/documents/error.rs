//! What can go wrong with the document database, told so that somebody can act.

/// Why a call was not answered, or a database not opened.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DocumentsError {
    /// The configuration names something that cannot be opened.
    #[error("[documents] url: {0}")]
    Url(String),
    /// Nobody answers there, or the file cannot be opened.
    #[error(
        "the document database {at} cannot be reached: {why}; look at its server, the network or the file"
    )]
    Unreachable {
        /// Host and port, or the path; never a password.
        at: String,
        /// What the driver said.
        why: String,
    },
    /// It did not answer in time. A write may have been done all the same: read before writing again.
    #[error(
        "the document database {at} did not answer within {seconds} s ({what}); it may be overloaded, and a write may \
         have been done all the same"
    )]
    Timeout {
        /// Host and port, or the path.
        at: String,
        /// What was asked.
        what: &'static str,
        /// How long it was waited.
        seconds: f64,
    },
    /// It answered no: rights are missing, or it does not know what was asked.
    #[error("the document database {at} refused ({what}): {why}")]
    Refused {
        /// Host and port, or the path.
        at: String,
        /// What was asked.
        what: &'static str,
        /// What it said.
        why: String,
    },
}
