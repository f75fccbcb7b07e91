//! Servers that are stopped, slow, gone and back.

use std::time::{Duration, Instant};

use dogpile_cache::{ErrorKind, WhenDown};
use dogpile_core::{Backend, Key};
use dogpile_memcached::{Connect, Memcached};

use crate::support::{Options, Proxy, Server};
use crate::{QUICK, made, millis, put, quick, region};

/// A server behind a wire that can fail.
async fn behind_a_wire(options: Connect) -> (Server, Proxy, Memcached) {
    let server = Server::start();
    let proxy = Proxy::to(server.place());
    let memcached = Memcached::connect_with(&server.url_at(proxy.port()), options).await.unwrap();
    (server, proxy, memcached)
}

/// The kind of error of a call, which must come in time.
async fn fails<T: std::fmt::Debug>(
    call: impl Future<Output = dogpile_cache::Result<T>>,
) -> ErrorKind {
    let began = Instant::now();
    let error = call.await.unwrap_err();
    assert!(began.elapsed() < QUICK, "{error} after {:?}", began.elapsed());
    error.kind()
}

/// Asks until there is an answer.
async fn heals(memcached: &Memcached) -> Duration {
    let began = Instant::now();
    loop {
        match region(memcached).get::<u32>("k").await {
            Ok(_) => return began.elapsed(),
            Err(error) => assert!(began.elapsed() < Duration::from_secs(5), "{error}"),
        }
        tokio::time::sleep(millis(2)).await;
    }
}

#[tokio::test]
async fn a_server_that_is_gone_fails_at_once_and_heals_by_itself() {
    let server = Server::start();
    let memcached = Memcached::connect_with(&server.url(), quick()).await.unwrap();
    let cache = region(&memcached);
    cache.set("k", &1_u32).await.unwrap();
    server.kill();
    for _ in 0..20 {
        let began = Instant::now();
        let error = cache.get::<u32>("k").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.to_string().contains(&server.name()), "it says which: {error}");
        assert!(began.elapsed() < millis(300), "a refused connection is known at once");
    }
    assert_eq!(fails(cache.set("k", &2_u32)).await, ErrorKind::Unavailable);
    assert_eq!(fails(cache.get_or_create("k", || made(3))).await, ErrorKind::Unavailable);
    let carries_on = region(&memcached).when_down(WhenDown::Miss);
    assert_eq!(carries_on.get_or_create("k", || made(4)).await.unwrap(), 4);

    server.restart();
    let took = heals(&memcached).await;
    assert!(took < millis(1_500), "{took:?}");
    assert_eq!(cache.get_or_create("k", || made(5)).await.unwrap(), 5);
}

#[tokio::test]
async fn a_stopped_server_costs_no_more_than_the_timeout() {
    let server = Server::start();
    let memcached = Memcached::connect_with(&server.url(), quick()).await.unwrap();
    let cache = region(&memcached);
    cache.set("k", &1_u32).await.unwrap();
    server.pause();
    // Many at once: none waits for another's timeout.
    let began = Instant::now();
    let calls: Vec<_> = (0..50)
        .map(|_| {
            let cache = cache.clone();
            tokio::spawn(async move { fails(cache.get::<u32>("k")).await })
        })
        .collect();
    for call in calls {
        assert!(matches!(call.await.unwrap(), ErrorKind::TimedOut | ErrorKind::Unavailable));
    }
    assert!(began.elapsed() < QUICK, "{:?}", began.elapsed());
    server.go_on();
    heals(&memcached).await;
    assert_eq!(cache.get::<u32>("k").await.unwrap(), Some(1));
}

#[tokio::test]
async fn a_server_that_pauses_is_waited_for_as_long_as_allowed() {
    let server = Server::start();
    let memcached = Memcached::connect_with(&server.url(), quick()).await.unwrap();
    let cache = region(&memcached);
    cache.set("k", &1_u32).await.unwrap();
    server.pause();
    let read = tokio::spawn({
        let cache = cache.clone();
        async move { cache.get::<u32>("k").await }
    });
    tokio::time::sleep(millis(60)).await;
    server.go_on();
    assert_eq!(read.await.unwrap().unwrap(), Some(1), "it is back within the timeout");
}

#[tokio::test]
async fn a_wire_that_is_stuck_or_cut_is_replaced() {
    let (_server, proxy, memcached) = behind_a_wire(quick()).await;
    let cache = region(&memcached);
    cache.set("k", &1_u32).await.unwrap();

    proxy.stall(true);
    fails(cache.get::<u32>("k")).await;
    proxy.stall(false);
    heals(&memcached).await;

    for _ in 0..20 {
        proxy.cut();
        heals(&memcached).await;
        assert_eq!(cache.get::<u32>("k").await.unwrap(), Some(1));
    }

    proxy.refuse(true);
    fails(cache.get::<u32>("k")).await;
    proxy.refuse(false);
    heals(&memcached).await;
}

