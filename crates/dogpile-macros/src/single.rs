//! `#[cached]`: one call, one entry.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Error, Path, ReceiverKind, Result};

use crate::companions::{Companion, Takes, declare, link, result};
use crate::options::Options;
use crate::plan::{Plan, local};

pub(crate) fn expand(plan: &Plan) -> Result<TokenStream> {
    if let Some(each) = &plan.options.each {
        return Err(Error::new(each.span(), "`each` is an option of `#[cached_multi]`"));
    }
    Ok(declare(plan, &outer(plan), &companions(plan)))
}

/// The body of the decorated function.
fn outer(plan: &Plan) -> TokenStream {
    let Options { krate, detached, .. } = &plan.options;
    let (region, key) = (plan.region(true), plan.key());
    let options = plan.call_options(&plan.answer.value, false);
    let call = call();
    let elsewhere = {
        let (region, key, options) = (local("region"), plan.closed_key(), local("options"));
        quote!(#region, #key, #options)
    };
    // The key is written in a block of its own: what lives while the function waits is kept in its
    // future, which callers carry along.
    let obtained = local("obtained");
    let create = match (plan.answer.fallible, detached) {
        (true, _) => {
            let original = original(plan, false);
            quote!(move || #original)
        }
        (false, None) => {
            let original = original(plan, true);
            quote!(|| #original)
        }
        (false, Some(_)) => copied(plan),
    };
    let method = match (plan.answer.fallible, detached) {
        (true, None) => quote!(get_or_create),
        (true, Some(_)) => quote!(get_or_create_detached),
        (false, None) => quote!(get_or_create_plain),
        (false, Some(_)) => quote!(get_or_create_plain_detached),
    };
    if plan.answer.fallible {
        let errors = errors(plan);
        return quote! {
            #region
            #options
            let #obtained = {
                #key
                if let ::core::option::Option::Some(value) = #krate::__private::at_hand(#call) {
                    return ::core::result::Result::Ok(value);
                }
                #krate::__private::#method(#elsewhere, #errors, #create)
            };
            #obtained.await
        };
    }
    let plain = plain(plan);
    let original = original(plan, false);
    quote! {
        #plain
        #region
        #options
        let #obtained = {
            #key
            if let ::core::option::Option::Some(value) = #krate::__private::at_hand(#call) {
                return value;
            }
            #krate::__private::#method(#elsewhere, #create)
        };
        match #obtained.await {
            ::core::option::Option::Some(value) => value,
            ::core::option::Option::None => #original.await,
        }
    }
}

