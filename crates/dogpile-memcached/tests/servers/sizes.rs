//! Values above the server's item limit: refused with both sizes, compressed, or split.

use bytes::Bytes;
use dogpile_cache::ErrorKind;
use dogpile_core::{Backend, Clock, Entry, Key, SetOptions, SystemClock};
use dogpile_memcached::{Connect, Memcached, Split};

use crate::support::{Options, Server};
use crate::{open, put, value};

const MB: usize = 1 << 20;

/// Bytes that no compression makes smaller.
fn noise(length: usize, seed: u64) -> Bytes {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let words = (0..length.div_ceil(8)).flat_map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.take(length).collect::<Vec<u8>>().into()
}

#[tokio::test]
async fn a_value_above_the_limit_is_refused_and_the_old_one_stays() {
    let (server, memcached) = open().await;
    let key = Key::name("k");
    put(&memcached, key, "old").await.unwrap();
    let before = server.stat("cmd_set");
    for size in [MB, 2 * MB, 20 * MB] {
        let error = put(&memcached, key, noise(size, 1)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge, "{error:?}");
        let text = error.to_string();
        assert!(text.contains(&size.to_string()), "the size: {text}");
        // The limit of the server, less what it adds to an item.
        assert!(text.contains("at most 1048"), "the limit: {text}");
        assert_eq!(value(&memcached, key).await.unwrap(), "old");
    }
    // One of many: the others may be stored, and it is told.
    let now = SystemClock.now();
    let items = [
        (Key::name("a"), Entry::new(now, Bytes::from("small"))),
        (Key::name("b"), Entry::new(now, noise(2 * MB, 1))),
    ];
    let error = memcached.set_many(&items, &SetOptions::new()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error:?}");
    assert_eq!(value(&memcached, key).await.unwrap(), "old");
    assert_eq!(server.stat("cmd_set"), before, "nothing that is too large was sent");
}

/// The largest value that is accepted is stored, and one byte more is refused: never lost.
#[tokio::test]
async fn the_limit_is_known_to_the_byte_or_a_little_less() {
    for (limit, all) in [("512k", MB / 2), ("1m", MB), ("4m", 4 * MB)] {
        let server = Options::new().arguments(&["-I", limit, "-m", "128"]).start();
        let memcached = Memcached::connect(&server.url()).await.unwrap();
        let longest = "k".repeat(250);
        for name in ["k", &longest] {
            let key = Key::name(name);
            let (mut fits, mut refused) = (0, 5 * MB);
            while refused - fits > 1 {
                let size = fits.midpoint(refused);
                match put(&memcached, key, vec![7; size]).await {
                    Ok(()) => {
                        assert_eq!(value(&memcached, key).await.map(|v| v.len()), Some(size));
                        fits = size;
                    }
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::TooLarge, "{size} of {limit}: {error}");
                        refused = size;
                    }
                }
            }
            assert!(fits > all - 1_024, "{fits} of {all}: too careful by {}", all - fits);
        }
    }
}

#[cfg(all(feature = "lz4", feature = "zstd"))]
#[tokio::test]
async fn a_value_that_can_be_compressed_is_one_item() {
    use dogpile_memcached::Compression;

    let (_server, memcached) = open().await;
    let text = Bytes::from("The clocks were striking. ".repeat(80_000));
    assert!(text.len() > 19 * MB / 10);
    for (how, name) in [(Compression::lz4(), "lz4"), (Compression::zstd(), "zstd")] {
        let compressing = memcached.clone().with_compression(how).with_min_compress_len(100);
        put(&compressing, Key::name("k"), text.clone()).await.unwrap();
        assert!(value(&compressing, Key::name("k")).await.unwrap() == text);
        assert!(value(&memcached, Key::name("k")).await.unwrap() == text, "others read it, too");
        let inspection = memcached.inspect(Key::name("k")).await.unwrap();
        assert_eq!(inspection.compression, Some(name));
        assert!(inspection.parts.is_none() && inspection.stored_len < MB / 4, "{inspection}");

        for (length, compressed) in [(99, false), (100, true), (101, true)] {
            put(&compressing, Key::name("k"), vec![7; length]).await.unwrap();
            let inspection = memcached.inspect(Key::name("k")).await.unwrap();
            assert_eq!(inspection.compression.is_some(), compressed, "{length} bytes");
            assert_eq!(value(&memcached, Key::name("k")).await.unwrap(), vec![7; length]);
        }
        // What does not become smaller stays as it is, and above the limit it is told.
        put(&compressing, Key::name("k"), noise(10_000, 1)).await.unwrap();
        assert_eq!(memcached.inspect(Key::name("k")).await.unwrap().compression, None);
        let error = put(&compressing, Key::name("k"), noise(2 * MB, 1)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge, "{error:?}");
    }
}

