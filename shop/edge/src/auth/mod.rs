//! Keys, tokens, and who calls.
//!
//! The signing key and the operator's token are made once in the data folder and survive restarts, so tokens do too. Tokens are JSON Web
//! Tokens signed with Ed25519 (RFC 8037); a service needs nothing but the key to know who calls.

mod caller;
mod jwks;
mod keys;
mod token;

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parking_lot::{Mutex, RwLock};
use ring::hmac;
use switchboard_core::{Clock, Timestamp, chain};

pub use caller::{MaybePrincipal, Principal, Role};
pub(crate) use caller::{nobody, of_headers};
pub use jwks::{JWKS, routes};
pub use keys::{AuthError, OPERATOR_TOKEN, RETIRED_KEY, SEAL_KEY, SIGNING_KEY, rotate};

use keys::Keys;
use token::{Tokens, Verified};

/// What the service key is derived from, beside the seal. No cursor has a filter that begins so.
const SERVICES: &[u8] = b"\x01services";
/// Verified tokens that are remembered, so that a signature is not checked for every request.
const REMEMBERED: usize = 4_096;
/// Between two looks into the folder for the sake of tokens that nobody knows: whoever makes them up
/// must not make us read files for each.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Signs and verifies for all services of one data folder.
///
/// A signing key that was rotated is taken over while the process runs: before the next token is
/// signed, and when somebody shows a token of a key that is not known yet.
pub struct Auth {
    /// Where the keys are; none for keys that are kept nowhere.
    folder: Option<PathBuf>,
    ring: RwLock<Arc<Ring>>,
    /// The operator's token, which does not change while the process runs.
    operator_token: String,
    /// Its seal.
    operator: [u8; 32],
    /// What services show one another.
    service_key: String,
    /// Its seal.
    service: [u8; 32],
    seal: hmac::Key,
    clock: Arc<dyn Clock>,
    verified: Mutex<HashMap<String, (Principal, Timestamp)>>,
    looked: Mutex<Option<Timestamp>>,
}

/// The keys of one moment.
struct Ring {
    keys: Keys,
    tokens: Tokens,
    /// What tells the file of the signing key from the one that may take its place.
    written: Option<Mark>,
}

// === impl Auth ===

impl Auth {
    /// Reads the keys of a folder, or makes them (mode 0600) when they are not there yet.
    ///
    /// # Errors
    /// [`AuthError`] naming the file that cannot be read, written or understood.
    pub fn load_or_create(folder: &Path, clock: Arc<dyn Clock>) -> Result<Self, AuthError> {
        Self::with(Ring::load(folder)?, Some(folder.to_owned()), clock)
    }

    /// Fresh keys that are kept nowhere: for tests.
    ///
    /// # Errors
    /// [`AuthError`] when the system gives no randomness.
    pub fn ephemeral(clock: Arc<dyn Clock>) -> Result<Self, AuthError> {
        Self::with(Ring::of(Keys::generate()?, None)?, None, clock)
    }

    fn with(ring: Ring, folder: Option<PathBuf>, clock: Arc<dyn Clock>) -> Result<Self, AuthError> {
        let (key, operator_token) = (ring.keys.seal.clone(), ring.keys.operator_token.clone());
        let operator = seal(&key, &[operator_token.as_bytes()]);
        let service_key = URL_SAFE_NO_PAD.encode(seal(&key, &[SERVICES]));
        Ok(Self {
            folder,
            ring: RwLock::new(Arc::new(ring)),
            operator_token,
            operator,
            service: seal(&key, &[service_key.as_bytes()]),
            service_key,
            seal: key,
            clock,
            verified: Mutex::default(),
            looked: Mutex::default(),
        })
    }

    /// The keys as they are now: read again if the signing key's file is another one.
    fn newest(&self) -> Arc<Ring> {
        let ring = self.ring.read().clone();
        let Some(folder) = &self.folder else { return ring };
        if ring.written.is_some() && written(folder) == ring.written {
            return ring;
        }
        self.read_again(folder).unwrap_or(ring)
    }

    /// `None` when nothing is new, or the files cannot be read: then the present keys go on.
    fn read_again(&self, folder: &Path) -> Option<Arc<Ring>> {
        let ring = match Ring::load(folder) {
            Ok(ring) => Arc::new(ring),
            Err(error) => {
                tracing::warn!(error = chain(&error), "the keys cannot be read again");
                return None;
            }
        };
        let is_same = |other: &Ring| ring.ids().eq(other.ids());
        if is_same(&self.ring.read()) {
            return None;
        }
        tracing::info!(key = ring.keys.signing.id, "a new key signs from now on");
        *self.ring.write() = ring.clone();
        // Tokens of a key that is gone must not be remembered as good.
        self.verified.lock().clear();
        Some(ring)
    }

