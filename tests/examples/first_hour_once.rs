//! The first program of docs/first-hour.md.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "it is a first program")]

use dogpile_cache::{Error, Region, backend::Memory, codec::Shared};
use dogpile_lock::Dogpile;
use std::time::Duration;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let region = Region::new(Dogpile::local(Memory::new(10_000)), Shared)
        .expires_after(Duration::from_secs(300));

    let callers: Vec<_> = (0..100)
        .map(|_| {
            let region = region.clone();
            tokio::spawn(async move {
                let query = || async {
                    println!("the query runs");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    Ok::<_, Error>("socks and teapots".to_owned())
                };
                region.get_or_create("best sellers", query).await
            })
        })
        .collect();
    let mut answers = 0;
    for caller in callers {
        assert_eq!(caller.await.unwrap()?, "socks and teapots");
        answers += 1;
    }
    println!("{answers} answers");
    Ok(())
}
