//! The secrets of a data folder: made once, readable by their owner only.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair};
use ring::{digest, hmac};

/// The signing key, PKCS#8.
const SIGNING_KEY: &str = "signing-key";
/// What operators present.
const OPERATOR_TOKEN: &str = "operator-token";

pub(super) struct Keys {
    /// The private key as PKCS#8.
    pub(super) pkcs8: Vec<u8>,
    /// The public key, 32 bytes.
    pub(super) public: Vec<u8>,
    pub(super) operator_token: String,
    /// For cursors; derived from the signing key.
    pub(super) seal: hmac::Key,
}

/// Keys that cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// A file cannot be read or written. Check who owns the data folder.
    #[error("cannot read or write {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file is not a key: it was damaged or put there by somebody else. Tokens signed with the
    /// lost key end with it; delete the file to have a new one made.
    #[error("{0} does not hold a key; delete it to have a new one made, which signs everybody out")]
    NotAKey(PathBuf),
    /// The system gives no randomness, or signing failed.
    #[error("cryptography failed")]
    Crypto,
}

// === impl Keys ===

impl Keys {
    pub(super) fn load_or_create(folder: &Path) -> Result<Self, AuthError> {
        let key_path = folder.join(SIGNING_KEY);
        let pkcs8 = match read(&key_path)? {
            Some(pkcs8) => pkcs8,
            None => write(&key_path, &new_key()?)?,
        };
        let token_path = folder.join(OPERATOR_TOKEN);
        let token = match read(&token_path)? {
            Some(token) => token,
            None => write(&token_path, new_token()?.as_bytes())?,
        };
        let token = String::from_utf8(token)
            .ok()
            .map(|token| token.trim().to_owned())
            .filter(|token| token.len() >= 32)
            .ok_or(AuthError::NotAKey(token_path))?;
        Self::of(pkcs8, token).ok_or(AuthError::NotAKey(key_path))
    }

    pub(super) fn generate() -> Result<Self, AuthError> {
        Self::of(new_key()?, new_token()?).ok_or(AuthError::Crypto)
    }

    fn of(pkcs8: Vec<u8>, operator_token: String) -> Option<Self> {
        let pair = Ed25519KeyPair::from_pkcs8(&pkcs8).ok()?;
        let public = pair.public_key().as_ref().to_vec();
        let seed = digest::digest(&digest::SHA256, &[b"seal", &*pkcs8].concat());
        let seal = hmac::Key::new(hmac::HMAC_SHA256, seed.as_ref());
        Some(Self { pkcs8, public, operator_token, seal })
    }
}

fn new_key() -> Result<Vec<u8>, AuthError> {
    let document =
        Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| AuthError::Crypto)?;
    Ok(document.as_ref().to_vec())
}

fn new_token() -> Result<String, AuthError> {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).map_err(|_| AuthError::Crypto)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, AuthError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(AuthError::File { path: path.to_owned(), source }),
    }
}

/// Writes a new file that only its owner may read, and answers what is in it then: processes that
/// share the folder may make it at the same moment, and the first one's stays.
///
/// It gets its name when it is whole, so that a crash leaves the whole file or none; the folder is
/// synced, so that a key which has signed is kept.
fn write(path: &Path, bytes: &[u8]) -> Result<Vec<u8>, AuthError> {
    let fail = |source| AuthError::File { path: path.to_owned(), source };
    // By a name that nobody else draws: processes in two containers may have the same number.
    let temporary = path.with_extension(format!("new-{}", new_token()?));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut file = options.open(&temporary).map_err(fail)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(fail)?;
    // A second name, unlike a rename, never takes the place of a file that is there.
    let linked = fs::hard_link(&temporary, path);
    fs::remove_file(&temporary).map_err(fail)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(fail(error)),
        _ => {}
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(fail)?;
    fs::read(path).map_err(fail)
}
