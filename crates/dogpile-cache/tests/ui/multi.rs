use std::collections::HashMap;

use dogpile_cache::cached_multi;

#[cached_multi(region = REGION)]
async fn no_slice(id: u64) -> Vec<String> {
    vec![id.to_string()]
}

#[cached_multi(region = REGION)]
async fn two_slices(ids: &[u64], names: &[String]) -> Vec<String> {
    drop(ids);
    names.to_vec()
}

#[cached_multi(region = REGION, each = names)]
async fn not_a_slice(ids: &[u64], names: Vec<String>) -> Vec<String> {
    drop(ids);
    names
}

#[cached_multi(region = REGION)]
async fn one_answer(ids: &[u64]) -> Result<String, std::io::Error> {
    Ok(format!("{ids:?}"))
}

#[cached_multi(region = REGION, ignore(ids))]
async fn ignored(ids: &[u64]) -> HashMap<u64, String> {
    ids.iter().map(|id| (*id, id.to_string())).collect()
}

#[cached_multi(region = REGION, key = tenant)]
async fn key_without_item(tenant: u32, ids: &[u64]) -> HashMap<u64, String> {
    drop(tenant);
    ids.iter().map(|id| (*id, id.to_string())).collect()
}

fn main() {}
