//! The data set: ten of eleven values are numbers, the rest are short texts and small maps.

use serde::{Deserialize, Serialize};

/// One value.
#[derive(Debug, Deserialize, Serialize)]
#[serde(untagged)]
pub(crate) enum Value {
    Number(usize),
    Map { one: usize, two: String },
    Text(String),
}

/// A value, what it belongs to, and its number there.
pub(crate) struct Item {
    /// Empty for the numbers.
    pub(crate) prefix: &'static str,
    pub(crate) number: usize,
    pub(crate) value: Value,
}

const MAPS: [&str; 6] =
    ["foo", "foobar", "foobarbiz", "foobarbizbash", "foobarbizbashfizzbuzz", "fizzbuzz"];
const TEXTS: [&str; 4] =
    ["qkknasdkk", "kehzipqyfnslhtqnzjsgqolf", "7124n9jasdgqbozjayqkdhag", "61jkansd89asd"];

impl Item {
    /// Item `at` of `all`: a million numbers and ten times ten thousand others, or as many fewer.
    pub(crate) fn new(at: usize, all: usize) -> Self {
        let numbers = all * 10 / 11;
        if at < numbers {
            return Self { prefix: "", number: at, value: Value::Number(at * 10) };
        }
        let each = (all - numbers).div_ceil(MAPS.len() + TEXTS.len());
        let (of, number) = ((at - numbers) / each, (at - numbers) % each);
        match MAPS.get(of) {
            Some(prefix) => {
                let value = Value::Map { one: number * 399, two: (*prefix).to_owned() };
                Self { prefix, number, value }
            }
            None => {
                let prefix = TEXTS[(of - MAPS.len()) % TEXTS.len()];
                Self { prefix, number, value: Value::Text(prefix.to_owned()) }
            }
        }
    }

    /// The name of a key of its own.
    pub(crate) fn name(&self) -> String {
        match self.prefix {
            "" => self.number.to_string(),
            prefix => format!("{prefix}|{}", self.number),
        }
    }

    /// The bucket of a hundred that it is in.
    pub(crate) fn bucket(&self) -> String {
        let first = self.number - self.number % 100;
        match self.prefix {
            "" => first.to_string(),
            prefix => format!("{prefix}|{first}"),
        }
    }
}
