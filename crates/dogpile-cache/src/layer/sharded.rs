//! One backend made of many, each with its part of the keys.

use std::time::Duration;

use dogpile_core::{
    Answer, Ask, Backend, Entry, Error, ErrorKind, Held, Key, Lease, LeaseBackend, Locator, Result,
    SetOptions,
};

use crate::all::all;

/// Spreads keys over backends, by any [`Locator`]: a hash ring, or a rule of your own.
///
/// - A key lives on one shard, the one the locator tells. The locator is asked for the bytes of the
///   key, so where a plain name is stored as it is, other clients with the same locator agree. A
///   field of a group is asked for as `group`, a byte 0xff, and the field: a group is spread, too.
/// - Many keys are grouped by shard, and the shards are asked at the same time: one round trip of
///   each, and as long as the slowest of them takes.
/// - [`delete_group`](Backend::delete_group) goes to all shards.
/// - It leases if the shards do.
///
/// # A shard that is down
///
/// It affects its own keys and no others. A call for one of its keys fails as the shard does. Of
/// many keys, those of a shard that cannot be reached or timed out are missing (and busy, to who
/// wants to lease them), while the others get their answers; only if all shards that were asked are
/// down is that an error. Writes and deletes are carried out wherever they can be, and then the
/// failure is reported. Put an `Observed` around each shard to see what fails.
///
/// Nothing goes to another shard instead: what it would find there once the first is back would be
/// old. A locator that knows which nodes are down and answers others takes that risk.
///
/// ```
/// use dogpile_cache::backend::MemoryBytes;
/// use dogpile_cache::layer::Sharded;
/// use dogpile_core::{Backend, BackendExt, Entry, Key, Locator, Timestamp};
///
/// /// Splits by the first byte. A ring is what you want: `shard_ring::Ring` is a locator.
/// #[derive(Debug)]
/// struct Halves;
///
/// impl Locator for Halves {
///     fn node_count(&self) -> usize {
///         2
///     }
///     fn locate(&self, key: &[u8]) -> Option<usize> {
///         Some(key.first().map_or(0, |byte| usize::from(byte >> 7)))
///     }
///     fn replicas(&self, key: &[u8], nodes: &mut [usize]) -> usize {
///         let first = key.first().map_or(0, |byte| usize::from(byte >> 7));
///         nodes.iter_mut().zip([first, 1 - first]).map(|(to, node)| *to = node).count()
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> dogpile_core::Result<()> {
/// let shards = vec![MemoryBytes::new(1 << 20), MemoryBytes::new(1 << 20)];
/// let backend = Sharded::new(Halves, shards)?;
/// backend.set(Key::name("page"), Entry::new(Timestamp::MIN, "text".into())).await?;
/// assert!(backend.shards()[0].get(Key::name("page")).await?.is_some());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Sharded<L, B> {
    locator: L,
    shards: Vec<B>,
}

impl<L: Locator, B> Sharded<L, B> {
    /// Spreads keys over these shards, which are the nodes of the locator in the order of their
    /// numbers.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] if there are not as many shards as nodes.
    pub fn new(locator: L, shards: Vec<B>) -> Result<Self> {
        let nodes = locator.node_count();
        if nodes != shards.len() {
            let what = format!("{} shards for a locator of {nodes} nodes", shards.len());
            return Err(Error::new(ErrorKind::Refused, what));
        }
        Ok(Self { locator, shards })
    }

    /// What tells the shard of a key.
    pub fn locator(&self) -> &L {
        &self.locator
    }

    /// The shards in the order of their numbers.
    pub fn shards(&self) -> &[B] {
        &self.shards
    }

    /// The number of the shard that keeps a key.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if the locator knows none, which is so where there are none.
    pub fn shard_of(&self, key: Key<'_>) -> Result<usize> {
        let located = match key.group() {
            Some(group) => self.locator.locate(&[group, b"\xff", key.as_bytes()].concat()),
            None => self.locator.locate(key.as_bytes()),
        };
        located
            .filter(|shard| *shard < self.shards.len())
            .ok_or_else(|| Error::new(ErrorKind::Unavailable, "there is no shard for this key"))
    }

    fn shard(&self, key: Key<'_>) -> Result<&B> {
        self.shard_of(key).map(|shard| &self.shards[shard])
    }

    /// The shards that have some of these items, each with the places of its own.
    fn grouped<'k>(&self, keys: impl Iterator<Item = Key<'k>>) -> Result<Vec<Group<'_, B>>> {
        let mut places = vec![Vec::new(); self.shards.len()];
        for (place, key) in keys.enumerate() {
            places[self.shard_of(key)?].push(place);
        }
        let groups = self.shards.iter().zip(places);
        Ok(groups.filter(|(_, places)| !places.is_empty()).collect())
    }
}

/// A shard, and the places of its items among all.
type Group<'s, B> = (&'s B, Vec<usize>);

impl<L: Locator, B: Backend> Backend for Sharded<L, B> {
    type Value = B::Value;

    async fn get(&self, key: Key<'_>) -> Result<Option<Entry<B::Value>>> {
        self.shard(key)?.get(key).await
    }

