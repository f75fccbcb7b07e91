use dogpile_cache::cached;

#[cached]
async fn user(id: u64) -> String {
    id.to_string()
}

#[cached(namespace = "users")]
async fn member(id: u64) -> String {
    id.to_string()
}

fn main() {}
