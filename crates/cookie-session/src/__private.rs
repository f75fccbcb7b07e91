//! The parts that have no public face, for the measurements and fuzz targets of this repository. They
//! change without notice.

use std::fmt;
use std::time::Duration;

use crate::cookie::{Candidate, Candidates, TokenText, set_cookie};
use crate::key::Binding;
use crate::token::{Invalid, Keys};
use crate::{Attributes, Error, KeyRing};

/// Seals and opens tokens of one cookie.
pub struct Sealer {
    attributes: Attributes,
    keys: Keys,
}

impl Sealer {
    /// # Errors
    /// For a purpose or an audience that is too long.
    pub fn new(
        ring: &KeyRing,
        attributes: Attributes,
        purpose: &str,
        audience: &str,
    ) -> Result<Self, Error> {
        let binding = Binding::new(attributes.name(), purpose, audience)?;
        Ok(Self { attributes, keys: Keys::derive(ring, binding) })
    }

    /// # Errors
    /// If the operating system has no random bytes.
    pub fn seal(&self, plaintext: &[u8]) -> Result<String, Error> {
        let write = |to: &mut Vec<u8>| to.extend_from_slice(plaintext);
        Ok(self.keys.seal(plaintext.len(), write)?.to_text())
    }

    /// The plaintext of a token, or why it was not opened.
    ///
    /// # Errors
    /// The reason as it is told to `tracing`.
    pub fn open(&self, token: &[u8]) -> Result<Vec<u8>, String> {
        self.open_with(token, <[u8]>::to_vec)
    }

    /// What is made of the plaintext of a token, in the buffer in which it was opened.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub fn open_with<T>(&self, token: &[u8], make: impl FnOnce(&[u8]) -> T) -> Result<T, String> {
        match self.keys.open(token, 4096) {
            Ok(opened) => Ok(make(opened.plaintext())),
            Err(invalid) => Err(invalid.to_string()),
        }
    }

    /// The lines that set a cookie.
    ///
    /// # Errors
    /// If it does not fit.
    pub fn set_cookie(&self, token: &str, max_age: Option<Duration>) -> Result<Vec<String>, Error> {
        set_cookie(&self.attributes, &token, max_age, Default::default())
    }

    /// The tokens that a request brings under the name, joined and not opened.
    #[must_use]
    pub fn texts(&self, headers: &[&[u8]]) -> Vec<Result<Vec<u8>, String>> {
        let found = Candidates::find(headers.iter().copied(), &self.attributes);
        let text = |candidate: Candidate<'_>| candidate.text().to_vec();
        found.tokens().map(|token| token.map(text).map_err(|why| why.to_string())).collect()
    }

    /// What is opened of each of the cookies that a request brings under the name.
    #[must_use]
    pub fn read(&self, headers: &[&[u8]]) -> Vec<Result<Vec<u8>, String>> {
        let open = |candidate: Result<Candidate<'_>, Invalid>| {
            let opened = candidate?.open(&self.keys)?;
            Ok(opened.plaintext().to_vec())
        };
        let found = Candidates::find(headers.iter().copied(), &self.attributes);
        found.tokens().map(|token| open(token).map_err(|why: Invalid| why.to_string())).collect()
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sealer").field(&self.attributes).finish()
    }
}
