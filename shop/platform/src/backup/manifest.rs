//! What a backup says about itself, and whether its files still are what they were.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};
use switchboard_core::Timestamp;

use super::files;

/// The file that says what is in a backup.
pub(super) const FILE: &str = "manifest.json";
/// The format that is written, and the newest that is read.
pub(super) const FORMAT: u32 = 1;

/// What is in a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The format of the backup: 1.
    pub format: u32,
    /// The version of the program that took it.
    pub program: String,
    /// The moment that it shows.
    pub taken_at: Timestamp,
    /// For how long commits waited, in microseconds.
    pub paused_micros: u64,
    /// The stores.
    pub stores: Vec<StorePart>,
    /// The embedded log; absent when the broker is an engine of its own.
    pub log: Option<LogPart>,
    /// The settings file, if there was one, as a path in the backup.
    pub settings: Option<String>,
    /// Every file, by its path in the backup.
    pub files: BTreeMap<String, Sum>,
}

/// One store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorePart {
    /// The service.
    pub service: String,
    /// Its file, as a path in the backup.
    pub file: String,
    /// The life of the store.
    pub incarnation: u32,
    /// Its newest position.
    pub position: u64,
}

/// The log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPart {
    /// Its folder, as a path in the backup.
    pub folder: String,
    /// Its epoch.
    pub epoch: u64,
    /// The newest position of each channel, `topic/partition`.
    pub channels: BTreeMap<String, u64>,
}

/// What a file was when it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sum {
    /// Its length in bytes.
    pub bytes: u64,
    /// SHA-256, in hexadecimal.
    pub sha256: String,
}

/// A folder that is not a backup, or not any more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// It does not say what is in it.
    #[error("{0} is not a backup: it has no {FILE}")]
    NotABackup(PathBuf),
    /// It was written by a newer program.
    #[error("{path} has format {found}, and this program knows {FORMAT}: use the newer program")]
    Newer {
        /// The backup.
        path: PathBuf,
        /// Its format.
        found: u64,
    },
    /// What it says cannot be understood.
    #[error("{path} cannot be understood, so nothing was restored: use another backup")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: serde_json::Error,
    },
    /// It names a file outside of itself.
    #[error("{path} names `{name}`, which is not a file in it: it is not a backup of ours")]
    Outside {
        /// The backup.
        path: PathBuf,
        /// What it names.
        name: String,
    },
    /// Files are missing or changed.
    #[error(
        "{path} is damaged, so nothing was restored: {} of {of} files are not as they were \
         written ({}); use another backup",
        wrong.len(),
        wrong.join(", ")
    )]
    Damaged {
        /// The backup.
        path: PathBuf,
        /// The files.
        wrong: Vec<String>,
        /// All files.
        of: usize,
    },
}

// === impl Manifest ===

impl Manifest {
    /// What a backup says is in it.
    ///
    /// # Errors
    /// [`ManifestError`].
    pub fn read(backup: &Path) -> Result<Self, ManifestError> {
        let path = backup.join(FILE);
        let bytes = fs::read(&path).map_err(|_| ManifestError::NotABackup(backup.to_owned()))?;
        let malformed = |source| ManifestError::Malformed { path: path.clone(), source };
        // The format first: another one may have other fields.
        let any: serde_json::Value = serde_json::from_slice(&bytes).map_err(malformed)?;
        let found = any["format"].as_u64().unwrap_or(0);
        if found > u64::from(FORMAT) {
            return Err(ManifestError::Newer { path: backup.to_owned(), found });
        }
        let manifest: Self = serde_json::from_value(any).map_err(malformed)?;
        let named = manifest
            .stores
            .iter()
            .map(|store| &store.file)
            .chain(manifest.log.iter().map(|log| &log.folder))
            .chain(&manifest.settings)
            .chain(manifest.files.keys());
        for name in named {
            if !is_inside(name) {
                let (path, name) = (backup.to_owned(), name.clone());
                return Err(ManifestError::Outside { path, name });
            }
        }
        Ok(manifest)
    }

