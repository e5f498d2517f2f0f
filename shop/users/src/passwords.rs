//! Passwords: hashed with Argon2id, off the async threads, a few at a time; and guessing is slow.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
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
/// Hashes that wait for their turn, at most: some three seconds of work.
const WAITING: usize = 256;
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
    /// Those that run and those that wait.
    places: Arc<Semaphore>,
    /// Wrong guesses by address, and when the first of them was.
    guesses: Arc<Mutex<HashMap<String, (u32, Timestamp)>>>,
}

/// A password could not be hashed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CannotHash {
    /// Too many wait for it already. Try again.
    #[error("too many passwords are being hashed")]
    Busy,
    /// The machine is out of memory or randomness.
    #[error("the password cannot be hashed")]
    Failed,
}

// === impl Passwords ===

impl Passwords {
    /// Nothing guessed yet.
    pub fn new() -> Self {
        Self {
            slots: Arc::new(Semaphore::new(AT_ONCE)),
            places: Arc::new(Semaphore::new(AT_ONCE + WAITING)),
            guesses: Arc::default(),
        }
    }

    /// The hash of a password, in PHC format.
    ///
    /// # Errors
    /// [`CannotHash`].
    pub async fn hash(&self, password: String) -> Result<String, CannotHash> {
        self.blocking(move || {
            let hash = Argon2::default().hash_password(password.as_bytes());
            hash.map(|hash| hash.to_string()).map_err(|_| CannotHash::Failed)
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
            Some(Ok(hash)) => Argon2::default().verify_password(password.as_bytes(), &hash).is_ok(),
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
        let place = self.places.clone().try_acquire_owned().map_err(|_| CannotHash::Busy)?;
        let slot = self.slots.clone().acquire_owned().await.map_err(|_| CannotHash::Failed)?;
        let hashing = tokio::task::spawn_blocking(move || {
            // The work goes on when its caller is gone, and so must its permits.
            let _held = (place, slot);
            work()
        });
        hashing.await.map_err(|_| CannotHash::Failed)
    }

    /// Counts a guess as wrong until it has proved right, so that guesses made at the same time
    /// count as well.
    ///
    /// # Errors
    /// How long this address has to wait before the next guess.
    pub fn begin_guess(&self, address: &str, now: Timestamp) -> Result<(), Duration> {
        let mut guesses = self.guesses.lock();
        if guesses.len() >= WATCHED && !guesses.contains_key(address) {
            make_room(&mut guesses, now);
        }
        let (wrong, since) = match guesses.entry(address.to_owned()) {
            Entry::Occupied(known) if known.get().1.plus(WAIT) > now => known.into_mut(),
            Entry::Occupied(mut over) => {
                over.insert((0, now));
                over.into_mut()
            }
            Entry::Vacant(new) => new.insert((0, now)),
        };
        if *wrong >= GUESSES {
            return Err(since.plus(WAIT).since(now));
        }
        *wrong += 1;
        Ok(())
    }

    /// Forgets all guesses for an address, because one was right.
    pub fn guessed_right(&self, address: &str) {
        self.guesses.lock().remove(address);
    }

    /// Takes back a guess that could not be judged.
    pub fn not_guessed(&self, address: &str) {
        if let Some((wrong, _)) = self.guesses.lock().get_mut(address) {
            *wrong = wrong.saturating_sub(1);
        }
    }
}

/// Drops what is over, or else whoever has waited longest: hashing is so slow that nobody fills
/// the table just to be forgotten.
fn make_room(guesses: &mut HashMap<String, (u32, Timestamp)>, now: Timestamp) {
    guesses.retain(|_, (_, since)| since.plus(WAIT) > now);
    if guesses.len() >= WATCHED {
        let oldest = guesses.iter().min_by_key(|(_, (_, since))| *since);
        let oldest = oldest.map(|(address, _)| address.clone());
        oldest.and_then(|address| guesses.remove(&address));
    }
}

impl Default for Passwords {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_000_000_000);

    #[test]
    fn after_ten_wrong_guesses_an_address_waits_a_minute_and_no_other_does() {
        let passwords = Passwords::new();
        for _ in 0..GUESSES {
            assert_eq!(passwords.begin_guess("ann", NOW), Ok(()));
        }
        let half = NOW.plus(WAIT / 2);
        assert_eq!(passwords.begin_guess("ann", half), Err(WAIT / 2));
        assert_eq!(passwords.begin_guess("bob", half), Ok(()));
        assert_eq!(passwords.begin_guess("ann", NOW.plus(WAIT)), Ok(()));
    }

    #[test]
    fn a_right_guess_forgets_the_wrong_ones_and_one_without_verdict_does_not_count() {
        let passwords = Passwords::new();
        for _ in 0..3 * GUESSES {
            assert_eq!(passwords.begin_guess("ann", NOW), Ok(()));
            passwords.not_guessed("ann");
        }
        for _ in 0..3 {
            for _ in 0..GUESSES {
                assert_eq!(passwords.begin_guess("ann", NOW), Ok(()));
            }
            passwords.guessed_right("ann");
        }
    }

    #[test]
    fn the_addresses_that_are_watched_are_bounded_and_the_newest_stay() {
        let passwords = Passwords::new();
        for number in 0..WATCHED + 100 {
            let now = NOW.plus(Duration::from_micros(number as u64));
            assert_eq!(passwords.begin_guess(&number.to_string(), now), Ok(()));
        }
        let guesses = passwords.guesses.lock();
        assert_eq!(guesses.len(), WATCHED);
        assert!(guesses.contains_key(&(WATCHED + 99).to_string()) && !guesses.contains_key("0"));
    }

    #[tokio::test]
    async fn a_password_fits_its_hash_and_no_other_does() {
        let passwords = Passwords::new();
        let hash = passwords.hash("correct horse".to_owned()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        let check = |password: &str, hash: Option<String>| {
            let (passwords, password) = (passwords.clone(), password.to_owned());
            async move { passwords.verify(password, hash).await.unwrap() }
        };
        assert!(check("correct horse", Some(hash.clone())).await);
        assert!(!check("Correct horse", Some(hash)).await);
        assert!(!check("correct horse", None).await);
        assert!(!check("correct horse", Some("no hash".to_owned())).await);
    }

    #[tokio::test]
    async fn those_who_wait_for_a_hash_are_bounded() {
        let passwords = Passwords::new();
        let _all =
            passwords.places.clone().try_acquire_many_owned((AT_ONCE + WAITING) as u32).unwrap();
        let busy = passwords.hash("correct horse".to_owned()).await;
        assert!(matches!(busy, Err(CannotHash::Busy)), "{busy:?}");
    }
}
