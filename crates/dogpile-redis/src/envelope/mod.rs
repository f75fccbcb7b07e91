//! What travels with a value.

mod compact;
mod full;
mod python;

use std::fmt;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use dogpile_core::{Entry, Error, ErrorKind, Result, Timestamp};

/// What is stored around the bytes that the codec of a region makes.
///
/// | | stored | bytes more | `created` | `expires` | `version` |
/// |---|---|---|---|---|---|
/// | [`full`](Self::full) | a mark, stamps, the value | 7, and 6 for an expiry of its own, and 4 for a version | ms | ms | yes |
/// | [`compact`](Self::compact) | the second of its creation, the value | 4 | whole seconds | left to the server | no |
/// | [`raw`](Self::raw) | the value | 0 | no | left to the server | no |
/// | [`dogpile_cache`](Self::dogpile_cache) | what dogpile.cache 1.5 writes | 30 to 36 | yes | as a member that Python does not look at | yes |
/// | [`custom`](Self::custom) | what your functions make of it | | | | |
///
/// "Left to the server" means that an entry with an expiry of its own is dropped when it has passed,
/// and is not served stale. That holds for plain keys, and for fields of groups only with
/// [`with_field_expiry`](crate::Redis::with_field_expiry): without it, the expiry of such an entry is
/// lost, and it stays as fresh as its age alone makes it.
///
/// # What the smaller ones give up
///
/// `compact` rounds the creation down: a value may count as expired up to a second early, and for the
/// rest of the second of an invalidation a new value counts as invalidated. Use it for expiries of
/// many seconds. Its four bytes end in the year 2106.
///
/// `raw` knows no age. What is there counts as created now, so it is fresh until the server drops it,
/// whatever expiry the region has. Give it a time to live: plain keys by
/// [`with_keep_for`](crate::Redis::with_keep_for) or a hard deadline of the region, and fields of
/// groups by an expiry of their [group](crate::Redis::with_group_expiry), because the other two reach
/// them only with [`with_field_expiry`](crate::Redis::with_field_expiry). Nothing is ever stale, and
/// invalidating a region has no effect; deleting has. The lock works as with the others: of many
/// callers that find nothing, one creates.
///
/// Neither can tell foreign bytes from its own; the codec has to.
#[derive(Clone)]
pub struct Envelope {
    form: Form,
    version: u32,
}

#[derive(Clone)]
enum Form {
    Full,
    Compact,
    Raw,
    DogpileCache,
    Custom { encode: Encode, decode: Decode },
}

type Encode = Arc<dyn Fn(&Entry<Bytes>) -> Result<Bytes> + Send + Sync>;
type Decode = Arc<dyn Fn(&Bytes) -> Result<Entry<Bytes>> + Send + Sync>;

impl Envelope {
    const fn of(form: Form) -> Self {
        Self { form, version: 0 }
    }

    /// Everything, to the millisecond. The default.
    #[must_use]
    pub const fn full() -> Self {
        Self::of(Form::Full)
    }

    /// The second of the creation, in four bytes.
    #[must_use]
    pub const fn compact() -> Self {
        Self::of(Form::Compact)
    }

    /// Nothing: the value as it is.
    #[must_use]
    pub const fn raw() -> Self {
        Self::of(Form::Raw)
    }

    /// What dogpile.cache 1.5 reads and writes: `{"ct": 1700000000.25, "v": 2}|` and the value.
    ///
    /// A region over it needs the version 2, which is that of dogpile.cache's values.
    #[must_use]
    pub const fn dogpile_cache() -> Self {
        Self::of(Form::DogpileCache)
    }

    /// Functions of yours. What `encode` leaves out, `decode` has to make up; bytes that it cannot read
    /// are [`ErrorKind::Corrupt`].
    ///
    /// ```
    /// use bytes::Bytes;
    /// use dogpile_core::{Entry, Error, ErrorKind, Timestamp};
    /// use dogpile_redis::Envelope;
    ///
    /// // The date of the creation as text, a blank, and the value.
    /// let dated = Envelope::custom(
    ///     |entry| Ok([entry.created.to_string().as_bytes(), b" ", &entry.value].concat().into()),
    ///     |stored| {
    ///         let corrupt = || Error::new(ErrorKind::Corrupt, "it does not begin with a date");
    ///         let blank = stored.iter().position(|byte| *byte == b' ').ok_or_else(corrupt)?;
    ///         let date = std::str::from_utf8(&stored[..blank]).map_err(|_| corrupt())?;
    ///         let seconds: f64 = date.parse().map_err(|_| corrupt())?;
    ///         let created = Timestamp::from_millis((seconds * 1000.0).round() as u64);
    ///         Ok(Entry::new(created, stored.slice(blank + 1..)))
    ///     },
    /// );
    /// ```
    #[must_use]
    pub fn custom(
        encode: impl Fn(&Entry<Bytes>) -> Result<Bytes> + Send + Sync + 'static,
        decode: impl Fn(&Bytes) -> Result<Entry<Bytes>> + Send + Sync + 'static,
    ) -> Self {
        Self::of(Form::Custom { encode: Arc::new(encode), decode: Arc::new(decode) })
    }

