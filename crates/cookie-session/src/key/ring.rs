//! The keys of an application, which of them may do what, and reading them again while it runs.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use zeroize::Zeroizing;

use super::text;
use crate::{Error, ErrorKind, RootKey};

/// What a key of a [`KeyRing`] may do.
///
/// A rotation without logging anybody out walks a key through them: announce the next key to all
/// machines, make it active when all have read it and the old one retiring, and remove that when the
/// longest session sealed with it has ended. A key that may be known to others is revoked at once.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum KeyState {
    /// Opens and does not seal yet: the next active key, which other machines may use already.
    Announced,
    /// Seals and opens. A ring has exactly one.
    Active,
    /// Opens and does not seal any more; what it opens is sealed anew with the active one.
    Retiring,
    /// Opens nothing. It stays in the ring so that its use is noticed, with a warning in `tracing`.
    Revoked,
}

/// The keys of an application, one of them active. Clones share the keys: a reload of one is seen by
/// all, at once and as a whole.
///
/// ```
/// use cookie_session::{KeyRing, KeyState, RootKey};
///
/// let keys = KeyRing::new(RootKey::generate()?);
/// // On another day: a new key seals, and what the old one sealed is still read.
/// let old = keys.keys().remove(0).1;
/// let rotated = KeyRing::from_keys([
///     (KeyState::Active, RootKey::generate()?),
///     (KeyState::Retiring, old),
/// ])?;
/// keys.replace(&rotated);
/// assert_eq!(keys.keys().len(), 2);
/// # Ok::<(), cookie_session::Error>(())
/// ```
#[derive(Clone)]
pub struct KeyRing(Arc<Shared>);

struct Shared {
    keys: ArcSwap<Vec<(KeyState, RootKey)>>,
    /// Counts changes, so that what was derived from the keys notices.
    epoch: AtomicU64,
    source: Source,
    /// One change at a time, so that of two the later one stays.
    changing: Mutex<()>,
}

enum Source {
    Code,
    File(PathBuf),
    Variable(String),
}

impl KeyRing {
    /// A ring of one key, the active one.
    #[must_use]
    pub fn new(active: RootKey) -> Self {
        Self::holding(vec![(KeyState::Active, active)], Source::Code)
    }

    /// A ring of these keys.
    ///
    /// # Errors
    /// Of the kind [`Keys`](ErrorKind::Keys) unless exactly one of them is active and all differ.
    pub fn from_keys(keys: impl IntoIterator<Item = (KeyState, RootKey)>) -> Result<Self, Error> {
        let keys: Vec<_> = keys.into_iter().collect();
        check(&keys)?;
        Ok(Self::holding(keys, Source::Code))
    }

    /// The ring in a file. A line of it is a state and a key, as in `active csk1_…`; a key alone is
    /// active, and what follows a `#` is a comment. The program `cookie-session-keygen` makes and
    /// changes such files.
    ///
    /// # Errors
    /// Of the kind [`Unreadable`](ErrorKind::Unreadable) if there is no such file, and
    /// [`Keys`](ErrorKind::Keys) if it does not hold a ring. They name the file and the line, and
    /// never a key.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::from_source(Source::File(path.as_ref().to_owned()))
    }

    /// The ring in an environment variable: what [`KeyRing::from_file`] reads, with commas for line
    /// breaks where those are awkward.
    ///
    /// # Errors
    /// As for [`KeyRing::from_file`].
    pub fn from_env(variable: &str) -> Result<Self, Error> {
        Self::from_source(Source::Variable(variable.to_owned()))
    }

    fn from_source(source: Source) -> Result<Self, Error> {
        Ok(Self::holding(source.read()?, source))
    }

    fn holding(keys: Vec<(KeyState, RootKey)>, source: Source) -> Self {
        let keys = ArcSwap::from_pointee(keys);
        Self(Arc::new(Shared { keys, epoch: AtomicU64::new(0), source, changing: Mutex::new(()) }))
    }

    /// Reads the file or variable again, and answers whether the keys are others than before. Nothing
    /// does this by itself: call it on a signal, on a timer, or from an endpoint of yours.
    ///
    /// # Errors
    /// As for [`KeyRing::from_file`], and of the kind [`Refused`](ErrorKind::Refused) if the ring came
    /// from neither. The keys are then as they were.
    pub fn reload(&self) -> Result<bool, Error> {
        let _one = self.0.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let keys = self.0.source.read()?;
        let changed = !same(&keys, &self.0.keys.load());
        if changed {
            self.put(keys);
        }
        Ok(changed)
    }

    /// Puts the keys of another ring in the place of these: for keys that come from a vault.
    pub fn replace(&self, other: &Self) {
        let _one = self.0.changing.lock().unwrap_or_else(PoisonError::into_inner);
        self.put(other.keys());
    }

    fn put(&self, keys: Vec<(KeyState, RootKey)>) {
        self.0.keys.store(Arc::new(keys));
        self.0.epoch.fetch_add(1, Ordering::Release);
    }

    /// The keys as they are now, in the order they were given in.
    #[must_use]
    pub fn keys(&self) -> Vec<(KeyState, RootKey)> {
        self.0.keys.load().to_vec()
    }

    /// How many times the keys have changed.
    pub(crate) fn epoch(&self) -> u64 {
        self.0.epoch.load(Ordering::Acquire)
    }
}

