//! Sealing and opening a session of 512 bytes, against the private jar of `cookie` and against what
//! one would write by hand with `aes-gcm` and `base64`.

use std::error::Error;
use std::hint::black_box;

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cookie::{Cookie, CookieJar};
use cookie_session::__private::Sealer;
use cookie_session::{Attributes, KeyRing, RootKey};

use super::Measured;
use super::hit::compare;
use crate::arguments::Settings;
use crate::report::Bar;
use crate::timing::{Contestant, take_turns};

const BYTES: usize = 512;
const NAME: &str = "session";
/// How often a round seals or opens.
const CALLS: u64 = 400;

pub(super) fn run(settings: Settings) -> Result<Measured, Box<dyn Error>> {
    let text = "x".repeat(BYTES);

    let ring = KeyRing::new(RootKey::generate()?);
    let sealer = Sealer::new(&ring, Attributes::default(), NAME, "example.org")?;
    let sealed = sealer.seal(text.as_bytes())?;

    let key = cookie::Key::generate();
    let private = |text: String| {
        let mut jar = CookieJar::new();
        jar.private_mut(&key).add(Cookie::new(NAME, text));
        jar.get(NAME).cloned()
    };
    let in_jar = private(text.clone()).ok_or("the jar lost its cookie")?;

    let bare = Bare(Aes256Gcm::new(&[7; 32].into()));
    let bare_sealed = bare.seal(text.as_bytes())?;

    let calls = |call: &mut dyn FnMut()| {
        (0..CALLS).for_each(|_| call());
        CALLS
    };
    let measured = take_turns(
        settings.rounds,
        vec![
            Contestant::new("seal", || {
                calls(&mut || _ = black_box(sealer.seal(black_box(text.as_bytes()))))
            }),
            Contestant::new("PrivateJar", || {
                calls(&mut || _ = black_box(private(black_box(text.clone()))))
            }),
            Contestant::new("aes-gcm + base64", || {
                calls(&mut || _ = black_box(bare.seal(black_box(text.as_bytes()))))
            }),
            Contestant::new("open", || {
                // As for a session: what is read of it is read where it was opened.
                calls(&mut || {
                    let token = black_box(sealed.as_bytes());
                    _ = black_box(sealer.open_with(token, |text| black_box(text).len()));
                })
            }),
            Contestant::new("PrivateJar", || {
                calls(&mut || {
                    let cookie = black_box(in_jar.clone());
                    _ = black_box(CookieJar::new().private(&key).decrypt(cookie));
                })
            }),
            Contestant::new("aes-gcm + base64", || {
                calls(&mut || _ = black_box(bare.open(black_box(&bare_sealed))))
            }),
        ],
    );
    let [seal, jar_seal, bare_seal, open, jar_open, bare_open] = &measured[..] else {
        return Err("a contestant is missing".into());
    };
    Ok(vec![
        compare("session of 512 B: open", open, jar_open, Bar::AtMost(0.65)),
        compare("session of 512 B: open", open, bare_open, Bar::AtMost(1.3)),
        compare("session of 512 B: seal", seal, jar_seal, Bar::AtMost(0.95)),
        compare("session of 512 B: seal", seal, bare_seal, Bar::None),
    ]
    .into())
}

/// One key for all messages, and a nonce of the operating system for each.
struct Bare(Aes256Gcm);

impl Bare {
    fn seal(&self, text: &[u8]) -> Result<String, Box<dyn Error>> {
        let mut nonce = [0; 12];
        getrandom::fill(&mut nonce)?;
        let payload = Payload { msg: text, aad: NAME.as_bytes() };
        let sealed = self.0.encrypt(&nonce.into(), payload).map_err(|_| "too long")?;
        Ok(URL_SAFE_NO_PAD.encode([&nonce[..], &sealed].concat()))
    }

    fn open(&self, token: &str) -> Result<Vec<u8>, Box<dyn Error>> {
        let raw = URL_SAFE_NO_PAD.decode(token)?;
        let (nonce, sealed) = raw.split_first_chunk::<12>().ok_or("too short")?;
        let payload = Payload { msg: sealed, aad: NAME.as_bytes() };
        Ok(self.0.decrypt(nonce.into(), payload).map_err(|_| "forged")?)
    }
}
