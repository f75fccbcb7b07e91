//! Behind `#[cached_multi]`.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::future::Future;
use std::hash::{BuildHasher, Hash};
use std::sync::Mutex;

use dogpile_core::{BuiltKey, Codec, Error, ErrorKind, ReadThrough, ToKey};

use super::errors::Errors;
use super::one::given;
use crate::{CallOptions, Region};

/// What a function of many items returns: an answer for each, or a map from which some are missing.
pub trait Answers<I>: Sized {
    /// What is cached for one item.
    type Cached: Send;

    /// The answers to these items, in their order.
    fn apart(self, items: &[I]) -> Vec<Self::Cached>;

    /// The answers to these items, together again.
    fn together(items: &[I], answers: Vec<Self::Cached>) -> Self;
}

impl<I, V: Send> Answers<I> for Vec<V> {
    type Cached = V;

    fn apart(self, _: &[I]) -> Self {
        self
    }

    fn together(_: &[I], answers: Self) -> Self {
        answers
    }
}

impl<I, V, S> Answers<I> for HashMap<I, V, S>
where
    I: Clone + Eq + Hash,
    V: Send,
    S: BuildHasher + Default,
{
    type Cached = Option<V>;

    fn apart(mut self, items: &[I]) -> Vec<Option<V>> {
        items.iter().map(|item| self.remove(item)).collect()
    }

    fn together(items: &[I], answers: Vec<Option<V>>) -> Self {
        present(items, answers).collect()
    }
}

impl<I: Clone + Ord, V: Send> Answers<I> for BTreeMap<I, V> {
    type Cached = Option<V>;

    fn apart(mut self, items: &[I]) -> Vec<Option<V>> {
        items.iter().map(|item| self.remove(item)).collect()
    }

    fn together(items: &[I], answers: Vec<Option<V>>) -> Self {
        present(items, answers).collect()
    }
}

fn present<I: Clone, V>(items: &[I], answers: Vec<Option<V>>) -> impl Iterator<Item = (I, V)> {
    items.iter().zip(answers).filter_map(|(item, answer)| Some((item.clone(), answer?)))
}

pub async fn get_many<R, C, T, K>(
    region: &Region<R, C>,
    keys: &[K],
    options: Option<&CallOptions<'_, T>>,
) -> Result<Vec<Option<T>>, Error>
where
    R: ReadThrough,
    C: Codec<T, Stored = R::Value>,
    K: ToKey + Send + Sync,
{
    region.get_many_with(keys, given(options)).await
}

pub async fn get_map<R, C, T, K, I, A>(
    region: &Region<R, C>,
    keys: &[K],
    options: Option<&CallOptions<'_, Option<T>>>,
    items: &[I],
) -> Result<A, Error>
where
    R: ReadThrough,
    C: Codec<Option<T>, Stored = R::Value>,
    K: ToKey + Send + Sync,
    A: Answers<I, Cached = Option<T>>,
{
    let found = region.get_many_with(keys, given(options)).await?;
    Ok(A::together(items, found.into_iter().map(Option::flatten).collect()))
}

pub async fn set_many<R, C, T, K>(
    region: &Region<R, C>,
    values: &[(K, T)],
    options: Option<&CallOptions<'_, T>>,
) -> Result<(), Error>
where
    R: ReadThrough,
    C: Codec<T, Stored = R::Value>,
    K: ToKey + Send + Sync,
{
    region.set_many_with(values, given(options)).await
}

pub async fn invalidate_many<R: ReadThrough, C, K: ToKey + Send + Sync>(
    region: &Region<R, C>,
    keys: &[K],
) -> Result<(), Error> {
    region.delete_many(keys).await
}

pub async fn get_or_create_many<R, C, K, I, A, E, F, Fut>(
    region: &Region<R, C>,
    keys: &[K],
    options: Option<&CallOptions<'_, A::Cached>>,
    items: &[I],
    errors: Errors<E>,
    mut create: F,
) -> Result<A, E>
where
    R: ReadThrough,
    C: Codec<A::Cached, Stored = R::Value>,
    K: ToKey + Send + Sync,
    I: Clone + Send + Sync,
    A: Answers<I>,
    E: Send,
    F: FnMut(Vec<I>) -> Fut + Send,
    Fut: Future<Output = Result<A, E>> + Send,
{
    let kept = &Mutex::new(None);
    let asked = asked(keys, items);
    let create = |missing: Vec<&Asked<'_, K, I>>| {
        let missing = wanted(&missing);
        let created = create(missing.clone());
        async move {
            let created = created.await.map_err(|error| errors.tell(error, kept))?;
            Ok::<_, super::errors::AnyError>(created.apart(&missing))
        }
    };
    match region.get_or_create_many_with(&asked, given(options), create).await {
        Ok(answers) => Ok(A::together(items, answers)),
        Err(told) => Err(errors.recover(Some(kept), told)),
    }
}

