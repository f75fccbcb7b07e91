use dogpile_cache::cached;

static REGION: u32 = 3;

#[cached(region = REGION)]
async fn size(path: &str) -> Result<u64, dogpile_cache::Error> {
    Ok(path.len() as u64)
}

fn main() {}
