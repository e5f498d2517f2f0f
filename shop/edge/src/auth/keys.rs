//! The secrets of a data folder: made once, readable by their owner only.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair};
use ring::{digest, hmac};
use switchboard_core::Timestamp;

/// The signing key, PKCS#8.
pub const SIGNING_KEY: &str = "signing-key";
/// The key that signed before it, PKCS#8: what it signed is still verified.
pub const RETIRED_KEY: &str = "signing-key-retired";
/// What cursors are sealed with, once the signing key was rotated. Before, it follows from that key.
pub const SEAL_KEY: &str = "seal-key";
/// What operators present.
pub const OPERATOR_TOKEN: &str = "operator-token";

pub(super) struct Keys {
    /// What signs.
    pub(super) signing: Pair,
    /// What has signed until it was rotated away.
    pub(super) retired: Option<Pair>,
    pub(super) operator_token: String,
    /// For cursors.
    pub(super) seal: hmac::Key,
}

/// A key pair of Ed25519.
pub(super) struct Pair {
    /// The private key as PKCS#8.
    pub(super) pkcs8: Vec<u8>,
    /// The public key, 32 bytes.
    pub(super) public: Vec<u8>,
    /// Its name in tokens: the JWK thumbprint of RFC 7638.
    pub(super) id: String,
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
    /// The key before this one may have signed tokens that are still good.
    #[error(
        "the signing key was rotated less than a day ago, and tokens of the key before it are \
         still good: wait until then, or sign those out with --force"
    )]
    TooSoon,
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
        let signing = Pair::of(pkcs8).ok_or(AuthError::NotAKey(key_path))?;
        let retired_path = folder.join(RETIRED_KEY);
        let retired = read(&retired_path)?
            .map(|pkcs8| Pair::of(pkcs8).ok_or(AuthError::NotAKey(retired_path)))
            .transpose()?
            // In the middle of a rotation the same key stands in both places.
            .filter(|retired| retired.id != signing.id);
        let seed = read(&folder.join(SEAL_KEY))?.unwrap_or_else(|| signing.seal_seed());
        let seal = hmac::Key::new(hmac::HMAC_SHA256, &seed);
        Ok(Self { signing, retired, operator_token: token, seal })
    }

    pub(super) fn generate() -> Result<Self, AuthError> {
        let signing = Pair::of(new_key()?).ok_or(AuthError::Crypto)?;
        let seal = hmac::Key::new(hmac::HMAC_SHA256, &signing.seal_seed());
        Ok(Self { signing, retired: None, operator_token: new_token()?, seal })
    }

    /// All keys that verify, the one that signs first.
    pub(super) fn pairs(&self) -> impl Iterator<Item = &Pair> {
        std::iter::once(&self.signing).chain(&self.retired)
    }
}

/// Makes a new signing key. What the present one has signed stays good; what the one before it has
/// signed does not, so it must be `overlap` old unless that is meant.
///
/// Each file gets its content at once, and in an order in which a process that reads them at any
/// moment finds the present key. Processes that run take the new one over by themselves.
///
/// # Errors
/// [`AuthError::TooSoon`], or the file that cannot be read or written.
pub fn rotate(
    folder: &Path,
    now: Timestamp,
    overlap: Duration,
    force: bool,
) -> Result<String, AuthError> {
    let Keys { signing, .. } = Keys::load_or_create(folder)?;
    let retired = folder.join(RETIRED_KEY);
    let rotated = fs::metadata(&retired).and_then(|file| file.modified()).ok();
    let now = SystemTime::UNIX_EPOCH + Duration::from_micros(now.as_micros().unsigned_abs());
    let is_young = |at| now.duration_since(at).is_ok_and(|age| age < overlap);
    if !force && rotated.is_some_and(is_young) {
        return Err(AuthError::TooSoon);
    }
    let seal = folder.join(SEAL_KEY);
    if read(&seal)?.is_none() {
        write(&seal, &signing.seal_seed())?;
    }
    let next = new_key()?;
    let id = Pair::of(next.clone()).ok_or(AuthError::Crypto)?.id;
    replace(&retired, &signing.pkcs8)?;
    replace(&folder.join(SIGNING_KEY), &next)?;
    Ok(id)
}

// === impl Pair ===

impl Pair {
    fn of(pkcs8: Vec<u8>) -> Option<Self> {
        let pair = Ed25519KeyPair::from_pkcs8(&pkcs8).ok()?;
        let public = pair.public_key().as_ref().to_vec();
        let x = URL_SAFE_NO_PAD.encode(&public);
        let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
        let thumbprint = digest::digest(&digest::SHA256, canonical.as_bytes());
        Some(Self { pkcs8, public, id: URL_SAFE_NO_PAD.encode(thumbprint) })
    }

    /// What the seal follows from as long as the key was never rotated.
    fn seal_seed(&self) -> Vec<u8> {
        digest::digest(&digest::SHA256, &[b"seal", &*self.pkcs8].concat()).as_ref().to_vec()
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
fn write(path: &Path, bytes: &[u8]) -> Result<Vec<u8>, AuthError> {
    let fail = |source| AuthError::File { path: path.to_owned(), source };
    let temporary = written(path, bytes)?;
    // A second name, unlike a rename, never takes the place of a file that is there.
    let linked = fs::hard_link(&temporary, path);
    fs::remove_file(&temporary).map_err(fail)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(fail(error)),
        _ => {}
    }
    sync_folder(path)?;
    fs::read(path).map_err(fail)
}

/// Puts a file in the place of the one that is there, if any.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), AuthError> {
    let temporary = written(path, bytes)?;
    let fail = |source| AuthError::File { path: path.to_owned(), source };
    fs::rename(&temporary, path).map_err(fail)?;
    sync_folder(path)
}

/// A whole file beside the one that it becomes: it gets its name when it is whole, so that a crash
/// leaves the whole file or none.
fn written(path: &Path, bytes: &[u8]) -> Result<PathBuf, AuthError> {
    let fail = |source| AuthError::File { path: path.to_owned(), source };
    // By a name that nobody else draws: processes in two containers may have the same number.
    let temporary = path.with_extension(format!("new-{}", new_token()?));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut file = options.open(&temporary).map_err(fail)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(fail)?;
    Ok(temporary)
}

/// The folder is synced, so that a key which has signed is kept.
fn sync_folder(path: &Path) -> Result<(), AuthError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let synced = fs::File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|source| AuthError::File { path: path.to_owned(), source })
}
