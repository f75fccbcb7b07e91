//! Generations in SQLite: a durable store that several processes of one machine share.
//!
//! Another SQL database takes the same statements. Each operation is one of them, so that two
//! servers that do it at once need no lock: `RETURNING` tells each what it did.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cookie_session::generation::{Advance, Generation, GenerationStore, MonotonicStore};
use dogpile_core::{Clock, Error, ErrorKind, Key, Result, SystemClock, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, named_params};

const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    -- What was ended stays ended, also when the power fails in the next moment.
    PRAGMA synchronous = FULL;
    CREATE TABLE IF NOT EXISTS generation (
        scope          BLOB NOT NULL,
        name           BLOB NOT NULL,
        number         INTEGER NOT NULL,
        previous_until INTEGER NOT NULL,
        acknowledged   INTEGER NOT NULL,
        keep_until     INTEGER NOT NULL,
        PRIMARY KEY (scope, name)
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS generation_keep_until ON generation (keep_until);
";

const READ: &str = "
    SELECT number, previous_until, acknowledged FROM generation
    WHERE scope = :scope AND name = :name AND keep_until > :now";

/// A row that is past its time counts as none. Otherwise the one that there is stays as it is; to set
/// its number to itself has it returned.
const START: &str = "
    INSERT INTO generation VALUES (:scope, :name, :number, 0, TRUE, :keep_until)
    ON CONFLICT DO UPDATE SET
        number = iif(keep_until > :now, number, excluded.number),
        previous_until = iif(keep_until > :now, previous_until, 0),
        acknowledged = iif(keep_until > :now, acknowledged, TRUE),
        keep_until = iif(keep_until > :now, keep_until, excluded.keep_until)
    RETURNING number";

const RAISE: &str = "
    INSERT INTO generation VALUES (:scope, :name, :number, 0, TRUE, :keep_until)
    ON CONFLICT DO UPDATE SET
        number = iif(keep_until > :now, max(number + 1, excluded.number), excluded.number),
        previous_until = 0,
        acknowledged = TRUE,
        keep_until = max(keep_until, excluded.keep_until)
    WHERE number < 9223372036854775807
    RETURNING number";

/// The heart of lost-update detection: of two that come with one number, one finds it.
const ADVANCE: &str = "
    UPDATE generation SET
        number = number + 1,
        previous_until = :previous_until,
        acknowledged = FALSE,
        keep_until = max(keep_until, :keep_until)
    WHERE scope = :scope AND name = :name AND number = :expected AND keep_until > :now
      AND number < 9223372036854775807";

const ACKNOWLEDGE: &str = "
    UPDATE generation SET acknowledged = TRUE
    WHERE scope = :scope AND name = :name AND number = :number AND NOT acknowledged";

const FORGET: &str = "DELETE FROM generation WHERE keep_until <= :now";

/// Clones are the same store.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    connection: Arc<Mutex<Connection>>,
}

impl SqliteStore {
    /// The store in this file, which is made when it is absent.
    pub fn open(file: impl AsRef<Path>) -> Result<Self> {
        let connection = Connection::open(file).map_err(failed)?;
        connection.busy_timeout(Duration::from_secs(5)).map_err(failed)?;
        connection.execute_batch(SCHEMA).map_err(failed)?;
        connection.execute(FORGET, named_params! { ":now": now() }).map_err(failed)?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)) })
    }

    /// SQLite waits for its disk, so it does that where no other request waits along.
    async fn run<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        let connection = Arc::clone(&self.connection);
        tokio::task::spawn_blocking(move || operation(&connection.lock().unwrap_or_else(PoisonError::into_inner)))
            .await
            .map_err(|source| Error::new(ErrorKind::Unavailable, "the operation was given up").with_source(source))?
            .map_err(failed)
    }
}

