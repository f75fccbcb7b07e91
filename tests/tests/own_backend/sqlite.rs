//! A store on SQLite, for all processes that open its file.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use dogpile_core::{
    Age, Answer, Ask, Backend, Entry, Error, ErrorKind, Held, Key, Lease, LeaseBackend, Result,
    SetOptions, Timestamp,
};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};

const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    CREATE TABLE IF NOT EXISTS entries (
        of_group BLOB NOT NULL,
        name     BLOB NOT NULL,
        created  INTEGER NOT NULL,
        expires  INTEGER NOT NULL,
        version  INTEGER NOT NULL,
        value    BLOB NOT NULL,
        keep_to  INTEGER NOT NULL,
        PRIMARY KEY (of_group, name)
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS entries_keep_to ON entries (keep_to);
    CREATE TABLE IF NOT EXISTS leases (
        of_group BLOB NOT NULL,
        name     BLOB NOT NULL,
        token    BLOB NOT NULL,
        ends     INTEGER NOT NULL,
        PRIMARY KEY (of_group, name)
    ) WITHOUT ROWID;
";

#[derive(Debug)]
pub(crate) struct Sqlite(Mutex<Connection>);

impl Sqlite {
    pub(crate) fn open(file: impl AsRef<Path>) -> Result<Self> {
        let connection = Connection::open(file).map_err(failed)?;
        connection.busy_timeout(Duration::from_secs(5)).map_err(failed)?;
        connection.execute_batch(SCHEMA).map_err(failed)?;
        Ok(Self(Mutex::new(connection)))
    }

    /// All of it happens, or nothing, and nobody sees the middle.
    fn step<T>(
        &self,
        behavior: TransactionBehavior,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T> {
        let mut connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = connection.transaction_with_behavior(behavior).map_err(failed)?;
        let answer = work(&transaction).map_err(failed)?;
        transaction.commit().map_err(failed)?;
        Ok(answer)
    }

    fn read<T>(&self, work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>) -> Result<T> {
        self.step(TransactionBehavior::Deferred, work)
    }

    fn write<T>(&self, work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>) -> Result<T> {
        self.step(TransactionBehavior::Immediate, work)
    }
}

fn failed(error: rusqlite::Error) -> Error {
    let kind = match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::TooBig) => ErrorKind::TooLarge,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, "the database of the cache failed").with_source(error)
}

/// A plain name has no group, which is not the same as the empty group.
fn group_of(key: Key<'_>) -> Vec<u8> {
    key.group().map_or(Vec::new(), whole_group)
}

fn whole_group(group: &[u8]) -> Vec<u8> {
    [b"g", group].concat()
}

fn find(step: &Transaction<'_>, key: Key<'_>) -> rusqlite::Result<Option<Entry<Bytes>>> {
    let mut query = step.prepare_cached(
        "SELECT created, expires, version, value FROM entries WHERE of_group = ? AND name = ?",
    )?;
    let row = query.query_row(params![group_of(key), key.as_bytes()], |row| {
        let value: Vec<u8> = row.get(3)?;
        Ok(Entry::new(stamp(row, 0)?, value.into())
            .with_expires(stamp(row, 1)?)
            .with_version(row.get(2)?))
    });
    row.optional()
}

fn stamp(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    Ok(Timestamp::from_millis(row.get::<_, i64>(column)?.cast_unsigned()))
}

fn store(
    step: &Transaction<'_>,
    key: Key<'_>,
    entry: &Entry<Bytes>,
    options: &SetOptions,
) -> rusqlite::Result<()> {
    let Entry { created, expires, version, value } = entry;
    let keep_to = options.keep_for().map_or(i64::MAX, |d| after(now(), d));
    step.prepare_cached("INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?, ?, ?, ?)")?.execute(
        params![
            group_of(key),
            key.as_bytes(),
            created.as_millis().cast_signed(),
            expires.as_millis().cast_signed(),
            version,
            &value[..],
            keep_to,
        ],
    )?;
    // What nobody has to keep any longer goes when something else comes.
    step.prepare_cached("DELETE FROM entries WHERE keep_to < ?")?.execute([now()])?;
    Ok(())
}

fn remove(step: &Transaction<'_>, key: Key<'_>) -> rusqlite::Result<()> {
    step.prepare_cached("DELETE FROM entries WHERE of_group = ? AND name = ?")?
        .execute(params![group_of(key), key.as_bytes()])?;
    Ok(())
}

/// Milliseconds of this machine's clock.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    after(0, since)
}