/// Cut and stuck while a hundred calls are under way: every answer is right, or an error in time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_under_way_are_told_when_the_wire_is_cut() {
    let (server, proxy, memcached) = behind_a_wire(quick()).await;
    for key in 0..100 {
        put(&memcached, Key::name(&key.to_string()), key.to_string()).await.unwrap();
    }
    let mut failed = 0;
    for round in 0..20 {
        let calls: Vec<_> = (0..100)
            .map(|key| {
                let (memcached, key) = (memcached.clone(), key.to_string());
                tokio::spawn(async move {
                    let began = Instant::now();
                    let found = memcached.get(Key::name(&key)).await;
                    assert!(began.elapsed() < QUICK, "{found:?} after {:?}", began.elapsed());
                    match found {
                        Ok(entry) => assert_eq!(entry.unwrap().value, key),
                        Err(error) => {
                            let kind = error.kind();
                            assert!(matches!(kind, ErrorKind::Unavailable | ErrorKind::TimedOut));
                            return 1;
                        }
                    }
                    0
                })
            })
            .collect();
        if round % 2 == 0 {
            proxy.cut();
        }
        for call in calls {
            failed += call.await.unwrap();
        }
        heals(&memcached).await;
    }
    println!("{failed} of 2,000 failed");
    drop(server);
}

#[tokio::test]
async fn a_slow_wire_is_only_slow() {
    let (server, proxy, memcached) = behind_a_wire(quick()).await;
    let cache = region(&memcached);
    proxy.delay(millis(20));
    assert_eq!(cache.get_or_create("k", || made(1)).await.unwrap(), 1);
    assert_eq!(cache.get::<u32>("k").await.unwrap(), Some(1));
    // Seven bytes at a time: replies arrive in pieces.
    proxy.dribble(7, Duration::from_micros(100));
    let text = "text ".repeat(20);
    cache.set("t", &text).await.unwrap();
    assert_eq!(cache.get::<String>("t").await.unwrap(), Some(text));
    drop(server);
}

#[tokio::test]
async fn a_program_can_start_while_its_server_is_down() {
    let server = Server::start();
    server.kill();
    let kind = fails(Memcached::connect_with(&server.url(), quick())).await;
    assert_eq!(kind, ErrorKind::Unavailable);
    let memcached = Memcached::lazy(&server.url(), quick()).unwrap();
    assert_eq!(fails(region(&memcached).get::<u32>("k")).await, ErrorKind::Unavailable);
    server.restart();
    heals(&memcached).await;
}

/// Handles that are dropped end their tasks and their connections.
#[tokio::test]
async fn a_handle_that_is_dropped_leaves_nothing_open() {
    let server = Server::start();
    let before = server.stat("curr_connections");
    for _ in 0..20 {
        let memcached = Memcached::connect(&server.url()).await.unwrap();
        put(&memcached, Key::name("k"), "v").await.unwrap();
        let clone = memcached.clone();
        drop(memcached);
        clone.get(Key::name("k")).await.unwrap();
    }
    let began = Instant::now();
    while server.stat("curr_connections") > before {
        assert!(began.elapsed() < Duration::from_secs(5), "{}", server.stat("curr_connections"));
        tokio::time::sleep(millis(5)).await;
    }
}

#[tokio::test]
async fn addresses_and_sockets_that_lead_nowhere_are_told() {
    for (address, kind) in [
        ("redis://127.0.0.1", ErrorKind::Refused),
        ("", ErrorKind::Refused),
        ("memcached://127.0.0.1:1", ErrorKind::Unavailable),
        ("unix:///no/such/socket", ErrorKind::Unavailable),
        ("memcached://no-such-host.invalid", ErrorKind::Unavailable),
    ] {
        let error = Memcached::connect_with(address, quick()).await.unwrap_err();
        assert!(
            error.kind() == kind || error.kind() == ErrorKind::TimedOut,
            "{address}: {error:?}"
        );
        assert!(!error.to_string().contains('\n'), "{error}");
    }
}

#[tokio::test]
async fn a_password_is_asked_for_and_never_shown() {
    let folder = crate::support::Folder::new();
    let file = folder.join("auth");
    std::fs::write(&file, "user:hunter2-hunter2\n").unwrap();
    // The socket takes no password, and a server that asks for one answers nothing else.
    let server = Options::new().with_password(file.to_str().unwrap()).start();
    let options = quick().with_credentials("user", "hunter2-hunter2");
    let memcached = Memcached::connect_with(&server.url(), options.clone()).await.unwrap();
    region(&memcached).set("k", &1_u32).await.unwrap();
    assert_eq!(region(&memcached).get::<u32>("k").await.unwrap(), Some(1));
    let shown = format!("{memcached:?} {options:?}");
    assert!(!shown.contains("hunter2"), "{shown}");

    for options in [quick(), quick().with_credentials("user", "wrong-wrong")] {
        let error = Memcached::connect_with(&server.url(), options).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{error:?}");
        assert!(!format!("{error:?} {error}").contains("wrong-wrong"), "{error:?}");
    }
}