/// `None` if the cache failed, whatever the reason.
pub async fn get_or_create_many_plain<R, C, K, I, A, F, Fut>(
    region: &Region<R, C>,
    keys: &[K],
    options: Option<&CallOptions<'_, A::Cached>>,
    items: &[I],
    mut create: F,
) -> Option<A>
where
    R: ReadThrough,
    C: Codec<A::Cached, Stored = R::Value>,
    K: ToKey + Send + Sync,
    I: Clone + Send + Sync,
    A: Answers<I>,
    F: FnMut(Vec<I>) -> Fut + Send,
    Fut: Future<Output = A> + Send,
{
    let asked = asked(keys, items);
    let create = |missing: Vec<&Asked<'_, K, I>>| {
        let missing = wanted(&missing);
        let created = create(missing.clone());
        async move { Ok::<_, Infallible>(created.await.apart(&missing)) }
    };
    let answers = region.get_or_create_many_with(&asked, given(options), create).await.ok()?;
    Some(A::together(items, answers))
}

pub async fn refresh_many<R, C, K, I, A, E>(
    region: &Region<R, C>,
    keys: &[K],
    options: Option<&CallOptions<'_, A::Cached>>,
    items: &[I],
    create: impl Future<Output = Result<A, E>>,
) -> Result<A, E>
where
    R: ReadThrough,
    C: Codec<A::Cached, Stored = R::Value>,
    K: ToKey + Send + Sync,
    A: Answers<I>,
    E: From<Error>,
{
    let created = create.await?;
    Ok(store(region, keys, options, items, created).await?)
}

pub async fn refresh_many_plain<R, C, K, I, A>(
    region: &Region<R, C>,
    keys: &[K],
    options: Option<&CallOptions<'_, A::Cached>>,
    items: &[I],
    create: impl Future<Output = A>,
) -> Result<A, Error>
where
    R: ReadThrough,
    C: Codec<A::Cached, Stored = R::Value>,
    K: ToKey + Send + Sync,
    A: Answers<I>,
{
    store(region, keys, options, items, create.await).await
}

/// Caches what was created for each item.
async fn store<R, C, K, I, A>(
    region: &Region<R, C>,
    keys: &[K],
    options: Option<&CallOptions<'_, A::Cached>>,
    items: &[I],
    created: A,
) -> Result<A, Error>
where
    R: ReadThrough,
    C: Codec<A::Cached, Stored = R::Value>,
    K: ToKey + Send + Sync,
    A: Answers<I>,
{
    let answers = created.apart(items);
    if answers.len() != keys.len() {
        let (asked, answered) = (keys.len(), answers.len());
        return Err(Error::new(
            ErrorKind::Creation,
            format!("the function was asked for {asked} items and answered {answered}"),
        ));
    }
    let built = keys.iter().map(ToKey::to_key);
    let (cached, passed): (Vec<_>, Vec<_>) = built
        .zip(answers)
        .enumerate()
        .partition(|(_, (key, answer))| given(options).caches(key.as_key(), answer));
    let (places, cached): (Vec<_>, Vec<_>) = cached.into_iter().unzip();
    region.set_many_with(&cached, given(options)).await?;
    let mut answers: Vec<_> = places.into_iter().zip(cached).chain(passed).collect();
    answers.sort_by_key(|(place, _)| *place);
    let answers = answers.into_iter().map(|(_, (_, answer))| answer).collect();
    Ok(A::together(items, answers))
}

/// A key, and the item it stands for.
struct Asked<'a, K, I> {
    key: &'a K,
    item: &'a I,
}

impl<K: ToKey, I> ToKey for Asked<'_, K, I> {
    fn to_key(&self) -> BuiltKey<'_> {
        self.key.to_key()
    }
}

fn asked<'a, K, I>(keys: &'a [K], items: &'a [I]) -> Vec<Asked<'a, K, I>> {
    keys.iter().zip(items).map(|(key, item)| Asked { key, item }).collect()
}

fn wanted<K, I: Clone>(missing: &[&Asked<'_, K, I>]) -> Vec<I> {
    missing.iter().map(|asked| asked.item.clone()).collect()
}