impl FromStr for KeyState {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Ok(match text {
            "announced" => Self::Announced,
            "active" => Self::Active,
            "retiring" => Self::Retiring,
            "revoked" => Self::Revoked,
            // Not repeated: it may be a secret in the wrong column.
            _ => {
                let what = "a state is announced, active, retiring or revoked";
                return Err(Error::new(ErrorKind::Keys, what));
            }
        })
    }
}

impl fmt::Display for KeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Announced => "announced",
            Self::Active => "active",
            Self::Retiring => "retiring",
            Self::Revoked => "revoked",
        })
    }
}

impl Source {
    fn read(&self) -> Result<Vec<(KeyState, RootKey)>, Error> {
        let (name, text) = match self {
            Self::Code => {
                let what = "this ring came from no file and no variable: use `replace`";
                return Err(Error::new(ErrorKind::Refused, what));
            }
            Self::File(path) => {
                let name = path.display().to_string();
                let text = fs::read_to_string(path).map_err(|source| {
                    Error::caused(ErrorKind::Unreadable, format!("cannot read {name}"), source)
                })?;
                (name, Zeroizing::new(text))
            }
            Self::Variable(variable) => {
                let text = std::env::var(variable).map_err(|source| {
                    let what = match source {
                        std::env::VarError::NotPresent => "is not set",
                        std::env::VarError::NotUnicode(_) => "is not UTF-8",
                    };
                    Error::new(ErrorKind::Unreadable, format!("the variable {variable} {what}"))
                })?;
                (variable.clone(), Zeroizing::new(text))
            }
        };
        let keys = text::parse(&text)
            .and_then(|keys| check(&keys).map(|()| keys))
            .map_err(|error| Error::new(ErrorKind::Keys, format!("{name}: {error}")))?;
        Ok(keys)
    }
}

fn check(keys: &[(KeyState, RootKey)]) -> Result<(), Error> {
    let active = keys.iter().filter(|(state, _)| *state == KeyState::Active).count();
    if active != 1 {
        let what = format!("a ring has exactly one active key, and this one has {active}");
        return Err(Error::new(ErrorKind::Keys, what));
    }
    for (at, (_, key)) in keys.iter().enumerate() {
        if keys[..at].iter().any(|(_, other)| other.fingerprint() == key.fingerprint()) {
            let what = format!("the key {} is in the ring twice", key.fingerprint());
            return Err(Error::new(ErrorKind::Keys, what));
        }
    }
    Ok(())
}

fn same(these: &[(KeyState, RootKey)], those: &[(KeyState, RootKey)]) -> bool {
    let shape = |keys: &[(KeyState, RootKey)]| {
        keys.iter().map(|(state, key)| (*state, key.fingerprint().to_owned())).collect::<Vec<_>>()
    };
    shape(these) == shape(those)
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.0.keys.load();
        f.debug_map().entries(keys.iter().map(|(state, key)| (state.to_string(), key))).finish()
    }
}
