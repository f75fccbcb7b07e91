//! What comes back when the function fails, and when the cache does.

use std::io;
use std::sync::LazyLock;

use dogpile_cache::backend::Memory;
use dogpile_cache::codec::Shared;
use dogpile_cache::{Error, ErrorKind, Region, cached};
use dogpile_conformance::Faulty;
use dogpile_lock::{Dogpile, Solo};
use tokio::sync::Notify;

use crate::support::{Cache, Calls, cache};

static REGION: LazyLock<Cache> = LazyLock::new(cache);

/// An error that every caller of a flight gets as it is.
#[derive(Clone, Debug, PartialEq)]
enum Shareable {
    NotFound(u64),
    Cache(ErrorKind),
}

impl std::fmt::Display for Shareable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for Shareable {}

impl From<Error> for Shareable {
    fn from(error: Error) -> Self {
        Self::Cache(error.kind())
    }
}

/// An error there is only one of.
#[derive(Debug)]
enum Single {
    Io(io::Error),
    Cache(Error),
}

impl std::fmt::Display for Single {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(error) => write!(f, "reading: {error}"),
            Self::Cache(_) => f.write_str("the cache failed"),
        }
    }
}

impl std::error::Error for Single {}

impl From<Error> for Single {
    fn from(error: Error) -> Self {
        Self::Cache(error)
    }
}

static CALLS: Calls = Calls::new();

#[cached(region = REGION, ignore(go))]
async fn shareable(id: u64, go: &Notify) -> Result<String, Shareable> {
    CALLS.next();
    go.notified().await;
    Err(Shareable::NotFound(id))
}

#[cached(region = REGION, ignore(go))]
async fn single(id: u64, go: &Notify) -> Result<String, Single> {
    go.notified().await;
    Err(Single::Io(io::Error::other(format!("no {id}"))))
}

#[tokio::test]
async fn an_error_that_can_be_cloned_comes_back_to_everybody() {
    let go = Notify::new();
    let calls = || shareable(7, &go);
    let release = async {
        tokio::task::yield_now().await;
        go.notify_one();
    };
    let (one, two, three, ()) = tokio::join!(calls(), calls(), calls(), release);
    assert_eq!([one, two, three], [const { Err(Shareable::NotFound(7)) }; 3]);
    assert_eq!(CALLS.count(), 1);

    // It was not cached.
    go.notify_one();
    assert_eq!(shareable(7, &go).await, Err(Shareable::NotFound(7)));
    assert_eq!(CALLS.count(), 2);
    go.notify_one();
    assert_eq!(shareable::refresh(7, &go).await, Err(Shareable::NotFound(7)));
}

#[tokio::test]
async fn another_error_comes_back_to_the_caller_that_made_it() {
    let go = Notify::new();
    let calls = || single(8, &go);
    let release = async {
        tokio::task::yield_now().await;
        go.notify_one();
    };
    let (one, two, ()) = tokio::join!(calls(), calls(), release);
    assert!(matches!(one, Err(Single::Io(_))), "{one:?}");
    let Err(Single::Cache(two)) = two else { panic!("{two:?}") };
    assert_eq!(two.kind(), ErrorKind::Creation);
    let source = std::error::Error::source(&two).unwrap();
    assert_eq!(source.to_string(), "reading: no 8");
    go.notify_one();
    assert!(matches!(single::refresh(8, &go).await, Err(Single::Io(_))));
}

#[cached(region = REGION)]
async fn boxed(id: u64) -> Result<u64, Box<dyn std::error::Error + Send + Sync>> {
    Err(format!("no {id}"))?
}

#[cached(region = REGION, detached)]
async fn detached(id: u64) -> Result<u64, Shareable> {
    Err(Shareable::NotFound(id))
}

#[cached(region = REGION, detached)]
async fn detached_single(id: u64) -> Result<u64, Single> {
    Err(Single::Io(io::Error::other(format!("no {id}"))))
}

#[tokio::test]
async fn errors_of_other_kinds_of_functions() {
    assert_eq!(boxed(1).await.unwrap_err().to_string(), "no 1");
    assert_eq!(detached(2).await, Err(Shareable::NotFound(2)));
    let Err(Single::Cache(error)) = detached_single(3).await else { panic!() };
    let source: &Single = error.creation().unwrap();
    assert!(matches!(source, Single::Io(_)));
}

type Io<T> = io::Result<T>;

/// The name of the alias does not matter, as long as it ends in `Result`.
#[cached(region = REGION)]
async fn aliased(id: u64) -> dogpile_core::Result<u64> {
    Err(Error::new(ErrorKind::Refused, format!("no {id}")))
}

#[tokio::test]
async fn an_error_of_the_cache_made_by_the_function_is_not_wrapped() {
    let _: Io<()> = Ok(());
    assert_eq!(aliased(1).await.unwrap_err().kind(), ErrorKind::Refused);
}

fn boxed_circular(n: u64) -> dogpile_core::BoxFuture<'static, Result<u64, Error>> {
    Box::pin(circular(n))
}

#[cached(region = REGION)]
async fn circular(n: u64) -> Result<u64, Error> {
    boxed_circular(n).await
}

#[tokio::test]
async fn a_function_that_needs_its_own_answer_is_told_so() {
    assert_eq!(circular(1).await.unwrap_err().kind(), ErrorKind::Reentrant);
}

type Broken = Region<Dogpile<Solo<Faulty<Memory>>>, Shared>;

fn broken() -> Broken {
    let backend = Faulty::new(Memory::new(10));
    backend.fail_all(true);
    Region::new(Dogpile::local(backend), Shared)
}

static DOWN: LazyLock<Broken> = LazyLock::new(broken);

#[cached(region = DOWN)]
async fn plain(text: String) -> String {
    text + "!"
}

#[cached(region = DOWN, detached)]
async fn plain_detached(text: String) -> String {
    text + "!"
}

#[cached(region = DOWN)]
async fn fallible(id: u64) -> Result<u64, Shareable> {
    Ok(id)
}

#[tokio::test]
async fn without_a_cache_a_function_that_cannot_fail_is_called_and_one_that_can_fails() {
    assert_eq!(plain("a".to_owned()).await, "a!");
    assert_eq!(plain_detached("b".to_owned()).await, "b!");
    assert_eq!(fallible(1).await, Err(Shareable::Cache(ErrorKind::Unavailable)));
    assert_eq!(plain::get("a".to_owned()).await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(plain::refresh("a".to_owned()).await.unwrap_err().kind(), ErrorKind::Unavailable);
}
