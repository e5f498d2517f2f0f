//! `--print-config`: every setting, what it comes to, and who set it.

use std::process::ExitCode;

use switchboard_core::BoxError;

use super::show;
use crate::settings::Settings;

/// Prints the settings.
///
/// # Errors
/// None; the signature is that of every command.
pub fn print(settings: &Settings) -> Result<ExitCode, BoxError> {
    show::line(&show::table(["setting", "value", "set by"], settings.rows()));
    Ok(ExitCode::SUCCESS)
}