    /// Reads the files that `wanted` picks, and compares them with what was written.
    ///
    /// # Errors
    /// [`ManifestError::Damaged`], which names every file that differs.
    pub fn verify(
        &self,
        backup: &Path,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<(), ManifestError> {
        let picked: Vec<_> = self.files.iter().filter(|(name, _)| wanted(name)).collect();
        let differs = |name: &str, sum: &Sum| match files::sum(&backup.join(name)) {
            Ok(found) => found != *sum,
            Err(_) => true,
        };
        let wrong: Vec<_> = picked
            .iter()
            .filter(|(name, sum)| differs(name, sum))
            .map(|(name, _)| (*name).clone())
            .collect();
        if wrong.is_empty() {
            return Ok(());
        }
        Err(ManifestError::Damaged { path: backup.to_owned(), wrong, of: picked.len() })
    }

    /// The store of a service.
    pub fn store(&self, service: &str) -> Option<&StorePart> {
        self.stores.iter().find(|store| store.service == service)
    }

    /// All bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.values().map(|sum| sum.bytes).sum()
    }
}

/// Whether a path stays in the folder that it is joined to.
fn is_inside(name: &str) -> bool {
    !name.is_empty()
        && Path::new(name).components().all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        Manifest {
            format: FORMAT,
            program: "0".to_owned(),
            taken_at: Timestamp::from_micros(1),
            paused_micros: 1,
            stores: Vec::new(),
            log: None,
            settings: None,
            files: BTreeMap::new(),
        }
    }

    fn written(folder: &Path, manifest: &Manifest) {
        fs::write(folder.join(FILE), serde_json::to_vec(manifest).unwrap()).unwrap();
    }

    #[test]
    fn a_file_that_differs_by_a_bit_or_is_gone_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let mut manifest = manifest();
        for name in ["a", "b", "c"] {
            fs::write(folder.path().join(name), name).unwrap();
            manifest.files.insert(name.to_owned(), files::sum(&folder.path().join(name)).unwrap());
        }
        manifest.verify(folder.path(), |_| true).unwrap();
        fs::write(folder.path().join("b"), "c").unwrap();
        fs::remove_file(folder.path().join("c")).unwrap();
        let error = manifest.verify(folder.path(), |_| true).unwrap_err();
        assert!(error.to_string().contains("2 of 3 files"), "{error}");
        assert!(error.to_string().contains("(b, c)"), "{error}");
        manifest.verify(folder.path(), |name| name == "a").unwrap();
    }

    #[test]
    fn a_backup_cannot_name_what_is_outside_of_it() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["../x", "/etc/passwd", "a/../../x", ""] {
            let mut manifest = manifest();
            let sum = Sum { bytes: 0, sha256: String::new() };
            manifest.files.insert(name.to_owned(), sum);
            written(folder.path(), &manifest);
            let error = Manifest::read(folder.path()).unwrap_err();
            assert!(matches!(error, ManifestError::Outside { .. }), "{name}: {error}");
        }
    }

    #[test]
    fn what_is_no_backup_and_what_is_newer_say_so() {
        let folder = tempfile::tempdir().unwrap();
        let error = Manifest::read(folder.path()).unwrap_err();
        assert!(matches!(error, ManifestError::NotABackup(_)), "{error}");
        fs::write(folder.path().join(FILE), "{\"format\": 2, \"shape\": \"new\"}").unwrap();
        let error = Manifest::read(folder.path()).unwrap_err();
        assert!(matches!(error, ManifestError::Newer { found: 2, .. }), "{error}");
        fs::write(folder.path().join(FILE), "{\"format\": 1").unwrap();
        let error = Manifest::read(folder.path()).unwrap_err();
        assert!(matches!(error, ManifestError::Malformed { .. }), "{error}");
        written(folder.path(), &manifest());
        assert_eq!(Manifest::read(folder.path()).unwrap(), manifest());
    }
}
