//! Which key a call has.

use std::sync::LazyLock;

use dogpile_cache::{Error, Field, Key, KeyPart, KeyWriter, cached};

use crate::support::{Cache, Calls, cache};

static REGION: LazyLock<Cache> = LazyLock::new(cache);

#[cached(region = REGION)]
async fn one(n: u32) -> String {
    format!("one {n}")
}

#[cached(region = REGION)]
async fn other(n: u32) -> String {
    format!("other {n}")
}

#[tokio::test]
async fn two_functions_with_the_same_arguments_do_not_meet() {
    assert_eq!((one(1).await, other(1).await), ("one 1".to_owned(), "other 1".to_owned()));
    assert_eq!((one(1).await, other(1).await), ("one 1".to_owned(), "other 1".to_owned()));
}

const SPACE: &str = "space";

#[cached(region = REGION, namespace = "user")]
async fn in_namespace(a: &str, b: &str) -> String {
    format!("{a}, {b}")
}

#[cached(region = REGION, namespace = SPACE)]
async fn in_constant(a: Option<i8>, b: [bool; 2], c: String) -> String {
    format!("{a:?} {b:?} {c}")
}

#[test]
fn arguments_are_written_unambiguously_in_their_order() {
    let key = |a, b| in_namespace::key(a, b);
    assert_eq!(key("x", "y").as_key(), Key::name("user(x,y)"));
    assert_ne!(key("a b", "c"), key("a", "b c"));
    assert_ne!(key("1", "2"), key("1,2", ""));
    assert_eq!(key("ünï", "→").as_key(), Key::name("user(ünï,→)"));
    assert_eq!(
        in_constant::key(Some(-3), [true, false], "1".to_owned()).as_key(),
        Key::name("space(-3,[true,false],'1)")
    );
}

struct Session;
struct Db(Calls);

/// Of the three arguments only one names the entry.
#[cached(region = REGION, namespace = "db", ignore(db, _session))]
async fn ignoring(db: &Db, id: u64, _session: Session) -> Result<String, Error> {
    Ok(format!("{id} {}", db.0.next()))
}

#[tokio::test]
async fn ignored_arguments_are_no_part_of_the_key_and_no_argument_of_what_names_it()
-> Result<(), Error> {
    let (one, two) = (Db(Calls::new()), Db(Calls::new()));
    assert_eq!(ignoring(&one, 7, Session).await?, "7 1");
    assert_eq!(ignoring(&two, 7, Session).await?, "7 1");
    assert_eq!(two.0.count(), 0);
    assert_eq!(ignoring::key(7).as_key(), Key::name("db(7)"));
    assert_eq!(ignoring::get(7).await?, Some("7 1".to_owned()));
    assert_eq!(ignoring::refresh(&two, 7, Session).await?, "7 1");
    ignoring::set(7, &"set".to_owned()).await?;
    assert_eq!(ignoring(&one, 7, Session).await?, "set");
    ignoring::invalidate(7).await?;
    assert_eq!(ignoring(&one, 7, Session).await?, "7 2");
    assert_eq!(ignoring::original(&one, 7, Session).await?, "7 3");
    Ok(())
}

struct User {
    id: u64,
    name: String,
}

#[cached(region = REGION, namespace = "badge", key = (user.id, size * 2))]
async fn badge(user: &User, size: u32, colour: &str) -> String {
    format!("{} {size} {colour}", user.name)
}

#[cached(region = REGION, namespace = "text", key = format!("{name}/{}", name.len()))]
async fn by_text(name: String) -> String {
    name
}

#[tokio::test]
async fn the_parts_of_the_key_can_be_chosen() -> Result<(), Error> {
    let ada = User { id: 1, name: "Ada".to_owned() };
    assert_eq!(badge(&ada, 10, "red").await, "Ada 10 red");
    assert_eq!(badge(&ada, 10, "blue").await, "Ada 10 red");
    assert_eq!(badge(&ada, 11, "blue").await, "Ada 11 blue");
    assert_eq!(badge::key(&ada, 10).as_key(), Key::name("badge(1,20)"));
    assert_eq!(badge::get(&ada, 11).await?, Some("Ada 11 blue".to_owned()));

    assert_eq!(by_text("x".to_owned()).await, "x");
    assert_eq!(by_text::key("x".to_owned()).as_key(), Key::name("text(x/1)"));
    Ok(())
}

#[cached(region = REGION, exact_key = Field("users", id))]
async fn in_group(id: u64) -> String {
    format!("user {id}")
}

#[cached(region = REGION, exact_key = name)]
async fn exact(name: String) -> String {
    format!("exactly {name}")
}

#[tokio::test]
async fn the_whole_key_can_be_chosen() -> Result<(), Error> {
    assert_eq!(in_group(15).await, "user 15");
    assert_eq!(in_group::key(15).as_key(), Key::field("users", "(15)"));
    assert_eq!(REGION.get::<String>(Field("users", 15)).await?, Some("user 15".to_owned()));
    assert_eq!(exact("name".to_owned()).await, "exactly name");
    assert_eq!(REGION.get::<String>("name").await?, Some("exactly name".to_owned()));
    Ok(())
}

struct Point(i32, i32);

impl KeyPart for Point {
    fn write(&self, key: &mut KeyWriter) {
        (self.0, self.1).write(key);
    }
}

#[cached(region = REGION, namespace = "at")]
async fn at(point: &Point) -> i32 {
    point.0 * point.1
}

#[tokio::test]
async fn a_type_of_the_users_own_can_be_part_of_a_key() {
    assert_eq!(at(&Point(2, 3)).await, 6);
    assert_eq!(at::key(&Point(2, 3)).as_key(), Key::name("at((2,3))"));
}

#[cached(region = REGION, key = (name, std::any::type_name::<T>()))]
async fn parsed<T>(name: &str) -> Option<T>
where
    T: std::str::FromStr + Clone + Send + Sync + 'static,
{
    name.parse().ok()
}

#[tokio::test]
async fn values_of_different_types_can_be_told_apart() -> Result<(), Error> {
    assert_eq!(parsed::<u8>("7").await, Some(7));
    assert_eq!(parsed::<f64>("7").await, Some(7.0));
    assert_eq!(parsed::get::<u8>("7").await?, Some(Some(7)));
    assert_ne!(parsed::key::<u8>("7"), parsed::key::<f64>("7"));
    Ok(())
}
