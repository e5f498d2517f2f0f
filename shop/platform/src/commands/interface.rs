//! `switchboard openapi` and `switchboard collection`: the interface as files, from the program alone; nothing need run.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use switchboard_core::{BoxError, Clock, SystemClock};

use super::show;
use crate::cli::{Collection, Format, OpenApi};
use crate::platform::local;
use crate::settings::Settings;
use crate::{collections, openapi};

/// Prints or writes the document.
///
/// # Errors
/// When the file cannot be written.
pub fn openapi(wanted: &OpenApi) -> Result<ExitCode, BoxError> {
    put(openapi::text(), wanted.out.as_deref())
}

/// Prints or writes a collection.
///
/// # Errors
/// When the file cannot be written.
pub fn collection(settings: &Settings, wanted: &Collection) -> Result<ExitCode, BoxError> {
    let (document, base) =
        (openapi::document(), format!("http://{}", local(settings.listen.value)));
    let collection = match wanted.format {
        Format::Postman => collections::postman(&document, &base),
        Format::Insomnia => collections::insomnia(&document, &base, SystemClock.now()),
    };
    put(&format!("{collection:#}\n"), wanted.out.as_deref())
}

fn put(text: &str, out: Option<&Path>) -> Result<ExitCode, BoxError> {
    match out {
        None => show::line(text.trim_end()),
        Some(file) => {
            let failed = |error| format!("cannot write {}: {error}", file.display());
            fs::write(file, text).map_err(failed)?;
            show::line(&format!("wrote {}", file.display()));
        }
    }
    Ok(ExitCode::SUCCESS)
}
