//! What each command does.

use bytes::Bytes;
use dogpile_core::ErrorKind;

use crate::classic::{Classic, Limits, Swap};
use crate::support::{Options, Server};
use crate::{LIMITS, Port, guarded};

#[tokio::test]
async fn values_are_set_read_changed_and_deleted() {
    let server = Server::start();
    let classic = guarded(server.port());
    assert_eq!(classic.gets(b"k").await.unwrap(), None);
    let before = server.connections();

    classic.set(b"k", b"one\r\nEND\r\n", 0).await.unwrap();
    let (value, cas) = classic.gets(b"k").await.unwrap().unwrap();
    assert_eq!(value, b"one\r\nEND\r\n"[..]);
    assert!(!classic.add(b"k", b"two", 0).await.unwrap());
    assert!(classic.add(b"l", b"", 0).await.unwrap());
    assert_eq!(classic.compare_and_swap(b"k", b"two", cas + 1, 0).await.unwrap(), Swap::Changed);
    assert_eq!(classic.compare_and_swap(b"k", b"two", cas, 0).await.unwrap(), Swap::Stored);
    assert_eq!(classic.compare_and_swap(b"no", b"two", cas, 0).await.unwrap(), Swap::Missing);

    let found = classic.get_many(&[b"k", b"no", b"l", b"k"]).await.unwrap();
    let two = Some(Bytes::from("two"));
    assert_eq!(found, [two.clone(), None, Some(Bytes::new()), two]);
    assert_eq!(classic.get_many(&[]).await.unwrap(), []);

    let (_, cas) = classic.gets(b"k").await.unwrap().unwrap();
    assert_eq!(classic.compare_and_delete(b"k", cas - 1).await.unwrap(), Swap::Changed);
    assert_eq!(classic.compare_and_delete(b"k", cas).await.unwrap(), Swap::Stored);
    assert_eq!(classic.compare_and_delete(b"k", cas).await.unwrap(), Swap::Missing);
    classic.delete_many(&[b"l", b"absent", b"l"]).await.unwrap();
    classic.delete_many(&[]).await.unwrap();
    assert_eq!(classic.get_many(&[b"k", b"l"]).await.unwrap(), [None, None]);
    assert_eq!(server.connections(), before, "none of this ended the connection");
}

#[tokio::test]
async fn a_set_that_the_server_could_not_keep_is_told() {
    let server = Options::new().arguments(&["-I", "512k", "-m", "64"]).start();
    let classic = guarded(server.port());
    classic.set(b"k", b"old", 0).await.unwrap();
    // Within our limit, and beyond the server's.
    let error = classic.set(b"k", &[7; 600_000], 0).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("600000 bytes"), "{error}");
    assert_eq!(classic.gets(b"k").await.unwrap(), None, "the old value does not stay either");
    let error = classic.add(b"k", &[7; 600_000], 0).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
    classic.set(b"k", b"new", 0).await.unwrap();
}

#[tokio::test]
async fn the_second_command_of_a_set_leaves_nothing_behind() {
    let server = Server::start();
    let classic = guarded(server.port());
    for value in [&b"a"[..], b"b"] {
        classic.set(b"k", value, 0).await.unwrap();
        assert_eq!(server.wire().get("k").unwrap().0, value);
    }
    classic.delete_many(&[b"k"]).await.unwrap();
    // What a set of a key finds that somebody else deletes at once.
    let [other, another] = [guarded(server.port()), guarded(server.port())];
    let deletes = tokio::spawn(async move {
        for _ in 0..2_000 {
            other.delete_many(&[b"k"]).await.unwrap();
        }
    });
    let mut lost = 0;
    for at in 0..500 {
        match another.set(b"k", at.to_string().as_bytes(), 0).await {
            Ok(()) => {}
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Unavailable);
                lost += 1;
            }
        }
    }
    deletes.await.unwrap();
    assert!(lost < 50, "{lost} of 500");
    assert!(classic.add(b"gone", b"", crate::classic::LONG_AGO).await.unwrap());
    assert!(classic.add(b"gone", b"mine", 0).await.unwrap(), "it never was there");
}

#[tokio::test]
async fn sizes_are_checked_before_anything_is_sent() {
    let server = Server::start();
    let classic = Classic::new(Port(server.port()), Limits { item: 1_000, ..LIMITS });
    classic.set(b"k", &[7; 999], 0).await.unwrap();
    let cas = classic.gets(b"k").await.unwrap().unwrap().1;
    let errors = [
        classic.set(b"k", &[7; 1_000], 0).await.unwrap_err(),
        classic.add(b"l", &[7; 1_000], 0).await.unwrap_err(),
        classic.compare_and_swap(b"k", &[7; 1_000], cas, 0).await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        let text = error.to_string();
        assert!(text.contains("1000 bytes") && text.contains("key of 1 "), "{text}");
    }
    assert_eq!(classic.gets(b"k").await.unwrap().unwrap().0.len(), 999, "what was there stays");
}

#[tokio::test]
async fn many_keys_are_one_question() {
    let server = Server::start();
    let classic = guarded(server.port());
    let names: Vec<String> = (0..5_000).map(|at| format!("{at:0>200}")).collect();
    for name in names.iter().step_by(500) {
        classic.set(name.as_bytes(), name.as_bytes(), 0).await.unwrap();
    }
    let keys: Vec<&[u8]> = names.iter().map(String::as_bytes).collect();
    let found = classic.get_many(&keys).await.unwrap();
    for (at, (name, found)) in names.iter().zip(found).enumerate() {
        let there = (at % 500 == 0).then(|| Bytes::from(name.clone()));
        assert_eq!(found, there);
    }
}
