//! Servers that answer what no server answers.

use std::time::{Duration, Instant};

use dogpile_cache::ErrorKind;
use dogpile_core::{Ask, Backend, Clock, Key, LeaseBackend, Policy, SystemClock};
use dogpile_memcached::{Connect, Memcached};

use crate::support::{Liar, Lie, Server};
use crate::{QUICK, millis, put, quick};

fn lies() -> Vec<Vec<u8>> {
    let mut lies: Vec<Vec<u8>> = [
        &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
        b"\0\0\0\0\0\0\r\n",
        b"\xff\xfe\xfd\r\n",
        b"\r\n",
        b"\n",
        b"VA",
        b"VA \r\n",
        b"VA x\r\n",
        b"VA -1 c1\r\n",
        b"VA 5 c1 t-1 f0\r\nth",
        b"VA 5 c1 t-1 f0\r\nthere",
        b"VA 5 c1 t-1 f0\r\nthereXX",
        b"VA 3 c1 t-1 f0\r\nthere\r\n",
        b"VA 99999999999 c1 t-1 f0\r\n",
        b"VA 18446744073709551615 c1 t-1 f0\r\n",
        b"VA 99999999999999999999999999 c1\r\n",
        b"VA 0 c99999999999999999999999 t-1 W\r\n\r\n",
        b"HD c\r\n",
        b"ZZ c1\r\n",
        b"VALUE k 0 5\r\nthere\r\nEND\r\n",
        b"CLIENT_ERROR bad command line format\r\n",
        b"SERVER_ERROR out of memory storing object\r\n",
        b"ERROR\r\n",
        b"",
    ]
    .map(Vec::from)
    .into();
    lies.push(vec![b'x'; 300_000]);
    lies.push(b"HD\r\n".repeat(3));
    lies
}

/// Each lie, to each kind of question: an error that is typed, in time; and the next call is answered.
async fn no_lie_is_believed(options: Connect) {
    let server = Server::start();
    let liar = Liar::to(server.place());
    // Who waits for honest answers is patient.
    let honest = options.clone().with_response_timeout(millis(5_000));
    let honest = Memcached::connect_with(&server.url(), honest).await.unwrap();
    put(&honest, Key::name("k"), "there").await.unwrap();
    put(&honest, Key::name("l"), "here").await.unwrap();
    let memcached = Memcached::connect_with(&liar.url(), options).await.unwrap();
    for lie in lies() {
        for lie in [Lie::Hang(lie.clone()), Lie::Say(lie)] {
            for question in 0..4 {
                liar.tell(lie.clone());
                let began = Instant::now();
                let key = Key::name("k");
                let answer = match question {
                    0 => memcached.get(key).await.map(|found| found.map(|entry| entry.value)),
                    1 => memcached
                        .get_many(&[key, Key::name("l")])
                        .await
                        .map(|found| found.into_iter().flatten().next().map(|entry| entry.value)),
                    2 => put(&memcached, Key::name("new"), "v").await.map(|()| None),
                    _ => {
                        let ask = Ask::new(key, Policy::new().at(SystemClock.now()), millis(1_000));
                        memcached.get_or_lease(&ask).await.map(|_| None)
                    }
                };
                let took = began.elapsed();
                assert!(took < QUICK, "{lie:.100?} to {question}: {took:?}");
                match answer {
                    Err(error) => {
                        let kind = error.kind();
                        let typed = matches!(
                            kind,
                            ErrorKind::Unavailable
                                | ErrorKind::TimedOut
                                | ErrorKind::Corrupt
                                | ErrorKind::Refused
                        );
                        assert!(typed, "{lie:.100?} to {question}: {error:?}");
                        assert!(!error.to_string().contains(['\n', '\0']), "{error}");
                    }
                    // What could be an answer may be taken for one, but makes no value.
                    Ok(found) => assert_eq!(found, None, "{lie:.100?} to {question}"),
                }
                liar.tell(Lie::No);
                heals(&memcached).await;
            }
        }
    }
    drop(memcached);
    let began = Instant::now();
    while liar.opened() > liar.closed() {
        assert!(began.elapsed() < Duration::from_secs(10), "a connection stays open");
        tokio::time::sleep(millis(2)).await;
    }
}

