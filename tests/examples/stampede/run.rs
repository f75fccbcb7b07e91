//! One run: requests that come within a moment, all for a key that has just expired.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use dogpile_cache::backend::Memory;
use dogpile_cache::codec::{Object, Shared};
use dogpile_cache::{Error, Region};
use dogpile_lock::{Dogpile, Solo};
use tokio::sync::Semaphore;

/// Within this time all requests come.
const ARRIVALS: Duration = Duration::from_millis(60);
/// What the database is able to.
const CONNECTIONS: usize = 20;
const QUERY: Duration = Duration::from_millis(100);
const FRESH: Duration = Duration::from_millis(50);

type Cache = Region<Dogpile<Solo<Memory<Object>>>, Shared>;

/// What became of a request, in time since the first one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    pub(crate) arrived: Duration,
    /// When its own query ran, if it made one.
    pub(crate) query: Option<(Duration, Duration)>,
    pub(crate) answered: Duration,
}

pub(crate) fn queries(requests: &[Request]) -> usize {
    requests.iter().filter(|request| request.query.is_some()).count()
}

pub(crate) fn last(requests: &[Request]) -> Duration {
    requests.iter().map(|request| request.answered).max().unwrap_or_default()
}

/// All requests in the order of their arrival.
pub(crate) async fn stampede(requests: usize, with_lock: bool) -> Result<Vec<Request>, Error> {
    let cache: Cache = Region::new(Dogpile::local(Memory::new(100)), Shared).expires_after(FRESH);
    cache.set("bestsellers", &"yesterday's".to_owned()).await?;
    tokio::time::sleep(FRESH + Duration::from_millis(10)).await;

    let database = Arc::new(Semaphore::new(CONNECTIONS));
    let started = Instant::now();
    let running: Vec<_> = (0..requests)
        .map(|at| {
            let (cache, database) = (cache.clone(), Arc::clone(&database));
            let arrives = started + ARRIVALS.mul_f64(at as f64 / requests as f64);
            tokio::spawn(async move {
                tokio::time::sleep_until(arrives.into()).await;
                let arrived = started.elapsed();
                let query = Mutex::new(None);
                let load = || async {
                    let connection = database.acquire().await;
                    let began = started.elapsed();
                    tokio::time::sleep(QUERY).await;
                    drop(connection);
                    *query.lock().unwrap_or_else(PoisonError::into_inner) =
                        Some((began, started.elapsed()));
                    Ok::<_, Error>("today's".to_owned())
                };
                if with_lock {
                    cache.get_or_create("bestsellers", load).await?;
                } else {
                    unprotected(&cache, load).await?;
                }
                let query = query.into_inner().unwrap_or_else(PoisonError::into_inner);
                Ok(Request { arrived, query, answered: started.elapsed() })
            })
        })
        .collect();
    let mut seen = Vec::new();
    for request in running {
        seen.push(request.await.map_err(Error::from_creator)??);
    }
    seen.sort_by_key(|request| request.arrived);
    Ok(seen)
}

/// What a cache without the lock does: whoever finds nothing fresh creates.
async fn unprotected<Fut>(cache: &Cache, load: impl Fn() -> Fut) -> Result<String, Error>
where
    Fut: Future<Output = Result<String, Error>>,
{
    if let Some(found) = cache.get("bestsellers").await? {
        return Ok(found);
    }
    let loaded = load().await?;
    cache.set("bestsellers", &loaded).await?;
    Ok(loaded)
}
