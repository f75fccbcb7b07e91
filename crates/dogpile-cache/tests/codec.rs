//! The codecs: what goes in comes out, and nothing else does.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::sync::Arc;

use dogpile_cache::codec::{Object, Shared, Typed};
use dogpile_core::{Codec, ErrorKind};

#[test]
fn shared_gives_back_the_very_value() {
    let (text, bytes): (Arc<str>, Arc<[u8]>) = ("tea".into(), [1, 2][..].into());
    let object = Arc::new(15_u64);
    assert!(Arc::ptr_eq(&text, &Shared.decode(&Shared.encode(&text).unwrap()).unwrap()));
    assert!(Arc::ptr_eq(&bytes, &Shared.decode(&Shared.encode(&bytes).unwrap()).unwrap()));
    assert!(Arc::ptr_eq(&object, &Shared.decode(&Shared.encode(&object).unwrap()).unwrap()));
    assert_eq!(Object::new("plain").downcast_ref(), Some(&"plain"));
}

#[test]
fn shared_takes_another_type_for_damage() {
    fn wrong<T: Clone + Send + Sync + std::fmt::Debug + 'static>(stored: &Object) {
        let error = Codec::<T>::decode(&Shared, stored).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.to_string().contains(std::any::type_name::<T>()), "{error}");
    }
    wrong::<u32>(&Object::new(1_u64));
    wrong::<Arc<str>>(&Object::new::<Arc<[u8]>>([1][..].into()));
    wrong::<Arc<[u8]>>(&Object::new::<Arc<str>>("1".into()));
    wrong::<Object>(&Object::new(1_u64));
}

#[test]
fn typed_is_the_identity() {
    let value = Arc::new(15);
    let stored: Arc<i32> = Typed.encode(&value).unwrap();
    assert!(Arc::ptr_eq(&value, &Typed.decode(&stored).unwrap()));
}

#[test]
fn every_codec_has_a_name_of_its_own() {
    assert_eq!(Codec::<u8>::name(&Shared), "shared");
    assert_eq!(Codec::<u8>::name(&Typed), "typed");
    #[cfg(feature = "msgpack")]
    assert_eq!(Codec::<u8>::name(&dogpile_cache::codec::MsgPack), "msgpack");
    #[cfg(feature = "json")]
    assert_eq!(Codec::<u8>::name(&dogpile_cache::codec::Json), "json");
}

#[cfg(any(feature = "json", feature = "msgpack"))]
mod serialised {
    use std::collections::BTreeMap;
    use std::fmt::Debug;

    use bytes::Bytes;
    use dogpile_conformance::codec::Coded;
    use dogpile_conformance::{Subject, codec_suite};
    use serde::de::DeserializeOwned;
    use serde::{Deserialize, Serialize, Serializer};

    use super::*;

    #[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
    struct User {
        name: String,
        age: Option<u8>,
        home: (f64, f64),
        tags: Vec<Tag>,
        notes: BTreeMap<String, String>,
    }

    #[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
    enum Tag {
        Plain,
        Number(i64),
        Pair { left: u64, right: String },
    }

    #[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
    struct Nested(Vec<Self>);

    impl Nested {
        fn of_depth(depth: usize) -> Self {
            (1..depth).fold(Self(vec![]), |inner, _| Self(vec![inner]))
        }
    }

    fn user() -> User {
        User {
            name: "Zoë \u{1F375} \"[{".to_owned(),
            age: Some(42),
            home: (0.1 + 0.2, -1.797_693_134_862_315_7e308),
            tags: vec![
                Tag::Plain,
                Tag::Number(i64::MIN),
                Tag::Pair { left: u64::MAX, right: "x".repeat(300) },
            ],
            notes: (0..20).map(|n| (format!("key {n}"), "\\".repeat(n))).collect(),
        }
    }

    fn round_trip<T, C>(codec: &C, value: &T)
    where
        T: Serialize + DeserializeOwned + PartialEq + Debug,
        C: Codec<T, Stored = Bytes>,
    {
        let stored = codec.encode(value).unwrap();
        assert_eq!(&codec.decode(&stored).unwrap(), value, "{stored:?}");
    }

    fn everything_comes_back<C>(codec: &C)
    where
        C: Codec<User, Stored = Bytes>
            + Codec<Option<u32>, Stored = Bytes>
            + Codec<(), Stored = Bytes>
            + Codec<u128, Stored = Bytes>
            + Codec<String, Stored = Bytes>
            + Codec<Vec<u8>, Stored = Bytes>
            + Codec<Nested, Stored = Bytes>,
    {
        round_trip(codec, &user());
        round_trip(codec, &None::<u32>);
        round_trip(codec, &Some(7_u32));
        round_trip(codec, &());
        round_trip(codec, &u128::MAX);
        round_trip(codec, &String::new());
        round_trip(codec, &"x".repeat(70_000));
        round_trip(codec, &(0..=255).collect::<Vec<u8>>());
        round_trip(codec, &vec![0_u8; 70_000]);
        round_trip(codec, &Nested::of_depth(127));
    }

