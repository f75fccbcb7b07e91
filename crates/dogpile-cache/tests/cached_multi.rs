//! `#[cached_multi]`: one entry for each item of a call.
#![cfg(feature = "macros")]
#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

#[path = "cached/support.rs"]
mod support;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use dogpile_cache::{Error, ErrorKind, Key, cached, cached_multi};
use dogpile_conformance::ManualClock;

use crate::support::{Cache, Calls, cache};

static REGION: LazyLock<Cache> = LazyLock::new(cache);

/// Remembers which items each call was about, sorted: the order is the lock's affair.
#[derive(Default)]
struct Asked(Mutex<Vec<Vec<u64>>>);

impl Asked {
    fn about(&self, ids: &[u64]) -> usize {
        let mut asked = self.0.lock().unwrap();
        let mut ids = ids.to_vec();
        ids.sort_unstable();
        asked.push(ids);
        asked.len()
    }

    fn take(&self) -> Vec<Vec<u64>> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// A line for each id.
#[cached_multi(region = REGION, namespace = "lines", ignore(asked))]
async fn lines(asked: &Asked, ids: &[u64]) -> Result<Vec<String>, Error> {
    asked.about(ids);
    Ok(ids.iter().map(|id| format!("line {id}")).collect())
}

fn line(id: u64) -> String {
    format!("line {id}")
}

#[tokio::test]
async fn only_what_is_missing_is_created_and_the_order_is_kept() -> Result<(), Error> {
    let asked = Asked::default();
    assert_eq!(lines(&asked, &[3, 1]).await?, [line(3), line(1)]);
    assert_eq!(lines(&asked, &[1, 2, 3, 4]).await?, [line(1), line(2), line(3), line(4)]);
    assert_eq!(lines(&asked, &[4, 3]).await?, [line(4), line(3)]);
    assert_eq!(lines(&asked, &[]).await?, Vec::<String>::new());
    assert_eq!(lines(&asked, &[9, 9, 1, 9]).await?, [line(9), line(9), line(1), line(9)]);
    assert_eq!(asked.take(), [vec![1, 3], vec![2, 4], vec![9]]);
    Ok(())
}

#[tokio::test]
async fn the_companions_take_the_same_items() -> Result<(), Error> {
    let asked = Asked::default();
    assert_eq!(lines::get(&[101, 102]).await?, [None, None]);
    lines::set([(101, "set".to_owned()), (102, "too".to_owned())]).await?;
    assert_eq!(lines(&asked, &[102, 101]).await?, ["too", "set"]);
    assert_eq!(asked.take(), [] as [Vec<u64>; 0]);

    assert_eq!(lines::refresh(&asked, &[101, 103]).await?, [line(101), line(103)]);
    assert_eq!(
        lines::get(&[101, 102, 103, 104]).await?,
        [Some(line(101)), Some("too".to_owned()), Some(line(103)), None]
    );
    lines::invalidate(&[101, 102]).await?;
    assert_eq!(lines::get(&[101, 102, 103]).await?, [None, None, Some(line(103))]);
    assert_eq!(lines::original(&asked, &[101]).await?, [line(101)]);
    assert_eq!(lines::get(&[101]).await?, [None]);
    assert_eq!(lines::key(&101).as_key(), Key::name("lines(101)"));
    Ok(())
}

/// The entries of a function of one item are those of a function of many, if they agree on the
/// namespace.
#[cached(region = REGION, namespace = "lines")]
async fn one_line(id: u64) -> Result<String, Error> {
    Ok(format!("the only line {id}"))
}

#[tokio::test]
async fn one_item_and_many_can_share_entries() -> Result<(), Error> {
    let asked = Asked::default();
    lines(&asked, &[201]).await?;
    assert_eq!(one_line(201).await?, line(201));
    one_line(202).await?;
    assert_eq!(lines(&asked, &[202]).await?, ["the only line 202"]);
    Ok(())
}

/// Odd ids have no name.
#[cached_multi(region = REGION, ignore(asked))]
async fn names(asked: &Asked, ids: &[u64]) -> Result<HashMap<u64, String>, Error> {
    let call = asked.about(ids);
    let even = ids.iter().filter(|id| **id % 2 == 0);
    Ok(even.map(|id| (*id, format!("{id} of call {call}"))).collect())
}

fn map<V>(items: impl IntoIterator<Item = (u64, V)>) -> HashMap<u64, V> {
    items.into_iter().collect()
}

#[tokio::test]
async fn what_a_map_lacks_is_neither_cached_nor_answered() -> Result<(), Error> {
    let asked = Asked::default();
    let of = |id: u64, call: u64| (id, format!("{id} of call {call}"));
    assert_eq!(names(&asked, &[1, 2, 3]).await?, map([of(2, 1)]));
    assert_eq!(names(&asked, &[1, 2, 4]).await?, map([of(2, 1), of(4, 2)]));
    assert_eq!(asked.take(), [vec![1, 2, 3], vec![1, 4]]);

    assert_eq!(names::get(&[1, 2, 4, 5]).await?, map([of(2, 1), of(4, 2)]));
    names::set(map([(1, "set".to_owned())])).await?;
    assert_eq!(names(&asked, &[1]).await?, map([(1, "set".to_owned())]));
    assert_eq!(names::refresh(&asked, &[1, 2]).await?, map([of(2, 1)]));
    names::invalidate(&[2]).await?;
    assert_eq!(names::get(&[1, 2, 4]).await?, map([(1, "set".to_owned()), of(4, 2)]));
    Ok(())
}

struct Service {
    region: Cache,
    clock: ManualClock,
    calls: Calls,
}

impl Service {
    fn new() -> Self {
        let clock = ManualClock::new();
        let region = cache().with_clock(Arc::new(clock.clone()));
        Self { region, clock, calls: Calls::new() }
    }

