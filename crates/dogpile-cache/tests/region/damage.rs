//! Entries that are not what they should be.

use bytes::Bytes;
use dogpile_cache::{CallOptions, Clock, Entry, ErrorKind};
use serde::{Serialize, Serializer};

use crate::support::{Maker, byte_region, plant, region, watched};

#[tokio::test]
async fn another_version_is_missing_and_is_not_decoded() {
    let (region, clock) = byte_region();
    let (region, stats) = watched(region.with_version(2));
    for version in [1, 3] {
        plant(&region, "k", Entry::new(clock.now(), Bytes::from("garbage")).with_version(version))
            .await;
        assert_eq!(region.get::<usize>("k").await.unwrap(), None);
        assert_eq!(region.get_many::<usize, _>(&["k"]).await.unwrap(), [None]);
        let ignoring = CallOptions::new().with_ignore_expiry(true);
        assert_eq!(region.get_with::<usize>("k", ignoring).await.unwrap(), None);
        let made = Maker::default();
        assert_eq!(region.get_or_create("k", || made.next()).await.unwrap(), 1);
        assert_eq!(region.get("k").await.unwrap(), Some(1_usize));
    }
    plant(&region, "k", Entry::new(clock.now(), Bytes::from("garbage")).with_version(1)).await;
    let many = region.get_or_create_many(&["k"], |_| async { Ok::<_, String>(vec![5]) });
    assert_eq!(many.await.unwrap(), [5]);
    assert_eq!(stats.counts().corrupt, 0);
}

#[tokio::test]
async fn two_versions_at_once_each_see_their_own_or_nothing() {
    let (region, _) = byte_region();
    let (old, new) = (region.clone().with_version(1), region.with_version(2));
    let made = Maker::default();
    assert_eq!(old.get_or_create("k", || made.next()).await.unwrap(), 1);
    assert_eq!(new.get_or_create("k", || made.next()).await.unwrap(), 2);
    assert_eq!(new.get_or_create("k", || made.next()).await.unwrap(), 2);
    assert_eq!(old.get_or_create("k", || made.next()).await.unwrap(), 3);
}

#[tokio::test]
async fn damaged_bytes_are_missing_counted_and_replaced() {
    let (region, clock) = byte_region();
    let (region, stats) = watched(region);
    for garbage in [&b""[..], b"{", b"\"text\"", b"\xff\xfe\x00", b"[[[[[[[["] {
        let entry = || Entry::new(clock.now(), Bytes::from_static(garbage));
        let made = Maker::default();
        plant(&region, "k", entry()).await;
        assert_eq!(region.get::<usize>("k").await.unwrap(), None);
        assert_eq!(region.get_many::<usize, _>(&["k"]).await.unwrap(), [None]);
        assert_eq!(region.get_or_create("k", || made.next()).await.unwrap(), 1);
        assert_eq!(
            region.get("k").await.unwrap(),
            Some(1_usize),
            "it is replaced, in the same millisecond"
        );
        plant(&region, "k", entry()).await;
        let making = made.clone();
        let detached =
            region.get_or_create_detached("k", move || async move { making.next().await });
        assert_eq!(detached.await.unwrap(), 2);
        assert_eq!(region.get("k").await.unwrap(), Some(2_usize));
    }
    assert_eq!(stats.counts().corrupt, 5 * 4);
    assert_eq!(stats.counts().failed, 0);
}

#[tokio::test]
async fn among_many_only_the_damaged_one_is_created() {
    for jitter in [0.0, 0.1] {
        let (region, clock) = byte_region();
        let (region, stats) = watched(region.with_jitter(jitter));
        region.set("good", &7).await.unwrap();
        plant(&region, "bad", Entry::new(clock.now(), Bytes::from("{"))).await;
        let mut calls = Vec::new();
        let many = region.get_or_create_many(&["missing", "good", "bad"], |missing| {
            calls.push(missing.clone());
            async move { Ok::<_, String>(missing.iter().map(|key| key.len()).collect()) }
        });
        assert_eq!(many.await.unwrap(), [7, 7, 3]);
        let mut calls: Vec<_> = calls.into_iter().flatten().copied().collect();
        calls.sort_unstable();
        assert_eq!(calls, ["bad", "missing"]);
        assert_eq!(region.get("bad").await.unwrap(), Some(3_usize));
        assert_eq!(stats.counts().corrupt, 1);
    }
}

#[tokio::test]
async fn damaged_bytes_from_the_future_are_replaced_too() {
    let (region, clock) = byte_region();
    let ahead = clock.now().plus(crate::support::seconds(4));
    plant(&region, "k", Entry::new(ahead, Bytes::from("{"))).await;
    let made = Maker::default();
    assert_eq!(region.get_or_create("k", || made.next()).await.unwrap(), 1);
    assert_eq!(region.get("k").await.unwrap(), Some(1_usize));
}

#[tokio::test]
async fn a_value_of_another_type_is_a_miss() {
    let (region, _) = region();
    let (region, stats) = watched(region);
    region.set("k", &"text").await.unwrap();
    assert_eq!(region.get::<u8>("k").await.unwrap(), None);
    assert_eq!(region.get_or_create("k", || async { Ok::<_, String>(1_u8) }).await.unwrap(), 1);
    assert_eq!(stats.counts().corrupt, 2);
}

#[derive(Debug, serde::Deserialize)]
struct Bad(#[expect(dead_code, reason = "it is never made")] u8);

impl Serialize for Bad {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("this one cannot be written"))
    }
}

#[tokio::test]
async fn a_value_that_cannot_be_encoded_is_an_error_everywhere() {
    let (region, _) = byte_region();
    let create = || async { Ok::<_, String>(Bad(1)) };
    assert_eq!(region.set("k", &Bad(1)).await.unwrap_err().kind(), ErrorKind::Encode);
    assert_eq!(region.get_or_create("k", create).await.unwrap_err().kind(), ErrorKind::Encode);
    assert_eq!(region.refresh("k", create).await.unwrap_err().kind(), ErrorKind::Encode);
    assert!(!region.is_locked("k").await.unwrap());
}
