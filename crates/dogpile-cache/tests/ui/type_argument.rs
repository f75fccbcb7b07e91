use std::sync::LazyLock;

use dogpile_cache::backend::Memory;
use dogpile_cache::codec::Shared;
use dogpile_cache::{Region, cached};
use dogpile_lock::{Dogpile, Solo};

static REGION: LazyLock<Region<Dogpile<Solo<Memory>>, Shared>> =
    LazyLock::new(|| Region::new(Dogpile::local(Memory::new(10)), Shared));

struct Size;

#[cached(region = REGION)]
async fn area(size: &Size, unit: &str) -> Result<u32, dogpile_cache::Error> {
    let Size = size;
    Ok(unit.len() as u32)
}

fn main() {}
