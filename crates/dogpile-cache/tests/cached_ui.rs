//! What `#[cached]` says to those who use it wrongly.
#![cfg(feature = "macros")]

#[test]
fn mistakes_are_explained() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/*.rs");
}
