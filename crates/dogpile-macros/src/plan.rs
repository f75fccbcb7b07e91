//! What the attribute and the function say together: the pieces all generated functions share.

use std::collections::HashSet;

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens as _, format_ident, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::{Error, Expr, GenericParam, Ident, ReceiverKind, Result, Type};

use crate::answer::Answer;
use crate::function::{Argument, Function, name_of};
use crate::options::{Key, Options, words};

/// Everything known about one decorated function.
pub(crate) struct Plan {
    pub(crate) options: Options,
    pub(crate) function: Function,
    pub(crate) arguments: Vec<Argument>,
    pub(crate) answer: Answer,
}

impl Plan {
    pub(crate) fn new(options: Options, function: Function, attribute: &str) -> Result<Self> {
        function.check(&options, attribute)?;
        let arguments = function.arguments()?;
        let answer = Answer::of(&function.signature.output, function.name())?;
        let plan = Self { options, function, arguments, answer };
        plan.check_ignored()?;
        plan.check_generics()?;
        Ok(plan)
    }

    fn check_ignored(&self) -> Result<()> {
        let Key::AllBut(ignored) = &self.options.key else { return Ok(()) };
        for (i, name) in ignored.iter().enumerate() {
            if name == "self" {
                return Err(Error::new(name.span(), "`self` is never part of the key by itself"));
            }
            if ignored[..i].contains(name) {
                return Err(Error::new(name.span(), format!("`{name}` is ignored twice")));
            }
            self.argument(name)?;
        }
        Ok(())
    }

    /// Refuses keys that would be the same for different types.
    fn check_generics(&self) -> Result<()> {
        let Key::AllBut(ignored) = &self.options.key else { return Ok(()) };
        let returned = words(&self.answer.whole);
        let taken: HashSet<String> =
            self.arguments.iter().flat_map(|argument| words(&argument.of)).collect();
        let lost = self.function.signature.generics.params.iter().find(|parameter| {
            let name = name_of(parameter);
            match parameter {
                GenericParam::Lifetime(_) => false,
                GenericParam::Type(_) => returned.contains(&name) || !taken.contains(&name),
                GenericParam::Const(_) => true,
            }
        });
        let Some(lost) = lost else { return Ok(()) };
        let name = name_of(lost);
        let mut parts: Vec<String> = self
            .arguments
            .iter()
            .filter(|argument| !ignored.contains(&argument.name))
            .map(|argument| argument.name.to_string())
            .collect();
        parts.push(match lost {
            GenericParam::Const(_) => name.clone(),
            _ => format!("std::any::type_name::<{name}>()"),
        });
        let key = match &parts[..] {
            [one] => one.clone(),
            parts => format!("({})", parts.join(", ")),
        };
        let message = format!(
            "the key does not tell one `{name}` from another: name it, as in `key = {key}`"
        );
        Err(Error::new_spanned(lost, message))
    }

    /// The argument of this name.
    pub(crate) fn argument(&self, name: &Ident) -> Result<&Argument> {
        self.arguments.iter().find(|argument| argument.name == *name).ok_or_else(|| {
            let known: Vec<_> = self.arguments.iter().map(|a| format!("`{}`", a.name)).collect();
            let known = match &known[..] {
                [] => "it has none".to_owned(),
                known => format!("its arguments are {}", known.join(", ")),
            };
            let function = self.function.name();
            Error::new(name.span(), format!("`{function}` has no argument `{name}`: {known}"))
        })
    }

