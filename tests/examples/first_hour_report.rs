//! The fourth program of docs/first-hour.md.
#![allow(clippy::print_stdout, reason = "it is a first program")]

use dogpile_cache::{Error, Region, backend::File, codec::MsgPack};
use dogpile_lock::{Dogpile, FileLock};
use std::time::Duration;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_else(|| "somebody".to_owned());
    let seconds = arguments.next().and_then(|seconds| seconds.parse().ok()).unwrap_or(10);

    let files = File::open("first-hour/values")?;
    let lock = FileLock::open("first-hour/locks")?;
    let region = Region::new(Dogpile::with_lock(files, lock), MsgPack);

    let create = || async {
        println!("{name}: I create it, and it takes {seconds} s");
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        Ok::<_, Error>(format!("the report that {name} made"))
    };
    let report: String = region.get_or_create("report", create).await?;
    println!("{name}: {report}");
    Ok(())
}
