//! The kinds of cookie that [`Attributes`](crate::Attributes) are of: types without values.

/// The cookie of one host: `__Host-`, `Secure`, `Path=/`, no `Domain`.
#[derive(Clone, Copy, Debug)]
pub struct Host(());

/// The cookie of a domain and all hosts below it: `__Secure-`, `Secure`, `Domain`.
#[derive(Clone, Copy, Debug)]
pub struct Shared(());

/// A cookie that travels over plain http, for the machine of a developer.
#[derive(Clone, Copy, Debug)]
pub struct InsecureDevelopment(());

/// A cookie of any of these kinds, with all its options.
#[derive(Clone, Copy, Debug)]
pub struct Any(());

/// The kinds of cookie that travel over https only.
pub trait Secure {}

impl Secure for Host {}
impl Secure for Shared {}
