//! The product list: one function, cached. How it is shown is the routes' affair.

use std::sync::Arc;

use dogpile_cache::{Error, KeyBuf, ToKey, cached};
use serde::{Deserialize, Serialize};

use crate::database::Product;
use crate::shop::Shop;

/// The products of a category.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Listing {
    pub(crate) category: String,
    /// The number of the query that this came from: what is shown twice was cached.
    pub(crate) query: u64,
    pub(crate) products: Vec<Product>,
}

/// What there is in a category.
#[cached(region = shop.products, exact_key = key(&category), detached)]
pub(crate) async fn list(shop: Arc<Shop>, category: String) -> Result<Listing, Error> {
    let rows = shop.database.products(category.clone()).await?;
    Ok(Listing { category, query: rows.query, products: rows.products })
}

pub(crate) fn key(category: &str) -> KeyBuf {
    ("products", category).to_key().as_key().into()
}
