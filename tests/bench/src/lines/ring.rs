//! The hash ring, against other crates that say which node has a key.

use std::error::Error;
use std::hash::RandomState;
use std::hint::black_box;
use std::net::SocketAddr;

use anchorhash::{AnchorHash, Builder};
use consistent_hash_ring::RingBuilder;
use hashring::HashRing;
use jumphash::JumpHasher;
use md5::{Digest, Md5};
use pingora_ketama::{Bucket, Continuum};
use shard_ring::{Profile, Ring, Snapshot};

use super::Measured;
use super::hit::{compare, time};
use crate::arguments::Settings;
use crate::plot::{Lines, Plot, Series};
use crate::report::{Bar, Row};
use crate::timing::{self, Contestant, take_turns};

type Key = [u8; 16];

/// How often a round asks for all keys: so often that what the others left in the caches does not
/// matter.
const PASSES: u64 = 4;

pub(super) fn run(settings: Settings) -> Result<Measured, Box<dyn Error>> {
    let keys: Vec<Key> = (0..1 << 16)
        .map(|at| format!("key:{at:012}").into_bytes().try_into())
        .collect::<Result<_, _>>()
        .map_err(|_| "a key has 16 bytes")?;
    let mut rows = Vec::new();
    let mut sizes = Vec::new();
    for nodes in [10, 100, 1_000, 10_000] {
        sizes.push((nodes, lookups(settings, nodes, &keys, &mut rows)?));
    }
    changes(settings, &mut rows)?;
    Ok(Measured { rows, outcomes: Vec::new(), plots: vec![plot(&sizes)] })
}

fn plot(sizes: &[(u32, Vec<timing::Measured>)]) -> Plot {
    let drawn = [
        ("native", "shard-ring", 0),
        ("native, from a snapshot", "shard-ring, snapshot", 6),
        ("md5", "shard-ring, md5", 7),
        ("hashring", "hashring", 1),
        ("pingora-ketama", "pingora-ketama", 2),
        ("consistent_hash_ring", "consistent_hash_ring", 3),
        ("anchorhash", "anchorhash", 4),
        ("jumphash", "jumphash", 5),
    ];
    let series = drawn.map(|(measured, name, colour)| {
        let points = sizes.iter().filter_map(|(nodes, all)| {
            let one = all.iter().find(|one| one.name == measured)?;
            Some((f64::from(*nodes), one.median()))
        });
        Series { name: name.to_owned(), colour, points: points.collect() }
    });
    Plot::new(
        "shard-ring-lookup.svg",
        "What a lookup costs as the ring grows",
        "keys of 16 bytes, 100 points a node where there are points; medians, both axes logarithmic, lower is better",
        &Lines { across: "nodes", up: "nanoseconds", series: series.into() },
    )
}

/// One round asks for all keys, some times.
fn asking<'a>(name: &'static str, keys: &'a [Key], ask: impl Fn(&Key) + 'a) -> Contestant<'a> {
    Contestant::new(name, move || {
        for _ in 0..PASSES {
            keys.iter().for_each(|key| ask(black_box(key)));
        }
        PASSES * keys.len() as u64
    })
}

