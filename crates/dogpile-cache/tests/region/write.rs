//! Writing and deleting.

use std::sync::Arc;

use bytes::Bytes;
use dogpile_cache::backend::{Memory, MemoryBytes, Null};
use dogpile_cache::codec::{Json, Shared};
use dogpile_cache::{CallOptions, Entry, Key};
use dogpile_core::DynReadThrough;

use crate::support::{Maker, byte_region, on, region};

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

#[tokio::test]
async fn what_a_store_is_told_to_keep() {
    let (region, _) = region();
    let region = region.with_version(3);
    region.set("k", &1).await.unwrap();
    let stored =
        dogpile_cache::Backend::get(region.store(), Key::name("k")).await.unwrap().unwrap();
    let Entry { expires, version, .. } = stored;
    assert_eq!((expires, version), (dogpile_cache::Timestamp::MAX, 3));
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
