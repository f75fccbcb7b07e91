//! Replies of any bytes, however they arrive.

#![no_main]
#![allow(dead_code, unused_imports, reason = "each target uses its part")]

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

fuzz_target!(|input: (u8, &[u8])| meta::model::check_replies(input.1, usize::from(input.0)));
