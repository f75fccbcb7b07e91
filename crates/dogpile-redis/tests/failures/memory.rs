//! A server whose memory is full.

use dogpile_cache::{ErrorKind, WhenDown};
use dogpile_redis::Redis;

use crate::support::{Kind, Options};
use crate::{made, region};

#[tokio::test]
async fn a_full_server_says_so_and_still_serves_what_it_has() {
    let limits = ["--maxmemory", "4mb", "--maxmemory-policy", "noeviction"];
    let server = Options::new(Kind::Redis).arguments(&limits).start().unwrap();
    let redis = Redis::connect(&server.url()).await.unwrap();
    let cache = region(&redis);
    cache.set("there", &1_u32).await.unwrap();
    // The last bytes are filled with small values.
    let mut error = None;
    for size in [100_000, 1_000, 10] {
        let text = "x".repeat(size);
        for at in 0..10_000 {
            error = cache.set(format!("{size} {at}"), &text).await.err();
            if error.is_some() {
                break;
            }
        }
    }
    let error = error.unwrap();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(error.to_string().contains("maxmemory"), "{error}");

    assert_eq!(cache.get_or_create("there", || made(2)).await.unwrap(), 1, "a hit is a hit");
    let error = cache.get_or_create("new", || made(3)).await.unwrap_err();
    assert!(error.to_string().contains("maxmemory"), "{error}");
    let carries_on = region(&redis).when_down(WhenDown::Miss);
    assert_eq!(carries_on.get_or_create("new", || made(4)).await.unwrap(), 4);
    cache.delete("there").await.unwrap();

    server.ask(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    assert_eq!(cache.get_or_create("new", || made(5)).await.unwrap(), 5);
}
