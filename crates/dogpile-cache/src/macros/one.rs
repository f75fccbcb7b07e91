//! Behind `#[cached]`.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Mutex;

use dogpile_core::{BoxFuture, Codec, Error, Key, ReadThrough, ToKey};

use super::errors::Errors;
use crate::{CallOptions, Region};

/// The value, if it lies fresh in this process: a hit makes no future.
#[inline]
pub fn at_hand<R, C, T>(
    region: &Region<R, C>,
    key: Key<'_>,
    options: Option<&CallOptions<'_, T>>,
) -> Option<T>
where
    R: ReadThrough,
    C: Codec<T, Stored = R::Value>,
{
    region.hit_at_hand(key, options)
}

pub async fn get<R, C, T>(
    region: &Region<R, C>,
    key: Key<'_>,
    options: Option<&CallOptions<'_, T>>,
) -> Result<Option<T>, Error>
where
    R: ReadThrough,
    C: Codec<T, Stored = R::Value>,
{
    region.get_with(key, given(options)).await
}

pub async fn set<R, C, T>(
    region: &Region<R, C>,
    key: Key<'_>,
    options: Option<&CallOptions<'_, T>>,
    value: &T,
) -> Result<(), Error>
where
    R: ReadThrough,
    C: Codec<T, Stored = R::Value>,
{
    region.set_with(key, value, given(options)).await
}

pub async fn invalidate<R: ReadThrough, C>(
    region: &Region<R, C>,
    key: Key<'_>,
) -> Result<(), Error> {
    region.delete(key).await
}

/// Out of line and boxed, like all that is left where the value is not at hand: the decorated function
/// stays small.
#[inline(never)]
pub fn get_or_create<'a, R, C, T, E, F, Fut>(
    region: &'a Region<R, C>,
    key: impl ToKey + Send + Sync + 'a,
    options: Option<&'a CallOptions<'a, T>>,
    errors: Errors<E>,
    create: F,
) -> BoxFuture<'a, Result<T, E>>
where
    R: ReadThrough,
    C: Codec<T, Stored = R::Value>,
    T: Send + 'a,
    E: Send + 'a,
    F: FnOnce() -> Fut + Send + 'a,
    Fut: Future<Output = Result<T, E>> + Send + 'a,
{
    Box::pin(async move {
        let kept = &Mutex::new(None);
        let create =
            move || async move { create().await.map_err(|error| errors.tell(error, kept)) };
        let answer = region.obtain_from_store(&key, options, create).await;
        answer.map_err(|told| errors.recover(Some(kept), told))
    })
}

pub async fn refresh<R, C, T, E, F, Fut>(
    region: &Region<R, C>,
    key: Key<'_>,
    options: Option<&CallOptions<'_, T>>,
    errors: Errors<E>,
    create: F,
) -> Result<T, E>
where
    R: ReadThrough,
    C: Codec<T, Stored = R::Value>,
    T: Send,
    E: Send,
    F: FnOnce() -> Fut + Send,
    Fut: Future<Output = Result<T, E>> + Send,
{
    let kept = &Mutex::new(None);
    let create = move || async move { create().await.map_err(|error| errors.tell(error, kept)) };
    let answer = region.refresh_with(key, given(options), create).await;
    answer.map_err(|told| errors.recover(Some(kept), told))
}

#[inline(never)]
pub fn get_or_create_detached<'a, R, C, T, E, F, Fut>(
    region: &'a Region<R, C>,
    key: impl ToKey + Send + Sync + 'a,
    options: Option<&'a CallOptions<'static, T>>,
    errors: Errors<E>,
    create: F,
) -> BoxFuture<'a, Result<T, E>>
where
    R: ReadThrough + 'static,
    C: Codec<T, Stored = R::Value> + 'static,
    T: Send + 'static,
    E: Send + 'static,
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
{
    Box::pin(async move {
        let create = move || async move { create().await.map_err(|error| errors.tell_all(error)) };
        let answer = region.get_or_create_detached_with(key, given(options), create).await;
        answer.map_err(|told| errors.recover(None, told))
    })
}

/// `None` if the cache failed, whatever the reason.
#[inline(never)]
pub fn get_or_create_plain<'a, R, C, T, F, Fut>(
    region: &'a Region<R, C>,
    key: impl ToKey + Send + Sync + 'a,
    options: Option<&'a CallOptions<'a, T>>,
    create: F,
) -> BoxFuture<'a, Option<T>>
where
    R: ReadThrough,
    C: Codec<T, Stored = R::Value>,
    T: Send + 'a,
    F: FnOnce() -> Fut + Send + 'a,
    Fut: Future<Output = T> + Send + 'a,
{
    Box::pin(async move {
        let create = move || async move { Ok::<_, Infallible>(create().await) };
        region.obtain_from_store(&key, options, create).await.ok()
    })
}

#[inline(never)]
pub fn get_or_create_plain_detached<'a, R, C, T, F, Fut>(
    region: &'a Region<R, C>,
    key: impl ToKey + Send + Sync + 'a,
    options: Option<&'a CallOptions<'static, T>>,
    create: F,
) -> BoxFuture<'a, Option<T>>
where
    R: ReadThrough + 'static,
    C: Codec<T, Stored = R::Value> + 'static,
    T: Send + 'static,
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = T> + Send + 'static,
{
    Box::pin(async move {
        let create = move || async move { Ok::<_, Infallible>(create().await) };
        region.get_or_create_detached_with(key, given(options), create).await.ok()
    })
}

pub async fn refresh_plain<R, C, T, F, Fut>(
    region: &Region<R, C>,
    key: Key<'_>,
    options: Option<&CallOptions<'_, T>>,
    create: F,
) -> Result<T, Error>
where
    R: ReadThrough,
    C: Codec<T, Stored = R::Value>,
    T: Send,
    F: FnOnce() -> Fut + Send,
    Fut: Future<Output = T> + Send,
{
    let create = move || async move { Ok::<_, Infallible>(create().await) };
    region.refresh_with(key, given(options), create).await
}

/// The options of a call that has any, or none. The hot path goes without.
pub(super) fn given<'a, T>(options: Option<&CallOptions<'a, T>>) -> CallOptions<'a, T> {
    options.copied().unwrap_or_default()
}