fn after(moment: i64, d: Duration) -> i64 {
    moment.saturating_add(i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
}

impl Backend for Sqlite {
    type Value = Bytes;

    async fn get(&self, key: Key<'_>) -> Result<Option<Entry<Bytes>>> {
        self.read(|step| find(step, key))
    }

    async fn get_many(&self, keys: &[Key<'_>]) -> Result<Vec<Option<Entry<Bytes>>>> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        self.read(|step| keys.iter().map(|key| find(step, *key)).collect())
    }

    async fn set_many(
        &self,
        items: &[(Key<'_>, Entry<Bytes>)],
        options: &SetOptions,
    ) -> Result<()> {
        if items.is_empty() {
            return Ok(());
        }
        self.write(|step| {
            items.iter().try_for_each(|(key, entry)| {
                end(step, *key)?;
                store(step, *key, entry, options)
            })
        })
    }

    async fn delete_many(&self, keys: &[Key<'_>]) -> Result<()> {
        if keys.is_empty() {
            return Ok(());
        }
        self.write(|step| {
            keys.iter().try_for_each(|key| {
                end(step, *key)?;
                remove(step, *key)
            })
        })
    }

    async fn delete_group(&self, group: &[u8]) -> Result<()> {
        let group = whole_group(group);
        self.write(|step| {
            step.execute("DELETE FROM leases WHERE of_group = ?", [&group])?;
            step.execute("DELETE FROM entries WHERE of_group = ?", [&group])?;
            Ok(())
        })
    }
}

/// The token of whoever held the lease last, and when it ends.
fn holder(step: &Transaction<'_>, key: Key<'_>) -> rusqlite::Result<Option<(u128, i64)>> {
    step.prepare_cached("SELECT token, ends FROM leases WHERE of_group = ? AND name = ?")?
        .query_row(params![group_of(key), key.as_bytes()], |row| {
            Ok((u128::from_ne_bytes(row.get(0)?), row.get(1)?))
        })
        .optional()
}

fn grant(step: &Transaction<'_>, key: Key<'_>, lease_for: Duration) -> rusqlite::Result<Lease> {
    step.prepare_cached(
        "INSERT OR REPLACE INTO leases VALUES (?, ?, randomblob(16), ?) RETURNING token",
    )?
    .query_row(params![group_of(key), key.as_bytes(), after(now(), lease_for)], |row| {
        Ok(Lease::new(u128::from_ne_bytes(row.get(0)?)))
    })
}

fn end(step: &Transaction<'_>, key: Key<'_>) -> rusqlite::Result<()> {
    step.prepare_cached("DELETE FROM leases WHERE of_group = ? AND name = ?")?
        .execute(params![group_of(key), key.as_bytes()])?;
    Ok(())
}

/// Does something for the present holder, and for nobody else.
fn if_held(
    step: &Transaction<'_>,
    key: Key<'_>,
    lease: Lease,
    work: impl FnOnce() -> rusqlite::Result<()>,
) -> rusqlite::Result<Held> {
    match holder(step, key)? {
        Some((token, _)) if token == lease.token() => work().map(|()| Held::Kept),
        _ => Ok(Held::Lost),
    }
}

fn answer(step: &Transaction<'_>, ask: &Ask<'_>) -> rusqlite::Result<Answer<Bytes>> {
    let entry = find(step, ask.key)?;
    let age = entry.as_ref().map_or(Age::Dead, |entry| ask.freshness.age(entry));
    let stale = match (entry, age) {
        (Some(entry), Age::Fresh) => return Ok(Answer::Fresh(entry)),
        (entry, Age::Stale) => entry,
        _ => None,
    };
    Ok(match holder(step, ask.key)? {
        Some((_, ends)) if ends > now() => Answer::Busy { stale },
        _ => Answer::Create { lease: grant(step, ask.key, ask.lease_for)?, stale },
    })
}

impl LeaseBackend for Sqlite {
    async fn get_or_lease(&self, ask: &Ask<'_>) -> Result<Answer<Bytes>> {
        // Who only reads does not stand in the queue of those who write.
        let found = self.read(|step| find(step, ask.key))?;
        match found.filter(|entry| ask.freshness.age(entry) == Age::Fresh) {
            Some(entry) => Ok(Answer::Fresh(entry)),
            None => self.write(|step| answer(step, ask)),
        }
    }

    async fn get_or_lease_many(&self, asks: &[Ask<'_>]) -> Result<Vec<Answer<Bytes>>> {
        self.write(|step| asks.iter().map(|ask| answer(step, ask)).collect())
    }

    async fn fill(
        &self,
        key: Key<'_>,
        lease: Lease,
        entry: Entry<Bytes>,
        options: &SetOptions,
    ) -> Result<Held> {
        let held = self.fill_many(&[(key, lease, entry)], options).await?;
        Ok(held.first().copied().unwrap_or(Held::Lost))
    }

    async fn fill_many(
        &self,
        fills: &[(Key<'_>, Lease, Entry<Bytes>)],
        options: &SetOptions,
    ) -> Result<Vec<Held>> {
        self.write(|step| {
            let fill = |(key, lease, entry): &(Key<'_>, Lease, Entry<Bytes>)| {
                if_held(step, *key, *lease, || {
                    end(step, *key)?;
                    store(step, *key, entry, options)
                })
            };
            fills.iter().map(fill).collect()
        })
    }

    async fn extend(&self, key: Key<'_>, lease: Lease, lease_for: Duration) -> Result<Held> {
        self.write(|step| {
            if_held(step, key, lease, || {
                step.prepare_cached("UPDATE leases SET ends = ? WHERE of_group = ? AND name = ?")?
                    .execute(params![after(now(), lease_for), group_of(key), key.as_bytes()])?;
                Ok(())
            })
        })
    }

    async fn release(&self, key: Key<'_>, lease: Lease) -> Result<Held> {
        self.write(|step| if_held(step, key, lease, || end(step, key)))
    }

    fn abandon(&self, key: Key<'_>, lease: Lease) {
        // If it cannot be ended, it ends by itself.
        let _ = self.write(|step| if_held(step, key, lease, || end(step, key)));
    }

    async fn wait(&self, key: Key<'_>, at_most: Duration) {
        let ends = tokio::time::Instant::now() + at_most;
        while matches!(self.is_leased(key).await, Ok(true)) {
            let next = tokio::time::Instant::now() + Duration::from_millis(5);
            tokio::time::sleep_until(next.min(ends)).await;
            if next >= ends {
                return;
            }
        }
    }

    async fn is_leased(&self, key: Key<'_>) -> Result<bool> {
        let holder = self.read(|step| holder(step, key))?;
        Ok(holder.is_some_and(|(_, ends)| ends > now()))
    }
}