fn lookups(
    settings: Settings,
    count: u32,
    keys: &[Key],
    rows: &mut Vec<Row>,
) -> Result<Vec<timing::Measured>, Box<dyn Error>> {
    let nodes = || (0..count).map(|at| (format!("node{at}"), at));
    let addresses = || (0..count).map(|at| SocketAddr::from((at.to_be_bytes(), 6379)));
    let native = Ring::with_nodes(Profile::native(), nodes())?;
    let md5 = Ring::with_nodes(Profile::md5(), nodes())?;
    let snapshot = Snapshot::new(native.clone());
    let mut hashring = HashRing::new();
    hashring.batch_add(nodes().flat_map(|(_, at)| (0..100_u32).map(move |i| (at, i))).collect());
    let anchor: AnchorHash<&Key, u32, RandomState> =
        Builder::with_hasher(RandomState::new()).with_resources(0..count).build(2 * count as u16);
    let jump = JumpHasher::new();
    let buckets: Vec<Bucket> = addresses().map(|address| Bucket::new(address, 1)).collect();
    let ketama = Continuum::new(&buckets);

    // It takes minutes to build it larger.
    let other =
        (count <= 1_000).then(|| RingBuilder::default().vnodes(100).nodes_iter(0..count).build());
    let mut contestants = vec![
        asking("native", keys, |key| _ = black_box(native.node(key))),
        asking("native, from a snapshot", keys, |key| _ = black_box(snapshot.load().node(key))),
        asking("native, three owners", keys, |key| {
            native.owners(key).take(3).for_each(|node| _ = black_box(node));
        }),
        asking("md5", keys, |key| _ = black_box(md5.node(key))),
        asking("bare md5", keys, |key| _ = black_box(Md5::digest(key))),
        asking("hashring", keys, |key| _ = black_box(hashring.get(key))),
        asking("anchorhash", keys, |key| _ = black_box(anchor.get_resource(key))),
        asking("jumphash", keys, |key| _ = black_box(jump.slot(key, count))),
        asking("pingora-ketama", keys, |key| _ = black_box(ketama.node_idx(key))),
    ];
    if let Some(other) = &other {
        contestants.push(asking("consistent_hash_ring", keys, |key| _ = black_box(other.get(key))));
    }
    let measured = take_turns(settings.rounds, contestants);

    let bar = |held: Bar| if count <= 1_000 { held } else { Bar::None };
    let [native, snapshot, owners, md5, bare] = &measured[..5] else {
        return Err("a contestant is missing".into());
    };
    rows.push(time(&format!("ring {count}: lookup"), native, bar(Bar::AtMost(12.0))));
    rows.push(time(&format!("ring {count}: from a snapshot"), snapshot, bar(Bar::AtMost(25.0))));
    rows.push(time(&format!("ring {count}: three owners"), owners, bar(Bar::AtMost(60.0))));
    let most = if count > 100 { 1.4 } else { 1.25 };
    rows.push(compare(&format!("ring {count}: md5"), md5, bare, bar(Bar::AtMost(most))));
    for peer in &measured[5..] {
        rows.push(compare(&format!("ring {count}: lookup"), native, peer, bar(Bar::AtMost(1.0))));
    }
    Ok(measured)
}

fn changes(settings: Settings, rows: &mut Vec<Row>) -> Result<(), Box<dyn Error>> {
    let nodes = || (0..1_000).map(|at| (format!("node{at}"), at));
    let mut added = Ring::with_nodes(Profile::native(), nodes())?;
    let mut removed = added.clone();
    let (mut next, mut last) = (0_u32, 0_u32);
    let build = |profile: Profile| {
        move || {
            _ = black_box(Ring::with_nodes(profile, nodes()));
            1
        }
    };
    let measured = take_turns(
        settings.rounds * 3,
        vec![
            Contestant::new("build, native", build(Profile::native())),
            Contestant::new("build, md5", build(Profile::md5())),
            Contestant::new("add and remove a node", || {
                for _ in 0..4 {
                    next += 1;
                    let name = format!("another{next}");
                    _ = black_box(added.insert(&*name, 0));
                    _ = black_box(added.remove(&name));
                }
                4
            }),
            Contestant::new("remove a node", || {
                for _ in 0..4 {
                    last += 1;
                    _ = black_box(removed.remove(&format!("node{last}")));
                }
                4
            }),
        ],
    );
    for (measured, most) in measured.iter().zip([2.4e6, 10e6, 296e3, 66e3]) {
        let name = format!("ring 1000: {}", measured.name);
        rows.push(time(&name, measured, Bar::AtMost(most)));
    }
    Ok(())
}
