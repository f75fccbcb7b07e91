//! The decorated function, taken apart.

use std::collections::HashSet;

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::parse::{Parse, ParseStream};
use syn::{
    Attribute, Error, FnArg, GenericParam, Generics, Ident, Pat, Receiver, ReceiverKind, Result,
    Signature, Type, Visibility, WherePredicate,
};

use crate::options::{Options, words};

/// An `async fn`, with its body left as tokens: nobody looks inside.
pub(crate) struct Function {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) signature: Signature,
    pub(crate) body: TokenStream,
}

/// An argument other than `self`.
#[derive(Clone)]
pub(crate) struct Argument {
    pub(crate) name: Ident,
    pub(crate) of: Type,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        Ok(Self {
            attributes: input.call(Attribute::parse_outer)?,
            visibility: input.parse()?,
            signature: input.parse().map_err(|error| {
                Error::new(error.span(), "only an `async fn` with a body can be cached")
            })?,
            body: {
                let start = input.span();
                let body: TokenStream = input.parse()?;
                let has_body = matches!(body.clone().into_iter().next(), Some(TokenTree::Group(_)));
                has_body.then_some(body).ok_or_else(|| {
                    Error::new(start, "only an `async fn` with a body can be cached")
                })?
            },
        })
    }
}

impl ToTokens for Function {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Self { attributes, visibility, signature, body } = self;
        tokens.extend(quote!(#(#attributes)* #visibility #signature #body));
    }
}

impl Function {
    pub(crate) fn name(&self) -> &Ident {
        &self.signature.ident
    }

    pub(crate) fn receiver(&self) -> Option<&Receiver> {
        self.signature.receiver()
    }

    /// The arguments other than `self`, each with a name.
    pub(crate) fn arguments(&self) -> Result<Vec<Argument>> {
        let typed = self.signature.inputs.iter().filter_map(|input| match input {
            FnArg::Receiver(_) => None,
            FnArg::Typed(typed) => Some(typed),
        });
        typed
            .map(|typed| match &*typed.pat {
                Pat::Ident(name) if name.by_ref.is_none() && name.subpat.is_none() => {
                    Ok(Argument { name: name.ident.clone(), of: Type::clone(&typed.ty) })
                }
                pattern => Err(Error::new_spanned(
                    pattern,
                    "an argument of a cached function needs a plain name: \
                     take the pattern apart in the body",
                )),
            })
            .collect()
    }

    /// Refuses what can be refused without knowing the types.
    pub(crate) fn check(&self, options: &Options, attribute: &str) -> Result<()> {
        let Signature { asyncness, fn_token, ident, .. } = &self.signature;
        if asyncness.is_none() {
            let message = format!(
                "`#[{attribute}]` works on `async fn` only: make `{ident}` async, or call \
                 `Region::get_or_create` in it"
            );
            return Err(Error::new_spanned(fn_token, message));
        }
        if let Some(span) = options.detached {
            self.check_outlives(span)?;
        }
        Ok(())
    }

    /// A detached creation may outlive its caller, so it borrows nothing.
    fn check_outlives(&self, span: Span) -> Result<()> {
        let borrows = |of: &Type| match of {
            Type::Reference(of) => of.lifetime.as_ref().is_none_or(|l| l.ident != "static"),
            _ => false,
        };
        let borrowed = match self.receiver().map(|receiver| &receiver.kind) {
            Some(ReceiverKind::Reference(..)) => Some("self: Arc<Self>".to_owned()),
            _ => self
                .arguments()?
                .iter()
                .find(|argument| borrows(&argument.of))
                .map(|argument| format!("{}: String", argument.name)),
        };
        let Some(owned) = borrowed else { return Ok(()) };
        let message = format!(
            "a `detached` creation may outlive its caller, so every argument has to be owned, \
             as in `{owned}`"
        );
        Err(Error::new(span, message))
    }

    /// The signature of the decorated function: the one written, without the `mut` of arguments,
    /// which is the body's affair.
    pub(crate) fn outer_signature(&self) -> Signature {
        let mut signature = self.signature.clone();
        for input in &mut signature.inputs {
            match input {
                FnArg::Typed(typed) => {
                    if let Pat::Ident(name) = &mut *typed.pat {
                        name.mutability = None;
                    }
                }
                FnArg::Receiver(receiver) => {
                    if !matches!(receiver.kind, ReceiverKind::Reference(..)) {
                        receiver.mutability = None;
                    }
                }
            }
        }
        signature
    }

    /// The type and const parameters, as a call names them: `::<T, N>`.
    pub(crate) fn turbofish(&self) -> TokenStream {
        let names: Vec<_> = self
            .signature
            .generics
            .params
            .iter()
            .filter_map(|parameter| match parameter {
                GenericParam::Lifetime(_) => None,
                GenericParam::Type(parameter) => Some(&parameter.ident),
                GenericParam::Const(parameter) => Some(&parameter.ident),
            })
            .collect();
        if names.is_empty() { TokenStream::new() } else { quote!(::<#(#names),*>) }
    }

    /// The generic parameters that code made of these words needs, with their bounds.
    pub(crate) fn generics(&self, mut needed: HashSet<String>) -> Generics {
        let all = &self.signature.generics;
        loop {
            let before = needed.len();
            for parameter in &all.params {
                if needed.contains(&name_of(parameter)) {
                    needed.extend(words(parameter));
                }
            }
            if needed.len() == before {
                break;
            }
        }
        let left_out: HashSet<String> =
            all.params.iter().map(name_of).filter(|name| !needed.contains(name)).collect();
        let mut generics = all.clone();
        generics.params = all
            .params
            .iter()
            .filter(|parameter| !left_out.contains(&name_of(parameter)))
            .cloned()
            .collect();
        if let Some(clause) = &mut generics.where_clause {
            clause.predicates = clause
                .predicates
                .iter()
                .filter(|predicate: &&WherePredicate| words(predicate).is_disjoint(&left_out))
                .cloned()
                .collect();
        }
        generics
    }
}

/// The name of a generic parameter, without the tick of a lifetime.
pub(crate) fn name_of(parameter: &GenericParam) -> String {
    match parameter {
        GenericParam::Lifetime(parameter) => parameter.lifetime.ident.to_string(),
        GenericParam::Type(parameter) => parameter.ident.to_string(),
        GenericParam::Const(parameter) => parameter.ident.to_string(),
    }
}