    /// A prefix, an extension and a changed byte of something valid are an error or another valid
    /// value, and nothing worse.
    fn damage_is_an_error<C: Codec<User, Stored = Bytes>>(codec: &C) {
        let whole = codec.encode(&user()).unwrap();
        for end in 0..whole.len() {
            let error = codec.decode(&whole.slice(..end)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt);
        }
        let longer = Bytes::from([&whole[..], b"0"].concat());
        assert_eq!(codec.decode(&longer).unwrap_err().kind(), ErrorKind::Corrupt);
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut changed = whole.to_vec();
                changed[at] ^= 1 << bit;
                if let Err(error) = codec.decode(&changed.into()) {
                    assert_eq!(error.kind(), ErrorKind::Corrupt);
                }
            }
        }
    }

    fn depth_is_bounded_both_ways<C: Codec<Nested, Stored = Bytes>>(codec: &C, hostile: Vec<u8>) {
        let error = codec.encode(&Nested::of_depth(128)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Encode);
        assert!(error.to_string().contains("127"), "{error}");
        assert_eq!(codec.decode(&hostile.into()).unwrap_err().kind(), ErrorKind::Corrupt);
    }

    #[derive(Deserialize, Serialize)]
    struct Profile {
        profile: Tags,
    }

    #[derive(Deserialize, Serialize)]
    struct Tags {
        tags: Vec<When>,
    }

    #[derive(Deserialize, Serialize)]
    struct When {
        #[serde(serialize_with = "only_positive")]
        when: i64,
    }

    fn only_positive<S: Serializer>(when: &i64, serializer: S) -> Result<S::Ok, S::Error> {
        match *when {
            1.. => serializer.serialize_i64(*when),
            _ => Err(serde::ser::Error::custom("not a moment")),
        }
    }

    fn the_field_that_failed_is_named<C: Codec<Profile, Stored = Bytes>>(codec: &C) {
        let tags = [1, 2, 0].map(|when| When { when }).into();
        let error = codec.encode(&Profile { profile: Tags { tags } }).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Encode);
        assert_eq!(error.to_string(), r#"cannot encode "profile.tags[2].when": not a moment"#,);
    }

    #[cfg(feature = "msgpack")]
    mod msgpack {
        use dogpile_cache::codec::MsgPack;

        use super::*;

        codec_suite!(async { Subject::new(Coded::new(MsgPack, [user()])) });

        #[test]
        fn everything() {
            everything_comes_back(&MsgPack);
            round_trip(&MsgPack, &f64::INFINITY);
        }

        #[test]
        fn damage() {
            damage_is_an_error(&MsgPack);
        }

        #[test]
        fn depth() {
            depth_is_bounded_both_ways(&MsgPack, vec![0x91; 100_000]);
        }

        #[test]
        fn field() {
            the_field_that_failed_is_named(&MsgPack);
        }

        #[test]
        fn fields_may_be_added_and_reordered() {
            #[derive(Serialize, Deserialize)]
            struct Old {
                a: u8,
                b: u8,
            }
            #[derive(Debug, Deserialize, PartialEq, Serialize)]
            struct New {
                b: u8,
                #[serde(default)]
                c: u8,
                a: u8,
            }
            let stored = MsgPack.encode(&Old { a: 1, b: 2 }).unwrap();
            assert_eq!(&stored[..], b"\x82\xa1a\x01\xa1b\x02");
            let new: New = MsgPack.decode(&stored).unwrap();
            assert_eq!(new, New { b: 2, c: 0, a: 1 });
        }

        /// Lengths far beyond the bytes that are there, at every level of nesting.
        #[test]
        fn claimed_lengths_are_checked_before_memory_is_reserved() {
            for marker in [0xc6_u8, 0xc9, 0xdb, 0xdd, 0xdf] {
                let hostile: Vec<u8> = [marker, 0xff, 0xff, 0xff, 0xff].repeat(100);
                let stored = Bytes::from(hostile);
                assert!(Codec::<Nested>::decode(&MsgPack, &stored).is_err());
                assert!(Codec::<Vec<u64>>::decode(&MsgPack, &stored).is_err());
                assert!(Codec::<String>::decode(&MsgPack, &stored).is_err());
                assert!(Codec::<BTreeMap<u8, u8>>::decode(&MsgPack, &stored).is_err());
            }
        }

        #[test]
        fn every_marker_alone_is_decided() {
            for marker in 0..=255_u8 {
                for rest in 0..20 {
                    let mut bytes = vec![marker];
                    bytes.resize(1 + rest, 0);
                    let _: Result<i64, _> = MsgPack.decode(&bytes.clone().into());
                    let _: Result<Vec<Option<u8>>, _> = MsgPack.decode(&bytes.into());
                }
            }
        }
    }

    #[cfg(feature = "json")]
    mod json {
        use dogpile_cache::codec::Json;

        use super::*;

        codec_suite!(async { Subject::new(Coded::new(Json, [user()])) });

        #[test]
        fn everything() {
            everything_comes_back(&Json);
        }

        #[test]
        fn damage() {
            damage_is_an_error(&Json);
        }

        #[test]
        fn depth() {
            depth_is_bounded_both_ways(&Json, vec![b'['; 100_000]);
        }

        #[test]
        fn field() {
            the_field_that_failed_is_named(&Json);
        }

        #[test]
        fn brackets_in_text_are_not_nesting() {
            round_trip(&Json, &"[{\"".repeat(1_000));
        }

        #[test]
        fn a_key_that_is_not_text_is_named() {
            let value = BTreeMap::from([("by", BTreeMap::from([((1, 2), 3)]))]);
            let value: BTreeMap<String, BTreeMap<(i32, i32), i32>> =
                value.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
            let error = Json.encode(&value).unwrap_err();
            assert_eq!(error.to_string(), r#"cannot encode "by": key must be a string"#);
        }
    }
}
