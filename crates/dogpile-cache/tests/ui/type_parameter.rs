use dogpile_cache::cached;

#[cached(region = REGION)]
async fn load<T: Default>(name: &str, size: u32) -> T {
    drop((name, size));
    T::default()
}

#[cached(region = REGION, ignore(name))]
async fn repeat<const N: usize>(name: &str) -> Vec<String> {
    vec![name.to_owned(); N]
}

fn main() {}
