//! Tokens and cookies in the hands of an attacker, and in those of another language.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use base64_simd::URL_SAFE_NO_PAD;
use cookie_session::__private::Sealer;
use cookie_session::generation::{Generations, MemoryStore};
use cookie_session::{Attributes, Flash, KeyRing, KeyState, RootKey, Session};
use dogpile_core::Clock;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

mod hostile;
mod support;

use hostile::{check_headers, check_open, sealer};
use support::log::Log;
use support::{ABSOLUTE, Browser, IDLE, Server};

const FORGED: &str = "it was changed, or sealed for another cookie, purpose or audience";

fn host(name: &str) -> Attributes {
    Attributes::host(name).unwrap().into()
}

/// Of one key, with some of the binding changed.
fn bound(key: &RootKey, name: &str, purpose: &str, audience: &str) -> Sealer {
    Sealer::new(&KeyRing::new(key.clone()), host(name), purpose, audience).unwrap()
}

/// The `Cookie` header that a browser sends after these `Set-Cookie` lines.
fn header(lines: &[String]) -> String {
    lines.iter().map(|line| line.split(';').next().unwrap()).collect::<Vec<_>>().join("; ")
}

#[test]
fn no_bit_of_a_token_can_be_flipped() {
    let sealer = sealer();
    for length in [0, 1, 2, 100, 512] {
        let token = sealer.seal(&vec![7; length]).unwrap();
        assert!(sealer.open(token.as_bytes()).is_ok());
        for at in 0..token.len() {
            for bit in 0..8 {
                let mut flipped = token.clone().into_bytes();
                flipped[at] ^= 1 << bit;
                assert!(sealer.open(&flipped).is_err(), "bit {bit} of character {at} of {token}");
            }
        }
        // Also of the bytes under the text.
        let raw = URL_SAFE_NO_PAD.decode_to_vec(&token).unwrap();
        for at in 0..raw.len() {
            for bit in 0..8 {
                let mut flipped = raw.clone();
                flipped[at] ^= 1 << bit;
                let text = URL_SAFE_NO_PAD.encode_to_string(&flipped);
                let why = sealer.open(text.as_bytes()).unwrap_err();
                let expected = match at {
                    0 => "its version is unknown",
                    1..=16 => "no key of the ring has its key id",
                    _ => FORGED,
                };
                assert_eq!(why, expected);
            }
        }
    }
}

#[test]
fn no_token_can_be_cut_or_extended() {
    let sealer = sealer();
    let token = sealer.seal(&[7; 100]).unwrap();
    let raw = URL_SAFE_NO_PAD.decode_to_vec(&token).unwrap();
    for at in 0..token.len() {
        assert!(sealer.open(&token.as_bytes()[..at]).is_err());
        assert!(sealer.open(&token.as_bytes()[at + 1..]).is_err());
        assert!(sealer.open(format!("{}{}", &token[..at], &token[at + 1..]).as_bytes()).is_err());
    }
    for at in 0..raw.len() {
        for cut in [&raw[..at], &raw[at + 1..]] {
            assert!(sealer.open(URL_SAFE_NO_PAD.encode_to_string(cut).as_bytes()).is_err());
        }
    }
    for more in ["A", "AA", "AAA", "AAAA", "=", "==", " ", "\n", ".", &token] {
        assert!(sealer.open(format!("{token}{more}").as_bytes()).is_err(), "{more:?}");
        assert!(sealer.open(format!("{more}{token}").as_bytes()).is_err(), "{more:?}");
    }
}

