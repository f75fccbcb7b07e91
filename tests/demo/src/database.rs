//! The database: SQLite in a temporary file, with two switches that make it misbehave.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dogpile_cache::{Error, ErrorKind};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use crate::goods;

/// What a query takes, as one across a network does.
const USUALLY: Duration = Duration::from_millis(25);
/// What it takes while the database is slow.
const SLOWLY: Duration = Duration::from_millis(1_500);
/// What it takes to find out that the database is broken.
const TO_FAIL: Duration = Duration::from_millis(50);

/// One row.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Product {
    pub(crate) id: u32,
    pub(crate) name: String,
    /// In cents.
    pub(crate) price: u32,
}

/// The rows of a query, and the number of the query.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) query: u64,
    pub(crate) products: Vec<Product>,
}

#[derive(Debug)]
pub(crate) struct Database {
    connection: Arc<Mutex<Connection>>,
    slow: AtomicBool,
    broken: AtomicBool,
    queries: AtomicU64,
    failures: AtomicU64,
    /// Removed with the database.
    _folder: tempfile::TempDir,
}

impl Database {
    /// A new database with everything that there is to sell.
    pub(crate) fn open() -> Result<Self, Box<dyn std::error::Error>> {
        let folder = tempfile::Builder::new().prefix("dogpile-demo-").tempdir()?;
        let mut connection = Connection::open(folder.path().join("shop.db"))?;
        connection.execute_batch(
            "CREATE TABLE product (id INTEGER PRIMARY KEY, category TEXT, name TEXT, price INTEGER);
             CREATE INDEX product_category ON product (category);",
        )?;
        let all = connection.transaction()?;
        for (category, product) in goods::all() {
            all.execute(
                "INSERT INTO product VALUES (?1, ?2, ?3, ?4)",
                (product.id, category, product.name, product.price),
            )?;
        }
        all.commit()?;
        Ok(Self {
            connection: Arc::new(Mutex::new(connection)),
            slow: AtomicBool::new(false),
            broken: AtomicBool::new(false),
            queries: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            _folder: folder,
        })
    }

    /// The products of a category, the cheapest first.
    pub(crate) async fn products(&self, category: String) -> Result<Rows, Error> {
        let query = self.queries.fetch_add(1, Relaxed) + 1;
        // The time is spent outside of the connection: a server answers many clients at once.
        tokio::time::sleep(self.takes()).await;
        if self.broken.load(Relaxed) {
            return Err(self.failed("the database is broken: mend it on the dashboard"));
        }
        let connection = Arc::clone(&self.connection);
        let rows = tokio::task::spawn_blocking(move || read(&connection, &category)).await;
        match rows {
            Ok(Ok(products)) => Ok(Rows { query, products }),
            Ok(Err(error)) => Err(self.failed("the database refused a query").with_source(error)),
            Err(error) => Err(self.failed("a query was stopped").with_source(error)),
        }
    }

    fn takes(&self) -> Duration {
        match (self.broken.load(Relaxed), self.slow.load(Relaxed)) {
            (_, true) => SLOWLY,
            (true, false) => TO_FAIL,
            (false, false) => USUALLY,
        }
    }

    fn failed(&self, what: &str) -> Error {
        self.failures.fetch_add(1, Relaxed);
        Error::new(ErrorKind::Unavailable, what)
    }

    pub(crate) fn slow_down(&self, yes: bool) {
        self.slow.store(yes, Relaxed);
    }

    pub(crate) fn break_down(&self, yes: bool) {
        self.broken.store(yes, Relaxed);
    }

    pub(crate) fn is_slow(&self) -> bool {
        self.slow.load(Relaxed)
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.broken.load(Relaxed)
    }

    /// How many queries were made, and how many of them failed.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.queries.load(Relaxed), self.failures.load(Relaxed))
    }
}

fn read(connection: &Mutex<Connection>, category: &str) -> rusqlite::Result<Vec<Product>> {
    let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
    let mut statement = connection.prepare_cached(
        "SELECT id, name, price FROM product WHERE category = ?1 ORDER BY price, id",
    )?;
    let rows = statement.query_map([category], |row| {
        Ok(Product { id: row.get(0)?, name: row.get(1)?, price: row.get(2)? })
    })?;
    rows.collect()
}
