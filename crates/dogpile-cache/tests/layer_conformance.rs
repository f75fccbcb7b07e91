//! Every layer keeps the promises of what it wraps.

use std::time::Duration;

use dogpile_cache::backend::{MemoryBytes, MemoryCounter};
use dogpile_cache::key::Mangle;
use dogpile_cache::layer::{LayerExt, Layered, Mangled, Prefix, Tiered};
use dogpile_conformance::Subject;
use dogpile_lock::{LocalLock, Paired};

/// Rewrites every name, and makes many of them longer.
#[derive(Clone, Debug)]
struct Doubled;

impl Mangle for Doubled {
    fn mangle<'a>(&self, name: &'a [u8]) -> std::borrow::Cow<'a, [u8]> {
        name.iter().chain(name).copied().collect()
    }
}

fn store() -> MemoryBytes {
    MemoryBytes::new(64 << 20)
}

/// Nothing here looks at a clock, so time may pass without taking any.
fn subject<B>(backend: B) -> Subject<B> {
    Subject::new(backend).with_advance(|_| {})
}

fn leasing() -> Paired<MemoryBytes, LocalLock> {
    Paired::new(store(), LocalLock::new())
}

mod prefix {
    use super::*;
    dogpile_conformance::backend_suite!(async { subject(store().layer(Prefix::new("app:"))) });
}

mod mangled {
    use super::*;
    dogpile_conformance::backend_suite!(async { subject(store().layer(Mangled::new(Doubled))) });
}

mod tiered {
    use super::*;
    dogpile_conformance::backend_suite!(async {
        subject(Tiered::new(store(), store(), Duration::from_secs(60)))
    });
}

mod tiered_over_layers {
    use super::*;
    dogpile_conformance::backend_suite!(async {
        let near = store().layer(Prefix::new("near:"));
        subject(Tiered::new(near, store(), Duration::from_secs(60)).layer(Prefix::new("app:")))
    });
}

#[cfg(feature = "zstd")]
mod zstd {
    use super::*;
    use dogpile_cache::layer::Compress;
    dogpile_conformance::backend_suite!(async {
        subject(store().layer(Compress::zstd().with_min_compress_len(0)))
    });
}

#[cfg(feature = "lz4")]
mod lz4 {
    use super::*;
    use dogpile_cache::layer::Compress;
    dogpile_conformance::backend_suite!(async {
        subject(store().layer(Compress::lz4().with_min_compress_len(0)))
    });
}

#[cfg(any(feature = "metrics", feature = "tracing"))]
mod observed {
    use super::*;
    use dogpile_cache::layer::{Observed, Telemetry};
    dogpile_conformance::backend_suite!(async {
        subject(Observed::new(store(), Telemetry::new("test")))
    });
}

mod leasing_prefix {
    use super::*;
    dogpile_conformance::lease_suite!(async { Subject::new(leasing().layer(Prefix::new("app:"))) });
}

mod leasing_tiered {
    use super::*;
    dogpile_conformance::lease_suite!(async {
        Subject::new(Tiered::new(store(), leasing(), Duration::from_secs(60)))
    });
}

#[cfg(any(feature = "metrics", feature = "tracing"))]
mod leasing_observed {
    use super::*;
    use dogpile_cache::layer::{Observed, Telemetry};
    dogpile_conformance::lease_suite!(async {
        Subject::new(Observed::new(leasing(), Telemetry::new("test")))
    });
}

mod prefixed_lock {
    use super::*;
    dogpile_conformance::lock_suite!(async {
        Subject::new(Layered::new(LocalLock::new(), Prefix::new("app:")))
    });
}

#[cfg(any(feature = "metrics", feature = "tracing"))]
mod observed_lock {
    use super::*;
    use dogpile_cache::layer::{Observed, Telemetry};
    dogpile_conformance::lock_suite!(async {
        Subject::new(Observed::new(LocalLock::new(), Telemetry::new("test")))
    });
}

#[test]
fn a_counter_behind_a_prefix_counts_apart() {
    dogpile_conformance::run(async {
        use dogpile_core::{Counter, Key};
        let shared = MemoryCounter::new();
        let a = Layered::new(shared.clone(), Prefix::new("a:"));
        let b = Layered::new(shared.clone(), Prefix::new("b:"));
        assert_eq!(a.bump(Key::name("n"), 0).await.unwrap(), 1);
        assert_eq!(b.read(Key::name("n")).await.unwrap(), 0);
        assert_eq!(shared.read(Key::name("a:n")).await.unwrap(), 1);
    });
}
