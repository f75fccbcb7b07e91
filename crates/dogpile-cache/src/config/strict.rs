//! Reading tables in which nothing may be misspelt.

use serde::de::{DeserializeOwned, Deserializer, Error as _, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::{Error, Value};

/// Reads a table into `T`, or says what is wrong with it. A name that `T` does not know is refused,
/// with the names it knows.
pub(super) fn read<T: DeserializeOwned>(table: Value) -> Result<T, String> {
    serde_path_to_error::deserialize(Strict(table)).map_err(|error| {
        let path = error.path().to_string();
        let error = error.into_inner();
        if path == "." { error.to_string() } else { format!("`{path}`: {error}") }
    })
}

/// What to say of a name that is not among the known ones.
pub(super) fn unknown<'k>(
    what: &str,
    name: &str,
    known: impl IntoIterator<Item = &'k str> + Clone,
) -> String {
    let close = known.clone().into_iter().map(|known| (distance(name, known), known)).min();
    let hint = match close {
        Some((distance, close)) if distance <= 1 + close.len() / 5 => {
            format!("; did you mean `{close}`?")
        }
        _ => String::new(),
    };
    let mut known: Vec<_> = known.into_iter().map(|name| format!("`{name}`")).collect();
    known.sort_unstable();
    let known = match known.is_empty() {
        true => "there is none".to_owned(),
        false => format!("known: {}", known.join(", ")),
    };
    format!("unknown {what} `{name}`{hint} ({known})")
}

/// How many letters have to be changed, added or removed to make `b` of `a`.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<_> = b.chars().collect();
    let mut row: Vec<_> = (0..=b.len()).collect();
    // What is longer is not a slip of the fingers.
    for (i, a) in a.chars().take(100).enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in b.iter().enumerate() {
            let kept = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = kept.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

/// A value that refuses to be read into a struct which does not know all its names, whether or not
/// the struct says so itself.
struct Strict(Value);

impl<'de> Deserializer<'de> for Strict {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.0.deserialize_any(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let given = self.0.as_object().into_iter().flat_map(|table| table.keys());
        for given in given.map(String::as_str) {
            if !fields.contains(&given) {
                return Err(Error::custom(unknown("option", given, fields.iter().copied())));
            }
        }
        self.0.deserialize_struct(name, fields, visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.0.deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_fingers_is_recognised() {
        let known = ["memory", "file", "null"];
        assert_eq!(
            unknown("backend", "memroy", known),
            "unknown backend `memroy`; did you mean `memory`? (known: `file`, `memory`, `null`)"
        );
        assert_eq!(
            unknown("backend", "redis", known),
            "unknown backend `redis` (known: `file`, `memory`, `null`)"
        );
        assert_eq!(unknown("backend", "x", []), "unknown backend `x` (there is none)");
    }

    #[test]
    fn distances() {
        for (a, b, d) in
            [("", "", 0), ("a", "", 1), ("", "abc", 3), ("kitten", "sitting", 3), ("é", "e", 1)]
        {
            assert_eq!(distance(a, b), d, "{a} {b}");
        }
    }
}
