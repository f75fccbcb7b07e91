use dogpile_cache::cached;

#[cached(region = REGION)]
fn user(id: u64) -> Result<String, std::io::Error> {
    Ok(id.to_string())
}

fn main() {}
