//! The token of version 1: `base64url(version | key id | nonce | ciphertext | tag)`, sealed with
//! XAES-256-GCM. `docs/formats/session.md` has it byte by byte.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use aes_gcm::aead::AeadInOut;
use arc_swap::{ArcSwap, Guard};
use base64_simd::URL_SAFE_NO_PAD;

use crate::key::{Binding, DerivedKey, KEY_ID_BYTES, VERSION, no_random_bytes};
use crate::{Error, ErrorKind, KeyRing, KeyState};

const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;
const HEADER_BYTES: usize = 1 + KEY_ID_BYTES + NONCE_BYTES;
/// What a token has beside its plaintext, before it is written as text.
pub(crate) const OVERHEAD_BYTES: usize = HEADER_BYTES + TAG_BYTES;

/// The keys of a ring, derived for one binding: they follow the ring when it changes.
pub(crate) struct Keys {
    ring: KeyRing,
    binding: Binding,
    current: ArcSwap<Derived>,
}

/// The keys as they were at one moment.
pub(crate) struct Derived {
    epoch: u64,
    keys: Vec<DerivedKey>,
}

/// What a token held, with the parts of the token around it, and whether it should be sealed anew.
pub(crate) struct Opened {
    raw: Vec<u8>,
    /// A key sealed it that will be removed: seal it with the active one.
    pub(crate) retiring: bool,
}

/// Why a token was not opened: for `tracing`, never for the client.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Invalid {
    Forged,
    MissingChunk,
    NotBase64,
    RevokedKey,
    TooLong,
    TooManyChunks,
    TooShort,
    UnknownKey,
    UnknownVersion,
}

impl Keys {
    pub(crate) fn derive(ring: &KeyRing, binding: Binding) -> Self {
        let current = ArcSwap::from_pointee(Derived::derive(ring, &binding));
        Self { ring: ring.clone(), binding, current }
    }

    /// Seals with the active key and a nonce of the operating system.
    pub(crate) fn seal(&self, plaintext: &[u8]) -> Result<String, Error> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(no_random_bytes)?;
        self.current().active()?.seal(&nonce, plaintext)
    }

    /// Opens a token with the key that it names. Nothing is done with a text of more than `max_chars`.
    pub(crate) fn open(&self, token: &[u8], max_chars: usize) -> Result<Opened, Invalid> {
        if token.len() > max_chars {
            return Err(Invalid::TooLong);
        }
        let raw = URL_SAFE_NO_PAD.decode_to_vec(token).map_err(|_| Invalid::NotBase64)?;
        self.current().open(raw)
    }

    /// The keys of CSRF tokens, the active one first: a form that was sent out before a rotation is
    /// accepted after it.
    pub(crate) fn csrf_keys(&self) -> Guard<Arc<Derived>> {
        self.current()
    }

    /// A key for the names of rows in a generation store: the same for all keys of the ring, because
    /// rows have to be found again after a rotation. It is not secret: session ids are, and random.
    pub(crate) fn store_key(&self) -> [u8; 32] {
        self.binding.store_key()
    }

    /// The keys as they are now: derived again if the ring has changed since.
    fn current(&self) -> Guard<Arc<Derived>> {
        let derived = self.current.load();
        if derived.epoch == self.ring.epoch() {
            return derived;
        }
        self.current.store(Arc::new(Derived::derive(&self.ring, &self.binding)));
        self.current.load()
    }
}

impl Derived {
    fn derive(ring: &KeyRing, binding: &Binding) -> Self {
        // Before the keys are read: a change in between is noticed by the next caller.
        let epoch = ring.epoch();
        let keys = ring.keys();
        let keys = keys.iter().map(|(state, root)| DerivedKey::derive(*state, root, binding));
        Self { epoch, keys: keys.collect() }
    }

    fn active(&self) -> Result<&DerivedKey, Error> {
        // A ring is not made without one.
        self.keys
            .iter()
            .find(|key| key.state == KeyState::Active)
            .ok_or_else(|| Error::new(ErrorKind::Keys, "the ring has no active key"))
    }

    /// Of the keys that open, the active one first.
    pub(crate) fn csrf(&self) -> impl Iterator<Item = &[u8; 32]> {
        let of = |wanted: fn(KeyState) -> bool| {
            self.keys.iter().filter(move |key| wanted(key.state)).map(|key| &*key.csrf)
        };
        of(|state| state == KeyState::Active)
            .chain(of(|state| matches!(state, KeyState::Announced | KeyState::Retiring)))
    }

