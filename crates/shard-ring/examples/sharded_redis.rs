//! A ring of clients of real servers.
//!
//! ```sh
//! cargo run --example sharded_redis -p shard-ring -- blue=127.0.0.1:6379 green=127.0.0.1:6380
//! ```
//!
//! The arguments are shards, `name=host:port`. It writes a thousand keys to the shard that each is on,
//! reads them back with one command for each shard, and tells what a further shard would move. Names
//! are what is hashed: a shard that moves to another address keeps its keys.
#![expect(clippy::print_stdout, reason = "it is what it is for")]

use std::collections::BTreeMap;
use std::error::Error;
use std::process::ExitCode;

use redis::{Client, Commands};
use shard_ring::{Profile, Ring};

const KEYS: usize = 1_000;

fn main() -> ExitCode {
    match run(&std::env::args().skip(1).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let mut shards = Ring::new(Profile::native());
    for argument in arguments {
        let (name, address) = argument.split_once('=').ok_or("a shard is name=host:port")?;
        shards.insert(name, Client::open(format!("redis://{address}/"))?)?;
    }
    let keys: Vec<String> = (0..KEYS).map(|at| format!("user:{at}")).collect();
    let mut of_shard: BTreeMap<&str, Vec<&String>> = BTreeMap::new();
    for key in &keys {
        let owner = shards.node(key).ok_or("give the shards: name=host:port ...")?;
        of_shard.entry(owner.name()).or_default().push(key);
    }
    for (name, keys) in &of_shard {
        let shard = shards.get(name).ok_or("it was there")?;
        let mut connection = shard.get_connection()?;
        let items: Vec<(&String, usize)> = keys.iter().map(|key| (*key, key.len())).collect();
        connection.mset::<_, _, ()>(&items)?;
        let values: Vec<Option<usize>> = connection.mget(keys)?;
        let right = values.iter().zip(keys).filter(|(value, key)| **value == Some(key.len()));
        println!("{name}\t{} keys\t{} read back", keys.len(), right.count());
    }

    let mut more = shards.clone();
    more.insert("one more", Client::open("redis://127.0.0.1/")?)?;
    let moved = keys.iter().filter(|key| {
        let owner = |ring: &Ring<Client>| ring.node(key).map(|node| node.name().to_owned());
        owner(&shards) != owner(&more)
    });
    println!("a shard more would take {} of them", moved.count());
    Ok(())
}
