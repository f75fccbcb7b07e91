//! Pages and parts of pages, cached as they are sent.

use std::sync::Arc;

use dogpile_cache::{Error, KeyBuf, ToKey, cached};
use dogpile_core::BoxFuture;
use minijinja::Value;

use crate::shop::Shop;

/// The template of a whole page, and that of the part of it with the products.
pub(crate) const PAGE: &str = "products.html";
pub(crate) const GRID: &str = "grid.html";

/// What a template is filled with, once somebody waits for it.
pub(crate) type Values = BoxFuture<'static, Result<Value, Error>>;

/// A template filled with these values of a category.
#[cached(region = shop.pages, exact_key = key(template, &category), detached)]
pub(crate) async fn rendered(
    shop: Arc<Shop>,
    template: &'static str,
    category: String,
    values: Values,
) -> Result<String, Error> {
    shop.templates.render(template, values.await?).await
}

pub(crate) fn key(template: &str, category: &str) -> KeyBuf {
    ("page", template, category).to_key().as_key().into()
}