/// The backend's own policy: reads find nothing, creations go on, and nothing is lost in silence.
#[tokio::test]
async fn a_backend_may_take_a_dead_server_for_an_empty_one() {
    let server = Server::start();
    let memcached = Memcached::connect_with(&server.url(), quick()).await.unwrap();
    let memcached = memcached.with_when_down(dogpile_memcached::WhenDown::Miss);
    put(&memcached, Key::name("k"), "v").await.unwrap();
    server.kill();
    for _ in 0..3 {
        assert!(memcached.get(Key::name("k")).await.unwrap().is_none());
        let keys = [Key::name("k"), Key::name("l")];
        assert_eq!(memcached.get_many(&keys).await.unwrap(), [None, None]);
        assert_eq!(region(&memcached).get_or_create("made", || made(4)).await.unwrap(), 4);
        let error = put(&memcached, Key::name("k"), "v").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(memcached.delete_many(&keys).await.is_err());
    }
    server.restart();
    heals(&memcached).await;
    let began = Instant::now();
    while let Err(error) = put(&memcached, Key::name("k"), "v").await {
        assert!(began.elapsed() < Duration::from_secs(5), "{error}");
        tokio::time::sleep(millis(2)).await;
    }
    assert!(memcached.get(Key::name("k")).await.unwrap().is_some());
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn tls_is_spoken_with_whom_a_root_vouches_for() {
    use crate::support::server::TLS_CA;

    let server = Options::new().tls().start();
    let trusting = quick().with_connect_timeout(millis(1_000)).with_root_certificate(TLS_CA);
    let memcached = Memcached::connect_with(&server.url(), trusting.clone()).await.unwrap();
    region(&memcached).set("k", &1_u32).await.unwrap();
    assert_eq!(region(&memcached).get::<u32>("k").await.unwrap(), Some(1));
    // Nobody vouches for it; it speaks no TLS; and its clients have to.
    let plain = Server::start();
    for (url, options) in [
        (server.url(), quick()),
        (plain.url().replace("memcached://127.0.0.1", "memcacheds://localhost"), trusting),
        (format!("memcached://127.0.0.1:{}", server.port()), quick()),
    ] {
        let error = Memcached::connect_with(&url, options).await.unwrap_err();
        let kind = error.kind();
        assert!(
            matches!(kind, ErrorKind::Refused | ErrorKind::Unavailable | ErrorKind::TimedOut),
            "{url}: {error:?}"
        );
    }
}

/// A server that has read more from the socket than it looks at waits for more to come: what is sent by
/// TLS is sent so that none of it lies there.
#[cfg(feature = "tls")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_and_many_things_at_once_pass_by_tls() {
    use bytes::Bytes;
    use dogpile_core::{Clock, Entry, SetOptions, SystemClock};

    use crate::support::server::TLS_CA;

    let server = Options::new().tls().start();
    let options = Connect::new()
        .with_connections(1)
        .with_response_timeout(Duration::from_secs(10))
        .with_root_certificate(TLS_CA);
    let memcached = Memcached::connect_with(&server.url(), options).await.unwrap();
    let began = Instant::now();
    let calls: Vec<_> = (0..8_usize)
        .map(|task| {
            let memcached = memcached.clone();
            tokio::spawn(async move {
                let length = |at: usize| match at % 50 {
                    7 => 300_000 + at * 100,
                    _ => at * 37 % 3_000,
                };
                let names: Vec<String> = (0..200).map(|at| format!("{task}:{at}")).collect();
                let value = |at: usize| Bytes::from(vec![at as u8; length(at)]);
                let items: Vec<_> = names
                    .iter()
                    .enumerate()
                    .map(|(at, name)| (Key::name(name), Entry::new(SystemClock.now(), value(at))))
                    .collect();
                memcached.set_many(&items, &SetOptions::new()).await.unwrap();
                let keys: Vec<Key<'_>> = names.iter().map(Key::name).collect();
                let found = memcached.get_many(&keys).await.unwrap();
                for (at, found) in found.into_iter().enumerate() {
                    assert_eq!(found.unwrap().value, value(at));
                    let found = memcached.get(keys[at]).await.unwrap();
                    assert_eq!(found.unwrap().value, value(at));
                }
            })
        })
        .collect();
    for call in calls {
        call.await.unwrap();
    }
    println!("{:?}", began.elapsed());

    #[cfg(feature = "classic")]
    {
        let options = Connect::new()
            .with_protocol(dogpile_memcached::Protocol::Classic)
            .with_root_certificate(TLS_CA);
        let error = Memcached::connect_with(&server.url(), options).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{error:?}");
    }
}
