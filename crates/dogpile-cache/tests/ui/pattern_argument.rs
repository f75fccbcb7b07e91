use dogpile_cache::cached;

#[cached(region = REGION)]
async fn area((width, height): (u32, u32)) -> u32 {
    width * height
}

#[cached(region = REGION)]
async fn nothing(_: u32) -> u32 {
    0
}

fn main() {}
