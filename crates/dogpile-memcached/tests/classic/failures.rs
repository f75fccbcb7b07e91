//! What was seen to go wrong with the bare crate.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use dogpile_core::ErrorKind;

use crate::classic::{Classic, Limits};
use crate::support::{Liar, Lie, Server};
use crate::{LIMITS, Port, bare, guarded};

/// Polls a future once or so, and drops it.
async fn begun<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    for _ in 0..polls {
        if let Poll::Ready(done) = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await {
            return Some(done);
        }
        tokio::task::yield_now().await;
    }
    None
}

#[tokio::test]
async fn a_cancelled_read_is_answered_to_the_next_caller() {
    let server = Server::start();
    server.wire().set("secret", "of user 1");
    server.wire().set("public", "page");

    let mut bare = bare(server.port()).await;
    assert!(begun(bare.get("secret"), 1).await.is_none());
    assert_eq!(bare.get("public").await.unwrap(), b"of user 1", "bare, it is");

    let classic = guarded(server.port());
    for polls in (0..20).cycle().take(1_000) {
        drop(begun(classic.gets(b"secret"), polls).await);
        let (value, _) = classic.gets(b"public").await.unwrap().unwrap();
        assert_eq!(value, b"page"[..]);
    }
}

#[tokio::test]
async fn a_read_that_took_too_long_is_too() {
    let server = Server::start();
    server.wire().set("secret", "of user 1");
    server.wire().set("public", "page");
    let wait = Duration::from_millis(30);

    let mut bare = bare(server.port()).await;
    server.pause();
    assert!(tokio::time::timeout(wait, bare.get("secret")).await.is_err());
    server.go_on();
    assert_eq!(bare.get("public").await.unwrap(), b"of user 1", "bare, it is");

    let limits = Limits { response_timeout: wait, ..LIMITS };
    let classic = Classic::new(Port(server.port()), limits);
    classic.gets(b"public").await.unwrap();
    server.pause();
    let error = classic.gets(b"secret").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(error.to_string().contains("30ms"), "{error}");
    server.go_on();
    let answer = loop {
        match classic.gets(b"public").await {
            Err(error) => assert_eq!(error.kind(), ErrorKind::TimedOut),
            Ok(answer) => break answer,
        }
    };
    assert_eq!(answer.unwrap().0, b"page"[..]);
}

#[tokio::test]
async fn a_key_that_is_too_long_makes_its_value_a_command() {
    let server = Server::start();
    let long = "k".repeat(251);

    let mut bare = bare(server.port()).await;
    bare.set(&long, b"set pwned 0 0 3\r\nyes", 0).await.unwrap();
    // Whether the value is taken for commands depends on the version; that the connection is out of
    // step does not.
    assert!(bare.get("any").await.is_err_and(|error| error.kind() != io::ErrorKind::NotFound));
    let pwned = server.wire().get("pwned").is_some();
    println!("bare, the value was {}executed", if pwned { "" } else { "not " });
    server.ask("flush_all");

    let classic = guarded(server.port());
    let error = classic.set(long.as_bytes(), b"set pwned 0 0 3\r\nyes", 0).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert_eq!(server.wire().get("pwned"), None);
    assert_eq!(classic.gets(b"any").await.unwrap(), None);
    let longest = "k".repeat(250);
    classic.set(longest.as_bytes(), b"fits", 0).await.unwrap();
    assert_eq!(classic.gets(longest.as_bytes()).await.unwrap().unwrap().0, b"fits"[..]);
}

#[tokio::test]
async fn a_line_break_in_a_key_is_a_command() {
    let server = Server::start();
    server.wire().set("public", "page");
    let hostile = "a\r\nset inj 0 0 1\r\nX";

    let mut bare = bare(server.port()).await;
    assert_eq!(bare.get(hostile).await.unwrap_err().kind(), io::ErrorKind::NotFound);
    assert_eq!(bare.get("public").await.unwrap_err().kind(), io::ErrorKind::InvalidData);
    assert_eq!(bare.get("inj").await.unwrap(), b"page", "bare, shifted for ever");
    assert!(server.wire().get("inj").is_some());
    server.ask("delete inj");

    let classic = guarded(server.port());
    for hostile in [hostile, "a\r\nflush_all", "a b", "a\0b", "\u{7f}", "", "a\n"] {
        let key = hostile.as_bytes();
        let refused = [
            classic.get_many(&[b"public", key]).await.unwrap_err(),
            classic.gets(key).await.unwrap_err(),
            classic.set(key, b"", 0).await.unwrap_err(),
            classic.add(key, b"", 0).await.unwrap_err(),
            classic.compare_and_swap(key, b"", 1, 0).await.unwrap_err(),
            classic.delete_many(&[b"public", key]).await.unwrap_err(),
        ];
        assert!(refused.iter().all(|error| error.kind() == ErrorKind::Refused), "{refused:?}");
    }
    assert_eq!(server.wire().get("inj"), None);
    assert_eq!(classic.gets(b"public").await.unwrap().unwrap().0, b"page"[..]);
    assert_eq!(server.stat("curr_items"), 1);
}

#[tokio::test]
async fn a_value_that_is_too_large_is_lost_in_silence_and_the_old_one_with_it() {
    let server = Server::start();
    let large = vec![7; 2 << 20];

    let mut bare = bare(server.port()).await;
    bare.set("k", b"old", 0).await.unwrap();
    bare.set("k", &large, 0).await.unwrap();
    assert_eq!(bare.get("k").await.unwrap_err().kind(), io::ErrorKind::NotFound, "bare, both");

    let classic = guarded(server.port());
    classic.set(b"k", b"old", 0).await.unwrap();
    let error = classic.set(b"k", &large, 0).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(error.to_string().contains("2097152 bytes"), "{error}");
    assert!(error.to_string().contains("1000000 bytes"), "{error}");
    assert_eq!(classic.gets(b"k").await.unwrap().unwrap().0, b"old"[..]);
}

