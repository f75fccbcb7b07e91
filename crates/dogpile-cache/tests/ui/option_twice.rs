use dogpile_cache::cached;

#[cached(region = REGION, namespace = "a", namespace = "b")]
async fn user(id: u64) -> String {
    id.to_string()
}

fn main() {}
