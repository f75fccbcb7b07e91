//! Generations of sessions in the counters of real servers: what is promised of them is kept, and what is
//! warned of happens.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod servers;

use std::sync::OnceLock;

use cookie_session::generation::{GenerationStore, Generations, OverCounter};
use cookie_session::{ErrorKind, KeyRing, Result, RootKey, SessionOptions, Sessions};
use dogpile_conformance::{ManualClock, Subject};
use dogpile_memcached::{Memcached, MemcachedCounter};
use dogpile_redis::{Redis, RedisCounter};

use servers::{memcached, redis};

async fn redis_counter(server: &redis::Server) -> OverCounter<RedisCounter> {
    OverCounter::new(Redis::connect(&server.url()).await.unwrap().counter())
}

async fn memcached_counter(server: &memcached::Server) -> OverCounter<MemcachedCounter> {
    OverCounter::new(Memcached::connect(&server.url()).await.unwrap().counter())
}

/// A counter forgets nothing when its time comes, so time need not pass.
fn subject<S: GenerationStore>(one: S, other: S) -> Subject<S> {
    Subject::new(one).with_other(other).with_clock(ManualClock::new())
}

mod on_redis {
    use super::*;

    fn server() -> &'static redis::Server {
        static SERVER: OnceLock<redis::Server> = OnceLock::new();
        SERVER.get_or_init(|| redis::Server::start().unwrap())
    }

    dogpile_conformance::generation_suite!(
        async { subject(redis_counter(server()).await, redis_counter(server()).await) },
        except = [many_starts_answer_one_number]
    );
}

mod on_memcached {
    use super::*;

    fn server() -> &'static memcached::Server {
        static SERVER: OnceLock<memcached::Server> = OnceLock::new();
        SERVER.get_or_init(memcached::Server::start)
    }

    dogpile_conformance::generation_suite!(
        async { subject(memcached_counter(server()).await, memcached_counter(server()).await) },
        except = [many_starts_answer_one_number]
    );
}

/// A process of an application, with a connection of its own.
fn process(key: &RootKey, store: impl GenerationStore + 'static) -> Sessions {
    let options = SessionOptions::new().with_generations(Generations::per_session(store));
    Sessions::new(KeyRing::new(key.clone()), options).unwrap()
}

/// The cookie of a login.
async fn log_in(sessions: &Sessions, user: &str) -> String {
    let request = sessions.request(None::<String>);
    request.session().await.unwrap().log_in(user).unwrap();
    let headers = request.commit().await.unwrap();
    headers.set_cookie()[0].split(';').next().unwrap().to_owned()
}

async fn who(sessions: &Sessions, cookie: &str) -> Option<String> {
    sessions.request(cookie.to_owned()).session().await.unwrap().user()
}

async fn log_out(sessions: &Sessions, cookie: &str) -> Result<()> {
    let request = sessions.request(cookie.to_owned());
    request.session().await?.destroy();
    request.commit().await.map(drop)
}

async fn an_end_is_one_in_every_process<S: GenerationStore + 'static>(open: impl AsyncFn() -> S) {
    let key = RootKey::generate().unwrap();
    let (one, other) = (process(&key, open().await), process(&key, open().await));
    let ada = || Some("Ada".to_owned());

    let (desk, phone) = (log_in(&one, "Ada").await, log_in(&other, "Ada").await);
    assert_eq!((who(&other, &desk).await, who(&one, &phone).await), (ada(), ada()));
    log_out(&other, &desk).await.unwrap();
    assert_eq!((who(&one, &desk).await, who(&one, &phone).await), (None, ada()));

    let grace = log_in(&one, "Grace").await;
    other.end_user("Ada").await.unwrap();
    assert_eq!(who(&one, &phone).await, None);
    assert_eq!(who(&one, &grace).await.as_deref(), Some("Grace"));

    let again = log_in(&other, "Ada").await;
    assert_eq!(who(&one, &again).await, ada());
    one.end_all().await.unwrap();
    assert_eq!((who(&other, &again).await, who(&other, &grace).await), (None, None));
    let again = log_in(&other, "Ada").await;
    assert_eq!(who(&one, &again).await, ada());
}

#[tokio::test]
async fn an_end_is_one_in_every_process_on_redis() {
    let server = redis::Server::start().unwrap();
    an_end_is_one_in_every_process(async || redis_counter(&server).await).await;
}

#[tokio::test]
async fn an_end_is_one_in_every_process_on_memcached() {
    let server = memcached::Server::start();
    an_end_is_one_in_every_process(async || memcached_counter(&server).await).await;
}

async fn a_loss_logs_out_and_revives_nobody<S: GenerationStore + 'static>(
    open: impl AsyncFn() -> S,
    kill: impl Fn(),
    restart: impl Fn(),
) {
    let key = RootKey::generate().unwrap();
    let before = process(&key, open().await);
    let (kept, ended) = (log_in(&before, "Ada").await, log_in(&before, "Ada").await);
    log_out(&before, &ended).await.unwrap();
    kill();
    assert_eq!(log_out(&before, &kept).await.unwrap_err().kind(), ErrorKind::Unavailable);

    restart();
    let after = process(&key, open().await);
    assert_eq!((who(&after, &kept).await, who(&after, &ended).await), (None, None));
    let again = log_in(&after, "Ada").await;
    assert_eq!(who(&after, &again).await.as_deref(), Some("Ada"));
    assert_eq!((who(&after, &kept).await, who(&after, &ended).await), (None, None));
}

#[tokio::test]
async fn a_loss_logs_out_and_revives_nobody_on_redis() {
    let server = redis::Server::start().unwrap();
    let open = async || redis_counter(&server).await;
    a_loss_logs_out_and_revives_nobody(open, || server.kill(), || server.restart()).await;
}

#[tokio::test]
async fn a_loss_logs_out_and_revives_nobody_on_memcached() {
    let server = memcached::Server::start();
    let open = async || memcached_counter(&server).await;
    a_loss_logs_out_and_revives_nobody(open, || server.kill(), || server.restart()).await;
}

#[tokio::test]
async fn redis_that_writes_each_change_down_loses_nobody_when_it_is_killed() {
    let durable = ["--appendonly", "yes", "--appendfsync", "always"];
    let server = redis::Options::new(redis::Kind::Redis).arguments(&durable).start().unwrap();
    let key = RootKey::generate().unwrap();
    let before = process(&key, redis_counter(&server).await);
    let (kept, ended) = (log_in(&before, "Ada").await, log_in(&before, "Ada").await);
    log_out(&before, &ended).await.unwrap();

    server.restart();
    let after = process(&key, redis_counter(&server).await);
    assert_eq!(who(&after, &kept).await.as_deref(), Some("Ada"));
    assert_eq!(who(&after, &ended).await, None);
}

/// What the documentation warns of: another server answered for a while, and the first one has not heard
/// of what was ended there.
#[tokio::test]
async fn a_server_that_comes_back_with_old_numbers_has_to_be_told_to_end_all() {
    let (server, stand_in) = (memcached::Server::start(), memcached::Server::start());
    let key = RootKey::generate().unwrap();
    let sessions = process(&key, memcached_counter(&server).await);
    let cookie = log_in(&sessions, "Ada").await;

    let meanwhile = process(&key, memcached_counter(&stand_in).await);
    meanwhile.end_user("Ada").await.unwrap();
    assert_eq!(who(&meanwhile, &cookie).await, None);

    assert_eq!(who(&sessions, &cookie).await.as_deref(), Some("Ada"));
    sessions.end_all().await.unwrap();
    assert_eq!(who(&sessions, &cookie).await, None);
}
