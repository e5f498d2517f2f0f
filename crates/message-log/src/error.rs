//! Why a broker does not open: whoever starts the program sees it.

/// The broker was not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The log below was not opened: it is in use, damaged, newer, or its disk fails.
    #[error("the broker's log cannot be opened")]
    Log(#[from] switchboard_log::OpenError),
    /// The log was opened and could not be read.
    #[error("the broker's log cannot be read")]
    Read(#[from] switchboard_log::ReadError),
    /// The log was opened and could not be written.
    #[error("the broker's log cannot be written")]
    Write(#[from] switchboard_log::AppendError),
    /// What the broker keeps beside the records is not what it wrote. Written by a newer version,
    /// or damaged: open it with that version, or restore the folder.
    #[error("the broker's cell `{name}` cannot be read")]
    Cell {
        /// The cell's name.
        name: String,
        /// What is wrong with it.
        #[source]
        source: postcard::Error,
    },
    /// What the broker noted about its queues is not what it wrote. Written by a newer version, or
    /// damaged: open it with that version, or restore the folder.
    #[error("the broker's note {position} about its queues cannot be read")]
    Note {
        /// Its place in the journal.
        position: u64,
        /// What is wrong with it.
        #[source]
        source: postcard::Error,
    },
}