#[test]
fn a_token_opens_where_it_belongs_and_nowhere_else() {
    let (key, other) = (RootKey::generate().unwrap(), RootKey::generate().unwrap());
    let token = bound(&key, "s", "session", "example.org").seal(b"Ada").unwrap();
    let open = |sealer: Sealer| sealer.open(token.as_bytes());
    assert_eq!(open(bound(&key, "s", "session", "example.org")).unwrap(), b"Ada");
    assert_eq!(open(bound(&key, "t", "session", "example.org")).unwrap_err(), FORGED);
    let unknown = "no key of the ring has its key id";
    assert_eq!(open(bound(&key, "s", "remember-me", "example.org")).unwrap_err(), unknown);
    assert_eq!(open(bound(&key, "s", "session", "example.com")).unwrap_err(), unknown);
    assert_eq!(open(bound(&other, "s", "session", "example.org")).unwrap_err(), unknown);
    // What belongs to one part is not taken for another's.
    let token = bound(&key, "s", "ab", "c").seal(b"Ada").unwrap();
    for (purpose, audience) in [("a", "bc"), ("abc", ""), ("c", "ab")] {
        assert!(bound(&key, "s", purpose, audience).open(token.as_bytes()).is_err());
    }
    // Another kind of cookie has another name.
    let insecure = Attributes::insecure_for_development("s").unwrap();
    let insecure = Sealer::new(&KeyRing::new(key), insecure.into(), "ab", "c").unwrap();
    assert_eq!(insecure.open(token.as_bytes()).unwrap_err(), FORGED);
}

#[test]
fn a_key_id_alone_opens_nothing() {
    let (key, other) = (RootKey::generate().unwrap(), RootKey::generate().unwrap());
    let (sealer, others) = (bound(&key, "s", "p", ""), bound(&other, "s", "p", ""));
    let raw = |token: String| URL_SAFE_NO_PAD.decode_to_vec(token).unwrap();
    let (ours, theirs) = (raw(sealer.seal(b"a").unwrap()), raw(others.seal(b"b").unwrap()));
    let mixed = [&ours[..17], &theirs[17..]].concat();
    let why = sealer.open(URL_SAFE_NO_PAD.encode_to_string(mixed).as_bytes()).unwrap_err();
    assert_eq!(why, FORGED);
}

#[test]
fn garbage_is_no_session() {
    let sealer = sealer();
    let long = "A".repeat(1 << 20);
    let too_short = "it is shorter than an empty session";
    for (token, expected) in [
        (&b""[..], too_short),
        (b"AQ", too_short),
        (b"AA", "its version is unknown"),
        (b"Ag", "its version is unknown"),
        (b"A", "it is not base64url"),
        (b"AQ==", "it is not base64url"),
        (b"not a token", "it is not base64url"),
        (b"\xff\xfe\x00", "it is not base64url"),
        ("AQÄÖÜ".as_bytes(), "it is not base64url"),
        (&[0; 64], "it is not base64url"),
        (&long.as_bytes()[..4096], "its version is unknown"),
        (&long.as_bytes()[..4097], "it is longer than a cookie can be"),
        (long.as_bytes(), "it is longer than a cookie can be"),
    ] {
        assert_eq!(sealer.open(token).unwrap_err(), expected, "{}", token.len());
        let line = [b"__Host-s=", token].concat();
        assert_eq!(sealer.read(&[&line]), [Err(expected.to_owned())]);
    }
}

#[test]
fn among_duplicates_the_one_that_authenticates_is_opened_if_it_is_one_of_four() {
    let sealer = sealer();
    let good = format!("__Host-s={}; ", sealer.seal(b"Ada").unwrap());
    let bad = "__Host-s=AQAA; ";
    let opened = |header: String| {
        let answers = sealer.read(&[header.as_bytes()]);
        assert!(answers.len() <= 4);
        answers.into_iter().find_map(Result::ok)
    };
    for before in 0..4 {
        let header = [bad.repeat(before), good.clone(), bad.repeat(1000)].concat();
        assert_eq!(opened(header).unwrap(), b"Ada");
    }
    assert_eq!(opened(bad.repeat(4) + &good), None);
    assert_eq!(opened(bad.repeat(1000)), None);
    assert_eq!(opened(good.repeat(1000)).unwrap(), b"Ada");
    // A token under another case of the name is another cookie's.
    assert_eq!(opened(good.replace("__Host", "__HOST")), None);
}

