//! How the error of a function comes back through the cache to those who called it.

use std::error::Error as StdError;
use std::fmt;
use std::marker::PhantomData;
use std::sync::{Mutex, PoisonError};

use dogpile_core::Error;

/// An error of any type, as a region takes it from a creator.
pub(super) type AnyError = Box<dyn StdError + Send + Sync>;

/// What the error of a cached function has to be.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot tell that the cache failed",
    label = "its error cannot tell that the cache failed",
    note = "`{Self}` has to be an error that is `Send` and implements `From<dogpile_cache::Error>`"
)]
pub trait CachedError: From<Error> + Into<AnyError> + fmt::Display + Send {}

#[diagnostic::do_not_recommend]
impl<E: From<Error> + Into<AnyError> + fmt::Display + Send> CachedError for E {}

/// How the errors of a function that returns `R` come back.
///
/// An error that can be cloned comes back as it is to every caller of the flight. Another one can
/// be had only once: it goes to the caller that ran the function, and the others are told in words.
/// Method lookup decides which: it takes the inherent method where its bounds are met, and that of
/// the trait [`KeptByItsMaker`] otherwise.
#[derive(Debug)]
pub struct ErrorsOf<R>(PhantomData<fn() -> R>);

impl<R> ErrorsOf<R> {
    #[expect(clippy::new_without_default, reason = "only generated code makes one")]
    pub fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T, E: Clone + StdError + Send + Sync + 'static> ErrorsOf<Result<T, E>> {
    pub fn rule(&self) -> Errors<E>
    where
        E: CachedError,
    {
        Errors {
            tell: |error, _| Box::new(error),
            tell_all: |error| Box::new(error),
            recover: |told| told.creation().cloned().unwrap_or_else(|| E::from(told)),
        }
    }
}

pub trait KeptByItsMaker<E> {
    fn rule(&self) -> Errors<E>
    where
        E: CachedError;
}

impl<T, E> KeptByItsMaker<E> for ErrorsOf<Result<T, E>> {
    fn rule(&self) -> Errors<E>
    where
        E: CachedError,
    {
        Errors {
            tell: |error, kept| {
                let words = error.to_string();
                *kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                words.into()
            },
            tell_all: Into::into,
            recover: E::from,
        }
    }
}

/// The rule for errors of one type.
#[derive(Debug)]
pub struct Errors<E> {
    /// What the others are told. The error itself may be kept for its maker.
    tell: fn(E, &Mutex<Option<E>>) -> AnyError,
    /// The same where no caller is its maker.
    tell_all: fn(E) -> AnyError,
    /// An error again, from what was told.
    recover: fn(Error) -> E,
}

impl<E> Errors<E> {
    pub(super) fn tell(&self, error: E, kept: &Mutex<Option<E>>) -> AnyError {
        (self.tell)(error, kept)
    }

    pub(super) fn tell_all(&self, error: E) -> AnyError {
        (self.tell_all)(error)
    }

    pub(super) fn recover(&self, kept: Option<&Mutex<Option<E>>>, told: Error) -> E {
        kept.and_then(|kept| kept.lock().unwrap_or_else(PoisonError::into_inner).take())
            .unwrap_or_else(|| (self.recover)(told))
    }
}

impl<E> Clone for Errors<E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Errors<E> {}

/// A return type that the macro took for no `Result`.
#[derive(Debug)]
pub struct Plain<R>(PhantomData<fn() -> R>);

impl<R> Plain<R> {
    #[expect(clippy::new_without_default, reason = "only generated code makes one")]
    pub fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T, E> Plain<Result<T, E>> {
    /// Found for a `Result` by another name, and never callable.
    pub fn check(&self)
    where
        Result<T, E>: IsNoResult,
    {
    }
}

#[diagnostic::on_unimplemented(
    message = "a cached function that can fail has to return a `Result` by that name",
    label = "this is a `Result` by another name, and its errors would be cached",
    note = "write `Result<Value, Error>`, or any other path that ends in `Result<Value>`"
)]
pub trait IsNoResult {}

pub trait NoResult {
    fn check(&self);
}

impl<R> NoResult for Plain<R> {
    fn check(&self) {}
}