fn companions(plan: &Plan) -> Vec<Companion> {
    let krate = &plan.options.krate;
    let value = &plan.answer.value;
    let naming = plan.naming();
    let link = link(plan);
    let (asked, call) = (asked(plan, false), call());
    let new = local("value");
    let errors = "\n\n# Errors\nThose of the cache.";
    vec![
        Companion {
            name: "get",
            doc: format!(
                "The fresh value that {link} has cached for these arguments, if there is one. \
                 Nothing is created.{errors}"
            ),
            takes: Takes::Naming(naming.clone(), None),
            returns: result(plan, &quote!(::core::option::Option<#value>)),
            body: quote!(#asked #krate::__private::get(#call).await),
        },
        Companion {
            name: "set",
            doc: format!(
                "Caches a value, given last, as what {link} answers for these arguments.{errors}"
            ),
            takes: Takes::Naming(naming.clone(), Some(quote!(#new: &#value))),
            returns: result(plan, &quote!(())),
            body: quote!(#asked #krate::__private::set(#call, #new).await),
        },
        Companion {
            name: "invalidate",
            doc: format!(
                "Forgets what {link} has cached for these arguments. A creation that is running \
                 stores nothing.{errors}"
            ),
            takes: Takes::Naming(naming.clone(), None),
            returns: result(plan, &quote!(())),
            body: {
                let (key_let, region_let) = (plan.key(), plan.region(false));
                let (key, region) = (local("key"), local("region"));
                quote!(#key_let #region_let #krate::__private::invalidate(#region, #key).await)
            },
        },
        Companion {
            name: "refresh",
            doc: format!(
                "Calls the function behind {link} now, and caches what it answers.\n\n\
                 # Errors\nThose of the function and of the cache."
            ),
            takes: Takes::All,
            returns: match plan.answer.fallible {
                true => plan.answer.whole.to_token_stream(),
                false => result(plan, &value.to_token_stream()),
            },
            body: refresh(plan),
        },
        Companion {
            name: "key",
            doc: format!("The key under which {link} caches its answer for these arguments."),
            takes: Takes::Naming(naming, None),
            returns: quote!(#krate::__private::KeyBuf),
            body: {
                let (key_let, key) = (plan.key(), local("key"));
                quote!(#key_let #krate::__private::KeyBuf::from(#key))
            },
        },
    ]
}

fn refresh(plan: &Plan) -> TokenStream {
    let krate = &plan.options.krate;
    let asked = asked(plan, true);
    let call = call();
    let original = original(plan, false);
    match plan.answer.fallible {
        true => {
            let errors = errors(plan);
            quote!(#asked #krate::__private::refresh(#call, #errors, move || #original).await)
        }
        false => quote!(#asked #krate::__private::refresh_plain(#call, move || #original).await),
    }
}

/// Statements that gather the key, the region and the options.
fn asked(plan: &Plan, moved: bool) -> TokenStream {
    let (key, region) = (plan.key(), plan.region(moved));
    let options = plan.call_options(&plan.answer.value, false);
    quote!(#key #region #options)
}

/// What [`asked`] gathered, as arguments.
fn call() -> TokenStream {
    let (region, key, options) = (local("region"), local("key"), local("options"));
    quote!(#region, #key, #options)
}

/// A call of the original function with the arguments, or with clones of them.
pub(crate) fn original(plan: &Plan, cloned: bool) -> TokenStream {
    let arguments = plan.arguments.iter().map(|argument| {
        let name = &argument.name;
        match cloned {
            true => quote_spanned!(argument.of.span()=> ::core::clone::Clone::clone(&#name)),
            false => name.to_token_stream(),
        }
    });
    let turbofish = plan.function.turbofish();
    let by_value = plan
        .function
        .receiver()
        .is_some_and(|receiver| !matches!(receiver.kind, ReceiverKind::Reference(..)));
    if cloned && by_value {
        let name = plan.companion_name("original");
        return quote!(::core::clone::Clone::clone(&self).#name #turbofish(#(#arguments),*));
    }
    let original = plan.companion("original");
    quote!(#original #turbofish(#(#arguments),*))
}

/// A creator that owns clones of the arguments, because a detached creation keeps them and the
/// function may have to be called without the cache after all.
fn copied(plan: &Plan) -> TokenStream {
    let names = plan.arguments.iter().map(|argument| &argument.name);
    let clones = plan.arguments.iter().map(|argument| {
        let name = &argument.name;
        quote_spanned!(argument.of.span()=> let #name = ::core::clone::Clone::clone(&#name);)
    });
    let turbofish = plan.function.turbofish();
    let original = match plan.function.receiver() {
        Some(_) => {
            let (this, name) = (local("this"), plan.companion_name("original"));
            let call = quote!(#this.#name #turbofish(#(#names),*));
            return quote!({
                let #this = ::core::clone::Clone::clone(&self);
                #(#clones)*
                move || #call
            });
        }
        None => plan.companion("original"),
    };
    quote!({
        #(#clones)*
        move || #original #turbofish(#(#names),*)
    })
}

/// How errors of the creation come back to the caller, decided by the type of the error.
pub(crate) fn errors(plan: &Plan) -> TokenStream {
    let whole = &plan.answer.whole;
    let krate = at(&plan.options.krate, whole.span());
    quote_spanned!(whole.span()=> {
        #[allow(unused_imports, reason = "an error that can be cloned does not need it")]
        use #krate::__private::KeptByItsMaker as _;
        #krate::__private::ErrorsOf::<#whole>::new().rule()
    })
}

/// Refuses a `Result` that goes by another name, whose errors would be cached.
pub(crate) fn plain(plan: &Plan) -> TokenStream {
    let whole = &plan.answer.whole;
    let krate = at(&plan.options.krate, whole.span());
    quote_spanned!(whole.span()=> {
        #[allow(unused_imports, reason = "a `Result` does not get there")]
        use #krate::__private::NoResult as _;
        #krate::__private::Plain::<#whole>::new().check();
    })
}

/// The same path, blamed on other code.
fn at(path: &Path, span: Span) -> TokenStream {
    let moved = path.to_token_stream().into_iter().map(|mut token| {
        token.set_span(span);
        token
    });
    moved.collect()
}
