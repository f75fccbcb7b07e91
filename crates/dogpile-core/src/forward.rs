//! Pointers to a backend, a lock, a counter, a codec, a clock are themselves one.

use std::future::Future;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use crate::{
    Answer, Ask, Backend, Clock, Codec, Counter, Entry, Held, Key, Lease, LeaseBackend, Locator,
    Lock, Made, ReadThrough, Request, Result, Served, SetOptions, Timestamp,
};

macro_rules! forward {
    ($($pointer:ty),*) => {$(
        #[deny(clippy::missing_trait_methods)]
        impl<T: Backend + ?Sized> Backend for $pointer {
            type Value = T::Value;

            fn get(&self, key: Key<'_>) -> impl Future<Output = Result<Option<Entry<Self::Value>>>> + Send {
                (**self).get(key)
            }

            #[inline]
            fn peek<U>(&self, key: Key<'_>, look: impl FnOnce(&Entry<Self::Value>) -> U) -> Poll<Option<U>> {
                (**self).peek(key, look)
            }

            fn get_many(&self, keys: &[Key<'_>]) -> impl Future<Output = Result<Vec<Option<Entry<Self::Value>>>>> + Send {
                (**self).get_many(keys)
            }

            fn set_many(&self, items: &[(Key<'_>, Entry<Self::Value>)], options: &SetOptions) -> impl Future<Output = Result<()>> + Send {
                (**self).set_many(items, options)
            }

            fn delete_many(&self, keys: &[Key<'_>]) -> impl Future<Output = Result<()>> + Send {
                (**self).delete_many(keys)
            }

            fn delete_group(&self, group: &[u8]) -> impl Future<Output = Result<()>> + Send {
                (**self).delete_group(group)
            }

        }

        #[deny(clippy::missing_trait_methods)]
        impl<T: Lock + ?Sized> Lock for $pointer {
            fn try_lock(&self, key: Key<'_>, lease_for: Duration) -> impl Future<Output = Result<Option<Lease>>> + Send {
                (**self).try_lock(key, lease_for)
            }

            fn extend(&self, key: Key<'_>, lease: Lease, lease_for: Duration) -> impl Future<Output = Result<Held>> + Send {
                (**self).extend(key, lease, lease_for)
            }

            fn unlock(&self, key: Key<'_>, lease: Lease) -> impl Future<Output = Result<Held>> + Send {
                (**self).unlock(key, lease)
            }

            fn revoke(&self, keys: &[Key<'_>]) -> impl Future<Output = Result<()>> + Send {
                (**self).revoke(keys)
            }

            fn revoke_group(&self, group: &[u8]) -> impl Future<Output = Result<()>> + Send {
                (**self).revoke_group(group)
            }

            fn abandon(&self, key: Key<'_>, lease: Lease) {
                (**self).abandon(key, lease);
            }

            fn wait(&self, key: Key<'_>, at_most: Duration) -> impl Future<Output = ()> + Send {
                (**self).wait(key, at_most)
            }

            fn is_locked(&self, key: Key<'_>) -> impl Future<Output = Result<bool>> + Send {
                (**self).is_locked(key)
            }

        }

        #[deny(clippy::missing_trait_methods)]
        impl<T: LeaseBackend + ?Sized> LeaseBackend for $pointer {
            fn get_or_lease(&self, ask: &Ask<'_>) -> impl Future<Output = Result<Answer<Self::Value>>> + Send {
                (**self).get_or_lease(ask)
            }

            fn get_or_lease_many(&self, asks: &[Ask<'_>]) -> impl Future<Output = Result<Vec<Answer<Self::Value>>>> + Send {
                (**self).get_or_lease_many(asks)
            }

            fn fill(&self, key: Key<'_>, lease: Lease, entry: Entry<Self::Value>, options: &SetOptions) -> impl Future<Output = Result<Held>> + Send {
                (**self).fill(key, lease, entry, options)
            }

            fn fill_many(&self, fills: &[(Key<'_>, Lease, Entry<Self::Value>)], options: &SetOptions) -> impl Future<Output = Result<Vec<Held>>> + Send {
                (**self).fill_many(fills, options)
            }

            fn extend(&self, key: Key<'_>, lease: Lease, lease_for: Duration) -> impl Future<Output = Result<Held>> + Send {
                (**self).extend(key, lease, lease_for)
            }

            fn release(&self, key: Key<'_>, lease: Lease) -> impl Future<Output = Result<Held>> + Send {
                (**self).release(key, lease)
            }

            fn abandon(&self, key: Key<'_>, lease: Lease) {
                (**self).abandon(key, lease);
            }

            fn wait(&self, key: Key<'_>, at_most: Duration) -> impl Future<Output = ()> + Send {
                (**self).wait(key, at_most)
            }

            fn is_leased(&self, key: Key<'_>) -> impl Future<Output = Result<bool>> + Send {
                (**self).is_leased(key)
            }

        }

        #[deny(clippy::missing_trait_methods)]
        impl<T: Counter + ?Sized> Counter for $pointer {
            fn read(&self, key: Key<'_>) -> impl Future<Output = Result<u64>> + Send {
                (**self).read(key)
            }

            fn bump(&self, key: Key<'_>, at_least: u64) -> impl Future<Output = Result<u64>> + Send {
                (**self).bump(key, at_least)
            }

        }

        #[deny(clippy::missing_trait_methods)]
        impl<T: ReadThrough + ?Sized> ReadThrough for $pointer {
            fn read_through<F, Fut>(
                &self,
                request: &Request<'_>,
                create: F,
            ) -> impl Future<Output = Result<Served<Self::Value>>> + Send
            where
                F: FnOnce() -> Fut + Send,
                Fut: Future<Output = Result<Made<Self::Value>>> + Send,
            {
                (**self).read_through(request, create)
            }

            fn read_through_detached<F, Fut>(
                &self,
                request: &Request<'_>,
                create: F,
            ) -> impl Future<Output = Result<Served<Self::Value>>> + Send
            where
                F: FnOnce() -> Fut + Send + 'static,
                Fut: Future<Output = Result<Made<Self::Value>>> + Send + 'static,
            {
                (**self).read_through_detached(request, create)
            }

            fn read_through_many<F, Fut>(
                &self,
                keys: &[Key<'_>],
                request: &Request<'_>,
                create: F,
            ) -> impl Future<Output = Result<Vec<Served<Self::Value>>>> + Send
            where
                F: FnMut(Vec<usize>) -> Fut + Send,
                Fut: Future<Output = Result<Vec<Made<Self::Value>>>> + Send,
            {
                (**self).read_through_many(keys, request, create)
            }

            fn is_creating(&self, key: Key<'_>) -> impl Future<Output = Result<bool>> + Send {
                (**self).is_creating(key)
            }
        }

        #[deny(clippy::missing_trait_methods)]
        impl<V, T: Codec<V> + ?Sized> Codec<V> for $pointer {
            type Stored = T::Stored;

            fn name(&self) -> &'static str {
                (**self).name()
            }

            fn encode(&self, value: &V) -> Result<Self::Stored> {
                (**self).encode(value)
            }

            fn decode(&self, stored: &Self::Stored) -> Result<V> {
                (**self).decode(stored)
            }
        }

        #[deny(clippy::missing_trait_methods)]
        impl<T: Locator + ?Sized> Locator for $pointer {
            fn node_count(&self) -> usize {
                (**self).node_count()
            }

            fn locate(&self, key: &[u8]) -> Option<usize> {
                (**self).locate(key)
            }

            fn replicas(&self, key: &[u8], nodes: &mut [usize]) -> usize {
                (**self).replicas(key, nodes)
            }
        }

        #[deny(clippy::missing_trait_methods)]
        impl<T: Clock + ?Sized> Clock for $pointer {
            fn now(&self) -> Timestamp {
                (**self).now()
            }

            fn recent(&self) -> Timestamp {
                (**self).recent()
            }
        }
    )*};
}
forward!(&T, Box<T>, Arc<T>);
