//! Writing and deleting.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use dogpile_cache::backend::{Memory, MemoryBytes, Null};
use dogpile_cache::codec::{Json, Shared, Typed};
use dogpile_cache::{Backend, CallOptions, Entry, Expiry, Key, Result};
use dogpile_core::{DynReadThrough, SetOptions};

use crate::support::{Maker, byte_region, millis, on, region, seconds};

#[tokio::test]
async fn what_is_set_is_there_until_it_is_deleted() {
    let (region, _) = byte_region();
    assert_eq!(region.get::<i32>("k").await.unwrap(), None);
    region.set("k", &0).await.unwrap();
    assert_eq!(region.get("k").await.unwrap(), Some(0), "zero is a value");
    region.set("k", &1).await.unwrap();
    assert_eq!(region.get("k").await.unwrap(), Some(1));
    for _ in 0..2 {
        region.delete("k").await.unwrap();
        assert_eq!(region.get::<i32>("k").await.unwrap(), None);
    }
}

#[tokio::test]
async fn many_are_set_got_in_order_and_deleted() {
    let (region, _) = byte_region();
    region.set_many(&[("a", 0), ("b", 1), ("c", 2)]).await.unwrap();
    let found: Vec<Option<i32>> = region.get_many(&["c", "x", "a", "c"]).await.unwrap();
    assert_eq!(found, [Some(2), None, Some(0), Some(2)]);
    region.delete_many(&["a", "x", "c"]).await.unwrap();
    let found: Vec<Option<i32>> = region.get_many(&["a", "b", "c"]).await.unwrap();
    assert_eq!(found, [None, Some(1), None]);
}

#[tokio::test]
async fn of_one_key_set_twice_at_once_the_last_stays() {
    let (region, _) = region();
    region.set_many(&[("k", 1), ("k", 2)]).await.unwrap();
    assert_eq!(region.get("k").await.unwrap(), Some(2));
}

/// Remembers what it was told to keep, and keeps nothing.
#[derive(Clone, Debug, Default)]
struct Told(Arc<Mutex<Vec<Write>>>);

type Write = (Entry<i32>, SetOptions);

impl Backend for Told {
    type Value = i32;

    async fn get(&self, _: Key<'_>) -> Result<Option<Entry<i32>>> {
        Ok(None)
    }
    async fn get_many(&self, keys: &[Key<'_>]) -> Result<Vec<Option<Entry<i32>>>> {
        Ok(vec![None; keys.len()])
    }
    async fn set_many(&self, items: &[(Key<'_>, Entry<i32>)], o: &SetOptions) -> Result<()> {
        self.0.lock().unwrap().extend(items.iter().map(|(_, entry)| (*entry, *o)));
        Ok(())
    }
    async fn delete_many(&self, _: &[Key<'_>]) -> Result<()> {
        Ok(())
    }
    async fn delete_group(&self, _: &[u8]) -> Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn what_a_store_is_told_to_keep_and_for_how_long() {
    let clock = dogpile_conformance::ManualClock::new();
    let now = dogpile_cache::Clock::now(&clock);
    for deadline in [None, Some(seconds(60))] {
        let told = Told::default();
        let mut region = on(told.clone(), Typed, &clock).with_version(3);
        if let Some(d) = deadline {
            region = region.with_hard_deadline(d);
        }
        region.set("k", &1).await.unwrap();
        region.get_or_create("k", || async { Ok::<_, String>(2) }).await.unwrap();
        region.get_or_create_many(&["k"], |_| async { Ok::<_, String>(vec![3]) }).await.unwrap();
        region.refresh("k", || async { Ok::<_, String>(4) }).await.unwrap();
        let short = CallOptions::new().with_expiry(Expiry::after(seconds(1)));
        region.set_with("k", &5, short).await.unwrap();
        let options = SetOptions::new().with_keep_for(deadline);
        let entry = |value| Entry::new(now, value).with_version(3);
        let mut expected: Vec<_> = [1, 2, 3, 4].map(|value| (entry(value), options)).into();
        expected.push((entry(5).with_expires(now.plus(millis(1_001))), options));
        assert_eq!(*told.0.lock().unwrap(), expected);
    }
}

#[tokio::test]
async fn over_a_store_that_keeps_nothing_everything_is_created() {
    let clock = dogpile_conformance::ManualClock::new();
    let region = on(Null::new(), Shared, &clock);
    let made = Maker::default();
    for expected in 1..4 {
        assert_eq!(region.get_or_create("k", || made.next()).await.unwrap(), expected);
    }
    region.set("k", &1).await.unwrap();
    assert_eq!(region.get::<i32>("k").await.unwrap(), None);
}

#[tokio::test]
async fn a_region_can_be_a_static() {
    use std::sync::LazyLock;
    type Cache = dogpile_cache::Region<crate::support::Local<Memory>, Shared>;
    static REGION: LazyLock<Cache> = LazyLock::new(|| region().0);
    let made = Maker::default();
    assert_eq!(REGION.get_or_create("k", || made.next()).await.unwrap(), 1);
    assert_eq!(REGION.clone().get("k").await.unwrap(), Some(1_usize));
    fn send_and_sync<T: Send + Sync + 'static>(_: &T) {}
    send_and_sync(&*REGION);
    tokio::spawn(async { REGION.get_or_create("k", || async { Ok::<_, String>(2_usize) }).await })
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn a_spawned_task_may_borrow_what_it_likes() {
    let (region, _) = byte_region();
    let task = tokio::spawn(async move {
        let (key, made) = (String::from("key"), Maker::default());
        let one = || async { made.next().await };
        region.get_or_create(&key, one).await.unwrap();
        let options = CallOptions::new().with_serve_stale(false);
        region.get_or_create_with((&*key, 1), options, one).await.unwrap();
        region.refresh(&key, one).await.unwrap();
        let keys = [&*key, "other"];
        let all = region.get_or_create_many(&keys, |missing| {
            let made = &made;
            async move {
                let first = made.next().await?;
                Ok::<_, std::convert::Infallible>(vec![first; missing.len()])
            }
        });
        all.await.unwrap();
        region.set(&key, &7_usize).await.unwrap();
        let found = region.get_many::<usize, _>(&keys).await.unwrap();
        region.delete_many(&keys).await.unwrap();
        region.get_or_create_detached(&key, || async { Ok::<_, String>(1_usize) }).await.unwrap();
        found
    });
    assert_eq!(task.await.unwrap(), [Some(7), Some(4)]);
}

#[tokio::test]
async fn a_store_may_be_behind_a_pointer() {
    let store: Arc<dyn DynReadThrough<Value = Bytes>> =
        Arc::new(dogpile_lock::Dogpile::local(MemoryBytes::new(10_000)));
    let region = dogpile_cache::Region::new(store, Json);
    let task = tokio::spawn(async move {
        let made = Maker::default();
        region.get_or_create("k", || made.next()).await.unwrap();
        region.get_or_create_detached("k", || async { Ok::<_, String>(2) }).await.unwrap()
    });
    assert_eq!(task.await.unwrap(), 1);
}
