use dogpile_cache::cached;

#[cached(region(REGION))]
async fn region(id: u64) -> String {
    id.to_string()
}

#[cached(region = REGION, ignore = id)]
async fn ignore(id: u64) -> String {
    id.to_string()
}

#[cached(region = REGION, key = |id| id)]
async fn key(id: u64) -> String {
    id.to_string()
}

fn main() {}
