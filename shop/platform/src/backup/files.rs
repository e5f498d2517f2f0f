//! Copying and summing files: owners only, synced, and in steps between which somebody may say stop.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use ring::digest::{Context, SHA256};

use super::manifest::Sum;

/// Bytes that are read at once.
const CHUNK: usize = 1 << 20;

/// Copies the first `bytes` bytes of a file to a new one, syncs it, and answers its sum. `go_on` is
/// asked after each MiB, with how much that was.
pub(super) fn copy(
    from: &Path,
    to: &Path,
    bytes: u64,
    go_on: &mut dyn FnMut(u64) -> bool,
) -> io::Result<Sum> {
    let mut source = File::open(from)?.take(bytes);
    let mut target = create(to)?;
    let (mut context, mut copied) = (Context::new(&SHA256), 0);
    let mut buffer = vec![0; CHUNK];
    loop {
        let count = source.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        context.update(&buffer[..count]);
        target.write_all(&buffer[..count])?;
        copied += count as u64;
        if !go_on(count as u64) {
            return Err(io::ErrorKind::Interrupted.into());
        }
    }
    if copied < bytes {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    target.sync_all()?;
    Ok(Sum { bytes: copied, sha256: hexadecimal(context) })
}

/// The sum of a file.
pub(super) fn sum(path: &Path) -> io::Result<Sum> {
    let mut file = File::open(path)?;
    let (mut context, mut bytes) = (Context::new(&SHA256), 0);
    let mut buffer = vec![0; CHUNK];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(Sum { bytes, sha256: hexadecimal(context) }),
            count => {
                context.update(&buffer[..count]);
                bytes += count as u64;
            }
        }
    }
}

/// A new file for its owner only.
pub(super) fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// A new file with these bytes, synced.
pub(super) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A folder for its owner only, with its parents; fine when it is there.
pub(super) fn make_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Makes the names in a folder durable.
pub(super) fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Makes the names in a folder and all folders in it durable.
pub(super) fn sync_dirs(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_dirs(&entry.path())?;
        }
    }
    sync_dir(path)
}

fn hexadecimal(context: Context) -> String {
    context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_copy_is_its_owners_alone_and_has_the_sum_of_what_counts() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::write(&from, vec![7; 3 << 20]).unwrap();
        let mut told = 0;
        let copied = copy(&from, &to, (2 << 20) + 5, &mut |bytes| {
            told += bytes;
            true
        })
        .unwrap();
        assert_eq!((copied.bytes, told), ((2 << 20) + 5, (2 << 20) + 5));
        assert_eq!(sum(&to).unwrap(), copied);
        assert_eq!(fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o600);
        let again = copy(&from, &to, 1, &mut |_| true).unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists, "nothing is written over");
        let short = copy(&from, &folder.path().join("short"), 4 << 20, &mut |_| true).unwrap_err();
        assert_eq!(short.kind(), io::ErrorKind::UnexpectedEof);
    }
}
