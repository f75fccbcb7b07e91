//! One key.

use std::task::Poll;
use std::time::Duration;

use dogpile_core::{Backend, BackendExt, Entry, ErrorKind, Key, Timestamp};

use super::{entry, expect_value, get, set};
use crate::suite::{Must, stop};
use crate::{Sample, Subject};

/// A key under which nothing is kept is `None`, and no error.
pub async fn nothing_is_none<B: Backend<Value: Sample>>(subject: &Subject<B>) {
    let name = subject.name("nothing");
    let found = subject.get(Key::name(&name)).await.must("getting a key that was never set");
    assert!(found.is_none(), "a key that was never set was found: {found:?}");
}

/// What is set is found under its name, and under no other that starts or ends alike.
pub async fn what_is_set_is_found<B: Backend<Value: Sample>>(subject: &Subject<B>) {
    let name = subject.name("set");
    set(&**subject, &name, entry(subject, 1)).await;
    let found = get(&**subject, &name).await;
    expect_value(found.as_ref(), &B::Value::sample(1, 32), "what was set was not found");
    for other in [&name[..name.len() - 1], &name[1..], &format!("{name} "), &format!("{name}x")] {
        let found = get(&**subject, other).await;
        assert!(found.is_none(), "what was set under {name:?} was found under {other:?}");
    }
}

/// A second set replaces the first.
pub async fn a_later_set_overwrites<B: Backend<Value: Sample>>(subject: &Subject<B>) {
    let name = subject.name("overwrite");
    for seed in 1..4 {
        set(&**subject, &name, entry(subject, seed)).await;
    }
    let found = get(&**subject, &name).await;
    expect_value(found.as_ref(), &B::Value::sample(3, 32), "the last set did not win");
}

/// The last write wins, not the newest stamp: clocks of other machines may be ahead.
pub async fn an_older_stamp_overwrites_too<B: Backend<Value: Sample>>(subject: &Subject<B>) {
    let name = subject.name("older stamp");
    set(&**subject, &name, entry(subject, 1)).await;
    let mut older = entry(subject, 2);
    older.created = older.created.minus(Duration::from_secs(2));
    set(&**subject, &name, older).await;
    let found = get(&**subject, &name).await;
    let broken = "an entry with an older stamp did not replace the one before it";
    expect_value(found.as_ref(), &B::Value::sample(2, 32), broken);
}

/// What is deleted is gone.
pub async fn what_is_deleted_is_gone<B: Backend<Value: Sample>>(subject: &Subject<B>) {
    let name = subject.name("delete");
    set(&**subject, &name, entry(subject, 1)).await;
    subject.delete(Key::name(&name)).await.must("deleting an entry");
    let found = get(&**subject, &name).await;
    assert!(found.is_none(), "an entry was found after it was deleted: {found:.200?}");
}

/// Deleting what is not there, or no longer, is no error.
pub async fn deleting_nothing_is_no_error<B: Backend<Value: Sample>>(subject: &Subject<B>) {
    let name = subject.name("delete nothing");
    subject.delete(Key::name(&name)).await.must("deleting a key that was never set");
    subject.delete(Key::name(&name)).await.must("deleting it again");
    let field = Key::field(&name, "field");
    subject.delete(field).await.must("deleting a field of a group that was never set");
}

/// A delete leaves nothing behind that hides a later set.
pub async fn a_deleted_key_can_be_set_again<B: Backend<Value: Sample>>(subject: &Subject<B>) {
    let name = subject.name("set again");
    set(&**subject, &name, entry(subject, 1)).await;
    subject.delete(Key::name(&name)).await.must("deleting an entry");
    set(&**subject, &name, entry(subject, 2)).await;
    let found = get(&**subject, &name).await;
    let broken = "what was set after a delete was not found";
    expect_value(found.as_ref(), &B::Value::sample(2, 32), broken);
}

/// `created` comes back to the millisecond, also when it is long ago or ahead of the clock.
pub async fn created_is_kept<B: Backend<Value: Sample>>(subject: &Subject<B>) {
    let now = subject.now();
    let stamps = [
        now,
        now.minus(Duration::from_millis(1)),
        now.minus(Duration::from_secs(3600)),
        now.plus(Duration::from_millis(1234)),
        Timestamp::from_millis(1),
    ];
    for (at, created) in stamps.into_iter().enumerate() {
        let name = subject.name(&format!("created {at}"));
        set(&**subject, &name, Entry::new(created, B::Value::sample(at, 32))).await;
        let found = get(&**subject, &name).await.must("an entry that was just set");
        assert!(
            found.created == created,
            "`created` was {created} and came back as {}",
            found.created
        );
    }
}

/// `version` comes back as it was.
pub async fn version_is_kept<B: Backend<Value: Sample>>(subject: &Subject<B>) {
    for version in [0, 1, 255, 65_536, u32::MAX] {
        let name = subject.name(&format!("version {version}"));
        set(&**subject, &name, entry(subject, 1).with_version(version)).await;
        let found = get(&**subject, &name).await.must("an entry that was just set");
        assert!(
            found.version == version,
            "`version` was {version} and came back as {}",
            found.version
        );
    }
}

