//! Regions by name: what a configuration means, and what is said of a wrong one.

#![cfg(feature = "config")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod refused;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use dogpile_cache::backend::MemoryBytes;
use dogpile_cache::config::{Config, NamedRegion, Regions, Registry, Store};
use dogpile_cache::{Codec, Error, ErrorKind, WhenDown};
use dogpile_core::{Backend, DynReadThrough, Key};
use dogpile_lock::{Dogpile, LocalLock, Paired};

fn lock(store: Store) -> Arc<dyn DynReadThrough<Value = Bytes>> {
    match store {
        Store::Backend(backend) => Arc::new(Dogpile::local(backend)),
        Store::Leases(leases) => Arc::new(Dogpile::leased(leases)),
    }
}

async fn build(toml: &str) -> Result<Regions, Error> {
    let config: Config = toml::from_str(toml).unwrap();
    Regions::build(&config, &Registry::new(), lock).await
}

/// The only region of a configuration, called `r`.
async fn region(options: &str) -> NamedRegion {
    let regions = build(&format!("[regions.r]\nbackend = \"memory\"\n{options}")).await.unwrap();
    regions.region("r").unwrap().clone()
}

#[test]
fn every_option_reaches_the_region() {
    dogpile_conformance::run(async {
        let region = region(
            r#"
            expires_after = "1h 30m"
            hard_deadline = "2h"
            jitter = 0.25
            lease_for = "750ms"
            wait_for = "2s"
            serve_stale = false
            version = 7
            when_down = "miss"
            codec = "json"
            prefix = "app:"
            "#,
        )
        .await;
        let options = region.options();
        assert_eq!(options.expiry.duration(), Some(Duration::from_secs(5_400)));
        assert_eq!(options.hard_deadline, Some(Duration::from_secs(7_200)));
        assert_eq!(options.jitter, 0.25);
        assert_eq!(options.lease_for, Duration::from_millis(750));
        assert_eq!(options.wait_for, Duration::from_secs(2));
        assert!(!options.serve_stale);
        assert_eq!(options.version, 7);
        assert_eq!(options.when_down, WhenDown::Miss);

        region.set("key", &vec![1, 2]).await.unwrap();
        let stored = region.store().get(Key::name("app:key")).await.unwrap().unwrap();
        assert_eq!(stored.value, "[1,2]");
        assert_eq!(stored.version, 7);
    });
}

#[test]
fn what_is_not_said_is_the_regions_own_default() {
    dogpile_conformance::run(async {
        let plain = region("").await;
        assert_eq!(*plain.options(), dogpile_cache::Options::default());
        plain.set("key", &1_u8).await.unwrap();
        let stored = plain.store().get(Key::name("r:key")).await.unwrap().unwrap();
        assert_eq!(stored.value, dogpile_cache::codec::MsgPack.encode(&1_u8).unwrap());
    });
}

#[test]
fn a_prefix_may_name_the_region() {
    dogpile_conformance::run(async {
        for (prefix, stored) in [("", "key"), ("app/{region}/", "app/r/key"), ("x", "xkey")] {
            let region = region(&format!("prefix = {prefix:?}")).await;
            region.set("key", &1_u8).await.unwrap();
            assert!(region.store().get(Key::name(stored)).await.unwrap().is_some(), "{prefix}");
        }
    });
}

#[test]
fn names_are_mangled_as_told() {
    dogpile_conformance::run(async {
        let short = "0123456789".repeat(4);
        let long = format!("{short}x");
        for (mangle, key, stored_len) in [
            ("sha1", &short, 40),
            ("sha256", &short, 64),
            ("sha256-when-longer-than-40", &short, 40),
            ("sha256-when-longer-than-40", &long, 64),
            ("sha1-when-longer-than-0", &short, 40),
        ] {
            let region = region(&format!("prefix = \"\"\nmangle = {mangle:?}")).await;
            region.set(key, &1_u8).await.unwrap();
            let as_it_is = region.store().get(Key::name(key)).await.unwrap();
            assert_eq!(as_it_is.is_some(), mangle.contains("than-40") && stored_len == 40);
            assert_eq!(region.get::<u8>(key).await.unwrap(), Some(1));
        }
    });
}

#[test]
fn defaults_are_inherited_and_overruled() {
    dogpile_conformance::run(async {
        let regions = build(
            r#"
            [defaults]
            backend = "memory"
            arguments = { capacity = 1000000 }
            expires_after = "5m"
            jitter = 0.1

            [regions.inherits]

            [regions.overrules]
            backend = "null"
            expires_after = "never"
            jitter = 0
            "#,
        )
        .await
        .unwrap();
        let inherits = regions.region("inherits").unwrap();
        assert_eq!(inherits.options().expiry.duration(), Some(Duration::from_secs(300)));
        assert_eq!(inherits.options().jitter, 0.1);
        // `null` takes no arguments: it did not inherit those of `memory`.
        let overrules = regions.region("overrules").unwrap();
        assert_eq!(overrules.options().expiry.duration(), None);
        assert_eq!(overrules.options().jitter, 0.0);
        assert_eq!(regions.names().collect::<Vec<_>>(), ["inherits", "overrules"]);
    });
}

