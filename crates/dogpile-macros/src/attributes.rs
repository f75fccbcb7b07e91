//! Which attributes of the decorated function go where.

use proc_macro2::Ident;
use syn::{Attribute, Meta, Path};

/// For the decorated function: all of them. The body has moved away and took with it what
/// `#[expect]` expects, so here it only allows.
pub(crate) fn outer(all: &[Attribute]) -> Vec<Attribute> {
    all.iter().cloned().map(allowing).collect()
}

/// For the function that holds the body: conditions and lint levels.
pub(crate) fn original(all: &[Attribute]) -> Vec<Attribute> {
    all.iter().filter(|attribute| travels(attribute)).cloned().collect()
}

/// For the functions made beside it.
pub(crate) fn companion(all: &[Attribute]) -> Vec<Attribute> {
    original(all).into_iter().map(allowing).collect()
}

fn travels(attribute: &Attribute) -> bool {
    ["cfg", "allow", "expect", "warn", "deny", "forbid"]
        .iter()
        .any(|name| attribute.path().is_ident(name))
}

fn allowing(mut attribute: Attribute) -> Attribute {
    if let Meta::List(list) = &mut attribute.meta
        && list.path.is_ident("expect")
        && let Some(first) = list.path.segments.first()
    {
        list.path = Path::from(Ident::new("allow", first.ident.span()));
    }
    attribute
}
