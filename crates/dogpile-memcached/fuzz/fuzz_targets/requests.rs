//! Commands of any numbers and values under any name, written in pieces of any size.

#![no_main]
#![allow(dead_code, unused_imports, reason = "each target uses its part")]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

#[path = "../../src/meta"]
mod meta {
    pub(crate) mod model;
    pub(crate) mod opaque;
    pub(crate) mod reply;
    pub(crate) mod request;
    pub(crate) use self::opaque::*;
    pub(crate) use self::reply::*;
    pub(crate) use self::request::*;
}
mod codec;
use codec as value;

#[derive(Arbitrary, Debug)]
struct Input {
    steps: Vec<(u8, u32, u64, Vec<u8>, u16)>,
    piece: u16,
}

fuzz_target!(|input: Input| {
    let steps = input.steps.into_iter().map(|(what, number, cas, bytes, repeat)| {
        // Large values take another way than small ones.
        let value = bytes.repeat(1 + usize::from(repeat) / bytes.len().max(1));
        meta::model::Step { what, number, cas, name: bytes, value }
    });
    meta::model::check_requests(&steps.collect::<Vec<_>>(), usize::from(input.piece));
});
