//! The face of `#[cached]` and `#[cached_multi]`, and what the code they generate calls.

#[expect(missing_docs, clippy::must_use_candidate, reason = "only generated code calls it")]
mod errors;
#[expect(missing_docs, clippy::missing_errors_doc, reason = "only generated code calls it")]
mod many;
#[expect(
    missing_docs,
    clippy::missing_errors_doc,
    clippy::must_use_candidate,
    reason = "only generated code calls it"
)]
mod one;
#[expect(missing_docs, clippy::must_use_candidate, reason = "only generated code calls it")]
pub mod support;

/// Caches what an async function answers, by its arguments.
///
/// The function keeps its name, signature, visibility, attributes and documentation. What it answers
/// is kept in a [`Region`](crate::Region), and of all who call it with the same arguments at once,
/// one runs it. Functions that act on what is cached stand beside it, under its name:
///
/// ```
/// use std::sync::LazyLock;
/// use std::time::Duration;
///
/// use dogpile_cache::backend::Memory;
/// use dogpile_cache::codec::Shared;
/// use dogpile_cache::{Error, Region, cached};
/// use dogpile_lock::{Dogpile, Solo};
///
/// static PAGES: LazyLock<Region<Dogpile<Solo<Memory>>, Shared>> =
///     LazyLock::new(|| Region::new(Dogpile::local(Memory::new(10_000)), Shared));
///
/// /// The page of a user.
/// #[cached(region = PAGES, expires_after = Duration::from_secs(300))]
/// pub async fn page(owner: &str, number: u32) -> Result<String, Error> {
///     Ok(format!("page {number} of {owner}, drawn with great effort"))
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Error> {
/// let drawn = page("alice", 1).await?;
/// assert_eq!(page::get("alice", 1).await?, Some(drawn));
///
/// page::set("alice", 1, &"drawn by hand".to_owned()).await?;
/// assert_eq!(page("alice", 1).await?, "drawn by hand");
///
/// page::invalidate("alice", 1).await?;
/// assert_eq!(page::get("alice", 1).await?, None);
/// # Ok(())
/// # }
/// ```
///
/// # The functions beside it
///
/// | | |
/// |---|---|
/// | `f::get(args)` | the fresh value, if there is one; creates nothing |
/// | `f::set(args, &value)` | caches a value; `should_cache` is not asked |
/// | `f::invalidate(args)` | forgets the value; a creation that is running stores nothing |
/// | `f::refresh(args)` | runs the function now, and caches what it answers |
/// | `f::key(args)` | the [`KeyBuf`](crate::KeyBuf) under which the value is cached |
/// | `f::original(args)` | the function as it was written, past the cache |
///
/// They have the visibility of the function, and `use path::f` brings both. `refresh` and `original`
/// take the arguments of the function. The others take, in the same order, those that name the entry:
/// the arguments that the key, the region and the options are made of, and not what is ignored.
///
/// Beside a method no name can be a namespace, so there they are methods: `images_get`, `images_set`
/// and so on. A function of an `impl` block that takes no `self` has to say `associated`.
///
/// # Options
///
/// | | |
/// |---|---|
/// | `region = PAGES` | where to cache: an expression that gives a region or dereferences to one, like `self.region` or an argument's field. Required |
/// | `namespace = "pages"` | the start of the key, instead of `module::path::function` |
/// | `ignore(db, session)` | arguments that are no part of the key |
/// | `key = (user.id, size)` | what the key is made of after the namespace, instead of the arguments: one value or a tuple of [`KeyPart`](crate::KeyPart)s |
/// | `exact_key = Field("users", id)` | the whole key, anything that is [`ToKey`](crate::ToKey), without a namespace |
/// | `expires_after = Duration::from_secs(60)` | how long a value is fresh, instead of the region's expiry: a `Duration` or an [`Expiry`](crate::Expiry) |
/// | `expiry_of = \|value\| …` | how long this value is fresh, as [`CallOptions::with_expiry_of`](crate::CallOptions::with_expiry_of) |
/// | `should_cache = \|value\| …` | which values to store; the others are only answered |
/// | `detached` | a creation goes on when its caller gives up, as [`Region::get_or_create_detached`](crate::Region::get_or_create_detached). Every argument has to be owned |
/// | `associated` | the function stands in an `impl` block and takes no `self` |
/// | `crate = path` | where dogpile-cache is, if it goes by another name |
///
/// The expressions may use the arguments, are evaluated at each call, and see the names that are in
/// scope at the function. An `expiry_of` or `should_cache` of a `detached` function may not use the
/// arguments.
///
/// # Keys
///
/// The key is the namespace and the arguments: `images::page(alice,1)`. Each argument has to be a
/// [`KeyPart`](crate::KeyPart), which text, numbers, options, lists and tuples are. Arguments of the
/// same value make the same key, whatever their type: `"a"` and `String::from("a")` do. A key of up to
/// 64 bytes costs no allocation.
///
/// `self` is not in the key unless `key = (self.id, name)` puts it there. The namespace changes when
/// the function moves; where the cache outlives the program, give it a name of its own. A type
/// parameter that decides what is answered has to be named in the key too, as
/// `std::any::type_name::<T>()`; the compiler says so.
///
/// ```
/// # use std::sync::LazyLock;
/// # use dogpile_cache::{Error, Region, backend::Memory, cached, codec::Shared};
/// # use dogpile_lock::{Dogpile, Solo};
/// # type Cache = Region<Dogpile<Solo<Memory>>, Shared>;
/// # struct Db;
/// # impl Db { async fn name(&self, _: u64) -> Result<String, Error> { Ok("Ada".to_owned()) } }
/// struct Users {
///     tenant: u32,
///     cache: Cache,
/// }
///
/// impl Users {
///     #[cached(region = self.cache, namespace = "user", key = (self.tenant, id))]
///     async fn name(&self, db: &Db, id: u64) -> Result<String, Error> {
///         db.name(id).await
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Error> {
/// let users = Users { tenant: 7, cache: Region::new(Dogpile::local(Memory::new(100)), Shared) };
/// assert_eq!(users.name(&Db, 15).await?, "Ada");
/// assert_eq!(users.name_key(15).to_string(), "user(7,15)");
/// users.name_invalidate(15).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// A function that returns a `Result` caches only what is `Ok`. Its error type has to be made from a
/// failure of the cache, by `From<dogpile_cache::Error>`, and has to be an error that could be boxed.
/// An error of the function comes back unchanged to the caller that ran it. Others who waited for
/// the same run get a clone of it, where it can be cloned; otherwise they get an error of
/// [`ErrorKind::Creation`](crate::ErrorKind::Creation) that holds its words, turned into their type.
/// A `detached` run belongs to nobody: an error that cannot be cloned comes back to everybody inside
/// [`Error::creation`](crate::Error::creation).
///
/// A function that returns anything else cannot report a failure of the cache. It is called without
/// the cache then, whatever the reason; the region's [observer](crate::Observe) still hears of it. Its
/// owned arguments have to be `Clone`, because they may be needed twice; they are not cloned on a hit,
/// unless the function is `detached`. `Option` is a value like any other, so that `None` is cached;
/// `should_cache = Option::is_some` changes that.
///
/// # What it does not do
///
/// It works on `async fn` only, on arguments that have a plain name, and on answers whose type has
/// a name and borrows nothing. It does not decorate methods of a trait: cache a method of the type, and
/// call it from there. A function that calls itself has to box that call in a function of its own that
/// names the type: `fn boxed(n: u64) -> BoxFuture<'static, u64> { Box::pin(f(n)) }`.
///
/// Other attributes stay on the function and see every call; where they are written above this one,
/// they see only the calls that create.
pub use dogpile_macros::cached;

/// Caches what an async function answers for each of many items.
///
/// The function takes the items as a slice. Each item has an entry of its own; the function is called
/// once, with the items that are missing and that nobody else is creating, each once and in any
/// order, and answers a `Vec` with a value for each, in that order.
///
/// ```
/// use std::sync::LazyLock;
///
/// use dogpile_cache::backend::Memory;
/// use dogpile_cache::codec::Shared;
/// use dogpile_cache::{Error, Region, cached_multi};
/// use dogpile_lock::{Dogpile, Solo};
///
/// static USERS: LazyLock<Region<Dogpile<Solo<Memory>>, Shared>> =
///     LazyLock::new(|| Region::new(Dogpile::local(Memory::new(10_000)), Shared));
///
/// #[cached_multi(region = USERS, namespace = "user")]
/// async fn users(ids: &[u64]) -> Result<Vec<String>, Error> {
///     Ok(ids.iter().map(|id| format!("user {id} of {} asked for", ids.len())).collect())
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Error> {
/// assert_eq!(users(&[1, 2]).await?, ["user 1 of 2 asked for", "user 2 of 2 asked for"]);
/// // Only 3 is missing.
/// assert_eq!(users(&[3, 1]).await?, ["user 3 of 1 asked for", "user 1 of 2 asked for"]);
///
/// users::invalidate(&[1, 3]).await?;
/// assert_eq!(users::get(&[1, 2]).await?, [None, Some("user 2 of 2 asked for".to_owned())]);
/// # Ok(())
/// # }
/// ```
///
/// A function whose answers may lack some items returns a `HashMap` or a `BTreeMap` from items to
/// values. What is missing in it is neither cached nor answered. The entries of such a function hold
/// an `Option` of the value.
///
/// It is like [`cached`](macro@crate::cached) in everything else, and takes the same options except
/// `detached`, and one more:
///
/// | | |
/// |---|---|
/// | `each = ids` | which argument lists the items, if several are slices |
///
/// In `key` and `exact_key`, the name of that argument stands for one item. In the key it has the place
/// of the argument, so that `#[cached(namespace = "user")] async fn user(id: u64)` shares its entries
/// with the function above. Other arguments are part of each item's key, unless they are ignored.
///
/// | | |
/// |---|---|
/// | `f::get(ids)` | the fresh values: for each item an `Option`, or a map |
/// | `f::set(values)` | caches values: anything that iterates over pairs of an item and its value |
/// | `f::invalidate(ids)` | forgets these items |
/// | `f::refresh(ids)` | runs the function for all these items, and caches what it answers |
/// | `f::key(&id)` | the key of one item |
/// | `f::original(ids)` | the function as it was written |
///
/// The items have to be `Clone`, and the other arguments too: the function is called a second time for
/// items that another caller began and gave up.
pub use dogpile_macros::cached_multi;