    fn open(&self, raw: Vec<u8>) -> Result<Opened, Invalid> {
        if raw.first() != Some(&VERSION) {
            return Err(if raw.is_empty() { Invalid::TooShort } else { Invalid::UnknownVersion });
        }
        if raw.len() < OVERHEAD_BYTES {
            return Err(Invalid::TooShort);
        }
        let id = &raw[1..][..KEY_ID_BYTES];
        let key = self.keys.iter().find(|key| key.id == id).ok_or(Invalid::UnknownKey)?;
        if key.state == KeyState::Revoked {
            key.tell_that_it_is_seen();
            return Err(Invalid::RevokedKey);
        }
        key.open(raw)
    }
}

impl DerivedKey {
    fn seal(&self, nonce: &[u8; NONCE_BYTES], plaintext: &[u8]) -> Result<String, Error> {
        let mut raw = Vec::with_capacity(OVERHEAD_BYTES + plaintext.len());
        raw.push(VERSION);
        raw.extend_from_slice(&self.id);
        raw.extend_from_slice(nonce);
        raw.extend_from_slice(plaintext);
        let tag = self
            .cipher
            .encrypt_inout_detached(
                nonce.into(),
                &self.associated_data,
                (&mut raw[HEADER_BYTES..]).into(),
            )
            .map_err(|_| Error::new(ErrorKind::TooLarge, "a session has less than 64 GiB"))?;
        raw.extend_from_slice(&tag);
        Ok(URL_SAFE_NO_PAD.encode_to_string(&raw))
    }

    fn open(&self, mut raw: Vec<u8>) -> Result<Opened, Invalid> {
        let (header, sealed) = raw.split_at_mut(HEADER_BYTES);
        let (text, tag) = sealed.split_at_mut(sealed.len() - TAG_BYTES);
        let nonce: &[u8; NONCE_BYTES] =
            header[1 + KEY_ID_BYTES..].try_into().map_err(|_| Invalid::TooShort)?;
        let tag: &[u8; TAG_BYTES] = (&*tag).try_into().map_err(|_| Invalid::TooShort)?;
        self.cipher
            .decrypt_inout_detached(nonce.into(), &self.associated_data, text.into(), tag.into())
            .map_err(|_| Invalid::Forged)?;
        Ok(Opened { raw, retiring: self.state == KeyState::Retiring })
    }

    /// A warning at the 1st, 2nd, 4th, 8th … token: whoever has such a token must not fill the log.
    fn tell_that_it_is_seen(&self) {
        let seen = self.seen.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        if seen.is_power_of_two() {
            tracing::warn!(
                target: "cookie_session",
                key = %self.fingerprint,
                seen,
                "a session of a revoked key was presented, and refused",
            );
        }
    }
}

impl Opened {
    pub(crate) fn plaintext(&self) -> &[u8] {
        &self.raw[HEADER_BYTES..self.raw.len() - TAG_BYTES]
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Forged => "it was changed, or sealed for another cookie, purpose or audience",
            Self::MissingChunk => "one of the cookies that it travels in is missing",
            Self::NotBase64 => "it is not base64url",
            Self::RevokedKey => "its key is revoked",
            Self::TooLong => "it is longer than a cookie can be",
            Self::TooManyChunks => "it travels in more cookies than are allowed",
            Self::TooShort => "it is shorter than an empty session",
            Self::UnknownKey => "no key of the ring has its key id",
            Self::UnknownVersion => "its version is unknown",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RootKey;

    fn keys(ring: &KeyRing) -> Keys {
        Keys::derive(ring, Binding::new("__Host-session", "session", "example.org").unwrap())
    }

    #[test]
    fn what_is_sealed_opens() {
        let ring = KeyRing::new(RootKey::generate().unwrap());
        let keys = keys(&ring);
        for length in [0, 1, 15, 16, 17, 512, 3000] {
            let plaintext = vec![7; length];
            let token = keys.seal(&plaintext).unwrap();
            let opened = keys.open(token.as_bytes(), 4096).unwrap();
            assert_eq!((opened.plaintext(), opened.retiring), (&plaintext[..], false));
        }
    }

    #[test]
    fn derived_keys_follow_the_ring() {
        let old = RootKey::generate().unwrap();
        let ring = KeyRing::new(old.clone());
        let keys = keys(&ring);
        let token = keys.seal(b"x").unwrap();
        let new = RootKey::generate().unwrap();
        let rotated = [(KeyState::Active, new.clone()), (KeyState::Retiring, old.clone())];
        ring.replace(&KeyRing::from_keys(rotated).unwrap());
        assert!(keys.open(token.as_bytes(), 4096).unwrap().retiring);
        let revoked = [(KeyState::Active, new), (KeyState::Revoked, old)];
        ring.replace(&KeyRing::from_keys(revoked).unwrap());
        assert_eq!(keys.open(token.as_bytes(), 4096).err(), Some(Invalid::RevokedKey));
        ring.replace(&KeyRing::new(RootKey::generate().unwrap()));
        assert_eq!(keys.open(token.as_bytes(), 4096).err(), Some(Invalid::UnknownKey));
    }
}