#[tokio::test]
async fn a_swap_of_what_is_missing_is_an_error_like_any_other() {
    let server = Server::start();
    let mut bare = bare(server.port()).await;
    let error = bare.cas("k", b"new", 1, 0).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::Other, "bare, it is not NotFound");

    let classic = guarded(server.port());
    classic.delete_many(&[b"k"]).await.unwrap();
    let before = server.connections();
    for _ in 0..2 {
        let swap = classic.compare_and_swap(b"k", b"new", 1, 0).await.unwrap();
        assert_eq!(swap, crate::classic::Swap::Missing);
    }
    assert_eq!(server.connections(), before, "the connection is kept");
}

#[tokio::test]
async fn a_length_is_believed_whatever_it_is() {
    let server = Server::start();
    let liar = Liar::to(server.place());

    // More than any address space has: bare, the caller panics.
    liar.tell(Lie::Say(b"VALUE k 0 18446744073709551615\r\n".to_vec()));
    let mut bare = bare(liar.port()).await;
    let panicked = tokio::spawn(async move { bare.get("k").await }).await.unwrap_err();
    assert!(panicked.is_panic());

    let classic = guarded(liar.port());
    for length in ["18446744073709551615", "99999999999", "1000001"] {
        liar.tell(Lie::Say(format!("VALUE k 0 {length} 1\r\n").into_bytes()));
        for error in
            [classic.gets(b"k").await.unwrap_err(), classic.get_many(&[b"k"]).await.unwrap_err()]
        {
            assert_eq!(error.kind(), ErrorKind::Unavailable);
            let source = std::error::Error::source(&error).unwrap();
            assert!(source.to_string().contains(length), "{source}");
        }
        liar.tell(Lie::No);
        assert_eq!(classic.gets(b"k").await.unwrap(), None, "the next call is fine");
    }
}

#[tokio::test]
async fn whatever_is_no_reply_ends_the_connection() {
    let server = Server::start();
    server.wire().set("k", "there");
    let liar = Liar::to(server.place());
    let limits = Limits { response_timeout: Duration::from_millis(150), ..LIMITS };
    let classic = Arc::new(Classic::new(Port(liar.port()), limits));
    let lies: [&[u8]; 9] = [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\0\0\0\0\r\n",
        &[b'x'; 100_000],
        b"VALUE k 0",
        b"VALUE k 0 5 1\r\nth",
        b"VALUE k 0 5 1\r\nthere\r\n",
        b"VALUE k\r\n",
        b"SERVER_ERROR out of memory\r\n",
        b"",
    ];
    for lie in lies {
        for lie in [Lie::Say(lie.to_vec()), Lie::Hang(lie.to_vec())] {
            liar.tell(lie.clone());
            let began = Instant::now();
            for error in [
                classic.gets(b"k").await.unwrap_err(),
                classic.get_many(&[b"k"]).await.unwrap_err(),
                classic.set(b"l", b"v", 0).await.unwrap_err(),
                classic.compare_and_swap(b"k", b"v", 999_999, 0).await.unwrap_err(),
            ] {
                let kind = error.kind();
                assert!(
                    matches!(kind, ErrorKind::Unavailable | ErrorKind::TimedOut),
                    "{lie:?}: {error}"
                );
            }
            assert!(began.elapsed() < Duration::from_millis(4 * 150 + 400), "{lie:?}");
            liar.tell(Lie::No);
            let (value, _) = classic.gets(b"k").await.unwrap().unwrap();
            assert_eq!(value, b"there"[..], "after {lie:?}");
        }
    }
    drop(classic);
    crate::support::wait_until("all connections to end", || {
        (liar.closed() == liar.opened()).then_some(())
    });
}

#[tokio::test]
async fn a_server_that_comes_back_is_asked_again() {
    let server = Server::start();
    let classic = guarded(server.port());
    classic.set(b"k", b"v", 0).await.unwrap();
    server.kill();
    for _ in 0..3 {
        assert_eq!(classic.gets(b"k").await.unwrap_err().kind(), ErrorKind::Unavailable);
    }
    server.restart();
    assert_eq!(classic.gets(b"k").await.unwrap(), None);
    // Several idle connections to a server that is another.
    let calls = (0..4).map(|_| classic.get_many(&[b"k"]));
    futures_util::future::join_all(calls).await;
    server.restart();
    classic.set(b"k", b"again", 0).await.unwrap();
    assert_eq!(classic.gets(b"k").await.unwrap().unwrap().0, b"again"[..]);
}

/// More calls than connections, and every second one is dropped at some point.
#[tokio::test]
async fn calls_wait_for_a_connection_and_give_it_back() {
    let server = Server::start();
    let classic = guarded(server.port());
    for at in 0..50 {
        classic.set(format!("k{at}").as_bytes(), at.to_string().as_bytes(), 0).await.unwrap();
    }
    let calls: Vec<_> = (0..400_usize)
        .map(|call| {
            let classic = Arc::clone(&classic);
            tokio::spawn(async move {
                let at = call % 50;
                let key = format!("k{at}");
                let read = classic.gets(key.as_bytes());
                if call % 2 == 0 {
                    drop(begun(read, call % 13).await);
                } else {
                    assert_eq!(read.await.unwrap().unwrap().0, at.to_string().as_bytes());
                }
            })
        })
        .collect();
    for call in calls {
        call.await.unwrap();
    }
    assert!(server.stat("curr_connections") <= 4 + 3);
}
