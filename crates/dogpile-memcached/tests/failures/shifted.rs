//! Answers that are those of a server, and not to what was asked.

use dogpile_cache::ErrorKind;
use dogpile_core::{Backend, Key, Result};
use dogpile_memcached::{Connect, Memcached};

use crate::support::{Liar, Lie, Server, Then, Twist};
use crate::{put, quick};

async fn behind_a_liar() -> (Server, Liar, Memcached) {
    let server = Server::start();
    let liar = Liar::to(server.place());
    let options: Connect = quick().with_connections(1);
    let memcached = Memcached::connect_with(&liar.url(), options).await.unwrap();
    for key in ["one", "two", "six"] {
        put(&memcached, Key::name(key), format!("of {key}")).await.unwrap();
    }
    (server, liar, memcached)
}

async fn values(memcached: &Memcached, names: &[&str]) -> Result<Vec<Option<String>>> {
    let keys: Vec<Key<'_>> = names.iter().map(Key::name).collect();
    let found = memcached.get_many(&keys).await?;
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    Ok(found.into_iter().map(|entry| entry.map(|entry| text(&entry.value))).collect())
}

/// Cuts an answer into the replies of which it is made: a line and, after `VA`, a value.
fn replies(answer: &[u8]) -> Vec<Vec<u8>> {
    let (mut replies, mut rest) = (Vec::new(), answer);
    while !rest.is_empty() {
        let line = rest.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        let words = String::from_utf8_lossy(&rest[..line]).into_owned();
        let length = match words.strip_prefix("VA ").and_then(|words| words.split(' ').next()) {
            Some(length) => line + length.parse::<usize>().unwrap() + 2,
            None => line,
        };
        replies.push(rest[..length].to_vec());
        rest = &rest[length..];
    }
    replies
}

/// Every way in which the answers to many questions can be out of order.
#[tokio::test]
async fn values_of_other_keys_are_noticed() {
    type Shift = fn(&mut Vec<Vec<u8>>);
    let shifts: [(&str, Shift); 5] = [
        ("swapped", |replies| replies.swap(0, 1)),
        ("turned", |replies| replies.rotate_left(1)),
        ("one twice", |replies| replies.insert(1, replies[0].clone())),
        ("one in the place of another", |replies| replies[2] = replies[0].clone()),
        ("one left out, and one too many", |replies| {
            replies.remove(0);
            replies.push(replies[0].clone());
        }),
    ];
    for (what, shift) in shifts {
        let (_server, liar, memcached) = behind_a_liar().await;
        let closed = liar.closed();
        liar.tell(Lie::Once(
            "mg",
            Twist::new(move |answer| {
                let mut replies = replies(&answer);
                assert_eq!(replies.len(), 3);
                shift(&mut replies);
                (replies.concat(), Then::Open)
            }),
        ));
        let error = values(&memcached, &["one", "two", "six"]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{what}: {error:?}");
        assert!(error.to_string().contains("another question"), "{what}: {error}");
        let found = values(&memcached, &["six", "one"]).await.unwrap();
        assert_eq!(found, ["of six", "of one"].map(|value| Some(value.to_owned())), "{what}");
        crate::support::wait_until("the connection to be dropped", || {
            (liar.closed() > closed).then_some(())
        });
    }
}

/// An answer that comes again, in the place of that to the next question.
#[tokio::test]
async fn an_answer_from_before_is_noticed() {
    let (server, liar, memcached) = behind_a_liar().await;
    let flags = server.wire().get("one").unwrap().1;
    for late in [format!("VA 6 f{flags} O00\r\nof one\r\n"), "HD c7 O00\r\n".to_owned()] {
        let told = late.clone();
        liar.tell(Lie::Once("mg", Twist::new(move |_| (told.clone().into_bytes(), Then::Open))));
        let found = memcached.get(Key::name("two")).await;
        assert_eq!(found.unwrap_err().kind(), ErrorKind::Unavailable, "{late}");
        // Each connection begins with the same number.
        assert_eq!(values(&memcached, &["one"]).await.unwrap(), [Some("of one".to_owned())]);
        liar.tell(Lie::Once("ms", Twist::new(move |_| (late.clone().into_bytes(), Then::Open))));
        let stored = put(&memcached, Key::name("new"), "new").await;
        assert_eq!(stored.unwrap_err().kind(), ErrorKind::Unavailable);
        assert_eq!(values(&memcached, &["two"]).await.unwrap(), [Some("of two".to_owned())]);
    }
}

/// There are more answers than numbers.
#[tokio::test]
async fn the_numbers_begin_again() {
    let (server, _liar, memcached) = behind_a_liar().await;
    let names: Vec<&str> = ["one", "two", "six"].into_iter().cycle().take(1_000).collect();
    let before = server.connections();
    for _ in 0..10 {
        let found = values(&memcached, &names).await.unwrap();
        let all = names.iter().zip(found).all(|(name, found)| found == Some(format!("of {name}")));
        assert!(all);
    }
    assert_eq!(server.connections(), before);
}