async fn splitting(server: &Server) -> Memcached {
    let memcached = Memcached::connect(&server.url()).await.unwrap();
    memcached.with_split(Split::new().with_max_size(32 * MB))
}

fn roomy() -> Server {
    Options::new().arguments(&["-m", "256"]).start()
}

#[tokio::test]
async fn what_is_split_comes_back_whole() {
    let server = roomy();
    let memcached = splitting(&server).await;
    for size in [MB - 1, MB, MB + 1, 2 * MB, 20 * MB] {
        let bytes = noise(size, size as u64);
        put(&memcached, Key::name("k"), bytes.clone()).await.unwrap();
        assert!(value(&memcached, Key::name("k")).await.unwrap() == bytes, "{size}");
        let found = memcached.get_many(&[Key::name("no"), Key::name("k")]).await.unwrap();
        assert!(found[0].is_none() && found[1].as_ref().unwrap().value == bytes, "{size}");
    }
    // Another handle that was not told to split reads it all the same.
    let plain = Memcached::connect(&server.url()).await.unwrap();
    assert_eq!(value(&plain, Key::name("k")).await.unwrap().len(), 20 * MB);
    // And a small value takes its place.
    put(&memcached, Key::name("k"), "small").await.unwrap();
    assert_eq!(value(&memcached, Key::name("k")).await.unwrap(), "small");

    let error = put(&memcached, Key::name("k"), noise(33 * MB, 1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error:?}");
    let text = error.to_string();
    assert!(
        text.contains(&(33 * MB).to_string()) && text.contains(&(32 * MB).to_string()),
        "{text}"
    );
    assert_eq!(value(&memcached, Key::name("k")).await.unwrap(), "small");
}

/// The names of the items that a server has.
fn items(server: &Server) -> Vec<String> {
    let mut wire = server.wire();
    wire.send("lru_crawler metadump all\r\n").unwrap();
    let mut names = Vec::new();
    loop {
        let line = wire.line().unwrap();
        match line.strip_prefix("key=").and_then(|rest| rest.split(' ').next()) {
            Some(name) => names.push(name.replace("%7E", "~")),
            None => return names,
        }
    }
}

#[tokio::test]
async fn a_part_that_is_lost_or_of_another_value_makes_it_missing() {
    let server = roomy();
    let memcached = splitting(&server).await;
    let key = Key::name("k");
    let bytes = noise(5 * MB, 1);
    put(&memcached, key, bytes.clone()).await.unwrap();
    let parts: Vec<String> = items(&server).into_iter().filter(|name| name != "k").collect();
    assert!(parts.len() >= 5, "{parts:?}");
    for part in &parts {
        let (kept, flags) = server.wire().get(part).unwrap();
        let set = |bytes: &[u8]| {
            let head = format!("set {part} {flags} 0 {}\r\n", bytes.len());
            assert_eq!(server.ask([head.as_bytes(), bytes].concat()), "STORED");
        };
        let mut flipped = kept.clone();
        flipped[kept.len() / 2] ^= 1;
        let missing = async |what: &str| match memcached.get(key).await {
            Ok(found) => assert!(found.is_none(), "{part} {what}"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt, "{part} {what}: {error}"),
        };
        server.ask(format!("delete {part}"));
        missing("lost").await;
        set(&flipped);
        missing("changed in a bit").await;
        set(&kept[..kept.len() - 1]);
        missing("cut").await;
        set(b"");
        missing("emptied").await;
        set(&kept);
        assert!(value(&memcached, key).await.unwrap() == bytes, "whole again");
    }
}

/// Writers of different values and readers at once: every read is one of the values, whole.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_is_never_torn_between_two_writers() {
    let server = roomy();
    let values: Vec<Bytes> = (0..4).map(|seed| noise(3 * MB + 17, seed + 1)).collect();
    let mut writers = Vec::new();
    for bytes in values.clone() {
        let memcached = splitting(&server).await;
        writers.push(tokio::spawn(async move {
            for _ in 0..8 {
                put(&memcached, Key::name("k"), bytes.clone()).await.unwrap();
            }
        }));
    }
    let memcached = splitting(&server).await;
    let (mut whole, mut missing) = (0, 0);
    while writers.iter().any(|writer| !writer.is_finished()) {
        match memcached.get(Key::name("k")).await.unwrap() {
            Some(entry) => {
                assert!(values.contains(&entry.value), "it is none of them");
                whole += 1;
            }
            None => missing += 1,
        }
    }
    for writer in writers {
        writer.await.unwrap();
    }
    println!("{whole} read whole, {missing} missing");
    assert!(value(&memcached, Key::name("k")).await.is_some());
}

