//! Prefixes and manglers in a region.

use dogpile_cache::key::only_when_long;
use dogpile_cache::{Backend, Field, Invalidation, Key};

use crate::support::{Maker, byte_region, region};

#[tokio::test]
async fn a_prefix_is_before_every_key_and_every_group() {
    let (region, _) = region();
    let region = region.with_prefix("app:");
    region.set("k", &1).await.unwrap();
    region.set(Field("users", "15"), &2).await.unwrap();
    let store = region.store();
    assert!(store.get(Key::name("app:k")).await.unwrap().is_some());
    assert!(store.get(Key::field("app:users", "15")).await.unwrap().is_some());
    assert_eq!(region.get("k").await.unwrap(), Some(1));
    assert_eq!(region.get(Field("users", "15")).await.unwrap(), Some(2));
    region.delete_group("users").await.unwrap();
    assert_eq!(region.get::<i32>(Field("users", "15")).await.unwrap(), None);
    region.delete("k").await.unwrap();
    assert!(store.get(Key::name("app:k")).await.unwrap().is_none());
}

#[cfg(feature = "sha")]
#[tokio::test]
async fn a_mangler_rewrites_what_every_call_names() {
    use dogpile_cache::key::Sha1;
    let (region, _) = byte_region();
    let region = region.with_prefix("p:").with_mangler(Sha1);
    let made = Maker::default();
    region.get_or_create("some_key", || made.next()).await.unwrap();
    let mangled = Key::name("p:53def077a4264bd3183d4eb21b1f56f883e1b572");
    assert!(region.store().get(mangled).await.unwrap().is_some());
    assert_eq!(region.get("some_key").await.unwrap(), Some(1_usize));

    let (half, mut held) = crate::support::Held::pair();
    let creating = region.get_or_create("locked", || async {
        half.await;
        Ok::<_, String>(1)
    });
    let looking = async {
        held.running().await;
        assert!(region.is_locked("locked").await.unwrap());
        held.finish();
    };
    let _ = tokio::join!(creating, looking);

    region.set(Field("users", 1), &1).await.unwrap();
    region.invalidate_group("users", Invalidation::Hard).await.unwrap();
    assert_eq!(region.get::<i32>(Field("users", 1)).await.unwrap(), None);
    region.set(Field("users", 1), &1).await.unwrap();
    region.delete_group("users").await.unwrap();
    assert_eq!(region.get::<i32>(Field("users", 1)).await.unwrap(), None);
}

#[cfg(feature = "sha")]
#[tokio::test]
async fn only_long_keys_may_be_mangled() {
    let (region, _) = region();
    let region = region.with_mangler(only_when_long(250, dogpile_cache::key::Sha256));
    let long = "x".repeat(250);
    region.set("short", &1).await.unwrap();
    region.set(&long, &2).await.unwrap();
    assert!(region.store().get(Key::name("short")).await.unwrap().is_some());
    assert!(region.store().get(Key::name(&long)).await.unwrap().is_none());
    assert_eq!(region.get(&long).await.unwrap(), Some(2));
}
