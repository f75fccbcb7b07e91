//! What is derived from a root key for one cookie of one application.

use std::sync::atomic::AtomicU64;

use aes_gcm::KeyInit;
use sha2::{Digest, Sha256};
use xaes_256_gcm::Xaes256Gcm;
use zeroize::Zeroizing;

use super::{KeyState, RootKey};
use crate::{Error, ErrorKind};

/// Version of the token format: its first byte, and part of what is authenticated.
pub(crate) const VERSION: u8 = 1;
pub(crate) const KEY_ID_BYTES: usize = 16;

/// What a token is bound to: the name of its cookie, what it is for, and who it is for. A token that
/// was sealed for another binding does not open.
#[derive(Clone, Debug)]
pub(crate) struct Binding {
    cookie_name: String,
    purpose: String,
    audience: String,
}

/// One key of a ring, ready to seal and open.
pub(crate) struct DerivedKey {
    pub(crate) state: KeyState,
    pub(crate) fingerprint: String,
    /// Names the root key and commits to it: it is a PRF of it.
    pub(crate) id: [u8; KEY_ID_BYTES],
    pub(crate) cipher: Xaes256Gcm,
    /// Version, key id and binding, as they are authenticated with every token.
    pub(crate) associated_data: Vec<u8>,
    pub(crate) csrf: Zeroizing<[u8; 32]>,
    /// How often a token of it was seen although it is revoked.
    pub(crate) seen: AtomicU64,
}

impl Binding {
    /// # Errors
    /// Of the kind [`Refused`](ErrorKind::Refused) for a part of more than 255 bytes.
    pub(crate) fn new(cookie_name: &str, purpose: &str, audience: &str) -> Result<Self, Error> {
        if [cookie_name, purpose, audience].iter().any(|part| part.len() > 255) {
            let what = "a cookie name, a purpose and an audience have at most 255 bytes";
            return Err(Error::new(ErrorKind::Refused, what));
        }
        let [cookie_name, purpose, audience] = [cookie_name, purpose, audience].map(str::to_owned);
        Ok(Self { cookie_name, purpose, audience })
    }

    /// Of purpose and audience alone, so that rows outlive a rotation of keys.
    pub(crate) fn store_key(&self) -> [u8; 32] {
        let [purpose, audience] = [&self.purpose, &self.audience].map(|text| prefixed(text));
        Sha256::new()
            .chain_update("cookie-session v1 store")
            .chain_update(audience)
            .chain_update(purpose)
            .finalize()
            .into()
    }
}

/// A length of two bytes, big-endian, and the text: no two lists of texts are written alike.
fn prefixed(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    [&length.to_be_bytes(), text.as_bytes()].concat()
}

impl DerivedKey {
    pub(crate) fn derive(state: KeyState, root: &RootKey, binding: &Binding) -> Self {
        let [name, purpose, audience] =
            [&binding.cookie_name, &binding.purpose, &binding.audience].map(|text| prefixed(text));
        // K_enc, K_csrf, K_store (which version 1 does not use) and the key id.
        let output = root.derive::<112>(&[b"cookie-session v1", &audience, &purpose]);
        let mut csrf = Zeroizing::new([0; 32]);
        csrf.copy_from_slice(&output[32..64]);
        let mut id = [0; KEY_ID_BYTES];
        id.copy_from_slice(&output[96..]);
        let mut key = Zeroizing::new([0; 32]);
        key.copy_from_slice(&output[..32]);
        Self {
            state,
            fingerprint: root.fingerprint().to_owned(),
            id,
            cipher: Xaes256Gcm::new((&*key).into()),
            associated_data: [&[VERSION], &id[..], &name, &purpose, &audience].concat(),
            csrf,
            seen: AtomicU64::new(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use zeroize::ZeroizeOnDrop;

    use super::*;

    /// It does not compile where a feature of one of their crates is lost.
    #[test]
    fn keys_are_wiped_when_they_are_dropped() {
        fn is_wiped<T: ZeroizeOnDrop>(_: &T) {}
        let root = RootKey::generate().unwrap();
        let binding = Binding::new("__Host-session", "session", "").unwrap();
        let key = DerivedKey::derive(KeyState::Active, &root, &binding);
        is_wiped(&key.cipher);
        is_wiped(&key.csrf);
        is_wiped(&root.expose());
        // What HMAC is made of.
        is_wiped(&Sha256::new());
    }
}