    async fn get_many(&self, keys: &[Key<'_>]) -> Result<Vec<Option<Entry<B::Value>>>> {
        let groups = self.grouped(keys.iter().copied())?;
        let asked = groups.iter().map(|(shard, places)| {
            let keys = chosen(keys, places);
            async move { shard.get_many(&keys).await }
        });
        let answers = all(asked).await;
        in_order(keys.len(), &groups, answers, || None)
    }

    async fn set_many(
        &self,
        items: &[(Key<'_>, Entry<B::Value>)],
        options: &SetOptions,
    ) -> Result<()> {
        let groups = self.grouped(items.iter().map(|(key, _)| *key))?;
        let written = groups.iter().map(|(shard, places)| {
            let items = chosen(items, places);
            async move { shard.set_many(&items, options).await }
        });
        all(written).await.into_iter().collect()
    }

    async fn delete_many(&self, keys: &[Key<'_>]) -> Result<()> {
        let groups = self.grouped(keys.iter().copied())?;
        let deleted = groups.iter().map(|(shard, places)| {
            let keys = chosen(keys, places);
            async move { shard.delete_many(&keys).await }
        });
        all(deleted).await.into_iter().collect()
    }

    async fn delete_group(&self, group: &[u8]) -> Result<()> {
        let deleted = self.shards.iter().map(|shard| shard.delete_group(group));
        all(deleted).await.into_iter().collect()
    }
}

impl<L: Locator, B: LeaseBackend> LeaseBackend for Sharded<L, B> {
    async fn get_or_lease(&self, ask: &Ask<'_>) -> Result<Answer<B::Value>> {
        self.shard(ask.key)?.get_or_lease(ask).await
    }

    async fn get_or_lease_many(&self, asks: &[Ask<'_>]) -> Result<Vec<Answer<B::Value>>> {
        let groups = self.grouped(asks.iter().map(|ask| ask.key))?;
        let asked = groups.iter().map(|(shard, places)| {
            let asks = chosen(asks, places);
            async move { shard.get_or_lease_many(&asks).await }
        });
        let answers = all(asked).await;
        if answers.iter().any(is_refusal) {
            // Nobody will hear of what was granted.
            for ((shard, places), answers) in groups.iter().zip(&answers) {
                for (place, answer) in places.iter().zip(answers.iter().flatten()) {
                    if let Answer::Create { lease, .. } = answer {
                        shard.abandon(asks[*place].key, *lease);
                    }
                }
            }
        }
        in_order(asks.len(), &groups, answers, || Answer::Busy { stale: None })
    }

    async fn fill(
        &self,
        key: Key<'_>,
        lease: Lease,
        entry: Entry<B::Value>,
        options: &SetOptions,
    ) -> Result<Held> {
        self.shard(key)?.fill(key, lease, entry, options).await
    }

    async fn fill_many(
        &self,
        fills: &[(Key<'_>, Lease, Entry<B::Value>)],
        options: &SetOptions,
    ) -> Result<Vec<Held>> {
        let groups = self.grouped(fills.iter().map(|(key, ..)| *key))?;
        let filled = groups.iter().map(|(shard, places)| {
            let fills = chosen(fills, places);
            async move { shard.fill_many(&fills, options).await }
        });
        // What a shard did not take is lost: the value is served, and not stored.
        let answers = all(filled).await;
        in_order(fills.len(), &groups, answers, || Held::Lost)
    }

    async fn extend(&self, key: Key<'_>, lease: Lease, lease_for: Duration) -> Result<Held> {
        self.shard(key)?.extend(key, lease, lease_for).await
    }

    async fn release(&self, key: Key<'_>, lease: Lease) -> Result<Held> {
        self.shard(key)?.release(key, lease).await
    }

    fn abandon(&self, key: Key<'_>, lease: Lease) {
        if let Ok(shard) = self.shard(key) {
            shard.abandon(key, lease);
        }
    }

    async fn wait(&self, key: Key<'_>, at_most: Duration) {
        if let Ok(shard) = self.shard(key) {
            shard.wait(key, at_most).await;
        }
    }

    async fn is_leased(&self, key: Key<'_>) -> Result<bool> {
        self.shard(key)?.is_leased(key).await
    }
}

fn chosen<T: Clone>(items: &[T], places: &[usize]) -> Vec<T> {
    places.iter().map(|place| items[*place].clone()).collect()
}

/// Whether this is more than a shard that is down.
fn is_refusal<T>(answer: &Result<T>) -> bool {
    answer.as_ref().is_err_and(|error| !error.is_temporary())
}

/// The answers of the shards in the order of the questions, with `absent` for those of a shard that
/// is down while another is not.
fn in_order<B, T>(
    count: usize,
    groups: &[Group<'_, B>],
    answers: Vec<Result<Vec<T>>>,
    absent: impl Fn() -> T,
) -> Result<Vec<T>> {
    let alive = answers.iter().any(Result::is_ok);
    let mut ordered: Vec<Option<T>> = (0..count).map(|_| None).collect();
    for ((_, places), answers) in groups.iter().zip(answers) {
        match answers {
            Ok(answers) => {
                for (place, answer) in places.iter().zip(answers) {
                    ordered[*place] = Some(answer);
                }
            }
            Err(error) if alive && error.is_temporary() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(ordered.into_iter().map(|answer| answer.unwrap_or_else(&absent)).collect())
}
