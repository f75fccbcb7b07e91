//! Names of any bytes.

use std::collections::BTreeSet;

use dogpile_core::{Backend, BackendExt, Entry, ErrorKind, Key};

use super::expect_value;
use crate::suite::{Must, stop};
use crate::{Sample, Subject};

/// Names with blanks, line ends, NUL, slashes, dots, wildcards, bytes that are no text: each has its
/// own entry, or is [`ErrorKind::Refused`].
pub async fn odd_names_are_told_apart<B: Backend<Value: Sample>>(subject: &Subject<B>) {
    told_apart(subject, &odd(subject)).await;
}

/// The same names are all accepted. Decline it where the store documents what it refuses.
pub async fn odd_names_are_accepted<B: Backend<Value: Sample>>(subject: &Subject<B>) {
    accepted(subject, &odd(subject)).await;
}

/// Names of 249 bytes to 4 KiB that differ only in their last byte: each has its own entry, or is
/// [`ErrorKind::Refused`].
pub async fn long_names_are_told_apart<B: Backend<Value: Sample>>(subject: &Subject<B>) {
    told_apart(subject, &long(subject)).await;
}

/// The same names are all accepted. Decline it where the store documents what it refuses.
pub async fn long_names_are_accepted<B: Backend<Value: Sample>>(subject: &Subject<B>) {
    accepted(subject, &long(subject)).await;
}

async fn told_apart<B: Backend<Value: Sample>>(subject: &Subject<B>, names: &[Vec<u8>]) {
    let mut stored = BTreeSet::new();
    for (seed, name) in names.iter().enumerate() {
        let key = Key::name(name);
        match subject.set(key, Entry::new(subject.now(), B::Value::sample(seed, 32))).await {
            Ok(()) => _ = stored.insert(seed),
            Err(error) if error.kind() == ErrorKind::Refused => {}
            Err(error) => stop(format_args!(
                "the name {key:.80?} is accepted or ErrorKind::Refused, and was {error:?}"
            )),
        }
    }
    for seed in stored {
        let key = Key::name(&names[seed]);
        let found = subject.get(key).await.must("getting a name that was accepted");
        let broken = format!("the name {key:.80?} was accepted and has not its own entry");
        expect_value(found.as_ref(), &B::Value::sample(seed, 32), &broken);
    }
    clear(subject, names).await;
}

async fn accepted<B: Backend<Value: Sample>>(subject: &Subject<B>, names: &[Vec<u8>]) {
    for name in names {
        let key = Key::name(name);
        let entry = Entry::new(subject.now(), B::Value::sample(0, 32));
        if let Err(error) = subject.set(key, entry).await {
            stop(format_args!("the name {key:.80?} was not accepted: {error:?}"));
        }
    }
    clear(subject, names).await;
}

/// The store may be shared with other runs, and not every odd name has the subject's prefix.
async fn clear<B: Backend<Value: Sample>>(subject: &Subject<B>, names: &[Vec<u8>]) {
    for name in names {
        let _ = subject.delete(Key::name(name)).await;
    }
}

fn odd<T>(subject: &Subject<T>) -> Vec<Vec<u8>> {
    let ends: [&[u8]; 30] = [
        b"",
        b" ",
        b"  ",
        b"a b",
        b"a  b",
        b"a\tb",
        b"a\r\nb",
        b"a\nb",
        b"a\0",
        b"a\0b",
        b"a",
        b"A",
        b"a/b",
        b"a//b",
        b"/",
        b"a/",
        b".",
        b"..",
        b"../a",
        b"a\\b",
        b"a*b",
        b"a?b",
        b"a[b]",
        b"a:b",
        b"a%20b",
        b"a%b",
        "\u{e9}".as_bytes(),
        "e\u{301}".as_bytes(),
        "\u{1f415}".as_bytes(),
        b"\xff\xfe\x80",
    ];
    let mut names: Vec<_> =
        ends.iter().map(|end| [subject.name("odd ").as_bytes(), end].concat()).collect();
    names.extend([
        b"".to_vec(),
        b".".to_vec(),
        b"..".to_vec(),
        b"/".to_vec(),
        b"\r\n".to_vec(),
        b"\0".to_vec(),
    ]);
    names
}

fn long<T>(subject: &Subject<T>) -> Vec<Vec<u8>> {
    let name = |length: usize, last: u8| {
        let mut name = subject.name("long ").into_bytes();
        name.resize(length - 1, b'x');
        name.push(last);
        name
    };
    [249, 250, 251, 255, 256, 257, 1_024, 4_096]
        .into_iter()
        .flat_map(|length| [name(length, b'y'), name(length, b'z')])
        .collect()
}
