//! The example `sharded_redis`, with real servers.
#![allow(clippy::panic, clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

#[path = "../../dogpile-redis/tests/support/mod.rs"]
mod support;

use support::Server;
use support::programs::example;

#[test]
fn keys_are_where_the_ring_says() {
    let servers: Vec<Server> = (0..3).map_while(|_| Server::start()).collect();
    if servers.is_empty() {
        return;
    }
    let shards: Vec<String> = ["blue", "green", "red"]
        .iter()
        .zip(&servers)
        .map(|(name, server)| format!("{name}=127.0.0.1:{}", server.port()))
        .collect();
    let output = example("sharded_redis").args(&shards).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    let mut keys = 0;
    for (line, server) in text.lines().zip(&servers) {
        let numbers: Vec<i64> =
            line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        assert_eq!(numbers, [server.ask(&["DBSIZE"]).number(); 2], "{text}");
        keys += numbers[0];
    }
    assert_eq!(keys, 1_000);
    let last = text.lines().last().unwrap();
    let moved: i64 = last.split_whitespace().find_map(|word| word.parse().ok()).unwrap();
    assert!((150..350).contains(&moved), "about a quarter moves: {last}");

    let wrong = example("sharded_redis").args(["blue"]).output().unwrap();
    assert!(!wrong.status.success() && !wrong.stderr.is_empty());
}
