//! A region on a cluster, and what is seen of it when a master is killed.
//!
//! ```sh
//! cargo run --release --example cluster -p dogpile-redis --features cluster
//! ```
//!
//! It starts three masters with a replica each, fills them, kills one, and asks for all of them again
//! and again until all are served.
#![expect(clippy::print_stdout, reason = "it is what it is for")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use dogpile_cache::Region;
use dogpile_cache::codec::MsgPack;
use dogpile_lock::Dogpile;
use dogpile_redis::{Connect, Redis};
use futures_util::future::join_all;

use crate::support::{Cluster, Kind};

const KEYS: usize = 600;
const TENTH: Duration = Duration::from_millis(100);

#[tokio::main]
async fn main() -> ExitCode {
    let Some(cluster) = Cluster::start(Kind::Redis) else { return ExitCode::FAILURE };
    match show(&cluster).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:?}");
            ExitCode::FAILURE
        }
    }
}

async fn show(cluster: &Cluster) -> dogpile_cache::Result<()> {
    let options = Connect::new()
        .with_response_timeout(Duration::from_millis(200))
        .with_total_timeout(Duration::from_millis(300));
    // Some of the nodes are enough; they tell of the others.
    let redis = Redis::connect_cluster(&cluster.urls()[..2], options).await?;
    let region = Region::new(Dogpile::leased(redis.clone()), MsgPack);

    let names: Vec<String> = (0..KEYS).map(|at| format!("page:{at}")).collect();
    let create = |missing: Vec<&String>| {
        let pages: Vec<String> = missing.iter().map(|name| format!("the text of {name}")).collect();
        async move { Ok::<_, dogpile_cache::Error>(pages) }
    };
    let began = Instant::now();
    region.get_or_create_many(&names, create).await?;
    println!("created {KEYS} pages in {:?}", began.elapsed());
    for node in &cluster.nodes[..3] {
        let keys = node.ask(&["DBSIZE"]).number();
        println!("  the master at port {} has {keys} keys", node.port());
    }
    let began = Instant::now();
    region.get_many::<String, _>(&names).await?;
    println!("read {KEYS} pages in {:?}, each slot in one command", began.elapsed());

    let Some(master) = cluster.master_of(names[0].as_bytes()) else { return Ok(()) };
    println!("\nkilling the master at port {}", master.port());
    master.kill();
    let killed = Instant::now();
    let mut was_down = false;
    loop {
        let began = tokio::time::Instant::now();
        let answers = join_all(names.iter().map(|name| region.get::<String>(name))).await;
        let failed = answers.iter().filter(|answer| answer.is_err()).count();
        let served = answers.len() - failed;
        println!("{:>5} ms  {served:5} served  {failed:4} failed", killed.elapsed().as_millis());
        was_down |= failed > 0;
        if was_down && failed == 0 || killed.elapsed() > Duration::from_secs(10) {
            break;
        }
        tokio::time::sleep_until(began + TENTH).await;
    }
    let page: String = region
        .get_or_create(&names[0], async || Ok::<_, dogpile_cache::Error>(String::new()))
        .await?;
    println!("\n{} is there: {page:?}", names[0]);
    Ok(())
}
