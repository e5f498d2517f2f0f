//! Passwords: hashed with Argon2id, off the async threads, a few at a time; and guessing is slow.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use parking_lot::Mutex;
use switchboard_core::Timestamp;
use tokio::sync::Semaphore;

/// Hashes that are computed at the same time: each takes 19 MiB and a core for some 20 ms.
const AT_ONCE: usize = 2;
/// Wrong passwords for one address before it has to wait.
const GUESSES: u32 = 10;
/// How long it has to wait.
const WAIT: Duration = Duration::from_secs(60);
/// Addresses that are watched, at most.
const WATCHED: usize = 10_000;

/// Hashes and checks passwords. The parameters are OWASP's minimum: 19 MiB, two passes, one lane.
#[derive(Clone, Debug)]
pub struct Passwords {
    slots: Arc<Semaphore>,
    /// Wrong guesses by address, and when the first of them was.
    guesses: Arc<Mutex<HashMap<String, (u32, Timestamp)>>>,
}

/// A password could not be hashed: the machine is out of memory or randomness.
#[derive(Debug, thiserror::Error)]
#[error("the password cannot be hashed")]
pub struct CannotHash;

// === impl Passwords ===

impl Passwords {
    /// Nothing guessed yet.
    pub fn new() -> Self {
        Self { slots: Arc::new(Semaphore::new(AT_ONCE)), guesses: Arc::default() }
    }

    /// The hash of a password, in PHC format.
    ///
    /// # Errors
    /// [`CannotHash`].
    pub async fn hash(&self, password: String) -> Result<String, CannotHash> {
        self.blocking(move || {
            let hash = Argon2::default().hash_password(password.as_bytes());
            hash.map(|hash| hash.to_string()).map_err(|_| CannotHash)
        })
        .await?
    }

    /// Whether the password is the one that was hashed. Without a hash it takes as long and is
    /// wrong, so that nobody learns from the time which addresses are known.
    ///
    /// # Errors
    /// [`CannotHash`].
    pub async fn verify(&self, password: String, hash: Option<String>) -> Result<bool, CannotHash> {
        self.blocking(move || match hash.as_deref().map(PasswordHash::new) {
            Some(Ok(hash)) => {
                Argon2::default().verify_password(password.as_bytes(), &hash).is_ok()
            }
            _ => {
                let _as_long = Argon2::default().hash_password(password.as_bytes());
                false
            }
        })
        .await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, CannotHash> {
        let _slot = self.slots.acquire().await.map_err(|_| CannotHash)?;
        tokio::task::spawn_blocking(work).await.map_err(|_| CannotHash)
    }

    /// How long this address has to wait before the next guess, if it has to.
    pub fn must_wait(&self, address: &str, now: Timestamp) -> Option<Duration> {
        let guesses = self.guesses.lock();
        let (wrong, since) = guesses.get(address)?;
        let over = since.plus(WAIT);
        (*wrong >= GUESSES && over > now).then(|| over.since(now))
    }

    /// Remembers a wrong guess, or forgets all of them after a right one.
    pub fn guessed(&self, address: &str, right: bool, now: Timestamp) {
        let mut guesses = self.guesses.lock();
        if right {
            guesses.remove(address);
            return;
        }
        if guesses.len() >= WATCHED {
            guesses.retain(|_, (_, since)| since.plus(WAIT) > now);
        }
        let entry = guesses.entry(address.to_owned()).or_insert((0, now));
        if entry.1.plus(WAIT) <= now {
            *entry = (0, now);
        }
        entry.0 += 1;
    }
}

impl Default for Passwords {
    fn default() -> Self {
        Self::new()
    }
}
