//! Generations in SQLite. Another SQL database takes the same six statements.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use cookie_session::generation::{Advance, Generation, GenerationStore, MonotonicStore};
use dogpile_core::{Clock, Error, ErrorKind, Key, Result, SystemClock, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};

/// Numbers of SQLite are signed; a moment in milliseconds is far from their end. `keep_until` is null
/// for a row that is kept for ever.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS generation (
        scope          BLOB    NOT NULL,
        name           BLOB    NOT NULL,
        number         INTEGER NOT NULL,
        previous_until INTEGER NOT NULL DEFAULT 0,
        acknowledged   INTEGER NOT NULL DEFAULT 1,
        keep_until     INTEGER,
        PRIMARY KEY (scope, name)
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS generation_ends ON generation (keep_until) WHERE keep_until IS NOT NULL;";

/// A read of one row; the statement stays prepared.
const READ: &str = "
    SELECT number, previous_until, acknowledged FROM generation
    WHERE scope = ?1 AND name = ?2";

/// Begins a row where there is none, and answers its number. The update that changes nothing makes
/// `RETURNING` answer for a row that was there as well.
const START: &str = "
    INSERT INTO generation (scope, name, number, keep_until) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT DO UPDATE SET number = number
    RETURNING number";

/// Voids what there is. A number that would pass the end of SQLite's turns into a float, which
/// `number < ?5` prevents.
const RAISE: &str = "
    INSERT INTO generation (scope, name, number, keep_until) VALUES (?1, ?2, max(?3, 1), ?4)
    ON CONFLICT DO UPDATE SET
        number = max(number + 1, ?3), previous_until = 0, acknowledged = 1,
        keep_until = CASE WHEN keep_until IS NULL OR ?4 IS NULL THEN NULL ELSE max(keep_until, ?4) END
    WHERE number < ?5
    RETURNING number";

/// Compare and set, in one statement: of two requests with one `number`, one changes a row.
const ADVANCE: &str = "
    UPDATE generation SET
        number = number + 1, previous_until = ?4, acknowledged = 0,
        keep_until = CASE WHEN keep_until IS NULL OR ?5 IS NULL THEN NULL ELSE max(keep_until, ?5) END
    WHERE scope = ?1 AND name = ?2 AND number = ?3";

const ACKNOWLEDGE: &str =
    "UPDATE generation SET acknowledged = 1 WHERE scope = ?1 AND name = ?2 AND number = ?3";

/// So many rows past their time go with each row that is begun: more than come, so none stay for long.
const SWEEP: &str = "
    DELETE FROM generation WHERE (scope, name) IN
        (SELECT scope, name FROM generation WHERE keep_until < ?1 LIMIT 4)";

/// Generations in a file of SQLite. Clones share a connection.
///
/// A statement takes microseconds, so it is made where the request runs and not on another thread.
#[derive(Clone)]
pub(crate) struct SqliteStore {
    connection: Arc<Mutex<Connection>>,
    clock: Arc<dyn Clock>,
}

impl SqliteStore {
    /// Opens the file, and makes it where it is missing.
    pub(crate) fn open(path: impl AsRef<Path>) -> rusqlite::Result<Self> {
        let connection = Connection::open(path)?;
        // Readers do not wait for the writer, and writers not for longer than a session may.
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.busy_timeout(std::time::Duration::from_millis(200))?;
        connection.execute_batch(SCHEMA)?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)), clock: Arc::new(SystemClock) })
    }

    /// Goes by another clock than that of the operating system.
    #[allow(dead_code, reason = "for tests")]
    pub(crate) fn with_clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    fn with<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        work(&connection).map_err(|error| {
            Error::new(ErrorKind::Unavailable, "the database did not do it").with_source(error)
        })
    }

    fn now(&self) -> i64 {
        number(self.clock.now().as_millis())
    }
}

fn present(connection: &Connection, key: Key<'_>) -> rusqlite::Result<Option<Generation>> {
    connection.prepare_cached(READ)?.query_row(parts(key), generation).optional()
}

impl GenerationStore for SqliteStore {
    async fn read(&self, keys: &[Key<'_>]) -> Result<Vec<Option<Generation>>> {
        self.with(|connection| keys.iter().map(|key| present(connection, *key)).collect())
    }

    async fn start(&self, key: Key<'_>, at: u64, keep_until: Timestamp) -> Result<u64> {
        let [scope, name] = parts(key);
        self.with(|connection| {
            connection.prepare_cached(SWEEP)?.execute([self.now()])?;
            let row = params![scope, name, number(at), end(keep_until)];
            connection.prepare_cached(START)?.query_row(row, |row| unsigned(row, 0))
        })
    }

    async fn raise(&self, key: Key<'_>, at_least: u64, keep_until: Timestamp) -> Result<u64> {
        let [scope, name] = parts(key);
        let raised = self.with(|connection| {
            let row = params![scope, name, number(at_least), end(keep_until), i64::MAX];
            connection.prepare_cached(RAISE)?.query_row(row, |row| unsigned(row, 0)).optional()
        })?;
        raised
            .ok_or_else(|| Error::new(ErrorKind::Refused, "the generation cannot grow any further"))
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
        let [scope, name] = parts(key);
        self.with(|connection| {
            let row = params![
                scope,
                name,
                expected_number(expected),
                number(previous_until.as_millis()),
                end(keep_until)
            ];
            match connection.prepare_cached(ADVANCE)?.execute(row)? {
                1 => Ok(Advance::Done),
                _ => present(connection, key).map(Advance::Conflict),
            }
        })
    }

    async fn acknowledge(&self, key: Key<'_>, acknowledged: u64) -> Result<()> {
        let [scope, name] = parts(key);
        self.with(|connection| {
            let row = params![scope, name, expected_number(acknowledged)];
            connection.prepare_cached(ACKNOWLEDGE)?.execute(row).map(drop)
        })
    }
}

fn parts<'k>(key: Key<'k>) -> [&'k [u8]; 2] {
    [key.group().unwrap_or_default(), key.as_bytes()]
}

fn generation(row: &Row<'_>) -> rusqlite::Result<Generation> {
    Ok(Generation {
        number: unsigned(row, 0)?,
        previous_until: Timestamp::from_millis(unsigned(row, 1)?),
        acknowledged: row.get(2)?,
    })
}

fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(row.get::<_, i64>(column)?.cast_unsigned())
}

fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number that no row has stays one.
fn expected_number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(-1)
}

/// A moment, or null for the end of time.
fn end(moment: Timestamp) -> Option<i64> {
    (moment != Timestamp::MAX).then(|| number(moment.as_millis()))
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").finish_non_exhaustive()
    }
}
