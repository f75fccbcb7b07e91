//! The stored form of dogpile.cache: `{"ct": 1700000000.25, "v": 2}|` and the serialised value.

use bytes::Bytes;
use dogpile_core::{Backend, Entry, Error, ErrorKind, Key, Result, SetOptions, Timestamp};

use super::number::write_float;

/// The version of values that dogpile.cache 1.x reads and writes.
pub const VERSION: u32 = 2;

/// A backend whose values Python reads and writes too.
///
/// It stands around a backend that stores values as they are, with no envelope of its own. A value
/// with an [expiry of its own](Entry::expires) has one member more, `"expires"`, which Python does
/// not look at: to Python such a value is fresh for as long as any other.
///
/// Reading is tolerant: any spacing, whole or fractional seconds, more members than two. Anything
/// that is not this form is [`ErrorKind::Corrupt`].
#[derive(Clone, Debug)]
pub struct PythonWire<B> {
    inner: B,
}

impl<B: Backend<Value = Bytes>> PythonWire<B> {
    /// Speaks Python's form to this backend.
    pub const fn new(inner: B) -> Self {
        Self { inner }
    }
}

impl<B: Backend<Value = Bytes>> Backend for PythonWire<B> {
    type Value = Bytes;

    async fn get(&self, key: Key<'_>) -> Result<Option<Entry<Bytes>>> {
        self.inner.get(key).await?.map(|entry| decode(&entry.value)).transpose()
    }

    async fn get_many(&self, keys: &[Key<'_>]) -> Result<Vec<Option<Entry<Bytes>>>> {
        let entries = self.inner.get_many(keys).await?;
        entries
            .into_iter()
            .map(|entry| entry.map(|entry| decode(&entry.value)).transpose())
            .collect()
    }

    async fn set_many(
        &self,
        items: &[(Key<'_>, Entry<Bytes>)],
        options: &SetOptions,
    ) -> Result<()> {
        let items: Vec<_> =
            items.iter().map(|(key, entry)| (*key, entry.clone().map(|_| encode(entry)))).collect();
        self.inner.set_many(&items, options).await
    }

    async fn delete_many(&self, keys: &[Key<'_>]) -> Result<()> {
        self.inner.delete_many(keys).await
    }

    async fn delete_group(&self, group: &[u8]) -> Result<()> {
        self.inner.delete_group(group).await
    }
}

fn encode(entry: &Entry<Bytes>) -> Bytes {
    let mut head = String::from("{\"ct\": ");
    write_seconds(&mut head, entry.created);
    head.push_str(", \"v\": ");
    head.push_str(&entry.version.to_string());
    if entry.expires != Timestamp::MAX {
        head.push_str(", \"expires\": ");
        write_seconds(&mut head, entry.expires);
    }
    head.push_str("}|");
    [head.as_bytes(), &entry.value].concat().into()
}

fn write_seconds(head: &mut String, moment: Timestamp) {
    // Milliseconds up to the year 287396 fit a double, and divided they are the nearest one to the
    // decimal fraction, which is what its shortest digits say.
    #[expect(clippy::cast_precision_loss, reason = "exact in any year that this will see")]
    write_float(head, moment.as_millis() as f64 / 1000.0);
}

fn decode(stored: &Bytes) -> Result<Entry<Bytes>> {
    let bar = stored.iter().position(|b| *b == b'|');
    bar.and_then(|bar| {
        let head = std::str::from_utf8(&stored[..bar]).ok()?;
        let entry = Head(head).read()?;
        Some(entry.map(|()| stored.slice(bar + 1..)))
    })
    .ok_or_else(|| {
        Error::new(
            ErrorKind::Corrupt,
            "the stored bytes do not start as dogpile.cache writes them: {\"ct\": seconds, \"v\": version}|",
        )
    })
}

/// A JSON object of flat members: all that stands before the bar.
struct Head<'a>(&'a str);

impl<'a> Head<'a> {
    fn read(mut self) -> Option<Entry<()>> {
        let (mut created, mut version, mut expires) = (None, None, Timestamp::MAX);
        self.symbol('{')?;
        loop {
            let name = self.text()?;
            self.symbol(':')?;
            match name {
                "ct" => created = Some(self.moment()?),
                "v" => version = Some(self.number()?),
                "expires" => expires = self.moment()?,
                _ => self.skip()?,
            }
            if self.symbol('}').is_some() {
                break;
            }
            self.symbol(',')?;
        }
        self.space();
        let whole: f64 = version?;
        let sound = whole.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&whole);
        if !self.0.is_empty() || !sound {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range")]
        let version = whole as u32;
        Some(Entry::new(created?, ()).with_expires(expires).with_version(version))
    }

    /// Seconds, of which the nearest millisecond is taken. Before 1970 is as old as can be.
    fn moment(&mut self) -> Option<Timestamp> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
        let millis = (self.number()? * 1000.0).round() as u64;
        Some(Timestamp::from_millis(millis))
    }

    fn space(&mut self) {
        self.0 = self.0.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    fn symbol(&mut self, symbol: char) -> Option<()> {
        self.space();
        self.0 = self.0.strip_prefix(symbol)?;
        Some(())
    }

    /// A name or a text, its escapes as they stand: none of ours has any.
    fn text(&mut self) -> Option<&'a str> {
        self.symbol('"')?;
        let mut escaped = false;
        let end = self.0.find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        })?;
        let (text, rest) = self.0.split_at(end);
        self.0 = &rest[1..];
        Some(text)
    }

    fn number(&mut self) -> Option<f64> {
        self.space();
        let end = self.0.find(|c: char| !matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E'))?;
        let (number, rest) = self.0.split_at(end);
        self.0 = rest;
        number.parse().ok().filter(|number: &f64| number.is_finite())
    }

    /// A member that is not ours: a text, a number or a word.
    fn skip(&mut self) -> Option<()> {
        self.space();
        if self.0.starts_with('"') {
            return self.text().map(|_| ());
        }
        let end = self.0.find([',', '}'])?;
        let plain = self.0[..end].trim_end();
        self.0 = &self.0[end..];
        (!plain.is_empty() && plain.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c)))
            .then_some(())
    }
}
