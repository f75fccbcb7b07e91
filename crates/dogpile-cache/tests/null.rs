//! The backend that keeps nothing.

use bytes::Bytes;
use dogpile_cache::backend::Null;
use dogpile_core::{Backend, BackendExt, Entry, Key, Timestamp};

#[tokio::test]
async fn it_takes_everything_and_keeps_nothing() {
    let null = Null::<Bytes>::new();
    let keys = [Key::name("a"), Key::field("g", "a"), Key::name("a")];
    for key in keys {
        null.set(key, Entry::new(Timestamp::MIN, Bytes::from_static(b"value"))).await.unwrap();
        assert_eq!(null.get(key).await.unwrap(), None);
    }
    assert_eq!(null.get_many(&keys).await.unwrap(), [None, None, None]);
    null.delete_many(&keys).await.unwrap();
    null.delete_group(b"g").await.unwrap();
}