#[test]
fn arguments_are_inherited_one_by_one() {
    dogpile_conformance::run(async {
        #[derive(serde::Deserialize)]
        struct Server {
            url: String,
            database: u8,
        }
        let registry = Registry::new().register("server", |server: Server| async move {
            assert_eq!((&*server.url, server.database), ("redis://one", 2));
            Ok(Store::backend(MemoryBytes::new(1_000_000)))
        });
        let config: Config = toml::from_str(
            r#"
            defaults = { backend = "server", arguments = { url = "redis://one", database = 1 } }
            regions.a.arguments.database = 2
            "#,
        )
        .unwrap();
        Regions::build(&config, &registry, lock).await.unwrap();
    });
}

#[test]
fn files_are_kept_in_their_folder() {
    dogpile_conformance::run(async {
        let folder = tempfile::tempdir().unwrap();
        let toml = format!(
            "[regions.r]\nbackend = \"file\"\narguments = {{ folder = {:?}, capacity = 1_000_000, sync = true }}",
            folder.path()
        );
        let first = build(&toml).await.unwrap();
        first.region("r").unwrap().set("key", &5_u32).await.unwrap();
        let second = build(&toml).await.unwrap();
        assert_eq!(second.region("r").unwrap().get::<u32>("key").await.unwrap(), Some(5));
    });
}

#[test]
fn a_factory_may_bring_its_own_lock() {
    dogpile_conformance::run(async {
        let opened = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&opened);
        #[derive(serde::Deserialize)]
        struct Nothing {}
        let registry = Registry::new().register("paired", move |_: Nothing| {
            count.fetch_add(1, Ordering::Relaxed);
            async {
                let backend = MemoryBytes::new(1_000_000);
                Ok(Store::leases(Paired::new(backend, LocalLock::new())))
            }
        });
        let config: Config = toml::from_str("regions.a.backend = \"paired\"").unwrap();
        let regions = Regions::build(&config, &registry, |store| {
            assert!(matches!(store, Store::Leases(_)));
            lock(store)
        })
        .await
        .unwrap();
        let region = regions.region("a").unwrap();
        let value = region.get_or_create("k", || async { Ok::<_, Error>(3) }).await.unwrap();
        assert_eq!(value, 3);
        assert_eq!(opened.load(Ordering::Relaxed), 1);
    });
}

#[cfg(all(feature = "zstd", feature = "lz4", feature = "metrics"))]
#[test]
fn layers_stand_in_their_order() {
    dogpile_conformance::run(async {
        let region = region(
            r#"
            prefix = ""
            codec = "json"
            layers = [
                { compress = "zstd", level = 7, min_compress_len = 10, max_size = 100000 },
                { near = "memory", near_for = "10s", arguments = { capacity = 100000 } },
                { compress = "lz4" },
                { observe = "outside" },
            ]
            "#,
        )
        .await;
        region.set("key", &"a".repeat(5_000)).await.unwrap();
        let shown = format!("{:?}", region.store());
        for part in [
            "Observed { inner: Layered { inner: Tiered { near: MemoryBytes",
            "far: Layered { inner: MemoryBytes",
            "transform: Compress { algorithm: Zstd { level: 7 }, min_compress_len: 10, max_size: 100000 }",
            "transform: Compress { algorithm: Lz4, min_compress_len: 1024, max_size: 67108864 }",
        ] {
            assert!(shown.contains(part), "{part} is not in {shown}");
        }
        assert_eq!(region.get::<String>("key").await.unwrap(), Some("a".repeat(5_000)));
    });
}

#[test]
fn a_configuration_may_be_a_part_of_another_and_of_any_format() {
    dogpile_conformance::run(async {
        #[derive(serde::Deserialize)]
        struct Program {
            #[serde(default)]
            cache: Config,
        }
        let none: Program = toml::from_str("").unwrap();
        let regions = Regions::build(&none.cache, &Registry::new(), lock).await.unwrap();
        assert_eq!(regions.names().count(), 0);
        let json = r#"{"cache": {"regions": {"a": {"backend": "null", "expires_after": "1s"}}}}"#;
        let some: Program = serde_json::from_str(json).unwrap();
        let regions = Regions::build(&some.cache, &Registry::new(), lock).await.unwrap();
        assert!(regions.region("a").is_ok());
    });
}

#[test]
fn a_configuration_does_not_show_its_passwords() {
    let toml = "[regions.a]\nbackend = \"redis\"\narguments = { url = \"redis://:secret@host\" }";
    let config: Config = toml::from_str(toml).unwrap();
    assert_eq!(format!("{config:?}"), r#"Config {"a"}"#);
}

#[test]
fn a_backend_that_cannot_be_opened_says_whose_it_is() {
    dogpile_conformance::run(async {
        let toml = "[regions.a]\nbackend = \"file\"\narguments = { folder = \"/dev/null/x\" }";
        let error = build(toml).await.unwrap_err();
        assert_eq!(error.to_string(), "the backend `file` of the region `a` cannot be opened");
        assert!(std::error::Error::source(&error).is_some());
    });
}

#[test]
fn nothing_is_opened_before_everything_is_right() {
    dogpile_conformance::run(async {
        #[derive(serde::Deserialize)]
        struct Nothing {}
        let registry = Registry::new().register("first", |_: Nothing| async { panic!("opened") });
        let config: Config =
            toml::from_str("regions.a.backend = \"first\"\nregions.b.backend = \"nowhere\"")
                .unwrap();
        let error = Regions::build(&config, &registry, lock).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused);
    });
}
