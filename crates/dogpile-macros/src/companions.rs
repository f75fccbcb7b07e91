//! Declares the functions that stand beside the decorated one.

use proc_macro2::TokenStream;
use quote::{ToTokens as _, quote};
use syn::{FnArg, parse_quote};

use crate::attributes;
use crate::function::Argument;
use crate::options::words;
use crate::plan::Plan;

/// One companion.
pub(crate) struct Companion {
    pub(crate) name: &'static str,
    pub(crate) doc: String,
    pub(crate) takes: Takes,
    pub(crate) returns: TokenStream,
    pub(crate) body: TokenStream,
}

/// The arguments of a companion.
pub(crate) enum Takes {
    /// Those of the function.
    All,
    /// Those that name an entry, with other types where one is given, and one more at the end.
    Naming(Vec<Argument>, Option<TokenStream>),
}

/// The decorated function and everything beside it.
pub(crate) fn declare(plan: &Plan, outer: &TokenStream, companions: &[Companion]) -> TokenStream {
    let function = &plan.function;
    let visibility = &function.visibility;
    let name = function.name();
    let above = attributes::outer(&function.attributes);
    let conditions = attributes::companion(&function.attributes);
    let conditions = quote!(#(#conditions)*);
    let signature = function.outer_signature();
    let companions: Vec<_> = companions.iter().map(|one| declaration(plan, one)).collect();
    let original = original(plan);
    let quiet = quote! {
        #[allow(
            dead_code,
            unused_variables,
            clippy::needless_pass_by_value,
            clippy::ptr_arg,
            clippy::too_many_arguments,
            reason = "the arguments are those of the function, and nobody has to call it"
        )]
    };
    let decorated = quote!(#(#above)* #visibility #signature { #outer });
    if plan.in_impl() {
        return quote! {
            #decorated
            #(#conditions #quiet #companions)*
            #original
        };
    }
    let doc = format!("What else can be done with the values that [`{name}`](fn@{name}) caches.");
    quote! {
        #decorated

        #conditions
        #[doc = #doc]
        #[allow(
            dead_code,
            non_camel_case_types,
            clippy::exhaustive_enums,
            reason = "it is the namespace of the functions beside the cached one"
        )]
        #[derive(Debug)]
        #visibility enum #name {}

        #conditions
        impl #name {
            #(#quiet #companions)*
            #original
        }
    }
}

/// The function as it was written, under another name.
fn original(plan: &Plan) -> TokenStream {
    let function = &plan.function;
    let attributes = attributes::original(&function.attributes);
    let (visibility, body) = (&function.visibility, &function.body);
    let doc = format!("{} as it is written, past the cache.", link(plan));
    let mut signature = function.signature.clone();
    signature.ident = plan.companion_name("original");
    // An argument that only the attribute uses is used.
    let used = plan.expressions();
    for input in &mut signature.inputs {
        if let FnArg::Typed(typed) = input
            && !words(&typed.pat).is_disjoint(&used)
        {
            typed.attrs.push(parse_quote!(#[allow(unused_variables)]));
        }
    }
    quote! {
        #[doc = #doc]
        #[allow(
            clippy::missing_errors_doc,
            clippy::unused_async,
            reason = "the cached function says which errors, and has to be async"
        )]
        #(#attributes)*
        #visibility #signature #body
    }
}

fn declaration(plan: &Plan, companion: &Companion) -> TokenStream {
    let Companion { name, doc, takes, returns, body } = companion;
    let function = &plan.function;
    let visibility = &function.visibility;
    let asyncness = (*name != "key").then(|| quote!(async));
    let name = plan.companion_name(name);
    let (generics, inputs) = match takes {
        Takes::All => {
            let signature = function.outer_signature();
            (signature.generics, signature.inputs.into_iter().collect::<Vec<FnArg>>())
        }
        Takes::Naming(arguments, last) => {
            let inputs =
                arguments.iter().map(|Argument { name, of }| syn::parse_quote!(#name: #of));
            let mut needed = plan.words(arguments);
            needed.extend(words(last.to_token_stream()));
            (function.generics(needed), inputs.collect())
        }
    };
    let (receiver, last) = match takes {
        Takes::All => (None, None),
        Takes::Naming(_, last) => (function.receiver().map(|_| quote!(&self,)), last.as_ref()),
    };
    let clause = &generics.where_clause;
    let parameters = match generics.params.is_empty() {
        true => None,
        false => Some(&generics.params).map(|params| quote!(<#params>)),
    };
    quote! {
        #[doc = #doc]
        #visibility #asyncness fn #name #parameters (#receiver #(#inputs,)* #last) -> #returns
        #clause
        { #body }
    }
}

/// The documentation of companions says of which function they are one.
pub(crate) fn link(plan: &Plan) -> String {
    let name = plan.function.name();
    match plan.in_impl() {
        true => format!("[`{name}`](Self::{name})"),
        false => format!("[`{name}`](fn@{name})"),
    }
}

/// `Result` of the companions that only talk to the cache.
pub(crate) fn result(plan: &Plan, of: &TokenStream) -> TokenStream {
    let krate = &plan.options.krate;
    quote!(::core::result::Result<#of, #krate::__private::Error>)
}
