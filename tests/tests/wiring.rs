//! The pieces fit together in every way the documentation shows, also behind trait objects and
//! across spawned tasks.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails by panicking")]

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use dogpile_cache::Region;
use dogpile_cache::backend::{File, Memory, MemoryBytes};
use dogpile_cache::codec::{MsgPack, Object, Shared, Typed};
use dogpile_core::{Codec, DynBackend, DynLock, ReadThrough};
use dogpile_lock::{Dogpile, FileLock, LocalLock, Paired, Solo};
use tokio::sync::Barrier;

const CALLERS: usize = 50;

/// Spawns callers of one missing key that all arrive before the first is let through; every one has
/// to get the value, of which one is made.
async fn one_creation_for_all<R, C>(region: Region<R, C>)
where
    R: ReadThrough + 'static,
    C: Codec<u64, Stored = R::Value> + 'static,
{
    let made = Arc::new(AtomicUsize::new(0));
    let arrived = Arc::new(Barrier::new(CALLERS));
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (region, made, arrived) = (region.clone(), Arc::clone(&made), Arc::clone(&arrived));
            tokio::spawn(async move {
                arrived.wait().await;
                let create = || async {
                    made.fetch_add(1, Ordering::SeqCst);
                    // The others run, and have the chance to make a second one.
                    for _ in 0..100 {
                        tokio::task::yield_now().await;
                    }
                    Ok::<_, Infallible>(7_u64)
                };
                region.get_or_create(("answer", 7), create).await
            })
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.await.unwrap().unwrap(), 7);
    }
    assert_eq!(made.load(Ordering::SeqCst), 1);

    region.delete(("answer", 7)).await.unwrap();
    assert_eq!(region.get::<u64>(("answer", 7)).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn values_as_they_are() {
    one_creation_for_all(Region::new(Dogpile::local(Memory::new(100)), Shared)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn values_of_one_type() {
    one_creation_for_all(Region::new(Dogpile::local(Memory::<u64>::new(100)), Typed)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn values_as_bytes() {
    one_creation_for_all(Region::new(Dogpile::local(MemoryBytes::new(10_000)), MsgPack)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_of_the_callers_choice() {
    let store = Dogpile::with_lock(Memory::new(100), LocalLock::new());
    one_creation_for_all(Region::new(store, Shared)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_and_a_lock_beside_them() {
    let folder = tempfile::tempdir().unwrap();
    let files = File::open(folder.path().join("values")).unwrap();
    let lock = FileLock::open(folder.path().join("locks")).unwrap();
    one_creation_for_all(Region::new(Dogpile::with_lock(files, lock), MsgPack)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_leases() {
    let leases = Paired::new(Memory::new(100), LocalLock::new());
    one_creation_for_all(Region::new(Dogpile::leased(leases), Shared)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_and_a_lock_known_only_at_run_time() {
    let backend: Arc<dyn DynBackend<Value = Bytes>> = Arc::new(MemoryBytes::new(10_000));
    let lock: Arc<dyn DynLock> = Arc::new(LocalLock::new());
    one_creation_for_all(Region::new(Dogpile::local(Arc::clone(&backend)), MsgPack)).await;
    one_creation_for_all(Region::new(Dogpile::with_lock(backend, lock), MsgPack)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_in_a_static() {
    static REGION: LazyLock<Region<Dogpile<Solo<Memory<Object>>>, Shared>> =
        LazyLock::new(|| Region::new(Dogpile::local(Memory::new(100)), Shared));
    one_creation_for_all(REGION.clone()).await;
}

#[tokio::test]
async fn two_regions_share_a_store_under_prefixes() {
    let store = Dogpile::local(Memory::new(100));
    let users = Region::new(store.clone(), Shared).with_prefix("users");
    let pages = Region::new(store, Shared).with_prefix("pages");
    users.set("a", &1_u64).await.unwrap();
    pages.set("a", &2_u64).await.unwrap();
    assert_eq!(users.get::<u64>("a").await.unwrap(), Some(1));
    pages.delete("a").await.unwrap();
    assert_eq!(users.get::<u64>("a").await.unwrap(), Some(1));
    assert_eq!(pages.get::<u64>("a").await.unwrap(), None);
}
