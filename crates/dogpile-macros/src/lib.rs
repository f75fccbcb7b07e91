#![doc = include_str!("../README.md")]

mod answer;
mod attributes;
mod companions;
mod function;
mod multi;
mod options;
mod plan;
mod single;

use proc_macro2::TokenStream;
use quote::quote;
use syn::Result;

use crate::function::Function;
use crate::options::Options;
use crate::plan::Plan;

/// Caches what an async function answers.
#[proc_macro_attribute]
pub fn cached(
    options: proc_macro::TokenStream,
    function: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    expand("cached", options.into(), function.into(), single::expand).into()
}

/// Caches what an async function answers for each of many items.
#[proc_macro_attribute]
pub fn cached_multi(
    options: proc_macro::TokenStream,
    function: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    expand("cached_multi", options.into(), function.into(), multi::expand).into()
}

fn expand(
    attribute: &str,
    options: TokenStream,
    function: TokenStream,
    generate: impl FnOnce(&Plan) -> Result<TokenStream>,
) -> TokenStream {
    let as_written = function.clone();
    let plan = || {
        let options = syn::parse2::<Options>(options)?;
        let function = syn::parse2::<Function>(function)?;
        generate(&Plan::new(options, function, attribute)?)
    };
    plan().unwrap_or_else(|error| {
        // The function stays, so that its callers do not add errors of their own.
        let error = error.into_compile_error();
        quote!(#as_written #error)
    })
}
