//! Measures the ring: `cargo run --release --all-features --example speed`.
//!
//! Medians of several runs, in nanoseconds unless it says otherwise. Keys have 16 bytes.

#![expect(clippy::print_stdout, reason = "an example talks to its reader")]
#![expect(clippy::unwrap_used, reason = "an example may end here")]
#![expect(clippy::cast_precision_loss, reason = "times become fractions")]

use std::hint::black_box;
use std::time::Instant;

use md5::{Digest, Md5};
use shard_ring::{Node, Profile, Ring};

const KEYS: usize = 1 << 16;
const RUNS: usize = 15;

fn main() {
    let keys: Vec<[u8; 16]> =
        (0..KEYS).map(|at| format!("key:{at:012}").into_bytes().try_into().unwrap()).collect();
    let bare = per_key(&keys, |key| {
        black_box(Md5::digest(key));
    });
    println!("bare md5 of a key: {bare:.1}");
    for profile in [Profile::native(), Profile::md5()] {
        println!("\n{profile}");
        println!(
            "{:>6} {:>7} {:>7} {:>7} {:>9} {:>9} {:>9} {:>10} {:>8}",
            "nodes",
            "lookup",
            "search",
            "3 own.",
            "build ms",
            "add us",
            "remove us",
            "snapshot",
            "B/point"
        );
        for nodes in [10, 100, 1_000, 10_000] {
            measure(profile, nodes, &keys);
        }
    }
}

fn measure(profile: Profile, count: usize, keys: &[[u8; 16]]) {
    let nodes = || (0..count).map(|at| Node::new(format!("node{at}"), at));
    let build = median(if count > 1_000 { 3 } else { RUNS }, || {
        let nodes: Vec<_> = nodes().collect();
        let start = Instant::now();
        black_box(Ring::with_nodes(profile, nodes).unwrap());
        start.elapsed().as_nanos() as f64
    });
    let mut ring = Ring::with_nodes(profile, nodes()).unwrap();
    let lookup = per_key(keys, |key| {
        black_box(ring.node(key));
    });
    let positions: Vec<_> = keys.iter().map(|key| profile.position(key)).collect();
    let search = per_key(&positions, |position| {
        black_box(ring.node_at(*position));
    });
    let owners = per_key(keys, |key| {
        for node in ring.owners(key).take(3) {
            black_box(node);
        }
    });
    let loaded = snapshot(&ring, keys);
    let (mut add, mut remove) = (Vec::new(), Vec::new());
    for at in 0..RUNS * 3 {
        let name = format!("another{at}");
        let start = Instant::now();
        ring.insert(&*name, 0).unwrap();
        add.push(start.elapsed().as_nanos() as f64);
        let start = Instant::now();
        black_box(ring.remove(&format!("node{}", at % count)).ok());
        remove.push(start.elapsed().as_nanos() as f64);
    }
    println!(
        "{count:>6} {lookup:>7.1} {search:>7.1} {owners:>7.1} {:>9.3} {:>9.1} {:>9.1} {loaded:>10.1} {:>8.2}",
        build / 1e6,
        middle(add) / 1e3,
        middle(remove) / 1e3,
        ring.point_bytes() as f64 / ring.point_count() as f64
    );
}

#[cfg(feature = "snapshot")]
fn snapshot(ring: &Ring<usize>, keys: &[[u8; 16]]) -> f64 {
    let snapshot = shard_ring::Snapshot::new(ring.clone());
    per_key(keys, |key| {
        black_box(snapshot.load().node(key));
    })
}

#[cfg(not(feature = "snapshot"))]
fn snapshot(_: &Ring<usize>, _: &[[u8; 16]]) -> f64 {
    f64::NAN
}

fn per_key<K>(keys: &[K], each: impl Fn(&K)) -> f64 {
    median(RUNS, || {
        let start = Instant::now();
        keys.iter().for_each(|key| each(black_box(key)));
        start.elapsed().as_nanos() as f64 / keys.len() as f64
    })
}

fn median(runs: usize, run: impl FnMut() -> f64) -> f64 {
    let mut run = run;
    middle((0..runs).map(|_| run()).collect())
}

fn middle(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
