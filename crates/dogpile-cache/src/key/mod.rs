//! Names of entries: prefixes and manglers.
//!
//! What can name an entry is said by [`ToKey`](crate::ToKey): text, numbers, tuples, a
//! [`Field`](crate::Field) of a group, or a [`Key`](crate::Key) as it is. A region can put a prefix before every
//! name, and can mangle names that its store cannot take.

mod mangle;
mod space;

pub use mangle::*;
pub(crate) use space::{KeySpace, Placed};
