//! Keys, tokens, and who calls.
//!
//! The signing key and the operator's token are made once in the data folder and survive restarts, so tokens do too. Tokens are JSON Web
//! Tokens signed with Ed25519 (RFC 8037); a service needs nothing but the key to know who calls.

mod caller;
mod keys;
mod token;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parking_lot::Mutex;
use ring::hmac;
use switchboard_core::{Clock, Timestamp};

pub use caller::{MaybePrincipal, Principal, Role};
pub(crate) use caller::{nobody, of_headers};
pub use keys::AuthError;

use keys::Keys;
use token::Tokens;

/// What the service key is derived from, beside the seal. No cursor has a filter that begins so.
const SERVICES: &[u8] = b"\x01services";
/// Verified tokens that are remembered, so that a signature is not checked for every request.
const REMEMBERED: usize = 4_096;

/// Signs and verifies for all services of one data folder.
pub struct Auth {
    keys: Keys,
    /// The seal of the operator's token.
    operator: [u8; 32],
    /// What services show one another.
    service_key: String,
    tokens: Tokens,
    clock: Arc<dyn Clock>,
    verified: Mutex<HashMap<String, (Principal, Timestamp)>>,
}

// === impl Auth ===

impl Auth {
    /// Reads the keys of a folder, or makes them (mode 0600) when they are not there yet.
    ///
    /// # Errors
    /// [`AuthError`] naming the file that cannot be read, written or understood.
    pub fn load_or_create(folder: &Path, clock: Arc<dyn Clock>) -> Result<Self, AuthError> {
        Self::with(Keys::load_or_create(folder)?, clock)
    }

    /// Fresh keys that are kept nowhere: for tests.
    ///
    /// # Errors
    /// [`AuthError`] when the system gives no randomness.
    pub fn ephemeral(clock: Arc<dyn Clock>) -> Result<Self, AuthError> {
        Self::with(Keys::generate()?, clock)
    }

    fn with(keys: Keys, clock: Arc<dyn Clock>) -> Result<Self, AuthError> {
        let tokens = Tokens::new(&keys)?;
        let operator = seal(&keys.seal, &[keys.operator_token.as_bytes()]);
        let service_key = URL_SAFE_NO_PAD.encode(seal(&keys.seal, &[SERVICES]));
        Ok(Self { keys, operator, service_key, tokens, clock, verified: Mutex::default() })
    }

    /// A token that says who somebody is, for so long.
    ///
    /// # Errors
    /// [`AuthError`] when signing fails.
    pub fn sign(&self, user_id: &str, ttl: Duration) -> Result<String, AuthError> {
        self.tokens.sign(user_id, self.clock.now(), ttl)
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
        let (user_id, expires) = self.tokens.verify(token)?;
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
        self.seal(&[token.as_bytes()]) == self.operator
    }

    /// The operator's token, for programs of the same machine that may read the data folder.
    pub fn operator_token(&self) -> &str {
        &self.keys.operator_token
    }

    /// What the gateway and our own clients show to a service's gRPC port: it says that the call
    /// comes from inside, never who has asked for it. Everybody with the same data folder has it.
    pub fn service_key(&self) -> &str {
        &self.service_key
    }

    /// Whether this is the service key, found out as [`Auth::is_operator`] does it.
    pub fn is_service_key(&self, shown: &[u8]) -> bool {
        self.seal(&[shown]) == self.seal(&[self.service_key.as_bytes()])
    }

    /// Seals what is handed to callers and must come back unchanged, such as cursors.
    pub(crate) fn seal(&self, parts: &[&[u8]]) -> [u8; 32] {
        seal(&self.keys.seal, parts)
    }
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