#[test]
fn parts_of_two_tokens_do_not_open_together() {
    let sealer = sealer();
    let plaintexts = [vec![1; 7000], vec![2; 7000]];
    let [one, other] = plaintexts.each_ref().map(|plaintext| {
        let lines = sealer.set_cookie(&sealer.seal(plaintext).unwrap(), None).unwrap();
        assert_eq!(lines.len(), 3);
        lines
    });
    let opened = |lines: &[String]| sealer.read(&[header(lines).as_bytes()]).remove(0);
    assert_eq!(opened(&one), Ok(plaintexts[0].clone()));
    for at in 0..3 {
        let mut mixed = one.clone();
        mixed[at] = other[at].clone();
        assert_eq!(opened(&mixed), Err(FORGED.to_owned()));
    }
    let missing = "one of the cookies that it travels in is missing";
    assert_eq!(opened(&one[..2]), Err(missing.to_owned()));
    assert!(sealer.read(&[header(&one[1..]).as_bytes()]).is_empty());
    // Another count, and another order of the names.
    let fewer = header(&one).replacen("=3.", "=2.", 1);
    assert!(sealer.read(&[fewer.as_bytes()])[0].is_err());
    let swapped = header(&one).replace(".1=", ".x=").replace(".2=", ".1=").replace(".x=", ".2=");
    assert!(sealer.read(&[swapped.as_bytes()])[0].is_err());
    // Leftovers of a longer one do not disturb.
    let single = sealer.set_cookie(&sealer.seal(b"short").unwrap(), None).unwrap();
    assert_eq!(opened(&[&single[..], &one[1..]].concat()), Ok(b"short".to_vec()));
}

#[test]
fn a_token_of_a_revoked_key_is_noticed_and_does_not_fill_the_log() {
    let (key, next) = (RootKey::generate().unwrap(), RootKey::generate().unwrap());
    let token = bound(&key, "s", "p", "").seal(b"Ada").unwrap();
    let ring =
        KeyRing::from_keys([(KeyState::Active, next), (KeyState::Revoked, key.clone())]).unwrap();
    let sealer = Sealer::new(&ring, host("s"), "p", "").unwrap();
    let log = Log::default();
    tracing::subscriber::with_default(log.clone(), || {
        for _ in 0..1000 {
            assert_eq!(sealer.open(token.as_bytes()).unwrap_err(), "its key is revoked");
        }
    });
    let log = log.take();
    assert_eq!(log.len(), 10, "1, 2, 4, … 512");
    assert!(log[0].contains("WARN") && log[0].contains(key.fingerprint()), "{}", log[0]);
    let secret = key.expose();
    assert!(!log.concat().contains(&token[..16]) && !log.concat().contains(&secret[5..13]));
}

/// What a header is often made of, in any order.
fn header_bytes() -> impl Strategy<Value = Vec<u8>> {
    let pieces: [&[u8]; 15] = [
        b"__Host-s",
        b"__Host-s=",
        b"__Host-s=2.",
        b"__Host-s=3.",
        b"__Host-s.1=",
        b"__Host-s.2=",
        b"__host-s=",
        b"; ",
        b";",
        b"=",
        b"\"",
        b" \t",
        b"AQAA",
        b"\xff\x00",
        &[b'A'; 4095],
    ];
    let piece = prop::sample::select(pieces.to_vec());
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

static SEALER: LazyLock<Sealer> = LazyLock::new(sealer);

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_headers_are_read_as_a_plain_reading_does(headers in prop::collection::vec(header_bytes(), 0..4)) {
        check_headers(&SEALER, &headers);
    }

    #[test]
    fn any_bytes_are_opened_only_if_they_were_sealed(
        length in 0_usize..600,
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        noise in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let sealer = &*SEALER;
        let sealed = sealer.seal(&vec![7; length]).unwrap();
        let mut edited = sealed.clone().into_bytes();
        for (at, to) in edits {
            let at = at.index(edited.len());
            edited[at] = to;
        }
        check_open(sealer, &sealed, &edited);
        check_open(sealer, &sealed, &noise);
        check_open(sealer, &sealed, URL_SAFE_NO_PAD.encode_to_string(&noise).as_bytes());
    }

    #[test]
    fn what_is_sealed_comes_back(plaintext in prop::collection::vec(any::<u8>(), 0..8000)) {
        let lines = SEALER.set_cookie(&SEALER.seal(&plaintext).unwrap(), None).unwrap();
        prop_assert_eq!(SEALER.read(&[header(&lines).as_bytes()]), [Ok(plaintext)]);
    }
}

