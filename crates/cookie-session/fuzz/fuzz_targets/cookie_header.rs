//! `Cookie` headers of any bytes, one a line, against a plain reading of RFC 6265.

#![no_main]

use std::sync::LazyLock;

use cookie_session::__private::Sealer;
use libfuzzer_sys::fuzz_target;

#[path = "../../tests/hostile/mod.rs"]
mod hostile;

static SEALER: LazyLock<Sealer> = LazyLock::new(hostile::sealer);

fuzz_target!(|input: &[u8]| {
    let headers: Vec<Vec<u8>> = input.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    hostile::check_headers(&SEALER, &headers);
});
