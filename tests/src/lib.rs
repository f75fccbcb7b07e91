//! What crosses crates. The code of the workspace's README is compiled and run from here as a doc
//! test; integration tests of several crates together lie in `tests/tests/`.

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
mod readme {}
