//! The third program of docs/first-hour.md.
#![allow(clippy::print_stdout, reason = "it is a first program")]

use dogpile_cache::{Error, Region, backend::Memory, codec::Shared};
use dogpile_lock::Dogpile;
use std::error::Error as _;
use std::io;

#[tokio::main]
async fn main() {
    let region = Region::new(Dogpile::local(Memory::new(10_000)), Shared);

    let query = || async { Err::<String, _>(io::Error::other("no such table: products")) };
    if let Err(error) = region.get_or_create("best sellers", query).await {
        println!("{error}: {:?}", error.kind());
        println!("  {}", error.source().map(ToString::to_string).unwrap_or_default());
    }

    // A creator that asks for its own key can never end, so it is told.
    let inner = region.clone();
    let asks_itself = || async move {
        let nothing = || async { Ok::<_, Error>(String::new()) };
        inner.get_or_create("best sellers", nothing).await
    };
    if let Err(error) = region.get_or_create("best sellers", asks_itself).await {
        println!("{error}: {:?}", error.kind());
        println!("  {}", error.source().map(ToString::to_string).unwrap_or_default());
    }
}
