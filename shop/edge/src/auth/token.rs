//! JSON Web Tokens signed with Ed25519, by `jsonwebtoken` on `ring`: no second cryptographic library is needed.

use std::time::Duration;

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result};
use jsonwebtoken::signature::{Error, Signer, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use ring::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use switchboard_core::Timestamp;

use super::keys::{AuthError, Keys, Pair};

/// Who issues the tokens.
const ISSUER: &str = "switchboard";

pub(super) struct Tokens {
    encoding: EncodingKey,
    header: Header,
    /// The keys that verify, by the name that tokens give them.
    decoding: Vec<(String, DecodingKey)>,
    validation: Validation,
}

/// What a token says.
pub(super) enum Verified {
    /// Who it is for, and until when.
    Good(String, Timestamp),
    /// It is not ours, or was changed.
    Bad,
    /// It is signed with a key that is not known here, or not yet.
    UnknownKey,
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
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(keys.signing.id.clone());
        let decoding = |pair: &Pair| (pair.id.clone(), DecodingKey::from_ed_der(&pair.public));
        Ok(Self {
            encoding: EncodingKey::from_ed_der(&keys.signing.pkcs8),
            header,
            decoding: keys.pairs().map(decoding).collect(),
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
        jsonwebtoken::encode(&self.header, &claims, &self.encoding).map_err(|_| AuthError::Crypto)
    }

    pub(super) fn verify(&self, token: &str) -> Verified {
        let Ok(header) = jsonwebtoken::decode_header(token) else { return Verified::Bad };
        let named =
            |(id, _): &&(String, DecodingKey)| header.kid.as_ref().is_none_or(|it| it == id);
        // Tokens from before keys had names name none; one of the keys has signed them, or none.
        let mut keys = self.decoding.iter().filter(named).peekable();
        if keys.peek().is_none() {
            return Verified::UnknownKey;
        }
        let claims = keys.find_map(|(_, key)| {
            let data = jsonwebtoken::decode::<Claims>(token, key, &self.validation).ok()?;
            Some((data.claims.sub, data.claims.exp.checked_mul(1_000_000)?))
        });
        match claims {
            Some((user_id, expires)) => Verified::Good(user_id, Timestamp::from_micros(expires)),
            None => Verified::Bad,
        }
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