/// `expires` comes back to the millisecond. Decline it where the stored form has no room for it.
pub async fn expires_is_kept<B: Backend<Value: Sample>>(subject: &Subject<B>) {
    let soon = subject.now().plus(Duration::from_millis(3_600_123));
    for (at, expires) in [soon, Timestamp::MAX].into_iter().enumerate() {
        let name = subject.name(&format!("expires {at}"));
        set(&**subject, &name, entry(subject, 1).with_expires(expires)).await;
        let found = get(&**subject, &name).await.must("an entry that was just set");
        assert!(
            found.expires == expires,
            "`expires` was {expires} and came back as {}",
            found.expires
        );
    }
}

/// A backend judges no freshness: an entry past its own `expires` is still answered.
pub async fn a_stale_entry_is_found<B: Backend<Value: Sample>>(subject: &Subject<B>) {
    let name = subject.name("stale");
    let past = subject.now().minus(Duration::from_secs(10));
    let stale =
        Entry::new(past, B::Value::sample(1, 32)).with_expires(past.plus(Duration::from_secs(1)));
    set(&**subject, &name, stale).await;
    let found = get(&**subject, &name).await;
    let broken = "an entry past its own `expires` was withheld, and is the stale value to serve";
    expect_value(found.as_ref(), &B::Value::sample(1, 32), broken);
}

/// Values from nothing to 1 MiB come back whole, or are refused as too large: never cut, and never
/// dropped in silence.
pub async fn values_of_all_sizes_come_back_whole<B: Backend<Value: Sample>>(subject: &Subject<B>) {
    for size in [0, 1, 2, 255, 4_096, 65_535, 65_536, 1 << 20] {
        let name = subject.name(&format!("size {size}"));
        let value = B::Value::sample(1, size);
        match subject.set(Key::name(&name), Entry::new(subject.now(), value.clone())).await {
            Ok(()) => {
                let found = get(&**subject, &name).await;
                let broken = format!("a value of {size} bytes did not come back whole");
                expect_value(found.as_ref(), &value, &broken);
            }
            Err(error) if error.kind() == ErrorKind::TooLarge => {
                let found = get(&**subject, &name).await;
                assert!(
                    found.is_none(),
                    "a value of {size} bytes was refused as too large, and stored"
                );
            }
            Err(error) => stop(format_args!(
                "a value of {size} bytes is stored or ErrorKind::TooLarge, and was {error:?}"
            )),
        }
    }
}

/// Every handle of the store sees what the others write, overwrite and delete.
pub async fn handles_see_each_others_writes<B: Backend<Value: Sample>>(subject: &Subject<B>) {
    let name = subject.name("handles");
    let (one, other) = (&**subject, subject.other());
    set(one, &name, entry(subject, 1)).await;
    let found = get(other, &name).await;
    expect_value(found.as_ref(), &B::Value::sample(1, 32), "another handle did not see a set");
    set(other, &name, entry(subject, 2)).await;
    let found = get(one, &name).await;
    expect_value(
        found.as_ref(),
        &B::Value::sample(2, 32),
        "another handle did not see an overwrite",
    );
    one.delete(Key::name(&name)).await.must("deleting an entry");
    let found = get(other, &name).await;
    assert!(found.is_none(), "another handle did not see a delete: {found:.200?}");
}

/// `peek` shows what is there, or nothing: never what was there before.
pub async fn peek_shows_what_is_there<B: Backend<Value: Sample>>(subject: &Subject<B>) {
    let name = subject.name("peek");
    let shown = || {
        let mut looked = false;
        let peeked = subject.peek(Key::name(&name), |entry| {
            looked = true;
            entry.value.clone()
        });
        let shown = match peeked {
            Poll::Ready(shown) => shown,
            Poll::Pending => None,
        };
        assert_eq!(looked, shown.is_some(), "peek answered something else than it was told");
        shown
    };
    assert!(shown().is_none(), "peek showed an entry where nothing is kept");
    for (seed, writer) in [(1, &**subject), (2, subject.other())] {
        set(writer, &name, entry(subject, seed)).await;
        // A store that keeps near what it has read may show it now.
        get(&**subject, &name).await;
        let seen = shown();
        let right = seen.as_ref().is_none_or(|seen| *seen == B::Value::sample(seed, 32));
        assert!(right, "peek showed an entry that was overwritten: {seen:.200?}");
    }
    subject.other().delete(Key::name(&name)).await.must("deleting an entry");
    assert!(shown().is_none(), "peek showed an entry that was deleted");
}

/// Where something is kept, `peek` does not say that nothing is.
pub async fn peek_misses_nothing<B: Backend<Value: Sample>>(subject: &Subject<B>) {
    let (one, other) = (&**subject, subject.other());
    for (seed, writer, reader) in [(1, one, one), (2, one, other), (3, other, one)] {
        let name = subject.name(&format!("peek/{seed}"));
        set(writer, &name, entry(subject, seed)).await;
        let missed = reader.peek(Key::name(&name), |_| ()) == Poll::Ready(None);
        assert!(!missed, "peek said that there is nothing where an entry is kept");
    }
}