    /// Statements that name the key. It is written where it stays, and lent to who asks for it.
    pub(crate) fn key(&self) -> TokenStream {
        let krate = &self.options.krate;
        let (key, writer, namespace) = (local("key"), local("writer"), self.namespace());
        let Some(parts) = self.parts() else {
            let exact = self.owned_key();
            return quote!(let #writer = #exact; let #key = #writer.as_key(););
        };
        quote! {
            let mut #writer = #krate::__private::KeyWriter::new();
            #writer.begin(#namespace);
            #parts
            let #key = #writer.close();
        }
    }

    /// An expression that gives away what [`key`](Self::key) wrote.
    pub(crate) fn closed_key(&self) -> TokenStream {
        let writer = local("writer");
        match &self.options.key {
            Key::Exact(_) => quote!(#writer),
            Key::AllBut(_) | Key::Parts(_) => quote!(#writer.into_closed()),
        }
    }

    /// An expression that gives the key away.
    pub(crate) fn owned_key(&self) -> TokenStream {
        let krate = &self.options.krate;
        let (writer, namespace) = (local("writer"), self.namespace());
        match (&self.options.key, self.parts()) {
            (Key::Exact(exact), _) => {
                quote_spanned!(exact.span()=> #krate::__private::owned(&(#exact)))
            }
            (_, parts) => quote!({
                let mut #writer = #krate::__private::KeyWriter::call(#namespace);
                #parts
                #writer.finish()
            }),
        }
    }

    fn namespace(&self) -> TokenStream {
        match &self.options.namespace {
            Some(namespace) => quote!(#namespace),
            None => {
                let name = format!("::{}", self.function.name().unraw());
                quote!(::core::concat!(::core::module_path!(), #name))
            }
        }
    }

    /// Statements that write the parts of the key, unless it is given whole.
    fn parts(&self) -> Option<TokenStream> {
        let parts: Vec<TokenStream> = match &self.options.key {
            Key::Exact(_) => return None,
            Key::AllBut(ignored) => self
                .arguments
                .iter()
                .filter(|argument| !ignored.contains(&argument.name))
                .map(|argument| argument.name.to_token_stream())
                .collect(),
            Key::Parts(Expr::Tuple(tuple)) => {
                tuple.elems.iter().map(|part| quote_spanned!(part.span()=> (#part))).collect()
            }
            Key::Parts(part) => vec![quote_spanned!(part.span()=> (#part))],
        };
        let writer = local("writer");
        let parts = parts.iter().map(|part| quote_spanned!(part.span()=> #writer.part(&#part);));
        Some(parts.collect())
    }

    /// A statement that names the region. `moved` says that the arguments are moved after it.
    pub(crate) fn region(&self, moved: bool) -> TokenStream {
        let Options { krate, region, .. } = &self.options;
        let name = local("region");
        let borrowed = quote_spanned!(region.span()=> #krate::__private::region(&#region));
        match moved && self.region_moves() {
            true => quote!(let #name = &::core::clone::Clone::clone(#borrowed);),
            false => quote!(let #name = #borrowed;),
        }
    }

    /// Whether the region belongs to an argument that the creation takes away.
    fn region_moves(&self) -> bool {
        let words = words(&self.options.region);
        let receiver_moves = self
            .function
            .receiver()
            .is_some_and(|receiver| !matches!(receiver.kind, ReceiverKind::Reference(_, _, None)));
        let shared = |of: &Type| matches!(of, Type::Reference(of) if of.mutability.is_none());
        (receiver_moves && words.contains("self"))
            || self.arguments.iter().any(|a| words.contains(&a.name.to_string()) && !shared(&a.of))
    }

    /// Statements that gather the call's options for values of this type. What is cached is the
    /// value itself, or an `Option` of it if some may be `missing`; those are not stored.
    pub(crate) fn call_options(&self, value: &Type, missing: bool) -> TokenStream {
        let Options { krate, expires_after, expiry_of, should_cache, .. } = &self.options;
        let of = match missing {
            true => quote!(::core::option::Option<#value>),
            false => quote!(#value),
        };
        let (mut lets, mut with) = (TokenStream::new(), TokenStream::new());
        let mut with_callback = |method: &str, callback: TokenStream| {
            let method = Ident::new(method, Span::mixed_site());
            // A detached creation keeps its callbacks, which are written in place to be static.
            with.extend(match self.options.detached {
                Some(_) => quote!(.#method(&#callback)),
                None => {
                    lets.extend(quote!(let #method = #callback;));
                    quote!(.#method(&#method))
                }
            });
        };
        let created = local("created");
        if let Some(function) = expiry_of {
            let call = quote_spanned! {function.span()=>
                #krate::__private::expiry_of(#created, #function)
            };
            let callback = match missing {
                false => quote!(|#created: &#of| #call),
                true => quote!(|#created: &#of| match #created {
                    ::core::option::Option::Some(#created) => #call,
                    ::core::option::Option::None => #krate::Expiry::never(),
                }),
            };
            with_callback("with_expiry_of", callback);
        }
        if let Some(predicate) = should_cache {
            let call = quote_spanned! {predicate.span()=>
                #krate::__private::should_cache(#created, #predicate)
            };
            let callback = match missing {
                false => quote!(|_: #krate::__private::Key<'_>, #created: &#of| #call),
                true => quote!(|_: #krate::__private::Key<'_>, #created: &#of| match #created {
                    ::core::option::Option::Some(#created) => #call,
                    ::core::option::Option::None => false,
                }),
            };
            with_callback("with_should_cache", callback);
        } else if missing {
            with.extend(quote!(.without_none()));
        }
        if let Some(expiry) = expires_after {
            with.extend(quote_spanned! {expiry.span()=>
                .with_expiry(#krate::__private::expiry(#expiry))
            });
        }
        let name = local("options");
        if with.is_empty() {
            return quote!(let #name = ::core::option::Option::None;);
        }
        quote! {
            #lets
            let #name = #krate::CallOptions::<'_, #of>::new() #with;
            let #name = ::core::option::Option::Some(&#name);
        }
    }

    /// The words of the expressions in the attribute.
    pub(crate) fn expressions(&self) -> HashSet<String> {
        let Options { region, namespace, key, expires_after, expiry_of, should_cache, .. } =
            &self.options;
        let mut all = words(quote!(#region #namespace #expires_after #expiry_of #should_cache));
        if let Key::Parts(key) | Key::Exact(key) = key {
            all.extend(words(key));
        }
        all
    }

    /// The arguments that name an entry: those of which the key, the region and the options are
    /// made.
    pub(crate) fn naming(&self) -> Vec<Argument> {
        let used = self.expressions();
        let in_key = |name: &Ident| match &self.options.key {
            Key::AllBut(ignored) => !ignored.contains(name),
            Key::Parts(_) | Key::Exact(_) => false,
        };
        let mut naming = self.arguments.clone();
        naming
            .retain(|argument| in_key(&argument.name) || used.contains(&argument.name.to_string()));
        naming
    }

    /// The words of the code that a companion with these arguments consists of.
    pub(crate) fn words(&self, arguments: &[Argument]) -> HashSet<String> {
        let value = &self.answer.value;
        let types = arguments.iter().map(|argument| &argument.of);
        let mut all = self.expressions();
        all.extend(words(quote!(#value #(#types)*)));
        all
    }

    /// The path or method by which the generated code calls the companion of this name.
    pub(crate) fn companion(&self, name: &str) -> TokenStream {
        let function = self.function.name();
        if self.function.receiver().is_some() {
            let name = self.companion_name(name);
            quote!(self.#name)
        } else if self.in_impl() {
            let name = self.companion_name(name);
            quote!(Self::#name)
        } else {
            let name = Ident::new(name, Span::call_site());
            quote!(#function::#name)
        }
    }

    /// The name of a companion where it is declared.
    pub(crate) fn companion_name(&self, name: &str) -> Ident {
        let function = self.function.name();
        match self.in_impl() {
            true => format_ident!("{function}_{name}", span = function.span()),
            false => Ident::new(name, function.span()),
        }
    }

    /// Whether the function stands in an `impl` block, where no type can stand beside it.
    pub(crate) fn in_impl(&self) -> bool {
        self.function.receiver().is_some() || self.options.associated.is_some()
    }
}

/// A name that no name of the user's can meet.
pub(crate) fn local(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}
