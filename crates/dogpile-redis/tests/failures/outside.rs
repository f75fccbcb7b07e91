//! Calls that no tokio runtime polls.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake};
use std::thread::{self, Thread};

use bytes::Bytes;
use dogpile_core::{
    Ask, Backend, Clock, Counter, Entry, ErrorKind, Key, Lease, LeaseBackend, Policy, Result,
    SetOptions, SystemClock,
};
use dogpile_redis::{Connect, Redis};
use futures_util::future::BoxFuture;
use tokio::runtime::Runtime;

use crate::support::{Proxy, Server, resp};
use crate::{made, millis, region};

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// What any executor but tokio's does.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let waker = Arc::new(Unpark(thread::current())).into();
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(answer) => return answer,
            Poll::Pending => thread::park(),
        }
    }
}

/// Every kind of call, of plain keys and of fields.
fn calls(redis: &Redis) -> Vec<(&'static str, BoxFuture<'_, Result<()>>)> {
    fn call<'a, T>(
        name: &'static str,
        call: impl Future<Output = Result<T>> + Send + 'a,
    ) -> (&'static str, BoxFuture<'a, Result<()>>) {
        (name, Box::pin(async move { call.await.map(drop) }))
    }
    let entry = || Entry::new(SystemClock.now(), Bytes::from_static(b"1"));
    let mut calls = vec![
        call("connect", async { Redis::connect("redis://127.0.0.1:1/").await }),
        call("read_group", redis.read_group("g")),
        call("delete_group", redis.delete_group(b"g")),
        call("get_or_create", async move { region(redis).get_or_create("k", || made(1)).await }),
        call("counter", async move { redis.counter().read(Key::name("c")).await }),
        call("bump", async move { redis.counter().bump(Key::name("c"), 0).await }),
    ];
    for key in [Key::name("k"), Key::name("unseen"), Key::field("g", "k")] {
        let ask = move || Ask::new(key, Policy::new().at(SystemClock.now()), millis(5_000));
        let lease = Lease::new(1);
        calls.extend([
            call("get", redis.get(key)),
            call("get_many", async move { redis.get_many(&[key]).await }),
            call(
                "set_many",
                async move { redis.set_many(&[(key, entry())], &SetOptions::new()).await },
            ),
            call("delete_many", async move { redis.delete_many(&[key]).await }),
            call("get_or_lease", async move { redis.get_or_lease(&ask()).await }),
            call("get_or_lease_many", async move { redis.get_or_lease_many(&[ask()]).await }),
            call("fill", async move { redis.fill(key, lease, entry(), &SetOptions::new()).await }),
            call("extend", redis.extend(key, lease, millis(5_000))),
            call("release", redis.release(key, lease)),
            call("is_leased", redis.is_leased(key)),
        ]);
    }
    calls
}

fn are_refused(redis: &Redis) {
    for (name, call) in calls(redis) {
        let Err(error) = block_on(call) else { panic!("{name} was answered") };
        assert_eq!(error.kind(), ErrorKind::Refused, "{name}: {error}");
        assert!(error.to_string().contains("tokio runtime"), "{name}: {error}");
    }
    block_on(redis.wait(Key::name("k"), millis(60_000)));
    redis.abandon(Key::name("k"), Lease::new(1));
}

#[test]
fn they_are_refused_with_a_word_on_what_to_do() {
    let server = Server::start().unwrap();
    let proxy = Proxy::to(resp::Place::Port(server.port()));
    let url = server.url_at(proxy.port());
    let runtime = Runtime::new().unwrap();
    are_refused(&Redis::lazy(&url, Connect::new()).unwrap());

    let redis = runtime.block_on(Redis::connect(&url)).unwrap();
    let get = || {
        let cache = region(&redis);
        async move { cache.get_or_create("k", || made(1)).await.unwrap() }
    };
    // Twice, so that it is read by a plain command.
    runtime.block_on(async { (get().await, get().await) });
    are_refused(&redis);

    // While another command is under way, with which they would be sent.
    let before = proxy.trips();
    proxy.stall(true);
    let under_way = runtime.spawn(get());
    while proxy.trips() == before {
        thread::yield_now();
    }
    are_refused(&redis);
    proxy.stall(false);
    assert_eq!(runtime.block_on(under_way).unwrap(), 1);
    assert_eq!(runtime.block_on(get()), 1);

    let client = redis::Client::open(server.url()).unwrap();
    let given = runtime.block_on(client.get_multiplexed_async_connection()).unwrap();
    are_refused(&Redis::over(given));
}

#[test]
fn another_executor_does_in_the_scope_of_a_runtime() {
    let server = Server::start().unwrap();
    let runtime = Runtime::new().unwrap();
    let _scope = runtime.enter();
    let value = block_on(async {
        let redis = Redis::connect(&server.url()).await.unwrap();
        region(&redis).get_or_create("k", || made(1)).await
    });
    assert_eq!(value.unwrap(), 1);
}
