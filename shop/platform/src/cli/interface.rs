//! The interface as files: its document, and collections for programs that send requests.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

pub(super) const COLLECTION: &str = "\
Examples:
  switchboard collection --out switchboard.postman.json
  switchboard collection --format insomnia --out switchboard.insomnia.json
Import the file, set `token` to what `POST /api/v1/sessions` answers (Postman does it by itself), and
`base_url` to the shop's address if it is not the one of the settings.";

pub(super) const OPENAPI: &str = "\
Examples:
  switchboard openapi | head
  switchboard openapi --out openapi.json
A running shop serves the same at /openapi.json, and shows it at /docs.";

/// `collection`.
#[derive(Debug, Args)]
pub struct Collection {
    /// For which program
    #[arg(long, value_enum, default_value = "postman")]
    pub(crate) format: Format,
    /// The file to write, which may exist; without it the collection is printed
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// The programs that collections are made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Postman, a collection of version 2.1
    Postman,
    /// Insomnia, an export of version 4
    Insomnia,
}

/// `openapi`.
#[derive(Debug, Args)]
pub struct OpenApi {
    /// The file to write, which may exist; without it the document is printed
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}
