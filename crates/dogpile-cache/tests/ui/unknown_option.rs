use dogpile_cache::cached;

#[cached(region = REGION, ttl = 60)]
async fn user(id: u64) -> String {
    id.to_string()
}

fn main() {}