/// The next calls fail while it is left alone, and then all is well.
async fn heals(memcached: &Memcached) {
    let began = Instant::now();
    for (name, wanted) in [("k", "there"), ("l", "here")] {
        loop {
            match memcached.get(Key::name(name)).await {
                Ok(found) => break assert_eq!(found.unwrap().value, wanted),
                Err(error) => assert!(began.elapsed() < Duration::from_secs(5), "{error}"),
            }
            tokio::time::sleep(millis(2)).await;
        }
    }
}

fn impatient() -> Connect {
    quick().with_response_timeout(millis(60)).with_retry_after(millis(1), millis(5))
}

#[tokio::test]
async fn no_lie_is_believed_by_the_meta_protocol() {
    no_lie_is_believed(impatient().with_connections(1)).await;
}

#[cfg(feature = "classic")]
#[tokio::test]
async fn no_lie_is_believed_by_the_classic_protocol() {
    no_lie_is_believed(impatient().with_protocol(dogpile_memcached::Protocol::Classic)).await;
}

/// Bytes that nobody asked for, before the true answer.
#[tokio::test]
async fn an_answer_too_many_does_not_shift_the_others() {
    let server = Server::start();
    let liar = Liar::to(server.place());
    let memcached = Memcached::connect_with(&liar.url(), quick()).await.unwrap();
    put(&memcached, Key::name("k"), "there").await.unwrap();
    put(&memcached, Key::name("l"), "here").await.unwrap();
    let (k, flags) = server.wire().get("l").unwrap();
    for extra in [
        [format!("VA {} c5 t-1 f{flags}\r\n", k.len()).as_bytes(), &k, b"\r\n"].concat(),
        b"EN\r\n".to_vec(),
        b"HD\r\n".to_vec(),
        b"MN\r\n".to_vec(),
    ] {
        let closed = liar.closed();
        liar.tell(Lie::Before(extra.clone()));
        // That nothing is there may be said by any server without a number, and is no value.
        let found = memcached.get(Key::name("k")).await.map(|found| found.map(|entry| entry.value));
        match found {
            Ok(found) => assert_eq!((found, &*extra), (None, &b"EN\r\n"[..])),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}"),
        }
        liar.tell(Lie::No);
        let began = Instant::now();
        while liar.closed() == closed {
            assert!(began.elapsed() < Duration::from_secs(5), "it goes on after {extra:?}");
            tokio::time::sleep(millis(1)).await;
        }
        let began = Instant::now();
        let mut answered = 0;
        while answered < 10 {
            for (key, wanted) in [("k", "there"), ("l", "here")] {
                match memcached.get(Key::name(key)).await {
                    Ok(found) => {
                        let found = found.map(|entry| entry.value);
                        assert_eq!(found.as_deref(), Some(wanted.as_bytes()), "after {extra:?}");
                        answered += 1;
                    }
                    Err(error) => assert!(began.elapsed() < Duration::from_secs(5), "{error}"),
                }
            }
        }
    }
}

/// What answers at connecting, or does not.
#[tokio::test]
async fn who_is_no_memcached_is_told_at_once() {
    let server = Server::start();
    let place = server.place();
    let refused = lies().into_iter().map(async |lie| {
        let liar = Liar::to(place.clone());
        liar.tell(Lie::Say(lie.clone()));
        let began = Instant::now();
        let error = Memcached::connect_with(&liar.url(), impatient()).await.unwrap_err();
        assert!(began.elapsed() < QUICK, "{error}");
        assert!(
            matches!(
                error.kind(),
                ErrorKind::Unavailable | ErrorKind::TimedOut | ErrorKind::Refused
            ),
            "{lie:.100?}: {error:?}"
        );
    });
    futures_util::future::join_all(refused).await;
}
