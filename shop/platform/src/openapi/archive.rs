//! Files out of a zip archive that lies in the program, as a browser takes them: still compressed.
//!
//! A zip archive holds what gzip holds, under other headers. Writing gzip's around it needs no decompressor, and saves the compressor that
//! would follow.

/// A file of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct File {
    /// Its bytes, as gzip if they are compressed.
    pub(super) bytes: Vec<u8>,
    /// Whether they are.
    pub(super) gzip: bool,
    /// The sum of its content.
    pub(super) crc: u32,
}

/// The end of an archive, where the list of its files is found.
const END: &[u8] = b"PK\x05\x06";
/// An entry of that list, and its length without name and notes.
const ENTRY: (&[u8], usize) = (b"PK\x01\x02", 46);
/// What stands before a file, and its length without name and notes.
const LOCAL: (&[u8], usize) = (b"PK\x03\x04", 30);
const STORED: u16 = 0;
const DEFLATED: u16 = 8;

/// The file whose path ends so; `None` when it is not there, or the archive is not sound.
pub(super) fn file(archive: &[u8], ending: &str) -> Option<File> {
    let end = archive.windows(END.len()).rposition(|bytes| bytes == END)?;
    let (count, mut at) = (u16_at(archive, end + 10)?, u32_at(archive, end + 16)? as usize);
    for _ in 0..count {
        let entry = archive.get(at..)?.strip_prefix(ENTRY.0).map(|_| at)?;
        let lengths = [28, 30, 32].map(|field| u16_at(archive, entry + field).map(usize::from));
        let [Some(name), Some(extra), Some(comment)] = lengths else { return None };
        at = entry + ENTRY.1 + name + extra + comment;
        let name = archive.get(entry + ENTRY.1..entry + ENTRY.1 + name)?;
        if name.ends_with(ending.as_bytes()) {
            return read(archive, entry);
        }
    }
    None
}

fn read(archive: &[u8], entry: usize) -> Option<File> {
    let method = u16_at(archive, entry + 10)?;
    let [crc, packed, whole, local] = [16, 20, 24, 42].map(|field| u32_at(archive, entry + field));
    let (crc, packed, whole, local) = (crc?, packed? as usize, whole?, local? as usize);
    archive.get(local..)?.strip_prefix(LOCAL.0)?;
    let name = usize::from(u16_at(archive, local + 26)?);
    let extra = usize::from(u16_at(archive, local + 28)?);
    let begin = local + LOCAL.1 + name + extra;
    let packed = archive.get(begin..begin + packed)?;
    match method {
        STORED => Some(File { bytes: packed.to_vec(), gzip: false, crc }),
        DEFLATED => Some(File { bytes: gzip(packed, crc, whole), gzip: true, crc }),
        _ => None,
    }
}

/// RFC 1952: a head without a time, the deflated bytes, their sum and their length.
fn gzip(deflated: &[u8], crc: u32, whole: u32) -> Vec<u8> {
    let head = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    [&head[..], deflated, &crc.to_le_bytes(), &whole.to_le_bytes()].concat()
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED as ARCHIVE;

    use super::*;

    #[test]
    fn a_compressed_file_comes_out_as_gzip_and_a_stored_one_as_it_is() {
        let script = file(ARCHIVE, "/dist/swagger-ui-bundle.js").unwrap();
        assert!(script.gzip && script.bytes.starts_with(&[0x1f, 0x8b]));
        let length = u32_at(&script.bytes, script.bytes.len() - 4).unwrap();
        assert!(length > 1_000_000, "{length}");
        let picture = file(ARCHIVE, "/dist/favicon-32x32.png").unwrap();
        assert!(!picture.gzip && picture.bytes.starts_with(b"\x89PNG"));
    }

    #[test]
    fn what_is_not_there_or_not_sound_is_nothing() {
        assert_eq!(file(ARCHIVE, "/no-such-file"), None);
        assert_eq!(file(b"", "x"), None);
        assert_eq!(file(&ARCHIVE[..ARCHIVE.len() / 2], "/dist/swagger-ui.css"), None);
        // A list that points beyond the end.
        let end = [END, &[0; 6], &1_u16.to_le_bytes(), &[0; 4], &u32::MAX.to_le_bytes(), &[0; 2]];
        assert_eq!(file(&end.concat(), "x"), None);
    }
}
