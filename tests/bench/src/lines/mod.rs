//! The lines of the table.

mod alloc;
mod file;
mod hit;
mod memcached;
mod memcached_processes;
mod one_key;
pub(crate) mod processes;
mod redis;
mod redis_memory;
mod redis_processes;
mod ring;
mod session;
mod session_axum;
mod session_by_hand;
mod session_client;
mod session_request;
pub(crate) mod torture;
mod zipf;

use std::error::Error;

use dogpile_conformance::torture::Outcome;

use crate::arguments::Settings;
use crate::plot::Plot;
use crate::report::Row;

/// One line of the table, or a few that are measured together.
pub(crate) struct Line {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) run: fn(Settings) -> Result<Measured, Box<dyn Error>>,
}

/// What came out of a line.
pub(crate) struct Measured {
    pub(crate) rows: Vec<Row>,
    /// Where all the caches took part.
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) plots: Vec<Plot>,
}

impl From<Vec<Row>> for Measured {
    fn from(rows: Vec<Row>) -> Self {
        Self { rows, outcomes: Vec::new(), plots: Vec::new() }
    }
}

macro_rules! lines {
    ($($name:literal $what:literal $run:expr;)*) => {
        &[$(Line { name: $name, what: $what, run: $run }),*]
    };
}

/// In the order of the table. Recursion comes last: peers that hang in it keep their threads.
pub(crate) const LINES: &[Line] = lines! {
    "hit" "a fresh hit, and one of a cached function, against quick_cache and moka" hit::run;
    "alloc" "no allocation on a fresh hit" alloc::run;
    "zipf" "Zipf(0.99) over 100,000 keys in a cache of 10,000, two threads" zipf::run;
    "file" "a hit of 1 KiB of the file backend, against reading the same file" file::run;
    "missing" "1,000 tasks on one missing key, 50 ms creator" |s| torture::run("one_missing_key", s);
    "cancelled" "the first of 1,000 callers is cancelled" |s| torture::run("leader_cancelled", s);
    "panics" "the creator of the first of 1,000 callers panics" |s| torture::run("leader_panics", s);
    "fails" "the creator fails for 100 callers" |s| torture::run("creator_fails", s);
    "distinct" "200 different keys at once" |s| torture::run("distinct_keys", s);
    "hot" "a hot key while others load" |s| torture::run("hot_key_while_others_load", s);
    "errors" "three error types share one flight" |s| torture::run("different_error_types", s);
    "storm" "1,000 calls with 20 ms patience for a 50 ms creator" |s| torture::run("storm", s);
    "stalls" "64 readers of a key that expires every 200 ms" |s| torture::run("expiry_stalls", s);
    "expired" "1,000 tasks on one expired key" |s| torture::run("one_expired_key", s);
    "ring" "lookups and changes of the hash ring, against other rings" ring::run;
    "session" "sealing and opening a session of 512 bytes, against cookie's PrivateJar" session::run;
    "session-axum" "requests with a session of 512 bytes, against axum without and with PrivateCookieJar" session_axum::run;
    "session-request" "what a session costs a request, untouched, read, and checked in memory" session_request::run;
    "processes" "4 processes on the file backend" processes::run;
    "redis" "hits and groups on Redis, against the bare client" redis::run;
    "redis-memory" "what a value takes on Redis, by how it is kept" redis_memory::run;
    "redis-processes" "4 processes on one key of Redis" redis_processes::run;
    "memcached" "hits and many keys on memcached, against memcache-async" memcached::run;
    "memcached-processes" "4 processes on one key of memcached" memcached_processes::run;
    "recursion" "a creator asks for its own key" |s| torture::run("recursion", s);
};
