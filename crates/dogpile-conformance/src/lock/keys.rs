//! Locks of different keys.

use std::time::{Duration, Instant};

use dogpile_core::{Held, Key, Lock};
use tokio::task::JoinSet;

use super::{LONG, take, try_lock};
use crate::Subject;
use crate::suite::Must;

/// 200 locks are held at once, each by its own holder: locks are per key and not per bucket.
pub async fn keys_are_independent<L: Lock + 'static>(subject: &Subject<L>) {
    let since = Instant::now();
    let mut tasks = JoinSet::new();
    for at in 0..200 {
        let (subject, name) = (subject.clone(), subject.name(&format!("independent {at}")));
        tasks.spawn(async move {
            let key = Key::name(&name);
            let refused = "a free lock was refused while other keys were held";
            let lease = take(&*subject, key, LONG, refused).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
            let held = subject.unlock(key, lease).await.must("unlocking");
            assert!(held == Held::Kept, "a lock was lost while other keys were held");
        });
    }
    tasks.join_all().await;
    assert!(
        since.elapsed() < Duration::from_secs(4),
        "200 locks of different keys waited for each other"
    );
}

/// A field of a group and a plain name are different locks, as are `("ab", "c")` and `("a", "bc")`.
pub async fn groups_and_names_are_different_locks<L: Lock>(subject: &Subject<L>) {
    let group = |end: &str| subject.name(end);
    let (a, ab, abc) = (group("a"), group("ab"), group("abc"));
    for key in [Key::field(&ab, "c"), Key::field(&a, "bc"), Key::field(&abc, ""), Key::name(&abc)] {
        take(&**subject, key, LONG, "a field and a name that look alike share a lock").await;
    }
}

/// Names with blanks, line ends, NUL, slashes, dots, and long ones: each is a lock of its own.
pub async fn odd_names_are_different_locks<L: Lock>(subject: &Subject<L>) {
    let long = "x".repeat(4_000);
    let (long_a, long_b) = (format!("{long}a"), format!("{long}b"));
    let ends: [&[u8]; 14] = [
        b"",
        b" ",
        b"a b",
        b"a\r\nb",
        b"a\0",
        b"a",
        b"A",
        b"a/b",
        b"..",
        b"../a",
        b"\xff",
        b"a*",
        long_a.as_bytes(),
        long_b.as_bytes(),
    ];
    let names: Vec<_> =
        ends.iter().map(|end| [subject.name("odd ").as_bytes(), end].concat()).collect();
    let mut leases = Vec::new();
    for name in &names {
        let key = Key::name(name);
        let shared = format!("the lock of the name {key:.80?} is shared with another name");
        leases.push((key, take(&**subject, key, LONG, &shared).await));
    }
    for (key, lease) in leases {
        assert!(
            try_lock(&**subject, key, LONG).await.is_none(),
            "the lock of {key:.80?} was given twice"
        );
        let held = subject.unlock(key, lease).await.must("unlocking");
        assert!(held == Held::Kept, "the lock of {key:.80?} was lost to another name");
    }
}
