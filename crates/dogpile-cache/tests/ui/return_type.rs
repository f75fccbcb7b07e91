use dogpile_cache::cached;

#[cached(region = REGION)]
async fn nothing(id: u64) {
    drop(id);
}

#[cached(region = REGION)]
async fn borrowed(name: &str) -> &str {
    name
}

#[cached(region = REGION)]
async fn borrowed_in_result(name: &str) -> Result<&str, std::fmt::Error> {
    Ok(name)
}

#[cached(region = REGION)]
async fn unnamed(id: u64) -> impl ToString {
    id
}

#[cached(region = REGION)]
async fn no_value(id: u64) -> std::fmt::Result {
    drop(id);
    Ok(())
}

fn main() {}
