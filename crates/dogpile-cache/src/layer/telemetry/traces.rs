//! The `tracing` half.

use std::error::Error as StdError;
use std::sync::Arc;

use dogpile_core::Key;
use tracing::field::Empty;
use tracing::{Level, Span, debug_span, event};
use xxhash_rust::xxh3::Xxh3;

use super::{EVENTS, Seen, Told};

#[derive(Clone, Debug)]
pub(super) struct Traces {
    cache: Arc<str>,
    pub(super) key_hash: bool,
}

impl Traces {
    pub(super) fn new(cache: Arc<str>) -> Self {
        Self { cache, key_hash: false }
    }

    pub(super) fn event(&self, key: Key<'_>, told: &Told<'_>) {
        // The macros fix level and fields where they are written.
        macro_rules! tell {
            ($level:ident) => {
                event!(
                    name: "cache.event",
                    target: "dogpile_cache",
                    Level::$level,
                    cache.name = &*self.cache,
                    cache.event = EVENTS[told.event],
                    cache.create_seconds = told.created_in().map(|took| took.as_secs_f64()),
                    cache.wait_seconds = told.waited_for().map(|took| took.as_secs_f64()),
                    cache.key_hash = self.key_hash.then(|| hash(key)),
                    error = told.error.map(|error| error as &(dyn StdError + 'static)),
                )
            };
        }
        match (EVENTS[told.event], told.error) {
            (_, Some(_)) | ("lost_lease", None) => tell!(WARN),
            ("created" | "overtaken", None) => tell!(DEBUG),
            _ => tell!(TRACE),
        }
    }

    pub(super) fn span(&self, operation: &'static str, keys: usize) -> Span {
        debug_span!(
            target: "dogpile_cache",
            "cache.backend",
            cache.name = &*self.cache,
            cache.operation = operation,
            cache.keys = keys,
            cache.hits = Empty,
            cache.misses = Empty,
            cache.bytes_read = Empty,
            cache.bytes_written = Empty,
            cache.outcome = Empty,
        )
    }
}

pub(super) fn end(span: &Span, outcome: &'static str, seen: Seen) {
    span.record("cache.hits", seen.hits)
        .record("cache.misses", seen.misses)
        .record("cache.bytes_read", seen.bytes_read)
        .record("cache.bytes_written", seen.bytes_written)
        .record("cache.outcome", outcome);
}

fn hash(key: Key<'_>) -> u64 {
    let mut hasher = Xxh3::new();
    if let Some(group) = key.group() {
        hasher.update(group);
        hasher.update(&[0xff]);
    }
    hasher.update(key.as_bytes());
    hasher.digest()
}
