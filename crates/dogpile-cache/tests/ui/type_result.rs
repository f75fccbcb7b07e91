use std::sync::LazyLock;

use dogpile_cache::backend::Memory;
use dogpile_cache::codec::Shared;
use dogpile_cache::{Error, Region, cached};
use dogpile_lock::{Dogpile, Solo};

static REGION: LazyLock<Region<Dogpile<Solo<Memory>>, Shared>> =
    LazyLock::new(|| Region::new(Dogpile::local(Memory::new(10)), Shared));

type Answer = Result<u32, Error>;

#[cached(region = REGION)]
async fn renamed(id: u32) -> Answer {
    Ok(id)
}

fn main() {}
