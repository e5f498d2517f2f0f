//! `switchboard keys`: the keys that tokens are signed with, in the data folder.
//!
//! They are files, so a platform need not run for it; one that runs takes a new key over by itself.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use shop_edge::{Auth, auth};
use switchboard_core::{BoxError, Clock, SystemClock};

use super::show::line;
use crate::cli::Keys;
use crate::settings::Settings;

/// How long a token is good at most, and so how long the key before stays.
const OVERLAP: Duration = shop_users::app::TOKEN_TTL;

/// Lists the keys, or makes a new one sign.
///
/// # Errors
/// What keeps it from doing so, with what to do about it.
pub fn run(settings: &Settings, action: &Keys) -> Result<ExitCode, BoxError> {
    let folder = &settings.data.value;
    if !folder.join(auth::SIGNING_KEY).exists() {
        return Err(format!(
            "there are no keys in {}: start the shop once, or name its folder with --data DIR",
            folder.display()
        )
        .into());
    }
    match action {
        Keys::List => list(folder),
        Keys::Rotate { force } => {
            let id = auth::rotate(folder, SystemClock.now(), OVERLAP, *force)?;
            line(&format!("{id} signs from now on"));
            line("tokens of the key before it stay good for as long as they last, 24 h at most");
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn list(folder: &Path) -> Result<ExitCode, BoxError> {
    let auth = Auth::load_or_create(folder, Arc::new(SystemClock))?;
    for (place, id) in auth.key_ids().iter().enumerate() {
        let what = if place == 0 { "signs and verifies" } else { "verifies" };
        line(&format!("{id}  {what}"));
    }
    Ok(ExitCode::SUCCESS)
}