impl GenerationStore for SqliteStore {
    async fn read(&self, keys: &[Key<'_>]) -> Result<Vec<Option<Generation>>> {
        let names: Vec<Name> = keys.iter().copied().map(Name::of).collect();
        self.run(move |connection| names.iter().map(|name| read(connection, name)).collect()).await
    }

    async fn start(&self, key: Key<'_>, number: u64, keep_until: Timestamp) -> Result<u64> {
        let (name, number) = (Name::of(key), integer(number)?);
        self.run(move |connection| {
            let values = named_params! {
                ":scope": name.scope, ":name": name.name, ":number": number,
                ":keep_until": moment(keep_until), ":now": now(),
            };
            connection.prepare_cached(START)?.query_row(values, |row| row.get::<_, i64>(0))
        })
        .await
        .map(i64::cast_unsigned)
    }

    async fn raise(&self, key: Key<'_>, at_least: u64, keep_until: Timestamp) -> Result<u64> {
        let (name, number) = (Name::of(key), integer(at_least)?);
        self.run(move |connection| {
            let values = named_params! {
                ":scope": name.scope, ":name": name.name, ":number": number,
                ":keep_until": moment(keep_until), ":now": now(),
            };
            connection.prepare_cached(RAISE)?.query_row(values, |row| row.get::<_, i64>(0)).optional()
        })
        .await?
        .map(i64::cast_unsigned)
        .ok_or_else(no_more_numbers)
    }
}

impl MonotonicStore for SqliteStore {
    async fn advance(
        &self,
        key: Key<'_>,
        expected: u64,
        previous_until: Timestamp,
        keep_until: Timestamp,
    ) -> Result<Advance> {
        let (name, expected) = (Name::of(key), integer(expected)?);
        self.run(move |connection| {
            let values = named_params! {
                ":scope": name.scope, ":name": name.name, ":expected": expected,
                ":previous_until": moment(previous_until), ":keep_until": moment(keep_until), ":now": now(),
            };
            match connection.prepare_cached(ADVANCE)?.execute(values)? {
                0 => read(connection, &name).map(Advance::Conflict),
                _ => Ok(Advance::Done),
            }
        })
        .await
    }

    async fn acknowledge(&self, key: Key<'_>, number: u64) -> Result<()> {
        let (name, number) = (Name::of(key), integer(number)?);
        self.run(move |connection| {
            let values = named_params! { ":scope": name.scope, ":name": name.name, ":number": number };
            connection.prepare_cached(ACKNOWLEDGE)?.execute(values).map(drop)
        })
        .await
    }
}

/// A key that goes along to another thread.
struct Name {
    scope: Vec<u8>,
    name: Vec<u8>,
}

impl Name {
    fn of(key: Key<'_>) -> Self {
        Self { scope: key.group().unwrap_or_default().to_vec(), name: key.as_bytes().to_vec() }
    }
}

fn read(connection: &Connection, name: &Name) -> rusqlite::Result<Option<Generation>> {
    let values = named_params! { ":scope": name.scope, ":name": name.name, ":now": now() };
    let generation = |row: &Row<'_>| {
        Ok(Generation {
            number: row.get::<_, i64>(0)?.cast_unsigned(),
            previous_until: Timestamp::from_millis(row.get::<_, i64>(1)?.cast_unsigned()),
            acknowledged: row.get(2)?,
        })
    };
    connection.prepare_cached(READ)?.query_row(values, generation).optional()
}

fn now() -> i64 {
    moment(SystemClock.now())
}

/// Later than SQLite can say is for ever.
fn moment(at: Timestamp) -> i64 {
    i64::try_from(at.as_millis()).unwrap_or(i64::MAX)
}

fn integer(number: u64) -> Result<i64> {
    i64::try_from(number).map_err(|_| no_more_numbers())
}

fn no_more_numbers() -> Error {
    Error::new(ErrorKind::Refused, "the numbers of SQLite end at 2^63 - 1")
}

fn failed(source: rusqlite::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "SQLite did not do it").with_source(source)
}
