//! The `metrics` half.

use std::sync::Arc;
use std::time::Duration;

use metrics::{Key, Label, Level, Metadata, SharedString, with_recorder};

use super::{EVENTS, Seen, Told, kind};

#[derive(Debug)]
pub(super) struct Meters {
    cache: Label,
    /// Built once, because events are on the path of every hit.
    events: [Key; EVENTS.len()],
}

static METADATA: Metadata<'_> = Metadata::new("dogpile_cache", Level::INFO, Some("dogpile_cache"));

impl Meters {
    pub(super) fn new(cache: &Arc<str>) -> Self {
        let cache = Label::new("cache", SharedString::from(Arc::clone(cache)));
        let events = EVENTS.map(|event| {
            let labels = vec![cache.clone(), Label::from_static_parts("event", event)];
            Key::from_parts("dogpile_cache_events_total", labels)
        });
        Self { cache, events }
    }

    pub(super) fn event(&self, told: &Told<'_>) {
        count(&self.events[told.event], 1);
        if let Some(took) = told.created_in() {
            time(&self.key("dogpile_cache_create_seconds", &[]), took);
        }
        if let Some(took) = told.waited_for() {
            time(&self.key("dogpile_cache_wait_seconds", &[]), took);
        }
        if let Some(error) = told.error {
            count(&self.key("dogpile_cache_errors_total", &[("kind", kind(error))]), 1);
        }
    }

    pub(super) fn call(
        &self,
        operation: &'static str,
        took: Duration,
        outcome: &'static str,
        seen: Seen,
    ) {
        let operation = ("operation", operation);
        time(&self.key("dogpile_cache_backend_seconds", &[operation]), took);
        if outcome != "ok" {
            let labels = [operation, ("kind", outcome)];
            count(&self.key("dogpile_cache_backend_errors_total", &labels), 1);
        }
        for (name, label, n) in [
            ("dogpile_cache_backend_entries_total", ("found", "yes"), seen.hits),
            ("dogpile_cache_backend_entries_total", ("found", "no"), seen.misses),
            ("dogpile_cache_backend_bytes_total", ("direction", "read"), seen.bytes_read),
            ("dogpile_cache_backend_bytes_total", ("direction", "written"), seen.bytes_written),
        ] {
            if n > 0 {
                count(&self.key(name, &[label]), n);
            }
        }
    }

    fn key(&self, name: &'static str, labels: &[(&'static str, &'static str)]) -> Key {
        let further = labels.iter().map(|(name, value)| Label::from_static_parts(name, value));
        Key::from_parts(
            name,
            std::iter::once(self.cache.clone()).chain(further).collect::<Vec<_>>(),
        )
    }
}

fn count(key: &Key, n: u64) {
    with_recorder(|recorder| recorder.register_counter(key, &METADATA).increment(n));
}

fn time(key: &Key, took: Duration) {
    with_recorder(|recorder| {
        recorder.register_histogram(key, &METADATA).record(took.as_secs_f64());
    });
}
