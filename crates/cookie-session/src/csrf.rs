//! Tokens that a page of this session has, and a page of another site has not.
//!
//! The token is a PRF of the session's id, so nothing is kept for it. It is masked with random bytes,
//! new for each page, against compression attacks (BREACH).

use base64_simd::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::header::SessionId;
use crate::key::no_random_bytes;
use crate::token::Keys;
use crate::{Error, ErrorKind, Result};

const BYTES: usize = 32;

pub(crate) fn token(keys: &Keys, id: &SessionId) -> Result<String> {
    let keys = keys.csrf_keys();
    let key = keys.csrf().next();
    let key = key.ok_or_else(|| Error::new(ErrorKind::Keys, "the ring has no active key"))?;
    let secret = hmac(key).chain_update(id).finalize().into_bytes();
    let mut token = [0; 2 * BYTES];
    let (mask, masked) = token.split_at_mut(BYTES);
    getrandom::fill(mask).map_err(no_random_bytes)?;
    for ((to, mask), secret) in masked.iter_mut().zip(&*mask).zip(&secret) {
        *to = mask ^ secret;
    }
    Ok(URL_SAFE_NO_PAD.encode_to_string(token))
}

pub(crate) fn is_valid(keys: &Keys, id: &SessionId, token: &str) -> bool {
    let Ok(token) = URL_SAFE_NO_PAD.decode_to_vec(token) else { return false };
    let Some((mask, masked)) = token.split_at_checked(BYTES) else { return false };
    let secret: Vec<u8> = mask.iter().zip(masked).map(|(mask, masked)| mask ^ masked).collect();
    // A comparison in constant time; a token of another length is none.
    let is_of = |key| hmac(key).chain_update(id).verify_slice(&secret).is_ok();
    masked.len() == BYTES && keys.csrf_keys().csrf().any(is_of)
}

/// HMAC of a key that is shorter than its block, which is then filled up with zeros (RFC 2104).
pub(crate) fn hmac(key: &[u8; 32]) -> Hmac<Sha256> {
    let mut block = Zeroizing::new([0; 64]);
    block[..32].copy_from_slice(key);
    Hmac::new((&*block).into())
}