    #[cached_multi(
        region = self.region,
        expires_after = Duration::from_secs(10),
        should_cache = |n| *n != 2,
        key = (tenant, self.region.options().version, ids),
    )]
    async fn squares(&self, tenant: &str, ids: &[u64]) -> Vec<u64> {
        self.calls.next();
        ids.iter().map(|id| id * id * tenant.len() as u64).collect()
    }

    /// Names of one letter have no length.
    #[cached_multi(
        region = self.region,
        each = names,
        expiry_of = |length| Duration::from_secs(*length as u64),
        should_cache = |length| *length < 4,
    )]
    async fn lengths<'a>(&self, extra: &[u8], names: &[&'a str]) -> BTreeMap<&'a str, usize> {
        self.calls.next();
        let long = names.iter().filter(|name| name.len() > 1);
        long.map(|name| (*name, name.len() + extra.len())).collect()
    }
}

#[tokio::test]
async fn methods_options_and_further_arguments() -> Result<(), Error> {
    let service = Service::new();
    assert_eq!(service.squares("a", &[1, 2]).await, [1, 4]);
    assert_eq!(service.squares("bb", &[1, 2]).await, [2, 8]);
    assert_eq!(service.squares_get("a", &[1, 2]).await?, [Some(1), Some(4)]);
    assert_eq!(service.squares_key("a", &1).as_key(), Key::name("cached_multi::squares(a,0,1)"));
    service.clock.advance(Duration::from_millis(10_001));
    assert_eq!(service.squares_get("a", &[1, 2]).await?, [None, None]);
    assert_eq!(service.calls.count(), 2);
    service.squares_invalidate("a", &[1]).await?;
    assert_eq!(service.squares_refresh("a", &[1, 3]).await?, [1, 9]);
    service.squares_set("a", [(1, 7)]).await?;
    assert_eq!(service.squares("a", &[3, 1]).await, [9, 7]);
    Ok(())
}

#[tokio::test]
async fn options_see_the_values_of_a_map() -> Result<(), Error> {
    let service = Service::new();
    let names = ["a", "bb", "ccc", "dddd"];
    let lengths = BTreeMap::from([("bb", 2), ("ccc", 3), ("dddd", 4)]);
    assert_eq!(service.lengths(b"", &names).await, lengths);
    assert_eq!(service.lengths_get(b"", &names).await?, BTreeMap::from([("bb", 2), ("ccc", 3)]));
    assert_eq!(service.lengths_get(b"x", &names).await?, BTreeMap::new());
    service.clock.advance(Duration::from_millis(2_001));
    assert_eq!(service.lengths_get(b"", &names).await?, BTreeMap::from([("ccc", 3)]));
    assert_eq!(service.lengths(b"", &names).await, lengths);
    assert_eq!(service.calls.count(), 2);
    Ok(())
}

#[cached_multi(region = REGION)]
async fn too_few(ids: &[u64]) -> Result<Vec<u64>, Error> {
    Ok(ids[1..].to_vec())
}

#[tokio::test]
async fn too_few_answers_are_an_error() {
    let ids = &[1, 2, 3];
    assert_eq!(too_few(ids).await.unwrap_err().kind(), ErrorKind::Creation);
    assert_eq!(too_few::refresh(ids).await.unwrap_err().kind(), ErrorKind::Creation);
    assert_eq!(too_few::get(ids).await.unwrap(), [None, None, None]);
}

static GATE: tokio::sync::Notify = tokio::sync::Notify::const_new();

#[cached_multi(region = REGION, ignore(asked))]
async fn gated(asked: Arc<Asked>, ids: &[u64]) -> Result<Vec<String>, Error> {
    asked.about(ids);
    GATE.notified().await;
    Ok(ids.iter().map(|id| line(*id)).collect())
}

#[tokio::test]
async fn callers_of_overlapping_items_share_creations() -> Result<(), Error> {
    let asked = Arc::new(Asked::default());
    let first = tokio::spawn({
        let asked = Arc::clone(&asked);
        async move { gated(asked, &[1, 2]).await }
    });
    tokio::task::yield_now().await;
    let second = tokio::spawn({
        let asked = Arc::clone(&asked);
        async move { gated(asked, &[2, 3]).await }
    });
    tokio::task::yield_now().await;
    while !second.is_finished() {
        GATE.notify_one();
        tokio::task::yield_now().await;
    }
    assert_eq!(first.await.unwrap()?, [line(1), line(2)]);
    assert_eq!(second.await.unwrap()?, [line(2), line(3)]);
    let mut created: Vec<u64> = asked.take().concat();
    created.sort_unstable();
    assert_eq!(created, [1, 2, 3]);
    Ok(())
}