    /// The version that entries have whose stored form has no room for one: that of the region that
    /// reads them. 0 by default, as of a region.
    #[must_use]
    pub const fn with_version(mut self, version: u32) -> Self {
        self.version = version;
        self
    }

    /// What is stored of an entry.
    ///
    /// # Errors
    /// What a custom function fails with.
    pub fn encode(&self, entry: &Entry<Bytes>) -> Result<Bytes> {
        Ok(match &self.form {
            Form::Full => full::encode(entry),
            Form::Compact => compact::encode(entry),
            Form::Raw => entry.value.clone(),
            Form::DogpileCache => python::encode(entry),
            Form::Custom { encode, .. } => encode(entry)?,
        })
    }

    /// The entry of what was stored, read at `now`.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] for bytes that are none of this envelope's, and what a custom function
    /// fails with.
    pub fn decode(&self, stored: Bytes, now: Timestamp) -> Result<Entry<Bytes>> {
        Ok(self.open(&stored, now)?.entry(stored))
    }

    /// What was stored, read at `now` and as far as its stamps.
    pub(crate) fn open(&self, stored: &Bytes, now: Timestamp) -> Result<Opened> {
        if let Form::Custom { decode, .. } = &self.form {
            let mut value = Bytes::new();
            let stamps = decode(stored)?.map(|made| value = made);
            return Ok(Opened { stamps, value: Found::Made(value) });
        }
        let (stamps, begins) = self.read(stored, now)?;
        Ok(Opened { stamps, value: Found::From(begins) })
    }

    /// The stamps, and where the value begins.
    fn read(&self, stored: &[u8], now: Timestamp) -> Result<(Entry<()>, usize)> {
        let unversioned =
            |(entry, begins): (Entry<()>, _)| (entry.with_version(self.version), begins);
        match &self.form {
            Form::Full => full::read(stored),
            Form::Compact => compact::read(stored).map(unversioned),
            Form::DogpileCache => python::read(stored),
            Form::Raw | Form::Custom { .. } => Some(unversioned((Entry::new(now, ()), 0))),
        }
        .ok_or_else(|| {
            let what = format!("the stored bytes are no entry with the envelope `{self:?}`");
            Error::new(ErrorKind::Corrupt, what)
        })
    }

    /// How many of the first bytes tell one entry from the one that replaced it, as far as its age
    /// goes.
    pub(crate) fn head<'s>(&self, stored: &'s [u8]) -> &'s [u8] {
        let length = match &self.form {
            Form::Full => full::HEAD,
            Form::Compact => compact::HEAD,
            Form::Raw => 64,
            Form::DogpileCache => stored.iter().position(|byte| *byte == b'|').unwrap_or(64),
            Form::Custom { .. } => stored.len(),
        };
        &stored[..length.min(stored.len())]
    }

    /// Whether an entry's own expiry is in the stored form, so that it may be served stale after it.
    pub(crate) const fn has_expires(&self) -> bool {
        !matches!(self.form, Form::Compact | Form::Raw)
    }
}

/// What was stored, of which the stamps have been read.
pub(crate) struct Opened {
    pub(crate) stamps: Entry<()>,
    value: Found,
}

enum Found {
    /// It is what was stored, from here on.
    From(usize),
    Made(Bytes),
}

impl Opened {
    /// The entry of what was stored.
    pub(crate) fn entry(self, mut stored: Bytes) -> Entry<Bytes> {
        let value = match self.value {
            Found::From(begins) => {
                stored.advance(begins);
                stored
            }
            Found::Made(value) => value,
        };
        self.stamps.map(|()| value)
    }
}

impl Default for Envelope {
    fn default() -> Self {
        Self::full()
    }
}

impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.form {
            Form::Full => "full",
            Form::Compact => "compact",
            Form::Raw => "raw",
            Form::DogpileCache => "dogpile-cache",
            Form::Custom { .. } => "custom",
        })
    }
}
