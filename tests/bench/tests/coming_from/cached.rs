//! What docs/coming-from/moka-and-cached.md shows of cached: the same lines, compiled and run.

use super::load_user;
use cached::macros::cached;

#[cached(max_size = 10_000, ttl_secs = 300, sync_writes = "by_key")]
async fn with_cached(id: u64) -> Result<String, std::io::Error> {
    load_user(id).await
}

#[tokio::test]
async fn it_loads() {
    assert_eq!(with_cached(15).await.unwrap(), "user 15");
}
