//! What keeps a store from opening, and what the server's errors mean.

use sqlx::postgres::{PgDatabaseError, PgSeverity};
use switchboard_core::{BoxError, Name, Retryable, Verdict};
use switchboard_store::StoreError;
use switchboard_store::limits::InvalidTable;

/// The oldest server that the store works with, as `server_version_num` counts.
pub(crate) const OLDEST_SERVER: i32 = 130_000;

/// The store was not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The address cannot be read. Write `postgres://user:password@host:port/database`.
    #[error("the address is none: write postgres://user:password@host:port/database")]
    Address(#[source] sqlx::Error),
    /// Nobody answers. Check host, port and network, and that the server runs.
    #[error("no PostgreSQL answers at {at}: check host and port, and that the server runs")]
    Unreachable {
        /// Host and port.
        at: String,
        /// What the system said.
        #[source]
        source: BoxError,
    },
    /// The address asks for TLS, which is not built in. Use a private network or a local proxy.
    #[error("TLS is not built in: use sslmode=disable on a private network, or a local proxy")]
    Tls(#[source] sqlx::Error),
    /// The server does not let this user in. Check user, password and `pg_hba.conf`.
    #[error("PostgreSQL at {at} refuses user `{user}`: check the password and pg_hba.conf")]
    Refused {
        /// Host and port.
        at: String,
        /// The user.
        user: String,
        /// What the server said.
        #[source]
        source: sqlx::Error,
    },
    /// There is no such database. Create it, or name another.
    #[error("PostgreSQL at {at} has no database `{database}`: create it, or name another")]
    NoDatabase {
        /// Host and port.
        at: String,
        /// The database.
        database: String,
    },
    /// The server is too old. Use PostgreSQL 13 or newer.
    #[error("PostgreSQL {found} is too old: version 13 or newer is needed")]
    OldServer {
        /// Its version.
        found: String,
    },
    /// The server answers commits that it may lose. Set `synchronous_commit` to `on`.
    #[error(
        "synchronous_commit is off, so a commit that was answered may be lost: \
         turn it on for this role, database or server"
    )]
    AsynchronousCommit,
    /// The server is a standby, which takes no writes. Name the primary.
    #[error("PostgreSQL at {at} is a standby that takes no writes: name the primary")]
    Standby {
        /// Host and port.
        at: String,
    },
    /// The schema's name cannot be one. Choose another.
    #[error("`{name}` is no name for a schema: use 1 to 63 bytes, not beginning with `pg_`")]
    SchemaName {
        /// The name.
        name: String,
    },
    /// It was written by a newer version. Run that version, or a newer one.
    #[error(
        "schema `{schema}` has format {found} and this version knows up to {known}: \
         run the newer version"
    )]
    NewerFormat {
        /// The schema.
        schema: String,
        /// The format that it says it has.
        found: i32,
        /// The newest format known.
        known: i32,
    },
    /// It is another service's store. Name the right schema.
    #[error("schema `{schema}` is the store of `{found}`, not of `{expected}`: name another")]
    OtherSource {
        /// The schema.
        schema: String,
        /// Whose store it is.
        found: String,
        /// Whose store it should be.
        expected: Name,
    },
    /// A table's declaration cannot be kept, or does not fit the table that is there.
    #[error(transparent)]
    Table(#[from] InvalidTable),
    /// The user may not create or change what is needed. Grant it, or let an administrator open
    /// the store once.
    #[error("this user may not prepare schema `{schema}`: grant CREATE on the database or schema")]
    Denied {
        /// The schema.
        schema: String,
        /// What the server said.
        #[source]
        source: sqlx::Error,
    },
    /// Anything else that the server says.
    #[error("the store cannot be opened")]
    Server(#[source] sqlx::Error),
}

/// What a failed statement means for the units of its transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// The connection is gone, or of no use any more.
    Lost,
    /// These data will never be taken.
    Data,
    /// Somebody else was in the way: at once it may work.
    Rivalry,
    /// Not now: no room, no rights, a table that is missing.
    Refused,
}

// === impl OpenError ===

impl Retryable for OpenError {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Unreachable { .. } | Self::Server(_) => Verdict::Retry,
            Self::Standby { .. } => Verdict::Retry,
            _ => Verdict::Stuck,
        }
    }
}

// === impl Meaning ===

impl Meaning {
    pub(crate) fn of(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(_) => match database(error) {
                Some(error) => Self::of_code(error.code(), is_fatal(error)),
                None => Self::Refused,
            },
            sqlx::Error::Encode(_)
            | sqlx::Error::Decode(_)
            | sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::ColumnNotFound(_)
            | sqlx::Error::ColumnIndexOutOfBounds { .. } => Self::Refused,
            // Everything else leaves the connection in a state that nobody knows.
            _ => Self::Lost,
        }
    }

    fn of_code(code: &str, is_fatal: bool) -> Self {
        match code {
            _ if is_fatal => Self::Lost,
            // A former primary that has become a standby.
            "25006" => Self::Lost,
            "40001" | "40P01" | "55P03" | "57014" => Self::Rivalry,
            _ => match code.get(..2) {
                Some("08") => Self::Lost,
                Some("22" | "23" | "54") => Self::Data,
                _ => Self::Refused,
            },
        }
    }
}

/// The error as PostgreSQL's own.
pub(crate) fn database(error: &sqlx::Error) -> Option<&PgDatabaseError> {
    error.as_database_error().and_then(|error| error.try_downcast_ref())
}

/// Whether the server answered that the statement failed and the session goes on, so that nothing
/// of the transaction has happened.
pub(crate) fn is_answered(error: &sqlx::Error) -> bool {
    database(error).is_some_and(|error| !is_fatal(error))
}

fn is_fatal(error: &PgDatabaseError) -> bool {
    matches!(error.severity(), PgSeverity::Fatal | PgSeverity::Panic)
}

/// A failed read, as its caller sees it.
pub(crate) fn read_error(error: sqlx::Error) -> StoreError {
    StoreError::Unavailable(error.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_the_data_is_told_from_one_of_the_moment() {
        for (code, is_fatal, meaning) in [
            ("22003", false, Meaning::Data),
            ("54000", false, Meaning::Data),
            ("23514", false, Meaning::Data),
            ("40P01", false, Meaning::Rivalry),
            ("55P03", false, Meaning::Rivalry),
            ("57P01", true, Meaning::Lost),
            ("25006", false, Meaning::Lost),
            ("53100", false, Meaning::Refused),
            ("42P01", false, Meaning::Refused),
        ] {
            assert_eq!(Meaning::of_code(code, is_fatal), meaning, "{code}");
        }
        let eof = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
        assert_eq!(Meaning::of(&sqlx::Error::Io(eof)), Meaning::Lost);
    }
}