/// What is accepted can be read: a value that is small only as long as it is compressed, too.
#[cfg(feature = "lz4")]
#[tokio::test]
async fn a_value_that_readers_would_refuse_is_not_written() {
    use dogpile_memcached::Compression;

    let server = roomy();
    let memcached = Memcached::connect(&server.url()).await.unwrap();
    let memcached = memcached.with_compression(Compression::lz4());
    let splitting = memcached.clone().with_split(Split::new().with_max_size(3 * MB));
    // Half of it can be compressed, so that it has to be split all the same.
    let half = [noise(2 * MB, 1), Bytes::from(vec![7; 2 * MB])].concat();
    let key = Key::name("k");
    put(&memcached, key, "old").await.unwrap();
    for (memcached, value) in [(&splitting, half), (&memcached, vec![7; 65 * MB])] {
        let error = put(memcached, key, value).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge, "{error:?}");
        assert_eq!(self::value(memcached, key).await.unwrap(), "old");
    }
}

#[tokio::test]
async fn parts_fit_into_small_items() {
    for (limit, chunk) in [("1k", "512"), ("16k", "8192"), ("1m", "524288")] {
        let chunk = format!("slab_chunk_max={chunk}");
        let server = Options::new().arguments(&["-I", limit, "-m", "64", "-o", &chunk]).start();
        let memcached = Memcached::connect(&server.url()).await.unwrap();
        let memcached = memcached.with_split(Split::new().with_part_size(10 * MB));
        let bytes = noise(600_000, 1);
        put(&memcached, Key::name("k"), bytes.clone()).await.unwrap();
        assert!(value(&memcached, Key::name("k")).await.unwrap() == bytes, "{limit}");
    }
}

#[tokio::test]
async fn too_many_parts_are_told_as_what_they_are() {
    let (_server, memcached) = open().await;
    let split = Split::new().with_max_size(256 * MB).with_part_size(1_024);
    let memcached = memcached.with_split(split);
    let error = put(&memcached, Key::name("k"), vec![7; 65 * MB]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error:?}");
    let text = error.to_string();
    assert!(text.contains(&(64 * MB).to_string()) && text.contains("with_part_size"), "{text}");
}

/// Limits that differ between programs harm nobody.
#[tokio::test]
async fn an_item_above_the_own_limit_is_read() {
    let (server, memcached) = open().await;
    put(&memcached, Key::name("k"), vec![7; 5_000]).await.unwrap();
    let options = Connect::new().with_item_limit(2_000);
    let careful = Memcached::connect_with(&server.url(), options.clone()).await.unwrap();
    assert_eq!(value(&careful, Key::name("k")).await.unwrap(), vec![7; 5_000]);
    let error = put(&careful, Key::name("k"), vec![7; 5_000]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error:?}");
}

/// The largest that any client can store under a short name.
#[tokio::test]
async fn the_largest_item_of_another_program_harms_nobody() {
    let (server, memcached) = open().await;
    let mut largest = MB;
    let mut wire = server.wire();
    let flags = 0xd09e_0000_u32;
    loop {
        let head = format!("set k {flags} 0 {largest}\r\n");
        if wire.ask([head.as_bytes(), &vec![7; largest]].concat()) == "STORED" {
            break;
        }
        largest -= 1;
    }
    let error = memcached.get(Key::name("k")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}");
    #[cfg(feature = "classic")]
    {
        let classic = Connect::new().with_protocol(dogpile_memcached::Protocol::Classic);
        let classic = Memcached::connect_with(&server.url(), classic).await.unwrap();
        let error = classic.get(Key::name("k")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}");
    }
}
