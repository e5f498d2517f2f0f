//! Which files a data folder must have: written down when they are made, so that one that is gone is noticed and not made anew.
//!
//! A store or log that begins empty beside others that do not would look healthy, and lose orders
//! without a word.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use crate::platform::StartError;

/// One name a line.
const LIST: &str = "parts";

/// Fails when one of these was made before and is gone, or is a folder with nothing in it.
pub(super) fn require(folder: &Path, names: &[&str]) -> Result<(), StartError> {
    let known = read(folder)?;
    for name in names.iter().filter(|name| known.contains(**name)) {
        let path = folder.join(name);
        let is_there = match fs::read_dir(&path) {
            Ok(mut entries) => entries.next().is_some(),
            Err(_) => path.exists(),
        };
        if !is_there {
            return Err(StartError::Gone(path));
        }
    }
    Ok(())
}

/// Remembers that these are there.
pub(super) fn remember(folder: &Path, names: &[&str]) -> Result<(), StartError> {
    let mut known = read(folder)?;
    let before = known.len();
    known.extend(names.iter().map(|name| (*name).to_owned()));
    if known.len() == before {
        return Ok(());
    }
    let text: String = known.iter().map(|name| format!("{name}\n")).collect();
    let written = tempfile::NamedTempFile::new_in(folder).and_then(|mut file| {
        io::Write::write_all(&mut file, text.as_bytes())?;
        file.as_file().sync_all()?;
        Ok(file.persist(folder.join(LIST))?)
    });
    written.map(drop).map_err(|source| StartError::Unlisted(folder.join(LIST), source))
}

fn read(folder: &Path) -> Result<BTreeSet<String>, StartError> {
    match fs::read_to_string(folder.join(LIST)) {
        Ok(text) => Ok(text.lines().map(str::to_owned).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeSet::new()),
        Err(source) => Err(StartError::Unlisted(folder.join(LIST), source)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_made_must_be_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        require(path, &["a.db", "log"]).unwrap();
        fs::write(path.join("a.db"), "x").unwrap();
        fs::create_dir(path.join("log")).unwrap();
        fs::write(path.join("log/1"), "x").unwrap();
        remember(path, &["a.db"]).unwrap();
        remember(path, &["log"]).unwrap();
        require(path, &["a.db", "log"]).unwrap();
        fs::remove_file(path.join("log/1")).unwrap();
        let gone = require(path, &["a.db", "log"]).unwrap_err();
        assert!(gone.to_string().contains("log is gone"), "{gone}");
        fs::remove_file(path.join("a.db")).unwrap();
        assert!(matches!(require(path, &["a.db"]), Err(StartError::Gone(_))));
        require(path, &["other.db"]).unwrap();
    }
}
