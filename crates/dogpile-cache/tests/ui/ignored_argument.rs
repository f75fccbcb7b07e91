use dogpile_cache::cached;

#[cached(region = REGION, ignore(session))]
async fn user(id: u64, db: &str) -> String {
    format!("{id} {db}")
}

#[cached(region = REGION, ignore(db, db))]
async fn member(id: u64, db: &str) -> String {
    format!("{id} {db}")
}

#[cached(region = REGION, ignore(db))]
async fn everybody() -> String {
    String::new()
}

fn main() {}
