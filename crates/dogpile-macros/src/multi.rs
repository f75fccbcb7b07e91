//! `#[cached_multi]`: one call, one entry for each item.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens as _, quote};
use syn::{Error, Ident, Result, Type, parse_quote};

use crate::answer::{generics, segment};
use crate::companions::{Companion, Takes, declare, link, result};
use crate::function::Argument;
use crate::options::{Key, words};
use crate::plan::{Plan, local};
use crate::single;

pub(crate) fn expand(plan: &Plan) -> Result<TokenStream> {
    let multi = Multi::new(plan)?;
    Ok(declare(plan, &multi.outer(), &multi.companions()))
}

struct Multi<'p> {
    plan: &'p Plan,
    /// The argument that lists the items, and the type of one.
    each: Ident,
    item: Type,
    /// The type of the value of one item.
    value: Type,
    /// Whether the answer is a map, from which items may be missing.
    map: bool,
}

impl<'p> Multi<'p> {
    fn new(plan: &'p Plan) -> Result<Self> {
        let (each, item) = each(plan)?;
        if let Some(span) = plan.options.detached {
            return Err(Error::new(span, "`detached` is an option of `#[cached]`"));
        }
        match &plan.options.key {
            Key::AllBut(ignored) => {
                if let Some(name) = ignored.iter().find(|name| **name == each) {
                    let message = format!("`{each}` tells the entries apart and cannot be ignored");
                    return Err(Error::new(name.span(), message));
                }
            }
            Key::Parts(key) | Key::Exact(key) => {
                if !words(key).contains(&each.to_string()) {
                    let message = format!(
                        "the key has to name `{each}`, which stands for one of the items in it"
                    );
                    return Err(Error::new_spanned(key, message));
                }
            }
        }
        let answer = &plan.answer.value;
        let last = segment(answer);
        let collection = last.map(|last| last.ident.to_string()).unwrap_or_default();
        let types = last.map(generics).unwrap_or_default();
        let (value, map) = match (&*collection, &types[..]) {
            ("Vec", [value, ..]) => (value.clone(), false),
            ("HashMap" | "BTreeMap", [_, value, ..]) => (value.clone(), true),
            _ => {
                let item = item.to_token_stream();
                return Err(Error::new_spanned(
                    &plan.answer.whole,
                    format!(
                        "a function of many items returns a `Vec<Value>` with an answer for each, \
                         or a `HashMap<{item}, Value>`, alone or in a `Result`"
                    ),
                ));
            }
        };
        Ok(Self { plan, each, item, value, map })
    }

