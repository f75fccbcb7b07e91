//! Tokens of any bytes: as they are, as base64url, and as changes to a token that was sealed.

#![no_main]

use std::sync::LazyLock;

use base64_simd::URL_SAFE_NO_PAD;
use cookie_session::__private::Sealer;
use libfuzzer_sys::fuzz_target;

#[path = "../../tests/hostile/mod.rs"]
mod hostile;

static SEALER: LazyLock<Sealer> = LazyLock::new(hostile::sealer);
static SEALED: LazyLock<String> = LazyLock::new(|| SEALER.seal(&[7; 100]).unwrap());

fuzz_target!(|input: &[u8]| {
    hostile::check_open(&SEALER, &SEALED, input);
    hostile::check_open(&SEALER, &SEALED, URL_SAFE_NO_PAD.encode_to_string(input).as_bytes());

    let mut raw = URL_SAFE_NO_PAD.decode_to_vec(&*SEALED).unwrap();
    let (places, what) = input.split_at(input.len() / 2);
    for (place, what) in places.iter().zip(what) {
        let at = usize::from(*place) % raw.len();
        raw[at] ^= what;
    }
    hostile::check_open(&SEALER, &SEALED, URL_SAFE_NO_PAD.encode_to_string(&raw).as_bytes());
});
