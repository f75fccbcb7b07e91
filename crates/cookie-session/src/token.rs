//! The token of version 1: `base64url(version | key id | nonce | ciphertext | tag)`, sealed with
//! XAES-256-GCM. `docs/formats/session.md` has it byte by byte.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use aes_gcm::aead::AeadInOut;
use arc_swap::{ArcSwap, Guard};
use base64_simd::URL_SAFE_NO_PAD;

use crate::content::Content;
use crate::cookie::TokenText;
use crate::key::{Binding, DerivedKey, KEY_ID_BYTES, VERSION, no_random_bytes};
use crate::{Error, ErrorKind, KeyRing, KeyState};

const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;
const HEADER_BYTES: usize = 1 + KEY_ID_BYTES + NONCE_BYTES;
/// What a token has beside its plaintext, before it is written as text.
const OVERHEAD_BYTES: usize = HEADER_BYTES + TAG_BYTES;

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

/// A token that is not written as text yet.
pub(crate) struct Sealed(Vec<u8>);

/// What a token held, behind the parts of the token before it, and whether it should be sealed anew.
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

    /// Seals what is written, about so many bytes, with the active key and a nonce of the operating
    /// system.
    pub(crate) fn seal(
        &self,
        about: usize,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<Sealed, Error> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(no_random_bytes)?;
        self.current().active()?.seal(&nonce, about, write)
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
        // Not loaded again: somebody who began before may have stored older ones since.
        let derived = Arc::new(Derived::derive(&self.ring, &self.binding));
        self.current.store(Arc::clone(&derived));
        Guard::from_inner(derived)
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
    fn seal(
        &self,
        nonce: &[u8; NONCE_BYTES],
        about: usize,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<Sealed, Error> {
        let mut raw = Vec::with_capacity(OVERHEAD_BYTES + about);
        raw.push(VERSION);
        raw.extend_from_slice(&self.id);
        raw.extend_from_slice(nonce);
        write(&mut raw);
        let tag = self
            .cipher
            .encrypt_inout_detached(
                nonce.into(),
                &self.associated_data,
                (&mut raw[HEADER_BYTES..]).into(),
            )
            .map_err(|_| Error::new(ErrorKind::TooLarge, "a session has less than 64 GiB"))?;
        raw.extend_from_slice(&tag);
        Ok(Sealed(raw))
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
        raw.truncate(raw.len() - TAG_BYTES);
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

impl Sealed {
    /// How many characters a token takes whose plaintext has so many bytes.
    pub(crate) fn chars_of(plaintext: usize) -> usize {
        (4 * (OVERHEAD_BYTES + plaintext)).div_ceil(3)
    }
}

impl TokenText for Sealed {
    fn chars(&self) -> usize {
        Self::chars_of(self.0.len() - OVERHEAD_BYTES)
    }

    fn write_to(&self, text: &mut String) {
        URL_SAFE_NO_PAD.encode_append(&self.0, text);
    }
}

impl Opened {
    pub(crate) fn plaintext(&self) -> &[u8] {
        &self.raw[HEADER_BYTES..]
    }

    /// The last bytes of the plaintext, without copying them.
    pub(crate) fn into_content(self, length: usize) -> Content {
        Content::at_end_of(self.raw, length)
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
    use aes_gcm::KeyInit;
    use xaes_256_gcm::Xaes256Gcm;

    use super::*;
    use crate::RootKey;

    const MAX_CHARS: usize = 4096;

    fn keys(ring: &KeyRing) -> Keys {
        Keys::derive(ring, Binding::new("__Host-session", "session", "example.org").unwrap())
    }

    fn seal(keys: &Keys, plaintext: &[u8]) -> String {
        keys.seal(0, |to| to.extend_from_slice(plaintext)).unwrap().to_text()
    }

    fn bytes(hex: &serde_json::Value) -> Vec<u8> {
        let hex = hex.as_str().unwrap();
        (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect()
    }

    #[test]
    fn tokens_are_as_the_format_says() {
        let vectors: Vec<serde_json::Value> =
            serde_json::from_str(include_str!("../tests/data/tokens.json")).unwrap();
        assert!(vectors.len() >= 6);
        for vector in vectors {
            let text = |name: &str| vector[name].as_str().unwrap();
            let root: RootKey = text("key").parse().unwrap();
            assert_eq!(root.fingerprint(), text("fingerprint"));
            assert_eq!(*root.expose(), text("key"));
            let binding =
                Binding::new(text("cookie_name"), text("purpose"), text("audience")).unwrap();
            let key = DerivedKey::derive(KeyState::Active, &root, &binding);
            let derived = bytes(&vector["derived"]);
            assert_eq!((&key.csrf[..], &key.id[..]), (&derived[32..64], &derived[96..]));
            assert_eq!(key.associated_data, bytes(&vector["associated_data"]));
            let plaintext = bytes(&vector["plaintext"]);
            let nonce = bytes(&vector["nonce"]).try_into().unwrap();
            let sealed = key.seal(&nonce, 0, |to| to.extend_from_slice(&plaintext)).unwrap();
            assert_eq!(sealed.to_text(), text("token"), "{}", text("what"));

            let keys = Keys::derive(&KeyRing::new(root), binding);
            let opened = keys.open(text("token").as_bytes(), MAX_CHARS).unwrap();
            assert_eq!(opened.plaintext(), plaintext);
        }
    }

    /// <https://c2sp.org/XAES-256-GCM>
    #[test]
    fn the_cipher_is_that_of_its_specification() {
        for (key, aad, expected) in [
            (1, "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"),
            (
                3,
                "c2sp.org/XAES-256-GCM",
                "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d",
            ),
        ] {
            let mut text = *b"XAES-256-GCM";
            let tag = Xaes256Gcm::new(&[key; 32].into())
                .encrypt_inout_detached(
                    b"ABCDEFGHIJKLMNOPQRSTUVWX".into(),
                    aad.as_bytes(),
                    (&mut text[..]).into(),
                )
                .unwrap();
            assert_eq!([&text[..], &tag[..]].concat(), bytes(&expected.into()));
        }
    }

    #[test]
    fn what_is_sealed_opens() {
        let ring = KeyRing::new(RootKey::generate().unwrap());
        let keys = keys(&ring);
        for length in [0, 1, 15, 16, 17, 512, 3000] {
            let plaintext = vec![7; length];
            let token = seal(&keys, &plaintext);
            assert_eq!(token.len(), Sealed::chars_of(length));
            let opened = keys.open(token.as_bytes(), MAX_CHARS).unwrap();
            assert_eq!((opened.plaintext(), opened.retiring), (&plaintext[..], false));
        }
    }

    #[test]
    fn each_token_has_a_nonce_of_its_own() {
        let ring = KeyRing::new(RootKey::generate().unwrap());
        let keys = keys(&ring);
        let tokens: std::collections::HashSet<String> =
            (0..1000).map(|_| seal(&keys, b"same")).collect();
        assert_eq!(tokens.len(), 1000);
    }

    #[test]
    fn each_state_of_a_key_opens_what_it_should() {
        use KeyState::{Active, Announced, Retiring, Revoked};
        let (key, other) = (RootKey::generate().unwrap(), RootKey::generate().unwrap());
        let ring = KeyRing::new(key.clone());
        let keys = keys(&ring);
        let token = seal(&keys, b"x");
        let open_as = |states: &[(KeyState, &RootKey)]| {
            let states = states.iter().map(|(state, key)| (*state, RootKey::clone(key)));
            ring.replace(&KeyRing::from_keys(states).unwrap());
            keys.open(token.as_bytes(), MAX_CHARS).map(|opened| opened.retiring)
        };
        assert_eq!(open_as(&[(Active, &key), (Retiring, &other)]), Ok(false));
        assert_eq!(open_as(&[(Active, &other), (Retiring, &key)]), Ok(true));
        assert_eq!(open_as(&[(Active, &other), (Announced, &key)]), Ok(false));
        assert_eq!(open_as(&[(Active, &other), (Revoked, &key)]), Err(Invalid::RevokedKey));
        assert_eq!(open_as(&[(Active, &other)]), Err(Invalid::UnknownKey));
        // And the active key seals, whichever it is.
        ring.replace(&KeyRing::from_keys([(Retiring, key), (Active, other.clone())]).unwrap());
        let token = seal(&keys, b"x");
        ring.replace(&KeyRing::new(other));
        assert!(keys.open(token.as_bytes(), MAX_CHARS).is_ok());
    }

    #[test]
    fn csrf_keys_are_those_that_open_and_the_active_one_comes_first() {
        use KeyState::{Active, Announced, Retiring, Revoked};
        let roots: Vec<RootKey> = (0..4).map(|_| RootKey::generate().unwrap()).collect();
        let csrf_of =
            |root: &RootKey| *keys(&KeyRing::new(root.clone())).csrf_keys().csrf().next().unwrap();
        let states = [Revoked, Retiring, Active, Announced];
        let ring = KeyRing::from_keys(states.into_iter().zip(roots.iter().cloned())).unwrap();
        let keys = keys(&ring);
        let snapshot = keys.csrf_keys();
        let csrf: Vec<[u8; 32]> = snapshot.csrf().copied().collect();
        assert_eq!(csrf, [csrf_of(&roots[2]), csrf_of(&roots[1]), csrf_of(&roots[3])]);
    }

    #[test]
    fn rows_are_named_alike_after_a_rotation_and_differently_for_others() {
        let of = |purpose, audience| Binding::new("s", purpose, audience).unwrap().store_key();
        let keys = keys(&KeyRing::new(RootKey::generate().unwrap()));
        assert_eq!(keys.store_key(), of("session", "example.org"));
        assert_ne!(of("a", "b"), of("b", "a"));
        assert_ne!(of("ab", ""), of("a", "b"));
    }

    #[test]
    fn a_binding_has_parts_of_at_most_255_bytes() {
        let long = "a".repeat(256);
        for parts in [[&long, "b", "c"], ["a", &long, "c"], ["a", "b", &long]] {
            let error = Binding::new(parts[0], parts[1], parts[2]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Refused);
        }
        assert!(Binding::new("a", &long[1..], "").is_ok());
    }
}
