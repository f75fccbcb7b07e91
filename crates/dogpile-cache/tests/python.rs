//! One cache for Rust and Python, against what dogpile.cache 1.5 itself wrote, and with it where it
//! is installed.
#![cfg(all(feature = "json", feature = "sha"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "the helpers of tests may fail as tests do"
)]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use dogpile_cache::codec::Json;
use dogpile_cache::key::{Mangle, Sha1};
use dogpile_cache::python::{self, FunctionKey, PythonStr, PythonWire, VERSION};
use dogpile_cache::{
    Backend, CallOptions, Entry, ErrorKind, Expiry, Key, KeyBuf, Region, Result, Timestamp,
};
use dogpile_conformance::ManualClock;
use dogpile_core::SetOptions;
use dogpile_lock::Dogpile;
use serde_json::Value;

fn vectors() -> Value {
    serde_json::from_str(include_str!("data/dogpile_cache.json")).unwrap()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

/// A JSON argument as the value Python had.
fn argument(value: &Value) -> Box<dyn PythonStr> {
    match value {
        Value::Null => Box::new(None::<bool>),
        Value::Bool(yes) => Box::new(*yes),
        Value::String(text) => Box::new(text.clone()),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => Box::new(whole),
            None => Box::new(number.as_f64().unwrap()),
        },
        Value::Array(_) | Value::Object(_) => panic!("no such argument: {value}"),
    }
}

fn text(key: &KeyBuf) -> String {
    String::from_utf8(key.as_key().as_bytes().to_vec()).unwrap()
}

#[test]
fn the_keys_are_those_of_the_original() {
    let vectors = vectors();
    for case in list(&vectors["keys"]) {
        let mut function = FunctionKey::new("myapp.tools", "one");
        if let Some(namespace) = case["namespace"].as_str() {
            function = function.with_namespace(namespace);
        }
        let owned: Vec<_> = list(&case["call"]).iter().map(argument).collect();
        let call: Vec<&dyn PythonStr> = owned.iter().map(|argument| &**argument).collect();
        let key = match case["how"].as_str().unwrap() {
            "function" => Value::from(text(&function.of(&call))),
            "multi" => function.each(&call).iter().map(text).collect(),
            "named" => Value::from(text(&function.of_named(&[("b", call[0]), ("a", call[1])]))),
            other => panic!("{other}"),
        };
        assert_eq!(key, case["key"], "{case}");
    }
}

#[test]
fn the_published_cases() {
    let cases: Value =
        serde_json::from_str(include_str!("data/dogpile_keys_and_wire.json")).unwrap();
    let one = FunctionKey::new("myapp.tools", "one");
    let foo = one.clone().with_namespace("foo");
    assert_eq!(
        cases["function_key_generator(None, myapp.tools:one)(3,4)"],
        text(&one.of(&[&3, &4]))
    );
    assert_eq!(cases["namespace foo"], text(&foo.of(&[&3, &4])));
    let multi: Vec<_> = foo.each(&[&2, &8]).iter().map(text).collect();
    assert_eq!(cases["multi foo 2,8"], Value::from(multi));
    assert_eq!(cases["kwarg b=2,a=1"], text(&one.of_named(&[("b", &2), ("a", &1)])));
    for name in ["some_key", "tests.cache.test_decorator:one|1 2"] {
        let mangled = Sha1.mangle(name.as_bytes());
        assert_eq!(cases[format!("sha1({name})")], std::str::from_utf8(&mangled).unwrap());
    }
}

#[test]
fn the_mangled_names_are_those_of_the_original() {
    let vectors = vectors();
    let long = python::only_when_long(40, Sha1);
    for case in list(&vectors["mangled"]) {
        let name = case["name"].as_str().unwrap().as_bytes();
        assert_eq!(&*Sha1.mangle(name), case["sha1"].as_str().unwrap().as_bytes());
        assert_eq!(&*long.mangle(name), case["long"].as_str().unwrap().as_bytes());
    }
}

/// Raw bytes in files or in memory, with no envelope: what a server would keep.
#[derive(Clone, Debug)]
enum Raw {
    Memory(Arc<Mutex<HashMap<String, Bytes>>>),
    Folder(PathBuf),
}

impl Raw {
    fn memory() -> Self {
        Self::Memory(Arc::default())
    }

    fn read(&self, key: Key<'_>) -> Option<Bytes> {
        let key = String::from_utf8(key.as_bytes().to_vec()).unwrap();
        match self {
            Self::Memory(map) => map.lock().unwrap().get(&key).cloned(),
            Self::Folder(folder) => std::fs::read(folder.join(key)).ok().map(Bytes::from),
        }
    }

