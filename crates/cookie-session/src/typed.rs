//! Sessions of a type of the application's own.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::map;
use crate::state::State;
use crate::{Error, ErrorKind, Result, Session};

/// A type that sessions hold, with the version of its schema.
///
/// ```
/// use cookie_session::{SessionData, Stored};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Default, Deserialize, Serialize)]
/// struct Shopper {
///     currency: String,
///     cart: Vec<u64>,
/// }
///
/// /// What it was before there were several currencies.
/// #[derive(Deserialize)]
/// struct Shopper1 {
///     cart: Vec<u64>,
/// }
///
/// impl SessionData for Shopper {
///     const VERSION: u32 = 2;
///
///     fn migrate(stored: Stored<'_>) -> Option<Self> {
///         let Shopper1 { cart } = stored.decode()?;
///         Some(Self { currency: "EUR".into(), cart })
///     }
/// }
/// ```
///
/// Fields are written with their names, so one may be added with `#[serde(default)]`, or moved,
/// without a new version.
pub trait SessionData: Serialize + DeserializeOwned + Default {
    /// The version of the schema, from 1. Raise it with each change that makes what is stored
    /// unreadable, or readable as something else.
    const VERSION: u32;

    /// The value for one that a previous version of the program stored. `None` ends the session, as
    /// if it had expired.
    fn migrate(stored: Stored<'_>) -> Option<Self>;
}

/// What a session holds, as an older version of the program stored it.
pub struct Stored<'a> {
    version: u32,
    content: &'a [u8],
}

impl Stored<'_> {
    /// The [`VERSION`](SessionData::VERSION) that stored it; zero for a session that was a map.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The value as the type of that version. `None` if it is not one.
    #[must_use]
    pub fn decode<T: DeserializeOwned>(&self) -> Option<T> {
        map::decode(self.content).ok().filter(|_| self.version > 0)
    }

    /// The value of a key, for a session that was a map.
    #[must_use]
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        map::decode(map::find(self.content, key)?).ok().filter(|_| self.version == 0)
    }
}

impl fmt::Debug for Stored<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stored").field("version", &self.version).finish_non_exhaustive()
    }
}

/// A session of a type.
impl<T: SessionData> Session<T> {
    /// What the session holds; the default of a session that is new.
    ///
    /// # Errors
    /// Of the kind [`Decode`](ErrorKind::Decode) if the type changed and its
    /// [version](SessionData::VERSION) did not.
    pub fn data(&self) -> Result<T> {
        self.look(data)
    }

    /// Changes what the session holds.
    ///
    /// # Errors
    /// Of the kinds [`Decode`](ErrorKind::Decode), [`Encode`](ErrorKind::Encode) and
    /// [`Random`](ErrorKind::Random). Whether all fits into the cookie is seen at the end of the
    /// request.
    pub fn update<U>(&self, change: impl FnOnce(&mut T) -> U) -> Result<U> {
        let mut value = self.data()?;
        let answer = change(&mut value);
        self.set(&value)?;
        Ok(answer)
    }

    /// Puts a value in the place of what the session holds.
    ///
    /// # Errors
    /// Of the kinds [`Encode`](ErrorKind::Encode) and [`Random`](ErrorKind::Random).
    pub fn set(&self, value: &T) -> Result<()> {
        let content = encode(value)?;
        self.put(|state| {
            state.header.schema = T::VERSION;
            state.content.set(content);
        })
    }
}

fn data<T: SessionData>(state: &State) -> Result<T> {
    if state.content.is_empty() {
        return Ok(T::default());
    }
    map::decode(&state.content).map_err(|source| {
        let what = "the session is not of the type; give a type that changed another version";
        Error::caused(ErrorKind::Decode, what, source)
    })
}

fn encode<T: SessionData>(value: &T) -> Result<Vec<u8>> {
    map::encode(value).map_err(|source| {
        Error::caused(ErrorKind::Encode, "the value cannot be written down", source)
    })
}

/// Sees that the session is a map. A type is newer than that.
pub(crate) fn expect_map(state: &mut State) -> Result<()> {
    let version = state.header.schema;
    if version == 0 || state.content.is_empty() {
        return Ok(());
    }
    if state.content.is_changed() {
        let what = "this request has put a type into the session, and asks for a map";
        return Err(Error::new(ErrorKind::Decode, what));
    }
    // Loud, because it may be a mistake: a program that asks for both.
    tracing::warn!(
        target: "cookie_session",
        stored = version,
        "a session was refused: it is one of a type, and was asked for as a map",
    );
    state.refuse();
    Ok(())
}

/// Sees that the session is of a type and of its version, or makes it one.
pub(crate) fn expect<T: SessionData>(state: &mut State) -> Result<()> {
    const { assert!(T::VERSION > 0, "versions of a schema begin at 1; 0 is a map") };
    let version = state.header.schema;
    if version == T::VERSION || state.content.is_empty() {
        return Ok(());
    }
    let migrated = if version < T::VERSION {
        T::migrate(Stored { version, content: &state.content })
    } else {
        None
    };
    match migrated {
        Some(value) => {
            let was_changed = state.content.is_changed();
            state.content.set(encode(&value)?);
            state.header.schema = T::VERSION;
            if !was_changed {
                // It is no change of the application's: it is made again if it cannot be saved.
                state.content.settle();
                state.is_due = true;
            }
        }
        None => {
            tracing::debug!(
                target: "cookie_session",
                stored = version,
                expected = T::VERSION,
                "a session was refused: its schema is of another version",
            );
            state.refuse();
        }
    }
    Ok(())
}
