//! JSON Web Tokens signed with Ed25519, by `jsonwebtoken` on `ring`: no second cryptographic library is needed.

use std::time::Duration;

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result};
use jsonwebtoken::signature::{Error, Signer, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use ring::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use switchboard_core::Timestamp;

use super::keys::{AuthError, Keys};

/// Who issues the tokens.
const ISSUER: &str = "switchboard";

pub(super) struct Tokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    iat: i64,
    exp: i64,
}

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: signer,
    verifier_factory: verifier,
    key_utils: KeyUtils::new_unimplemented(),
};

// === impl Tokens ===

impl Tokens {
    pub(super) fn new(keys: &Keys) -> std::result::Result<Self, AuthError> {
        // Only the first in a process is installed; all are the same.
        let _installed = PROVIDER.install_default();
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[ISSUER]);
        // Expiry is judged by our own clock, which tests own.
        validation.validate_exp = false;
        validation.required_spec_claims = ["exp", "iss", "sub"].map(str::to_owned).into();
        Ok(Self {
            encoding: EncodingKey::from_ed_der(&keys.pkcs8),
            decoding: DecodingKey::from_ed_der(&keys.public),
            validation,
        })
    }

    pub(super) fn sign(
        &self,
        user_id: &str,
        now: Timestamp,
        ttl: Duration,
    ) -> std::result::Result<String, AuthError> {
        let seconds = |time: Timestamp| time.as_millis().div_euclid(1_000);
        let claims = Claims {
            iss: ISSUER.to_owned(),
            sub: user_id.to_owned(),
            iat: seconds(now),
            exp: seconds(now.plus(ttl)),
        };
        jsonwebtoken::encode(&Header::new(Algorithm::EdDSA), &claims, &self.encoding)
            .map_err(|_| AuthError::Crypto)
    }

    /// The user and when the token expires; `None` when it is not ours or was changed.
    pub(super) fn verify(&self, token: &str) -> Option<(String, Timestamp)> {
        let data = jsonwebtoken::decode::<Claims>(token, &self.decoding, &self.validation).ok()?;
        Some((data.claims.sub, Timestamp::from_micros(data.claims.exp.checked_mul(1_000_000)?)))
    }
}

struct EdSigner(Ed25519KeyPair);
struct EdVerifier(Vec<u8>);

impl Signer<Vec<u8>> for EdSigner {
    fn try_sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, Error> {
        Ok(self.0.sign(message).as_ref().to_vec())
    }
}

impl JwtSigner for EdSigner {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDSA
    }
}

impl Verifier<Vec<u8>> for EdVerifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), Error> {
        UnparsedPublicKey::new(&ED25519, &self.0)
            .verify(message, signature)
            .map_err(|_| Error::new())
    }
}

impl JwtVerifier for EdVerifier {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDSA
    }
}

fn signer(algorithm: &Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>> {
    if *algorithm != Algorithm::EdDSA {
        return Err(ErrorKind::InvalidAlgorithm.into());
    }
    let pair =
        Ed25519KeyPair::from_pkcs8(key.as_bytes()).map_err(|_| ErrorKind::InvalidEddsaKey)?;
    Ok(Box::new(EdSigner(pair)))
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    if *algorithm != Algorithm::EdDSA {
        return Err(ErrorKind::InvalidAlgorithm.into());
    }
    Ok(Box::new(EdVerifier(key.try_get_as_bytes()?.to_vec())))
}
