//! What stands beside a cached function: get, set, invalidate, refresh, key, original.

use std::sync::LazyLock;

use dogpile_cache::{Error, Key, cached};

use crate::support::{Cache, Calls, cache};

static REGION: LazyLock<Cache> = LazyLock::new(cache);
static CALLS: Calls = Calls::new();

/// The number of the call, and its argument.
#[cached(region = REGION)]
async fn numbered(name: &str) -> Result<String, Error> {
    Ok(format!("{} {name}", CALLS.next()))
}

#[tokio::test]
async fn the_decorated_function_creates_once_and_its_companions_act_on_the_same_entry()
-> Result<(), Error> {
    assert_eq!(numbered::get("a").await?, None);
    let first = numbered("a").await?;
    assert_eq!(numbered("a").await?, first);
    assert_eq!(numbered::get("a").await?, Some(first.clone()));

    numbered::set("a", &"by hand".to_owned()).await?;
    assert_eq!(numbered("a").await?, "by hand");

    let second = numbered::refresh("a").await?;
    assert_ne!(second, first);
    assert_eq!(numbered("a").await?, second);

    numbered::invalidate("a").await?;
    assert_eq!(numbered::get("a").await?, None);
    let third = numbered("a").await?;
    assert!(third != first && third != second, "{third}");

    // Past the cache.
    let original = numbered::original("a").await?;
    assert_ne!(original, third);
    assert_eq!(numbered("a").await?, third);

    // Nothing of this touched another argument.
    assert_eq!(numbered::get("b").await?, None);
    Ok(())
}

#[tokio::test]
async fn the_key_is_known_and_names_the_entry_in_the_region() -> Result<(), Error> {
    let key = numbered::key("of a, b");
    assert_eq!(key.as_key(), Key::name(r"cached::companions::numbered(of a\, b)"));
    let value = numbered("of a, b").await?;
    assert_eq!(REGION.get::<String>(&key).await?, Some(value));
    Ok(())
}

/// A function without arguments, that cannot fail.
#[cached(region = REGION)]
async fn plain() -> u64 {
    static CALLS: Calls = Calls::new();
    CALLS.next()
}

#[tokio::test]
async fn a_function_that_cannot_fail_has_the_same_companions() -> Result<(), Error> {
    assert_eq!((plain().await, plain().await), (1, 1));
    assert_eq!(plain::refresh().await?, 2);
    assert_eq!(plain::get().await?, Some(2));
    plain::set(&7).await?;
    assert_eq!(plain().await, 7);
    plain::invalidate().await?;
    assert_eq!((plain().await, plain::original().await, plain().await), (3, 4, 3));
    assert_eq!(plain::key().as_key(), Key::name("cached::companions::plain()"));
    Ok(())
}

#[tokio::test]
async fn companions_work_inside_a_function_with_what_is_in_scope_there() -> Result<(), Error> {
    #[derive(Clone, Debug, PartialEq)]
    struct Local(u32);
    static REGION: LazyLock<Cache> = LazyLock::new(cache);

    #[cached(region = REGION)]
    async fn local(n: u32) -> Local {
        Local(n)
    }
    assert_eq!(local(3).await, Local(3));
    assert_eq!(local::get(3).await?, Some(Local(3)));
    Ok(())
}
