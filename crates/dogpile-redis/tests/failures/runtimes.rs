//! One backend that is driven from several runtimes, of which some end or stand still.

use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use dogpile_cache::ErrorKind;
use dogpile_redis::{Connect, Redis};
use tokio::runtime::Runtime;

use crate::support::{Proxy, Server, resp};
use crate::{made, millis, region};

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// What comes of it, which must not take for ever.
async fn in_time<T>(call: impl Future<Output = T>) -> T {
    let answer = tokio::time::timeout(Duration::from_secs(5), call).await;
    answer.unwrap_or_else(|_| panic!("it hangs"))
}

/// It stops after a command was gathered and before it was sent.
#[test]
fn a_runtime_that_stands_still_holds_up_its_own_calls_alone() {
    let server = Server::start().unwrap();
    let proxy = Proxy::to(resp::Place::Port(server.port()));
    let (driven, still) = (Runtime::new().unwrap(), runtime());
    let redis = driven.block_on(Redis::connect(&server.url_at(proxy.port()))).unwrap();
    let get = |redis: &Redis| {
        let redis = redis.clone();
        async move { region(&redis).get_or_create("k", || made(1)).await }
    };
    // Twice, so that it is known to be there, and read by a plain command.
    driven.block_on(async { tokio::try_join!(get(&redis), get(&redis)).unwrap() });
    proxy.stall(true);
    let calls = still.block_on(async {
        let calls = [0; 3].map(|_| tokio::spawn(get(&redis)));
        tokio::task::yield_now().await;
        calls
    });
    assert!(calls.iter().all(|call| !call.is_finished()), "they were to be under way");
    proxy.stall(false);
    driven.block_on(async {
        for _ in 0..3 {
            assert_eq!(in_time(get(&redis)).await.unwrap(), 1);
        }
    });
    // It goes on as if nothing had been.
    still.block_on(async {
        for call in calls {
            assert_eq!(in_time(call).await.unwrap().unwrap(), 1);
        }
    });
}

#[test]
fn a_runtime_that_stands_still_while_it_connects_is_not_waited_for() {
    let server = Server::start().unwrap();
    let proxy = Proxy::to(resp::Place::Port(server.port()));
    let redis = Redis::lazy(&server.url_at(proxy.port()), Connect::new()).unwrap();
    let still = runtime();
    proxy.stall(true);
    let cache = region(&redis);
    let connecting = still.spawn(async move { cache.get::<u32>("k").await });
    still.block_on(async {
        while proxy.opened() == 0 {
            tokio::time::sleep(millis(1)).await;
        }
    });
    proxy.stall(false);
    runtime().block_on(async {
        for _ in 0..2 {
            assert_eq!(in_time(region(&redis).get::<u32>("k")).await.unwrap(), None);
        }
    });
    // Whether its attempt was still good or too old by then, it comes to an end.
    let _ = still.block_on(in_time(connecting)).unwrap();
    assert_eq!(still.block_on(in_time(region(&redis).get::<u32>("k"))).unwrap(), None);
}

/// The connection ends with the runtime that made it, and so do the calls that are made there.
#[test]
fn a_runtime_that_ends_takes_only_its_own_calls_with_it() {
    let server = Server::start().unwrap();
    let proxy = Proxy::to(resp::Place::Port(server.port()));
    let url = server.url_at(proxy.port());
    let ending = runtime();
    let redis = ending.block_on(Redis::connect_with(&url, Connect::new())).unwrap();
    let names: Vec<String> = (0..100).map(|at| format!("name {at}")).collect();
    let create = |missing: Vec<&String>| {
        let values = vec![1_u32; missing.len()];
        async move { Ok::<_, String>(values) }
    };
    proxy.delay(millis(20));
    let under_way = Barrier::new(4);
    // One of the others makes the next connection, and is not to end before the rest are done.
    let done = tokio::sync::Barrier::new(3);
    thread::scope(|scope| {
        for other in 0..3 {
            let (redis, names, under_way, done) = (redis.clone(), &names, &under_way, &done);
            scope.spawn(move || {
                let runtime = runtime();
                under_way.wait();
                for round in 0..4 {
                    let cache = region(&redis);
                    let one = format!("{other} {round}");
                    let (many, one) = runtime.block_on(in_time(async {
                        tokio::join!(
                            cache.get_or_create_many(names, create),
                            cache.get_or_create(&*one, || made(2)),
                        )
                    }));
                    assert_eq!(many.unwrap(), vec![1; 100]);
                    assert_eq!(one.unwrap(), 2);
                }
                runtime.block_on(in_time(done.wait()));
            });
        }
        let own = Arc::new(region(&redis));
        let calls = ending.block_on(async {
            let calls = [0; 8].map(|_| {
                let own = Arc::clone(&own);
                tokio::spawn(async move { own.get::<u32>("k").await })
            });
            under_way.wait();
            tokio::time::sleep(millis(30)).await;
            calls
        });
        drop(ending);
        for call in calls {
            let ended = runtime().block_on(in_time(call));
            // It was answered, was told so, or went with its task.
            match ended {
                Ok(Ok(value)) => assert_eq!(value, None),
                Ok(Err(error)) => assert_eq!(error.kind(), ErrorKind::Unavailable),
                Err(gone) => assert!(gone.is_cancelled()),
            }
        }
    });
    let began = Instant::now();
    assert_eq!(runtime().block_on(region(&redis).get::<u32>("0 0")).unwrap(), Some(2));
    assert!(began.elapsed() < millis(900), "{:?}", began.elapsed());
}
