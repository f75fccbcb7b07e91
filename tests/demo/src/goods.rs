//! What there is to sell.

use crate::database::Product;

/// Categories: the name in addresses, and what one of them is called. The first is what everybody
/// wants.
pub(crate) const CATEGORIES: [(&str, &str); 24] = [
    ("teapots", "teapot"),
    ("lanterns", "lantern"),
    ("atlases", "atlas"),
    ("kettles", "kettle"),
    ("compasses", "compass"),
    ("blankets", "blanket"),
    ("notebooks", "notebook"),
    ("umbrellas", "umbrella"),
    ("candles", "candle"),
    ("baskets", "basket"),
    ("globes", "globe"),
    ("clocks", "clock"),
    ("hammocks", "hammock"),
    ("jugs", "jug"),
    ("kites", "kite"),
    ("ladders", "ladder"),
    ("mirrors", "mirror"),
    ("pencils", "pencil"),
    ("quilts", "quilt"),
    ("scarves", "scarf"),
    ("stools", "stool"),
    ("trunks", "trunk"),
    ("vases", "vase"),
    ("whistles", "whistle"),
];

const KINDS: [&str; 8] =
    ["Blue", "Travelling", "Winter", "Quiet", "Copper", "Folding", "Grand", "Second-best"];

/// The category whose keys the dashboard expires under load.
pub(crate) const WANTED: &str = CATEGORIES[0].0;

/// Whether there is such a category.
pub(crate) fn has(category: &str) -> bool {
    CATEGORIES.iter().any(|(name, _)| *name == category)
}

/// Every product, with its category.
pub(crate) fn all() -> impl Iterator<Item = (&'static str, Product)> {
    (0_u32..).zip(CATEGORIES).flat_map(|(at, (category, one))| {
        (0_u32..).zip(KINDS).map(move |(kind, adjective)| {
            let id = at * 8 + kind + 1;
            let price = 490 + (id * 7_919) % 9_500 / 5 * 5;
            (category, Product { id, name: format!("{adjective} {one}"), price })
        })
    })
}
