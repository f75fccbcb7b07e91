//! Compression: what is stored, what is read back, and what hostile bytes can do.

#![cfg(all(feature = "zstd", feature = "lz4"))]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use bytes::Bytes;
use dogpile_cache::backend::{Memory, MemoryBytes};
use dogpile_cache::layer::{Compress, LayerExt, Transform};
use dogpile_core::{Backend, BackendExt, Entry, ErrorKind, Key, Timestamp};

const KEY: fn() -> Key<'static> = || Key::name("key");

fn text(len: usize) -> Bytes {
    "compressible ".bytes().cycle().take(len).collect()
}

/// Bytes no algorithm makes smaller, the same in every run.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..len).map(|_| next()).collect()
}

fn entry(value: impl Into<Bytes>) -> Entry<Bytes> {
    Entry::new(Timestamp::from_millis(5), value.into())
}

fn stored(compress: &Compress, value: &Bytes) -> Bytes {
    let stored = compress.encode(KEY(), value).unwrap();
    assert_eq!(compress.decode(KEY(), stored.clone()).unwrap(), *value);
    stored
}

#[test]
fn only_values_from_the_threshold_on_are_compressed() {
    for compress in [Compress::zstd(), Compress::lz4(), Compress::zstd_level(99)] {
        assert_eq!(stored(&compress, &text(1023)), text(1023));
        assert!(stored(&compress, &text(1024)).len() < 200);
        let always = compress.with_min_compress_len(100);
        assert_eq!(stored(&always, &text(99)), text(99));
        assert!(stored(&always, &text(100)).len() < 60);
    }
}

#[test]
fn a_value_that_does_not_shrink_is_stored_as_it_is() {
    for compress in [Compress::zstd(), Compress::lz4()] {
        let value = Bytes::from(noise(10_000));
        assert_eq!(stored(&compress, &value), value);
    }
}

#[test]
fn a_value_that_looks_compressed_comes_back_as_it_was() {
    let inner = stored(&Compress::zstd(), &text(2_000));
    for value in [&b"\xc1"[..], b"\xc1\x00", b"\xc1\x01", b"\xc1\x02rest", &inner] {
        for compress in [Compress::zstd(), Compress::lz4().with_min_compress_len(0)] {
            let stored = stored(&compress, &Bytes::copy_from_slice(value));
            assert_eq!(stored[0], 0xc1);
        }
    }
}

#[test]
fn either_algorithm_reads_what_the_other_wrote() {
    let (zstd, lz4) = (Compress::zstd(), Compress::lz4());
    for (writer, reader) in [(&zstd, &lz4), (&lz4, &zstd)] {
        let written = writer.encode(KEY(), &text(5_000)).unwrap();
        assert_eq!(reader.decode(KEY(), written).unwrap(), text(5_000));
    }
}

#[test]
fn values_from_before_the_layer_stay_readable() {
    dogpile_conformance::run(async {
        let plain = MemoryBytes::new(1 << 20);
        plain.set(KEY(), entry(r#"{"a":1}"#)).await.unwrap();
        let compressing = plain.layer(Compress::zstd());
        assert_eq!(compressing.get(KEY()).await.unwrap(), Some(entry(r#"{"a":1}"#)));
    });
}

#[test]
fn the_stored_form_is_settled() {
    let golden = Bytes::from_static(b"\xc1\x02\x64\x00\x00\x00\x1fa\x01\x00\x4b\x50aaaaa");
    assert_eq!(Compress::zstd().decode(KEY(), golden).unwrap(), vec![b'a'; 100]);
    let lz4 = stored(&Compress::lz4(), &text(1_024));
    assert_eq!(lz4[..6], *b"\xc1\x02\x00\x04\x00\x00");
    let zstd = stored(&Compress::zstd(), &text(1_024));
    assert_eq!(zstd[..10], *b"\xc1\x01\x00\x04\x00\x00\x28\xb5\x2f\xfd");
}

#[test]
fn a_forged_length_costs_no_memory() {
    for compress in [Compress::zstd(), Compress::lz4()] {
        for algorithm in [1, 2] {
            let forged = [&[0xc1, algorithm], &u32::MAX.to_le_bytes()[..], b"x"].concat();
            let error = compress.decode(KEY(), forged.into()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt);
            assert!(error.to_string().contains("with_max_size"), "{error}");
        }
    }
}

#[test]
fn a_bomb_does_not_unfold() {
    let bomb = zstd::bulk::compress(&vec![0; 100 << 20], 3).unwrap();
    for claim in [0_u32, 10, 1 << 20, 64 << 20] {
        let forged = [&[0xc1, 1], &claim.to_le_bytes()[..], &bomb].concat();
        let error = Compress::zstd().decode(KEY(), forged.into()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
    }
    let small = Compress::zstd().with_max_size(1 << 20);
    let large = Compress::zstd().encode(KEY(), &text(2 << 20)).unwrap();
    assert_eq!(small.decode(KEY(), large).unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn what_is_written_can_be_read_whatever_its_size() {
    let small = Compress::zstd().with_max_size(4_000);
    assert_eq!(stored(&small, &text(4_001)), text(4_001));
    assert!(stored(&small, &text(4_000)).len() < 200);
}

#[test]
fn damage_is_corrupt_and_never_a_panic() {
    for compress in [Compress::zstd(), Compress::lz4()] {
        let good = compress.encode(KEY(), &text(3_000)).unwrap();
        for cut in 0..good.len() {
            let cut = good.slice(..cut);
            if cut.first() == Some(&0xc1) {
                assert_eq!(compress.decode(KEY(), cut).unwrap_err().kind(), ErrorKind::Corrupt);
            }
        }
        let mut random = noise(20_000).into_iter().map(usize::from).cycle();
        let mut next = || random.next().unwrap();
        for _ in 0..5_000 {
            let mut bytes = good.to_vec();
            for _ in 0..=next() % 4 {
                let at = 2 + (next() * 256 + next()) % (bytes.len() - 2);
                bytes[at] = u8::try_from(next()).unwrap();
            }
            match compress.decode(KEY(), bytes.into()) {
                Ok(value) => assert!(value.len() <= 64 << 20),
                Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt),
            }
        }
    }
}

#[test]
fn an_unknown_algorithm_is_corrupt() {
    let error = Compress::lz4().decode(KEY(), b"\xc1\x03\0\0\0\0".as_slice().into()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
}

#[test]
fn a_value_too_large_for_its_backend_is_a_clear_error() {
    dogpile_conformance::run(async {
        let small = Memory::weighted(100_000, |_, value: &Bytes| value.len() as u64);
        let small = small.layer(Compress::zstd());
        small.set(KEY(), entry(text(1_000_000))).await.unwrap();
        let refused = small.set(Key::name("noise"), entry(noise(50_000))).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::TooLarge);
        assert!(refused.to_string().contains("50000"), "{refused}");
    });
}

#[test]
fn one_damaged_value_does_not_hide_the_others() {
    dogpile_conformance::run(async {
        let layered = MemoryBytes::new(1 << 20).layer(Compress::zstd());
        let (good, bad) = (Key::name("good"), Key::name("bad"));
        layered.set(good, entry(text(2_000))).await.unwrap();
        layered.inner().set(bad, entry(&b"\xc1\x01broken"[..])).await.unwrap();
        let found = layered.get_many(&[bad, good]).await.unwrap();
        assert_eq!(found, [None, Some(entry(text(2_000)))]);
        assert_eq!(layered.get(bad).await.unwrap_err().kind(), ErrorKind::Corrupt);
    });
}
