//! What docs/coming-from/moka-and-cached.md shows of moka: the same lines, compiled and run.

use super::load_user;
use moka::future::Cache;
use std::sync::Arc;
use std::time::Duration;

async fn with_moka() -> Result<String, Arc<std::io::Error>> {
    let users: Cache<u64, String> =
        Cache::builder().max_capacity(10_000).time_to_live(Duration::from_secs(300)).build();
    let user = users.try_get_with(15, async { load_user(15).await }).await?;
    users.invalidate(&15).await;
    Ok(user)
}

#[tokio::test]
async fn it_loads() {
    assert_eq!(with_moka().await.unwrap(), "user 15");
}
