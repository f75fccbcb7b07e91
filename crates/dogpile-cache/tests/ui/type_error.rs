use std::sync::LazyLock;

use dogpile_cache::backend::Memory;
use dogpile_cache::codec::Shared;
use dogpile_cache::{Region, cached};
use dogpile_lock::{Dogpile, Solo};

static REGION: LazyLock<Region<Dogpile<Solo<Memory>>, Shared>> =
    LazyLock::new(|| Region::new(Dogpile::local(Memory::new(10)), Shared));

#[cached(region = REGION)]
async fn size(path: &str) -> Result<u64, std::io::Error> {
    Ok(std::fs::metadata(path)?.len())
}

fn main() {}