    /// The body of the decorated function.
    fn outer(&self) -> TokenStream {
        let Self { plan, each, .. } = self;
        let krate = &plan.options.krate;
        let (asked, call) = (self.asked(true), self.call());
        let create = self.create();
        if plan.answer.fallible {
            let errors = single::errors(plan);
            return quote! {
                #asked
                #krate::__private::get_or_create_many(#call, #each, #errors, #create).await
            };
        }
        let plain = single::plain(plan);
        let original = single::original(plan, false);
        quote! {
            #plain
            #asked
            match #krate::__private::get_or_create_many_plain(#call, #each, #create).await {
                ::core::option::Option::Some(values) => values,
                ::core::option::Option::None => #original.await,
            }
        }
    }

    fn companions(&self) -> Vec<Companion> {
        let Self { plan, each, item, value, map } = self;
        let krate = &plan.options.krate;
        let naming = plan.naming();
        let all = || Takes::Naming(naming.clone(), None);
        let link = link(plan);
        let errors = "\n\n# Errors\nThose of the cache.";
        let answer = &plan.answer.value;
        let (asked, call) = (self.asked(false), self.call());
        let (keys, region, values) = (local("keys"), local("region"), local("values"));
        let key = plan.owned_key();
        let found = if *map { "" } else { " `None` where there is none." };
        vec![
            Companion {
                name: "get",
                doc: format!(
                    "The fresh values that {link} has cached for these items.{found} Nothing is \
                     created.{errors}"
                ),
                takes: all(),
                returns: match map {
                    true => result(plan, &answer.to_token_stream()),
                    false => result(plan, &quote!(::std::vec::Vec<::core::option::Option<#value>>)),
                },
                body: {
                    match map {
                        true => quote!(#asked #krate::__private::get_map(#call, #each).await),
                        false => quote!(#asked #krate::__private::get_many(#call).await),
                    }
                },
            },
            Companion {
                name: "set",
                doc: format!(
                    "Caches values, given last and each with its item, as what {link} answers for \
                     them.{errors}"
                ),
                takes: Takes::Naming(
                    self.without_items(),
                    Some(quote! {
                        #values: impl ::core::iter::IntoIterator<Item = (#item, #value)>
                    }),
                ),
                returns: result(plan, &quote!(())),
                body: {
                    let (value_name, region_let, options) =
                        (local("value"), plan.region(false), self.options());
                    let stored = match map {
                        true => quote!(::core::option::Option::Some(#value_name)),
                        false => value_name.to_token_stream(),
                    };
                    let options_name = local("options");
                    quote! {
                        let #values: ::std::vec::Vec<_> = #values
                            .into_iter()
                            .map(|(#each, #value_name)| {
                                let #each = &#each;
                                (#key, #stored)
                            })
                            .collect();
                        #region_let
                        #options
                        #krate::__private::set_many(#region, &#values, #options_name).await
                    }
                },
            },
            Companion {
                name: "invalidate",
                doc: format!(
                    "Forgets what {link} has cached for these items. Creations of them that are \
                     running store nothing.{errors}"
                ),
                takes: all(),
                returns: result(plan, &quote!(())),
                body: {
                    let (keys_let, region_let) = (self.keys(), plan.region(false));
                    quote! {
                        #keys_let
                        #region_let
                        #krate::__private::invalidate_many(#region, &#keys).await
                    }
                },
            },
            Companion {
                name: "refresh",
                doc: format!(
                    "Calls the function behind {link} for all these items now, and caches what it \
                     answers.\n\n# Errors\nThose of the function and of the cache."
                ),
                takes: Takes::All,
                returns: match plan.answer.fallible {
                    true => plan.answer.whole.to_token_stream(),
                    false => result(plan, &answer.to_token_stream()),
                },
                body: {
                    let (asked, original) = (self.asked(true), single::original(plan, false));
                    let refresh = match plan.answer.fallible {
                        true => quote!(refresh_many),
                        false => quote!(refresh_many_plain),
                    };
                    quote!(#asked #krate::__private::#refresh(#call, #each, #original).await)
                },
            },
            Companion {
                name: "key",
                doc: format!("The key under which {link} caches its answer for one item."),
                takes: Takes::Naming(self.with_one_item(), None),
                returns: quote!(#krate::__private::KeyBuf),
                body: quote!(#krate::__private::owned(&#key)),
            },
        ]
    }

    /// Statements that gather the keys, the region and the options.
    fn asked(&self, moved: bool) -> TokenStream {
        let (keys, region, options) = (self.keys(), self.plan.region(moved), self.options());
        quote!(#keys #region #options)
    }

    /// What [`asked`](Self::asked) gathered, as arguments.
    fn call(&self) -> TokenStream {
        let (region, keys, options) = (local("region"), local("keys"), local("options"));
        quote!(#region, &#keys, #options)
    }

    fn keys(&self) -> TokenStream {
        let (keys, each, key) = (local("keys"), &self.each, self.plan.owned_key());
        quote!(let #keys: ::std::vec::Vec<_> = #each.iter().map(|#each| #key).collect();)
    }

    fn options(&self) -> TokenStream {
        self.plan.call_options(&self.value, self.map)
    }

    /// A creator of some of the items. It is called again for those that another caller gave up.
    fn create(&self) -> TokenStream {
        let Self { plan, each, .. } = self;
        let clones =
            plan.arguments.iter().filter(|argument| argument.name != *each).map(
                |Argument { name, .. }| quote!(let #name = ::core::clone::Clone::clone(&#name);),
            );
        let clones: TokenStream = clones.collect();
        let original = single::original(plan, false);
        quote! {
            |#each: ::std::vec::Vec<_>| {
                #clones
                async move {
                    let #each = &#each[..];
                    #original.await
                }
            }
        }
    }

    fn without_items(&self) -> Vec<Argument> {
        let mut arguments = self.plan.naming();
        arguments.retain(|argument| argument.name != self.each);
        arguments
    }

    fn with_one_item(&self) -> Vec<Argument> {
        let mut arguments = self.plan.naming();
        for argument in arguments.iter_mut().filter(|argument| argument.name == self.each) {
            let item = &self.item;
            argument.of = parse_quote!(&#item);
        }
        arguments
    }
}

/// The argument that lists the items, and their type.
fn each(plan: &Plan) -> Result<(Ident, Type)> {
    let slices: Vec<_> = plan
        .arguments
        .iter()
        .filter_map(|argument| match &argument.of {
            Type::Reference(of) if of.mutability.is_none() => match &*of.elem {
                Type::Slice(slice) => Some((argument.name.clone(), Type::clone(&slice.elem))),
                _ => None,
            },
            _ => None,
        })
        .collect();
    if let Some(chosen) = &plan.options.each {
        let argument = plan.argument(chosen)?;
        return slices.into_iter().find(|(name, _)| name == chosen).ok_or_else(|| {
            let message = format!("`{chosen}` is not a slice: it has to be a `&[Item]`");
            Error::new_spanned(&argument.of, message)
        });
    }
    match &slices[..] {
        [] => Err(Error::new(
            plan.function.name().span(),
            "a function of many items takes them as a slice, as in `ids: &[u64]`",
        )),
        [one] => Ok(one.clone()),
        [(first, _), ..] => Err(Error::new(
            Span::call_site(),
            format!(
                "several arguments are slices: say which lists the items, as in `each = {first}`"
            ),
        )),
    }
}