/// A Python with the libraries that the decoder uses: from the test tools below the target folder, or
/// of the machine.
fn python() -> Option<PathBuf> {
    let program = std::env::current_exe().unwrap();
    let tools = program.ancestors().map(|folder| folder.join("test-tools/python/bin/python"));
    let python = tools.chain([PathBuf::from("python3")]).find(|python| {
        let import =
            "import msgpack, cryptography.hazmat.primitives.ciphers.algorithms as a; a.AES256";
        let imported = Command::new(python)
            .args(["-c", import])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        imported.is_ok_and(|status| status.success())
    });
    if python.is_none() {
        let why =
            "no python3 with the packages cryptography and msgpack; cargo xtask test installs them";
        // Not `eprintln`, which the harness swallows in tests that pass.
        std::io::stderr().write_all(format!("skipped: {why}\n").as_bytes()).unwrap();
    }
    python
}

/// What a program in Python prints, which is run in the folder of the decoder.
fn run_python(python: &PathBuf, arguments: &[&str], input: &str) -> serde_json::Value {
    let mut child = Command::new(python)
        .args(["-B"])
        .args(arguments)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What values are made of.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Cart {
    items: Vec<(u64, i8)>,
    gift: Option<String>,
    paid: [Payment; 3],
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
enum Payment {
    Invoice,
    Account(u32),
    Card { last: String },
}

fn cart() -> Cart {
    let card = Payment::Card { last: "4242".into() };
    let paid = [Payment::Invoice, Payment::Account(7), card];
    Cart { items: vec![(70_000, -1), (1 << 40, -100)], gift: None, paid }
}

/// The CSRF token without its mask.
fn unmasked(token: &str) -> Vec<u8> {
    let token = URL_SAFE_NO_PAD.decode_to_vec(token).unwrap();
    let (mask, masked) = token.split_at(32);
    mask.iter().zip(masked).map(|(mask, masked)| mask ^ masked).collect()
}

#[tokio::test]
async fn python_reads_and_writes_the_cookie_of_a_session() {
    let Some(python) = python() else { return };
    let key = RootKey::generate().unwrap();
    let server = Server::build(KeyRing::new(key.clone()), Server::new().clock, |options| {
        let generations = Generations::per_session(MemoryStore::new());
        options.with_audience("shop.example.org").with_generations(generations)
    });
    let began = server.clock.now().as_millis();
    let mut browser = Browser::new();
    let log_in = async |session: Session| {
        session.log_in("Ada")?;
        session.insert("theme", "dark")?;
        session.insert("cart", &cart())?;
        session.flash(Flash::new("info", "hello"))
    };
    server.visit(&mut browser, log_in).await.unwrap();
    // A second token of the session, whose moments differ.
    server.clock.advance(IDLE / 2);
    let now = server.clock.now().as_millis();
    let csrf = server.visit(&mut browser, async |session| {
        session.insert("n", &300)?;
        session.csrf_token()
    });
    let csrf = csrf.await.unwrap();

    let secret = key.expose();
    let arguments =
        |program| [program, secret.as_str(), "__Host-session", "session", "shop.example.org"];
    let mut read = run_python(&python, &arguments("decode.py"), browser.value());
    let id = read["id"].as_str().unwrap().to_owned();
    assert_eq!(id.len(), 32);
    let millis = |d: std::time::Duration| u64::try_from(d.as_millis()).unwrap();
    let expected = serde_json::json!({
        "schema": 0, "id": id, "issued": now,
        // The floor of a store that was empty is a minute ahead.
        "started": began + 60_000,
        "idle_until": now + millis(IDLE), "absolute_until": began + millis(ABSOLUTE),
        "authenticated": began, "checked": now,
        "session_generation": began, "user_generation": began,
        "user": "Ada", "flash": [["info", "hello"]],
        "content": {
            "theme": "dark",
            "cart": {
                "items": [[70_000, -1], [1_u64 << 40, -100]],
                "gift": null,
                "paid": ["Invoice", {"Account": 7}, {"Card": {"last": "4242"}}],
            },
            "n": 300,
        },
    });
    assert_eq!(read, expected);

    read["content"]["n"] = 301.into();
    read["flash"] = serde_json::json!([["info", "hello"], ["warning", "from Python"]]);
    let sealed = run_python(&python, &arguments("encode.py"), &read.to_string());
    let [token, python_csrf] = ["token", "csrf"].map(|name| sealed[name].as_str().unwrap());
    assert_ne!(csrf, python_csrf);
    assert_eq!(unmasked(&csrf), unmasked(python_csrf));
    let look = async |session: Session| {
        assert_eq!(session.user().as_deref(), Some("Ada"));
        assert_eq!(session.get::<u32>("n")?, Some(301));
        assert_eq!(session.get::<Cart>("cart")?, Some(cart()));
        let warning = Flash::new("warning", "from Python");
        assert_eq!(session.take_flashes(), [Flash::new("info", "hello"), warning]);
        session.check_csrf(python_csrf)
    };
    server.visit(&mut Browser::holding(token), look).await.unwrap();
}

#[test]
fn python_reads_what_rust_wrote() {
    let decoder = include_str!("data/decode.py");
    assert!(decoder.lines().count() <= 40);
    let Some(python) = python() else { return };
    let key = RootKey::generate().unwrap();
    let sealer = bound(&key, "s", "session", "例え.テスト");
    // A header as docs/formats/session.md has it: all flags, schema 300, ids, and the numbers.
    let header = [
        &[15, 0xac, 2][..],
        &[0xab; 16],
        &[232, 7, 100, 16, 32, 4, 8, 5, 6],
        b"\x03Ada\x08\x04info\x02Hi",
    ];
    let plaintext = [&header.concat()[..], b"\x81\xa1n\xcd\x01\x2c"].concat();
    let token = sealer.seal(&plaintext).unwrap();
    let arguments = ["decode.py", &*key.expose(), "__Host-s", "session", "例え.テスト"];
    let read = run_python(&python, &arguments, &token);
    let expected = serde_json::json!({
        "schema": 300, "id": "ab".repeat(16), "issued": 1000, "started": 100,
        "idle_until": 1016, "absolute_until": 1032, "authenticated": 996, "checked": 992,
        "session_generation": 5, "user_generation": 6,
        "user": "Ada", "flash": [["info", "Hi"]], "content": {"n": 300},
    });
    assert_eq!(read, expected);

    // Any lengths, and the vectors, in one run.
    let mut tokens: Vec<serde_json::Value> =
        serde_json::from_str(include_str!("data/tokens.json")).unwrap();
    for length in (0..200).chain([512, 3000]) {
        let plaintext: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
        let hex = plaintext.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        tokens.push(serde_json::json!({
            "key": *key.expose(), "cookie_name": "__Host-s", "purpose": "session",
            "audience": "例え.テスト", "plaintext": hex, "token": sealer.seal(&plaintext).unwrap(),
        }));
    }
    let program = "import decode, json, sys; print(sum(decode.open_token(t['key'], t['cookie_name'], \
                   t['purpose'], t['audience'], t['token']).hex() == t['plaintext'] \
                   for t in json.load(sys.stdin)))";
    let count = run_python(&python, &["-c", program], &serde_json::to_string(&tokens).unwrap());
    assert_eq!(count, tokens.len());
}
