use dogpile_cache::cached;

#[cached(region = REGION)]
struct User;

trait Users {
    #[cached(region = REGION)]
    async fn user(id: u64) -> String;
}

fn main() {}
