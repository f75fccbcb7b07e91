//! Scripts that a server forgets.

use bytes::Bytes;
use dogpile_core::{Backend, Clock, Entry, Key, SetOptions, SystemClock};
use dogpile_redis::Redis;
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{Cmd, Pipeline, RedisFuture, Value};

use crate::support::Server;
use crate::{made, region};

#[tokio::test]
async fn scripts_are_sent_again_to_a_server_that_forgot_them() {
    let server = Server::start().unwrap();
    let redis = Redis::connect(&server.url()).await.unwrap();
    let cache = region(&redis);
    cache.get_or_create("a", || made(1)).await.unwrap();
    server.ask(&["SCRIPT", "FLUSH"]);
    assert_eq!(cache.get_or_create("b", || made(2)).await.unwrap(), 2);
    assert_eq!(cache.get::<u32>("b").await.unwrap(), Some(2));
    assert!(redis.stats().script_reloads >= 1);
}

/// A connection on which another process teaches the server the scripts again after the first command of
/// each pipeline.
#[derive(Clone)]
struct Interrupted {
    connection: MultiplexedConnection,
    taught: Redis,
}

impl ConnectionLike for Interrupted {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        self.connection.req_packed_command(command)
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        commands: &'a Pipeline,
        _: usize,
        _: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(async move {
            let mut replies = Vec::new();
            for command in commands.cmd_iter() {
                replies.push(self.connection.req_packed_command(command).await?);
                let other = Entry::new(SystemClock.now(), Bytes::from_static(b"other"));
                let items = [(Key::name("other"), other)];
                self.taught.set_many(&items, &SetOptions::new()).await.unwrap();
            }
            Ok(replies)
        })
    }

    fn get_db(&self) -> i64 {
        0
    }
}

#[tokio::test]
async fn the_last_of_one_key_wins_though_the_server_forgot_a_script_before_it() {
    let server = Server::start().unwrap();
    let client = redis::Client::open(server.url()).unwrap();
    let connection = client.get_multiplexed_async_connection().await.unwrap();
    let taught = Redis::connect(&server.url()).await.unwrap();
    let redis = Redis::over(Interrupted { connection, taught });
    for key in [Key::name("k"), Key::field("g", "k")] {
        let items = ["first", "other", "last"].map(|value| {
            let key = if value == "other" { Key::name("between") } else { key };
            (key, Entry::new(SystemClock.now(), Bytes::from(value)))
        });
        // The process knows that the server has the scripts, and then it has not.
        redis.set_many(&items, &SetOptions::new()).await.unwrap();
        server.ask(&["SCRIPT", "FLUSH"]);
        redis.set_many(&items, &SetOptions::new()).await.unwrap();
        let stored = redis.get(key).await.unwrap().unwrap();
        assert_eq!(stored.value, "last", "{key:?}");
    }
    assert_eq!(redis.stats().script_reloads, 2);
}