    /// The keys after a token of an unknown key was shown, if they are others by now.
    fn looked_again(&self) -> Option<Arc<Ring>> {
        let folder = self.folder.as_ref()?;
        let now = self.clock.now();
        {
            let mut looked = self.looked.lock();
            if looked.is_some_and(|at| at.plus(LOOK_EVERY) > now) {
                return None;
            }
            *looked = Some(now);
        }
        self.read_again(folder)
    }

    /// A token that says who somebody is, for so long.
    ///
    /// # Errors
    /// [`AuthError`] when signing fails.
    pub fn sign(&self, user_id: &str, ttl: Duration) -> Result<String, AuthError> {
        // A look at a file, beside the hash of a password that led here.
        self.newest().tokens.sign(user_id, self.clock.now(), ttl)
    }

    /// Who presents this token; `None` for one that is not ours, changed, or expired.
    pub fn verify(&self, token: &str) -> Option<Principal> {
        if self.is_operator(token) {
            return Some(Principal { user_id: "operator".to_owned(), role: Role::Operator });
        }
        let now = self.clock.now();
        {
            let mut verified = self.verified.lock();
            match verified.get(token) {
                Some((principal, expires)) if *expires > now => return Some(principal.clone()),
                Some(_) => {
                    verified.remove(token);
                    return None;
                }
                None => {}
            }
        }
        let ring = self.ring.read().clone();
        let (user_id, expires) = match ring.tokens.verify(token) {
            Verified::Good(user_id, expires) => (user_id, expires),
            Verified::Bad => return None,
            Verified::UnknownKey => match self.looked_again()?.tokens.verify(token) {
                Verified::Good(user_id, expires) => (user_id, expires),
                _ => return None,
            },
        };
        if expires <= now {
            return None;
        }
        let principal = Principal { user_id, role: Role::Customer };
        let mut verified = self.verified.lock();
        if verified.len() >= REMEMBERED {
            // Forgetting all costs each caller one signature check, and needs no bookkeeping.
            verified.clear();
        }
        verified.insert(token.to_owned(), (principal.clone(), expires));
        Some(principal)
    }

    /// Whether this is the operator's token. Seals are compared, not the tokens themselves, so the
    /// time that it takes says nothing about where they differ.
    pub fn is_operator(&self, token: &str) -> bool {
        // The length of the operator's token is no secret, and a customer's token is longer.
        token.len() == self.operator_token.len() && self.seal(&[token.as_bytes()]) == self.operator
    }

    /// The operator's token, for programs of the same machine that may read the data folder.
    pub fn operator_token(&self) -> &str {
        &self.operator_token
    }

    /// The ids of the keys that verify, the one that signs first.
    pub fn key_ids(&self) -> Vec<String> {
        self.newest().ids().map(str::to_owned).collect()
    }

    /// The public keys that verify, the one that signs first: id and 32 bytes each.
    pub(crate) fn public_keys(&self) -> Vec<(String, Vec<u8>)> {
        let ring = self.newest();
        ring.keys.pairs().map(|pair| (pair.id.clone(), pair.public.clone())).collect()
    }

    /// What the gateway and our own clients show to a service's gRPC port: it says that the call
    /// comes from inside, never who has asked for it. Everybody with the same data folder has it.
    pub fn service_key(&self) -> &str {
        &self.service_key
    }

    /// Whether this is the service key, found out as [`Auth::is_operator`] does it.
    pub fn is_service_key(&self, shown: &[u8]) -> bool {
        self.seal(&[shown]) == self.service
    }

    /// Seals what is handed to callers and must come back unchanged, such as cursors.
    pub(crate) fn seal(&self, parts: &[&[u8]]) -> [u8; 32] {
        seal(&self.seal, parts)
    }
}

// === impl Ring ===

impl Ring {
    fn load(folder: &Path) -> Result<Self, AuthError> {
        // Before the keys: a rotation in between is then noticed later, and never missed.
        let before = written(folder);
        let keys = Keys::load_or_create(folder)?;
        let after = written(folder);
        Self::of(keys, before.filter(|_| before == after))
    }

    fn of(keys: Keys, written: Option<Mark>) -> Result<Self, AuthError> {
        let tokens = Tokens::new(&keys)?;
        Ok(Self { keys, tokens, written })
    }

    fn ids(&self) -> impl Iterator<Item = &str> {
        self.keys.pairs().map(|pair| &*pair.id)
    }
}

/// When a file was written, and which file it is: clocks of file systems are coarse.
type Mark = (SystemTime, u64);

fn written(folder: &Path) -> Option<Mark> {
    let file = std::fs::metadata(folder.join(SIGNING_KEY)).ok()?;
    Some((file.modified().ok()?, file.ino()))
}

fn seal(key: &hmac::Key, parts: &[&[u8]]) -> [u8; 32] {
    let mut context = hmac::Context::with_key(key);
    parts.iter().for_each(|part| context.update(part));
    let mut tag = [0; 32];
    tag.copy_from_slice(context.sign().as_ref());
    tag
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Auth")
    }
}

#[cfg(test)]
mod tests;
