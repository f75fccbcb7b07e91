//! Many keys at once.

use std::sync::Mutex;

use dogpile_cache::{CallOptions, ErrorKind, Expiry};

use crate::support::{Held, bounded, byte_region, region, seconds, watched};

#[tokio::test]
async fn only_the_missing_are_created_in_one_call() {
    let (region, _) = byte_region();
    let (region, stats) = watched(region);
    region.set("b", &20).await.unwrap();
    let calls = Mutex::new(Vec::new());
    let many = region.get_or_create_many(&["a", "b", "c"], |missing| {
        calls.lock().unwrap().push(missing.clone());
        async move {
            Ok::<Vec<i32>, String>(missing.iter().map(|key| key.as_bytes()[0].into()).collect())
        }
    });
    assert_eq!(many.await.unwrap(), [97, 20, 99]);
    assert_eq!(calls.into_inner().unwrap(), [[&"a", &"c"]]);
    assert_eq!(region.get_many(&["c", "a"]).await.unwrap(), [Some(99), Some(97)]);
    let counts = stats.counts();
    assert_eq!((counts.created, counts.hits), (2, 3));
}

#[tokio::test]
async fn a_key_asked_for_twice_is_created_once_and_answered_twice() {
    let (region, _) = region();
    let keys = ["a", "b", "a", "a"];
    for _ in 0..2 {
        let many = region.get_or_create_many(&keys, |missing| async move {
            assert_eq!(missing, [&"a", &"b"]);
            Ok::<_, String>(vec!["A".to_owned(), "B".to_owned()])
        });
        assert_eq!(many.await.unwrap(), ["A", "B", "A", "A"]);
        assert_eq!(
            region.get_many(&keys).await.unwrap(),
            ["A", "B", "A", "A"].map(|v| Some(v.to_owned()))
        );
    }
}

#[tokio::test]
async fn no_keys_are_no_call() {
    let (region, _) = region();
    let none: [&str; 0] = [];
    let many = region.get_or_create_many(&none, |_| async { Err::<Vec<i32>, _>("not called") });
    assert!(many.await.unwrap().is_empty());
    assert!(region.get_many::<i32, _>(&none).await.unwrap().is_empty());
    region.set_many::<i32, &str>(&[]).await.unwrap();
    region.delete_many(&none).await.unwrap();
}

#[tokio::test]
async fn too_few_or_too_many_values_are_an_error_and_nothing_is_stored() {
    let (region, _) = region();
    for wrong in [vec![], vec![1], vec![1, 2, 3]] {
        let many = region.get_or_create_many(&["a", "b"], |_| {
            let wrong = wrong.clone();
            async move { Ok::<_, String>(wrong) }
        });
        let error = many.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Creation);
        let said = format!(
            "{error}: {}",
            std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default()
        );
        assert!(said.contains(&format!("2 values and answered {}", wrong.len())), "{said}");
        assert_eq!(region.get_many::<i32, _>(&["a", "b"]).await.unwrap(), [None, None]);
    }
}

#[tokio::test]
async fn a_failure_fails_the_call() {
    let (region, _) = region();
    region.set("a", &1).await.unwrap();
    let many = region.get_or_create_many(&["a", "b"], |_| async { Err::<Vec<i32>, _>("down") });
    let error = bounded(many).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Creation);
    assert_eq!(region.get("a").await.unwrap(), Some(1));
}

#[tokio::test]
async fn callers_of_overlapping_sets_create_each_key_once() {
    let (region, _) = region();
    let created = std::sync::Arc::new(Mutex::new(Vec::new()));
    let (half, mut held) = Held::pair();
    let mut half = Some(half);
    let mut calls = Vec::new();
    for caller in 0..20_usize {
        let (region, created, mut half) = (region.clone(), created.clone(), half.take());
        calls.push(tokio::spawn(async move {
            let keys: Vec<usize> = (caller..caller + 10).collect();
            let many = region.get_or_create_many(&keys, |missing| {
                created.lock().unwrap().extend(missing.iter().copied().copied());
                let half = half.take();
                let values = missing.into_iter().map(|key| key * 10).collect();
                async move {
                    if let Some(half) = half {
                        half.await;
                    }
                    Ok::<Vec<usize>, String>(values)
                }
            });
            let expected: Vec<_> = keys.iter().map(|key| key * 10).collect();
            assert_eq!(many.await.unwrap(), expected);
        }));
        if caller == 0 {
            held.running().await;
        }
    }
    tokio::task::yield_now().await;
    held.finish();
    for call in calls {
        bounded(call).await.unwrap();
    }
    let mut created = created.lock().unwrap().clone();
    created.sort_unstable();
    assert_eq!(created, (0..29).collect::<Vec<_>>());
}

#[tokio::test]
async fn one_key_and_many_keys_share_a_creation() {
    let (region, _) = region();
    let (half, mut held) = Held::pair();
    let one = region.get_or_create("a", || async {
        half.await;
        Ok::<_, String>(1)
    });
    let many = async {
        held.running().await;
        let many = region.get_or_create_many(&["a", "b"], |missing| async move {
            assert_eq!(missing, [&"b"]);
            Ok::<_, String>(vec![2])
        });
        let finish = async {
            tokio::task::yield_now().await;
            held.finish();
        };
        tokio::join!(many, finish).0
    };
    let (one, many) = bounded(async { tokio::join!(one, many) }).await;
    assert_eq!((one.unwrap(), many.unwrap()), (1, vec![1, 2]));
}

#[tokio::test]
async fn stale_ones_are_served_while_somebody_creates() {
    let (region, clock) = region();
    region.set_many(&[("a", 1), ("b", 2)]).await.unwrap();
    clock.advance(seconds(11));
    let (half, mut held) = Held::pair();
    let mut half = Some(half);
    let first = region.get_or_create_many(&["a", "b"], |missing| {
        let half = half.take();
        async move {
            if let Some(half) = half {
                half.await;
            }
            Ok::<_, String>(vec![9; missing.len()])
        }
    });
    let other = async {
        held.running().await;
        let other = region
            .get_or_create_many(&["b", "a"], |_| async { Err::<Vec<i32>, _>("not your turn") });
        let other = other.await;
        held.finish();
        other
    };
    let (first, other) = bounded(async { tokio::join!(first, other) }).await;
    assert_eq!((first.unwrap(), other.unwrap()), (vec![9, 9], vec![2, 1]));
}

#[tokio::test]
async fn each_value_may_decide_whether_and_how_long() {
    let (region, clock) = region();
    let only_even = |_: dogpile_cache::Key<'_>, value: &u64| value.is_multiple_of(2);
    let of = |value: &u64| Expiry::after(seconds(*value));
    let options = CallOptions::new().with_should_cache(&only_even).with_expiry_of(&of);
    let keys = [1_u64, 2, 3, 4];
    let many = region.get_or_create_many_with(&keys, options, |missing| async move {
        Ok::<_, String>(missing.into_iter().copied().collect())
    });
    assert_eq!(many.await.unwrap(), keys);
    assert_eq!(region.get_many(&keys).await.unwrap(), [None, Some(2_u64), None, Some(4)]);
    clock.advance(seconds(3));
    assert_eq!(region.get_many(&keys).await.unwrap(), [None, None, None, Some(4_u64)]);
}