    fn write(&self, key: Key<'_>, value: &Bytes) {
        let key = String::from_utf8(key.as_bytes().to_vec()).unwrap();
        match self {
            Self::Memory(map) => drop(map.lock().unwrap().insert(key, value.clone())),
            Self::Folder(folder) => std::fs::write(folder.join(key), value).unwrap(),
        }
    }
}

impl Backend for Raw {
    type Value = Bytes;

    async fn get(&self, key: Key<'_>) -> Result<Option<Entry<Bytes>>> {
        Ok(self.read(key).map(|value| Entry::new(Timestamp::MIN, value)))
    }
    async fn get_many(&self, keys: &[Key<'_>]) -> Result<Vec<Option<Entry<Bytes>>>> {
        let entries = keys.iter().map(|key| self.read(*key));
        Ok(entries.map(|value| value.map(|value| Entry::new(Timestamp::MIN, value))).collect())
    }
    async fn set_many(&self, items: &[(Key<'_>, Entry<Bytes>)], _: &SetOptions) -> Result<()> {
        items.iter().for_each(|(key, entry)| self.write(*key, &entry.value));
        Ok(())
    }
    async fn delete_many(&self, _: &[Key<'_>]) -> Result<()> {
        Ok(())
    }
    async fn delete_group(&self, _: &[u8]) -> Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_stored_form_is_that_of_the_original() {
    let vectors = vectors();
    for case in list(&vectors["stored"]) {
        let stored = Bytes::from(case["stored"].as_str().unwrap().to_owned());
        let (ct, key) = (case["ct"].as_f64().unwrap(), Key::name("key"));
        let (raw, payload) =
            (Raw::memory(), stored.slice(stored.iter().position(|b| *b == b'|').unwrap() + 1..));
        let created = Timestamp::from_millis((ct * 1000.0).round() as u64);
        let entry = Entry::new(created, payload.clone()).with_version(VERSION);
        let wire = PythonWire::new(raw.clone());

        wire.set_many(&[(key, entry.clone())], &SetOptions::new()).await.unwrap();
        assert_eq!(raw.read(key).unwrap(), stored);
        assert_eq!(wire.get(key).await.unwrap(), Some(entry));
        assert_eq!(serde_json::from_slice::<Value>(&payload).unwrap(), case["value"]);
    }
}

#[tokio::test]
async fn reading_is_tolerant_of_form_and_of_nothing_else() {
    let (raw, key) = (Raw::memory(), Key::name("key"));
    let wire = PythonWire::new(raw.clone());
    for good in [
        r#"{"ct":1.5,"v":2}|x"#,
        " {\n \"v\" : 2 ,\t\"ct\" : 1.5 } |x",
        r#"{"ct": 15e-1, "v": 2.0, "more": "a,}b\"{", "n": null, "f": -1.5, "t": true}|x"#,
        r#"{"ct": 1.4999999999, "v": 2}|x"#,
    ] {
        raw.write(key, &Bytes::copy_from_slice(good.as_bytes()));
        let entry = wire.get(key).await.unwrap().unwrap();
        assert_eq!(
            (entry.created.as_millis(), entry.version, &entry.value[..]),
            (1_500, 2, &b"x"[..]),
            "{good}"
        );
    }
    for (whole, millis) in [("1700000000", 1_700_000_000_000), ("0", 0), ("-5.5", 0)] {
        raw.write(key, &format!("{{\"ct\": {whole}, \"v\": 2}}|").into());
        assert_eq!(wire.get(key).await.unwrap().unwrap().created.as_millis(), millis);
    }
    for bad in [
        "",
        "|",
        "x",
        "{}|x",
        r#"{"ct": 1.5, "v": 2}"#,
        r#"{"ct": 1.5}|x"#,
        r#"{"v": 2}|x"#,
        r#"{"ct": "1.5", "v": 2}|x"#,
        r#"{"ct": nan, "v": 2}|x"#,
        r#"{"ct": 1e999, "v": 2}|x"#,
        r#"{"ct": 1.5, "v": -1}|x"#,
        r#"{"ct": 1.5, "v": 2.5}|x"#,
        r#"{"ct": 1.5, "v": 4294967296}|x"#,
        r#"{"ct": 1.5, "v": 2} x|x"#,
        r#"{"ct": 1.5 "v": 2}|x"#,
        r#"{"ct": 1.5, "v": 2,}|x"#,
        r#"{"ct": 1.5, "v": 2, "m": }|x"#,
        r#"{"ct": 1.5, "v": 2, "m": [1]}|x"#,
        r#"{"ct|": 1.5, "v": 2}|x"#,
        "{\"ct\": 1.5, \"v\": 2, \"\\",
        "[1.5, 2]|x",
    ] {
        raw.write(key, &Bytes::copy_from_slice(bad.as_bytes()));
        assert_eq!(wire.get(key).await.unwrap_err().kind(), ErrorKind::Corrupt, "{bad}");
    }
    raw.write(key, &Bytes::from_static(b"{\"ct\": \xff, \"v\": 2}|x"));
    assert_eq!(wire.get(key).await.unwrap_err().kind(), ErrorKind::Corrupt);
}

fn region(raw: Raw) -> Region<Dogpile<dogpile_lock::Solo<PythonWire<Raw>>>, Json> {
    Region::new(Dogpile::local(PythonWire::new(raw)), Json)
        .with_version(VERSION)
        .with_mangler(Sha1)
        .expires_after(Duration::from_secs(60))
}

#[tokio::test]
async fn foreign_bytes_are_a_miss_that_is_created_again() {
    let raw = Raw::memory();
    let (clock, key) = (Arc::new(ManualClock::new()), "k");
    let region = region(raw.clone()).with_clock(clock);
    let mangled = Sha1.mangle(key.as_bytes());
    for (foreign, expected) in [
        ("pickle", 1),
        (r#"{"ct": 1704067200, "v": 1}|7"#, 2),
        (r#"{"ct": 1704067200, "v": 2}|{"#, 3),
        (r#"{"ct": 1704067200, "v": 2}|7"#, 7),
    ] {
        raw.write(Key::name(&*mangled), &Bytes::copy_from_slice(foreign.as_bytes()));
        let value = region.get_or_create(key, || async { Ok::<_, String>(expected) }).await;
        assert_eq!(value.unwrap(), expected, "{foreign}");
    }
}

/// The calls and values of the script, and the key of each.
fn shared_calls() -> Vec<(KeyBuf, Value)> {
    let vectors = vectors();
    let function = |case: &&Value| case["how"] == "function";
    let keys = list(&vectors["keys"]).iter().filter(function);
    let values: Vec<&Value> =
        list(&vectors["stored"]).iter().map(|case| &case["value"]).take(7).collect();
    let pairs = keys.zip(values.iter().cycle());
    pairs
        .map(|(case, value)| {
            (KeyBuf::from(Key::name(case["key"].as_str().unwrap())), (*value).clone())
        })
        .collect()
}

fn python(arguments: &[&str]) -> Option<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/dogpile_cache.py");
    let output = Command::new("python3").arg(script).args(arguments).output().ok()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("No module named"), "{said}");
        return None;
    }
    Some(String::from_utf8(output.stdout).unwrap())
}

#[tokio::test]
async fn python_reads_what_rust_wrote_and_rust_what_python_wrote() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    if python(&["set", path]).is_none() {
        println!("left out: python3 with dogpile.cache is not installed");
        return;
    }
    let region = region(Raw::Folder(folder.path().to_owned()));
    let calls = shared_calls();
    assert_eq!(calls.len(), 14);
    for (key, value) in &calls {
        assert_eq!(region.get::<Value>(key).await.unwrap().as_ref(), Some(value), "{key}");
    }
    for file in std::fs::read_dir(folder.path()).unwrap() {
        std::fs::remove_file(file.unwrap().path()).unwrap();
    }
    for (key, value) in &calls {
        region.set(key, value).await.unwrap();
    }
    // An expiry of its own is written beside what Python reads, and does not disturb it.
    let own = CallOptions::new().with_expiry(Expiry::after(Duration::from_secs(30)));
    region.set_with(&calls[0].0, &calls[0].1, own).await.unwrap();
    let found: Value = serde_json::from_str(&python(&["get", path]).unwrap()).unwrap();
    let expected: Vec<_> =
        calls.iter().map(|(_, value)| serde_json::json!({"found": value})).collect();
    assert_eq!(found, Value::from(expected));
    // What was generated here is what the script makes now.
    let now: Value = serde_json::from_str(&python(&["vectors"]).unwrap()).unwrap();
    assert_eq!(now, vectors());
}

mod conformance {
    use super::*;
    dogpile_conformance::backend_suite!(async {
        let raw = dogpile_cache::backend::MemoryBytes::new(64 << 20);
        dogpile_conformance::Subject::new(PythonWire::new(raw)).with_advance(|_| {})
    });
}
