//! The secret that everything is derived from, and its text form.

use std::fmt;
use std::str::FromStr;

use base64_simd::URL_SAFE_NO_PAD;
use hkdf::Hkdf;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::{Error, ErrorKind, hex};

const PREFIX: &str = "csk1_";
const SECRET_BYTES: usize = 32;
/// 32 bytes of secret in base64url, then 3 bytes of checksum in the same.
const TEXT_CHARS: usize = PREFIX.len() + 43 + 4;

/// A secret of 32 random bytes, from which the keys of all cookies are derived.
///
/// Its text form is `csk1_`, the secret in base64url, and a checksum of four characters: a key that
/// was cut short or mistyped is refused, and scanners for leaked secrets find it by its beginning.
///
/// ```
/// use cookie_session::RootKey;
///
/// let key = RootKey::generate()?;
/// let text = key.expose();
/// assert_eq!((text.len(), &text[..5]), (52, "csk1_"));
/// assert_eq!(text.parse::<RootKey>()?.fingerprint(), key.fingerprint());
/// // The secret is not shown by accident.
/// assert_eq!(format!("{key:?}"), format!("RootKey({})", key.fingerprint()));
/// # Ok::<(), cookie_session::Error>(())
/// ```
#[derive(Clone)]
pub struct RootKey {
    /// In one place: a move of the key copies a pointer and not the secret.
    secret: Box<Zeroizing<[u8; SECRET_BYTES]>>,
    fingerprint: String,
}

impl RootKey {
    /// A new key, of random bytes of the operating system.
    ///
    /// # Errors
    /// Of the kind [`Random`](ErrorKind::Random) if there are none.
    pub fn generate() -> Result<Self, Error> {
        let mut secret = Box::new(Zeroizing::new([0; SECRET_BYTES]));
        getrandom::fill(&mut **secret).map_err(no_random_bytes)?;
        Ok(Self::new(secret))
    }

    fn new(secret: Box<Zeroizing<[u8; SECRET_BYTES]>>) -> Self {
        let public = expand::<8>(&secret, &[b"cookie-session v1 fingerprint"]);
        let fingerprint = hex::encode(&public[..]);
        Self { secret, fingerprint }
    }

    /// 16 hexadecimal digits that name this key and say nothing about its secret: for logs and for
    /// people who compare two machines.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The text form, **secret included**: for a key file or an environment variable, never for a log.
    /// It is overwritten when it is dropped.
    #[must_use]
    pub fn expose(&self) -> Zeroizing<String> {
        let mut text = String::with_capacity(TEXT_CHARS);
        text.push_str(PREFIX);
        URL_SAFE_NO_PAD.encode_append(**self.secret, &mut text);
        URL_SAFE_NO_PAD.encode_append(checksum(&text), &mut text);
        Zeroizing::new(text)
    }

    /// Bytes from the secret, for the purpose that the joined `info` names.
    pub(crate) fn derive<const N: usize>(&self, info: &[&[u8]]) -> Zeroizing<[u8; N]> {
        expand(&self.secret, info)
    }
}

/// HKDF-SHA256 without a salt: the secret is uniformly random.
fn expand<const N: usize>(secret: &[u8; SECRET_BYTES], info: &[&[u8]]) -> Zeroizing<[u8; N]> {
    const { assert!(N <= 255 * 32, "HKDF-SHA256 gives 255 blocks") };
    let mut output = Zeroizing::new([0; N]);
    // Fails for more than those only.
    let expanded = Hkdf::<Sha256>::new(None, secret).expand_multi_info(info, &mut output[..]);
    debug_assert!(expanded.is_ok());
    output
}

/// Of the text before it, so that it also covers the version in the prefix.
fn checksum(text: &str) -> [u8; 3] {
    let digest = Sha256::digest(text);
    [digest[0], digest[1], digest[2]]
}

pub(crate) fn no_random_bytes(source: getrandom::Error) -> Error {
    let what = "the operating system gives no random bytes: check its getrandom(2) or /dev/urandom";
    Error::caused(ErrorKind::Random, what, source)
}

impl FromStr for RootKey {
    type Err = Error;

    /// Reads the text form. The error never repeats the text, which may be a secret.
    fn from_str(text: &str) -> Result<Self, Error> {
        let refused = |what: &str| Err(Error::new(ErrorKind::Keys, what));
        if !text.starts_with(PREFIX) {
            return refused(
                "a key begins with `csk1_`; `cookie-session-keygen generate` makes one",
            );
        }
        if text.len() != TEXT_CHARS || !text.is_ascii() {
            return refused("a key has 52 characters, and this one has not: was it cut short?");
        }
        let (secret_text, checksum_text) = text.split_at(TEXT_CHARS - 4);
        if URL_SAFE_NO_PAD.encode_to_string(checksum(secret_text)) != checksum_text {
            return refused("the checksum of a key is wrong: was a character changed?");
        }
        let mut secret = Box::new(Zeroizing::new([0; SECRET_BYTES]));
        // One byte more: the decoder asks for room for a whole group of four characters.
        let mut room = Zeroizing::new([0; SECRET_BYTES + 1]);
        let encoded = &secret_text.as_bytes()[PREFIX.len()..];
        match URL_SAFE_NO_PAD.decode(encoded, base64_simd::AsOut::as_out(&mut room[..])) {
            Ok(decoded) if decoded.len() == SECRET_BYTES => secret.copy_from_slice(decoded),
            _ => return refused("a key holds base64url, and this one does not"),
        }
        Ok(Self::new(secret))
    }
}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RootKey({})", self.fingerprint)
    }
}
