//! What a cached function returns, and what of it is cached.

use syn::spanned::Spanned as _;
use syn::{Error, GenericArgument, PathArguments, PathSegment, Result, ReturnType, Type};

use crate::options::words;

/// The return type, taken apart.
pub(crate) struct Answer {
    /// The type as it is written.
    pub(crate) whole: Type,
    /// The type inside the `Result`, or the whole type.
    pub(crate) value: Type,
    /// Whether it is a `Result`.
    pub(crate) fallible: bool,
}

impl Answer {
    pub(crate) fn of(output: &ReturnType, function: &syn::Ident) -> Result<Self> {
        let ReturnType::Type(_, whole) = output else {
            return Err(Error::new(
                function.span(),
                format!("`{function}` returns nothing that could be cached"),
            ));
        };
        let whole = Type::clone(whole);
        let (value, fallible) = match segment(&whole) {
            Some(last) if last.ident == "Result" => {
                let value = generics(last).into_iter().next().ok_or_else(|| {
                    Error::new_spanned(&whole, "write out what is cached: `Result<Value, Error>`")
                })?;
                (value, true)
            }
            _ => (whole.clone(), false),
        };
        check(&value)?;
        Ok(Self { whole, value, fallible })
    }
}

/// The last part of the path that names a type.
pub(crate) fn segment(of: &Type) -> Option<&PathSegment> {
    match of {
        Type::Path(path) => path.path.segments.last(),
        Type::Group(group) => segment(&group.elem),
        Type::Paren(paren) => segment(&paren.elem),
        _ => None,
    }
}

/// The types between the angle brackets of a path.
pub(crate) fn generics(of: &PathSegment) -> Vec<Type> {
    let PathArguments::AngleBracketed(brackets) = &of.arguments else { return Vec::new() };
    brackets
        .args
        .iter()
        .filter_map(|argument| match argument {
            GenericArgument::Type(of) => Some(of.clone()),
            _ => None,
        })
        .collect()
}

fn check(value: &Type) -> Result<()> {
    let problem = match value {
        Type::ImplTrait(_) => {
            "a cache keeps values of one type that has a name, so `impl Trait` cannot be returned"
        }
        Type::Reference(reference)
            if reference.lifetime.as_ref().is_none_or(|l| l.ident != "static") =>
        {
            "a cache gives away only what it owns: return an owned value, or an `Arc` of it"
        }
        _ if words(value).contains("impl") => "a cache keeps values of one type that has a name",
        _ => return Ok(()),
    };
    Err(Error::new(value.span(), problem))
}
