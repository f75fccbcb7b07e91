use dogpile_cache::cached;

#[cached(region = REGION, key = id, exact_key = id)]
async fn two_keys(id: u64) -> String {
    id.to_string()
}

#[cached(region = REGION, key = id, ignore(name))]
async fn key_and_ignore(id: u64, name: &str) -> String {
    format!("{id} {name}")
}

#[cached(region = REGION, exact_key = id, namespace = "users")]
async fn exact_in_namespace(id: u64) -> String {
    id.to_string()
}

#[cached(region = REGION, detached)]
async fn detached(id: u64, name: &str) -> String {
    format!("{id} {name}")
}

struct Users;

impl Users {
    #[cached(region = REGION, detached)]
    async fn detached(&self, id: u64) -> String {
        id.to_string()
    }
}

#[cached(region = REGION, each = ids)]
async fn each(ids: &[u64]) -> Vec<String> {
    ids.iter().map(u64::to_string).collect()
}

fn main() {}
