//! The decorated function is what was written, in every respect but one.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use dogpile_cache::{Error, KeyPart, cached};

use crate::support::{Cache, cache};

static REGION: LazyLock<Cache> = LazyLock::new(cache);

mod elsewhere {
    use super::{Error, REGION, cached};

    /// Its documentation, and attributes for the body and for the signature.
    #[cached(region = REGION)]
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "the expectation has to go with the body")]
    pub(crate) async fn narrowed(n: u64) -> Result<u8, Error> {
        Ok(n as u8)
    }

    #[cached(region = REGION)]
    #[cfg(not(test))]
    pub(super) async fn visible(absent: Absent) -> Absent {
        absent
    }

    #[cached(region = REGION)]
    #[cfg(test)]
    pub(super) async fn visible(n: u64) -> u64 {
        n
    }
}

#[tokio::test]
async fn visibility_and_attributes_are_kept() -> Result<(), Error> {
    assert_eq!(elsewhere::narrowed(257).await?, 1);
    assert_eq!(elsewhere::narrowed::get(257).await?, Some(1));
    assert_eq!(elsewhere::visible(2).await, 2);
    elsewhere::visible::invalidate(2).await
}

#[cached(region = REGION, key = (names, size, N))]
async fn generic<'a, T, const N: usize>(names: [&'a T; 2], size: &'a T) -> String
where
    T: KeyPart + ToString + Clone + Send + Sync,
{
    format!("{} {} {} {N}", names[0].to_string(), names[1].to_string(), size.to_string())
}

#[cached(region = REGION)]
async fn opaque(name: impl AsRef<str> + KeyPart + Clone + Send + Sync) -> String {
    name.as_ref().to_uppercase()
}

#[tokio::test]
async fn generics_and_opaque_types() -> Result<(), Error> {
    assert_eq!(generic::<_, 1>([&"a", &"b"], &"c").await, "a b c 1");
    assert_eq!(generic::<_, 2>([&"a", &"b"], &"c").await, "a b c 2");
    assert_eq!(generic::get::<_, 2>([&"a", &"b"], &"c").await?, Some("a b c 2".to_owned()));
    assert_eq!(opaque("ada").await, "ADA");
    assert_eq!(opaque("ada".to_owned()).await, "ADA");
    assert_eq!(opaque::get("ada").await?, Some("ADA".to_owned()));
    Ok(())
}

/// Owned arguments, one of which the body changes.
#[cached(region = REGION)]
async fn moved(mut names: Vec<String>, extra: Option<&str>) -> Vec<String> {
    names.extend(extra.map(str::to_owned));
    names
}

#[cached(region = REGION)]
async fn r#type(r#fn: u8) -> u8 {
    r#fn
}

/// Arguments may have the names of the function, of companions and of what the macro generates.
#[cached(region = REGION)]
async fn value(value: u32, key: u32, region: u32, options: u32) -> u32 {
    value + key + region + options
}

#[cached(region = REGION)]
async fn nested() -> Result<Arc<HashMap<String, Vec<Option<u8>>>>, Error> {
    Ok(Arc::default())
}

#[tokio::test]
async fn names_and_types_of_many_kinds() -> Result<(), Error> {
    let names = || vec!["a".to_owned()];
    assert_eq!(moved(names(), Some("b")).await, ["a", "b"]);
    assert_eq!(moved::get(names(), Some("b")).await?, Some(vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!(r#type(3).await, 3);
    assert_eq!(r#type::key(3).to_string(), "cached::signatures::type(3)");
    assert_eq!(value(1, 2, 3, 4).await, 10);
    value::set(1, 2, 3, 4, &5).await?;
    assert_eq!(value(1, 2, 3, 4).await, 5);
    assert!(nested().await?.is_empty());
    Ok(())
}

/// A function that calls itself has to name the type of its future somewhere, as any async one.
fn boxed(n: u64) -> dogpile_core::BoxFuture<'static, u64> {
    Box::pin(fibonacci(n))
}

#[cached(region = REGION)]
async fn fibonacci(n: u64) -> u64 {
    if n < 2 { n } else { boxed(n - 1).await + boxed(n - 2).await }
}

#[tokio::test]
async fn a_function_may_call_itself() -> Result<(), Error> {
    assert_eq!(fibonacci(10).await, 55);
    assert_eq!(fibonacci::get(9).await?, Some(34));
    Ok(())
}

#[tokio::test]
async fn the_futures_can_be_spawned() {
    let spawned = tokio::spawn(async {
        value(9, 9, 9, 9).await + u32::from(elsewhere::narrowed(1).await.unwrap())
    });
    assert_eq!(spawned.await.unwrap(), 37);
}
