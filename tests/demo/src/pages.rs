//! Pages and parts of pages made from the product list, cached as they are sent.

use std::sync::Arc;

use dogpile_cache::{Error, KeyBuf, ToKey, cached};

use crate::products;
use crate::shop::Shop;

/// The template of a whole page, and that of the part of it with the products.
pub(crate) const PAGE: &str = "products.html";
pub(crate) const GRID: &str = "grid.html";

/// A template filled with the products of a category.
#[cached(region = shop.pages, exact_key = key(template, &category), detached)]
pub(crate) async fn rendered(
    shop: Arc<Shop>,
    template: &'static str,
    category: String,
) -> Result<String, Error> {
    let listing = products::list(Arc::clone(&shop), category).await?;
    shop.templates.render(template, listing).await
}

pub(crate) fn key(template: &str, category: &str) -> KeyBuf {
    ("page", template, category).to_key().as_key().into()
}
