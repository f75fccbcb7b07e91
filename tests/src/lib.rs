//! What crosses crates. The code of the workspace's README and of the book is compiled and run from
//! here as doc tests; integration tests of several crates together lie in `tests/tests/`.

/// A module for each page, so that a failing block is told with its page.
macro_rules! pages {
    ($($name:ident $file:literal)*) => {
        $(
            #[cfg(doctest)]
            #[doc = include_str!(concat!("../../", $file))]
            mod $name {}
        )*
    };
}

// That every page with code is here, `tests/tests/book.rs` sees.
pages! {
    readme "README.md"
    stampedes "docs/stampedes.md"
    story "docs/story.md"
    cache "docs/crates/cache.md"
    macros "docs/crates/macros.md"
    lock "docs/crates/lock.md"
    redis "docs/crates/redis.md"
    memcached "docs/crates/memcached.md"
    cookie_session "docs/crates/cookie-session.md"
    shard_ring "docs/crates/shard-ring.md"
    core "docs/crates/core.md"
    conformance "docs/crates/conformance.md"
    choosing "docs/choosing.md"
    operating "docs/operating.md"
    first_hour "docs/first-hour.md"
    from_dogpile_cache "docs/coming-from/dogpile-cache.md"
    from_beaker "docs/coming-from/beaker.md"
    from_moka_and_cached "docs/coming-from/moka-and-cached.md"
    from_cookie_rs "docs/coming-from/cookie-rs.md"
}
