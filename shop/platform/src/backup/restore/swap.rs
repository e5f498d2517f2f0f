//! What was made ready takes the place of what was, by renames, and cut off at any of them it is taken to its end by the next attempt.

use std::fs;
use std::io;

use super::error::file_error;
use super::{ASIDE, RestoreError, Restoring, STAGE};
use crate::backup::files;
use crate::folder::{Folder, UNFINISHED};

/// What the file says that is there while a restore has begun and not ended.
pub(super) struct Mark {
    /// The folder in which is kept what was.
    pub(super) aside: String,
    /// What is put back.
    pub(super) scope: String,
}

// === impl Restoring ===

impl Restoring<'_> {
    /// The names in the data folder that make up the shop.
    pub(super) fn present_entries(&self) -> Result<Vec<String>, RestoreError> {
        let data = self.folder.path();
        let list = |source| file_error(data, "read")(source);
        let mut names = Vec::new();
        for entry in fs::read_dir(data).map_err(list)? {
            let name = entry.map_err(list)?.file_name().to_string_lossy().into_owned();
            let is_ours = Folder::is_own(&name) || name == STAGE;
            if !is_ours && !name.starts_with(ASIDE) {
                names.push(name);
            }
        }
        Ok(names)
    }

    /// Moves what was aside and what was made ready into its place. From the mark on, the only way
    /// is forward.
    pub(super) fn finish(&self, old: &[String]) -> Result<(), RestoreError> {
        let (data, aside) = (self.folder.path(), &self.aside);
        files::sync_dirs(&self.stage).map_err(file_error(&self.stage, "synced"))?;
        let mark = data.join(UNFINISHED);
        if !mark.exists() {
            let name = aside.file_name().unwrap_or_default().to_string_lossy();
            let text = format!("{name}\n{}\n", self.wanted.scope());
            files::write(&mark, text.as_bytes()).map_err(file_error(&mark, "written"))?;
            files::sync_dir(data).map_err(file_error(data, "synced"))?;
        }
        if !old.is_empty() {
            files::make_dir(aside).map_err(file_error(aside, "created"))?;
        }
        for name in old {
            let (from, to) = (data.join(name), aside.join(name));
            if to.exists() {
                // Kept by an earlier attempt: what lies here now was put there by it.
                let removed =
                    if from.is_dir() { fs::remove_dir_all(&from) } else { fs::remove_file(&from) };
                removed.map_err(file_error(&from, "deleted"))?;
            } else {
                fs::rename(&from, &to).map_err(file_error(&from, "moved"))?;
            }
        }
        if !old.is_empty() {
            files::sync_dir(aside).map_err(file_error(aside, "synced"))?;
        }
        for entry in fs::read_dir(&self.stage).map_err(file_error(&self.stage, "read"))? {
            let from = entry.map_err(file_error(&self.stage, "read"))?.path();
            let to = data.join(from.file_name().unwrap_or_default());
            fs::rename(&from, &to).map_err(file_error(&from, "moved"))?;
        }
        files::sync_dir(data).map_err(file_error(data, "synced"))?;
        fs::remove_file(&mark).map_err(file_error(&mark, "deleted"))?;
        fs::remove_dir(&self.stage).map_err(file_error(&self.stage, "deleted"))?;
        files::sync_dir(data).map_err(file_error(data, "synced"))
    }
}

// === impl Mark ===

impl Mark {
    pub(super) fn read(folder: &Folder) -> Result<Option<Self>, RestoreError> {
        let path = folder.path().join(UNFINISHED);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(file_error(&path, "read")(source)),
        };
        match text.split_once('\n') {
            Some((aside, scope)) if aside.starts_with(ASIDE) && !aside.contains('/') => {
                Ok(Some(Self { aside: aside.to_owned(), scope: scope.trim().to_owned() }))
            }
            // Half written, so nothing was moved yet.
            _ => {
                fs::remove_file(&path).map_err(file_error(&path, "deleted"))?;
                Ok(None)
            }
        }
    }
}
