//! What stands in the brackets of the attribute.

use std::collections::HashSet;

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Error, Expr, Ident, Path, Result, Token, parenthesized, parse_quote};

/// The options of `#[cached]` and `#[cached_multi]`.
pub(crate) struct Options {
    /// The path of dogpile-cache.
    pub(crate) krate: Path,
    pub(crate) region: Expr,
    pub(crate) namespace: Option<Expr>,
    pub(crate) key: Key,
    pub(crate) expires_after: Option<Expr>,
    pub(crate) expiry_of: Option<Expr>,
    pub(crate) should_cache: Option<Expr>,
    pub(crate) each: Option<Ident>,
    pub(crate) detached: Option<Span>,
    pub(crate) associated: Option<Span>,
}

/// What the key of an entry is made of.
pub(crate) enum Key {
    /// The namespace and every argument but these.
    AllBut(Vec<Ident>),
    /// The namespace and the elements of this tuple, or this one value.
    Parts(Expr),
    /// This, and nothing else.
    Exact(Expr),
}

const KNOWN: [&str; 12] = [
    "region",
    "namespace",
    "expires_after",
    "expiry_of",
    "should_cache",
    "key",
    "exact_key",
    "ignore",
    "each",
    "detached",
    "associated",
    "crate",
];

impl Parse for Options {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut given = Given::default();
        while !input.is_empty() {
            given.one(input)?;
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        given.complete()
    }
}

#[derive(Default)]
struct Given {
    names: HashSet<String>,
    krate: Option<Path>,
    region: Option<Expr>,
    namespace: Option<Expr>,
    expires_after: Option<Expr>,
    expiry_of: Option<Expr>,
    should_cache: Option<Expr>,
    key: Option<(Ident, Expr)>,
    exact_key: Option<(Ident, Expr)>,
    ignore: Option<(Ident, Vec<Ident>)>,
    each: Option<Ident>,
    detached: Option<Span>,
    associated: Option<Span>,
}

impl Given {
    fn one(&mut self, input: ParseStream<'_>) -> Result<()> {
        let name = input.call(Ident::parse_any)?;
        let text = name.to_string();
        if !self.names.insert(text.clone()) {
            return Err(Error::new(name.span(), format!("`{text}` is given twice")));
        }
        match &*text {
            "region" => self.region = Some(value(input, &name)?),
            "namespace" => self.namespace = Some(value(input, &name)?),
            "expires_after" => self.expires_after = Some(value(input, &name)?),
            "expiry_of" => self.expiry_of = Some(value(input, &name)?),
            "should_cache" => self.should_cache = Some(value(input, &name)?),
            "key" => self.key = Some((name.clone(), key(input, &name)?)),
            "exact_key" => self.exact_key = Some((name.clone(), key(input, &name)?)),
            "ignore" => self.ignore = Some((name.clone(), list(input, &name)?)),
            "each" => self.each = Some(value(input, &name)?),
            "crate" => self.krate = Some(value(input, &name)?),
            "detached" => self.detached = Some(name.span()),
            "associated" => self.associated = Some(name.span()),
            _ => {
                let known = KNOWN.join("`, `");
                let message = format!("there is no option `{text}`; the options are `{known}`");
                return Err(Error::new(name.span(), message));
            }
        }
        Ok(())
    }

    fn complete(self) -> Result<Options> {
        let key = match (self.key, self.exact_key, self.ignore) {
            (None, None, None) => Key::AllBut(Vec::new()),
            (None, None, Some((_, ignored))) => Key::AllBut(ignored),
            (Some((_, parts)), None, None) => Key::Parts(parts),
            (None, Some((name, exact)), None) => {
                if self.namespace.is_some() {
                    return Err(Error::new(
                        name.span(),
                        "`exact_key` is the whole key, so `namespace` would have no effect: \
                         leave it out, or write `key`",
                    ));
                }
                Key::Exact(exact)
            }
            (Some(_), Some((name, _)), _) => {
                return Err(Error::new(name.span(), "give either `key` or `exact_key`"));
            }
            (Some((key, _)), None, Some((name, _))) | (None, Some((key, _)), Some((name, _))) => {
                let message = format!("what `{key}` does not name is ignored anyway");
                return Err(Error::new(name.span(), message));
            }
        };
        let region = self.region.ok_or_else(|| {
            Error::new(
                Span::call_site(),
                "which region? Write `region = ...`: a static, a field of `self`, or any other \
                 expression that gives a region",
            )
        })?;
        Ok(Options {
            krate: self.krate.unwrap_or_else(|| parse_quote!(::dogpile_cache)),
            region,
            namespace: self.namespace,
            key,
            expires_after: self.expires_after,
            expiry_of: self.expiry_of,
            should_cache: self.should_cache,
            each: self.each,
            detached: self.detached,
            associated: self.associated,
        })
    }
}

fn value<T: Parse>(input: ParseStream<'_>, name: &Ident) -> Result<T> {
    if !input.peek(Token![=]) {
        return Err(Error::new(name.span(), format!("write `{name} = ...`")));
    }
    input.parse::<Token![=]>()?;
    input.parse()
}

fn key(input: ParseStream<'_>, name: &Ident) -> Result<Expr> {
    let expression = value(input, name)?;
    match expression {
        Expr::Closure(closure) => Err(Error::new_spanned(
            closure,
            format!(
                "`{name}` is not a closure but an expression that uses the arguments, as in \
                 `{name} = (user.id, size)`"
            ),
        )),
        expression => Ok(expression),
    }
}

fn list(input: ParseStream<'_>, name: &Ident) -> Result<Vec<Ident>> {
    if !input.peek(syn::token::Paren) {
        return Err(Error::new(name.span(), format!("write `{name}(argument, ...)`")));
    }
    let inside;
    parenthesized!(inside in input);
    Ok(Punctuated::<Ident, Token![,]>::parse_terminated(&inside)?.into_iter().collect())
}

/// The names in a piece of code, those that a format string captures included.
pub(crate) fn words(code: impl ToTokens) -> HashSet<String> {
    let mut found = HashSet::new();
    collect(code.into_token_stream(), &mut found);
    found
}

fn collect(code: TokenStream, found: &mut HashSet<String>) {
    for token in code {
        match token {
            TokenTree::Group(group) => collect(group.stream(), found),
            TokenTree::Ident(name) => _ = found.insert(name.to_string()),
            TokenTree::Literal(literal) => {
                let text = literal.to_string();
                found.extend(text.split('{').skip(1).map(|after| {
                    let end = after.find(|c: char| !c.is_alphanumeric() && c != '_');
                    after[..end.unwrap_or(after.len())].to_owned()
                }));
            }
            TokenTree::Punct(_) => {}
        }
    }
}
