//! The answer to one question.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dogpile_core::{Answer, Ask, BackendExt, Entry, Freshness, Key, LeaseBackend, Timestamp};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::{
    FRESH_FOR, KEEP_FOR, LONG, aged, ask, expect_value, fresh, freshness, options, policy,
    set_stale, shown,
};
use crate::suite::{Must, stop};
use crate::{Sample, Subject};

/// Who asks for a missing key is to create it, and gets no stale entry.
pub async fn a_missing_key_is_to_be_created<B: LeaseBackend<Value: Sample>>(subject: &Subject<B>) {
    let name = subject.name("missing");
    let answer = ask(subject, Key::name(&name)).await;
    assert!(
        matches!(answer, Answer::Create { stale: None, .. }),
        "who asks first for a missing key is to create it, and was answered {}",
        shown(&answer)
    );
}

/// A fresh entry is served as it was stored, and no lease is touched.
pub async fn a_fresh_entry_is_served<B: LeaseBackend<Value: Sample>>(subject: &Subject<B>) {
    let name = subject.name("fresh");
    let key = Key::name(&name);
    let stored = aged(subject, 1, FRESH_FOR / 2);
    subject.set(key, stored.clone()).await.must("setting an entry");
    match ask(subject, key).await {
        Answer::Fresh(entry) => {
            expect_value(Some(&entry), 1, "a fresh entry was served with another value");
            assert!(
                entry.created == stored.created,
                "a fresh entry was served with another `created`"
            );
        }
        answer => stop(format_args!("a fresh entry was not served: {}", shown(&answer))),
    }
    let leased = subject.is_leased(key).await.must("asking for a lease");
    assert!(!leased, "serving a fresh entry left a lease behind");
}

/// An entry that is fresh to one reader is served, though it is stale to another who creates.
pub async fn a_fresh_entry_is_served_during_a_creation<B: LeaseBackend<Value: Sample>>(
    subject: &Subject<B>,
) {
    let name = subject.name("fresh during a creation");
    let key = Key::name(&name);
    set_stale(subject, key, 1).await;
    let answer = ask(subject, key).await;
    assert!(matches!(answer, Answer::Create { .. }), "a stale entry is to be created anew");
    let patient = policy().with_fresh_for(Some(KEEP_FOR)).at(subject.now());
    match subject.get_or_lease(&Ask::new(key, patient, LONG)).await.must("asking") {
        Answer::Fresh(entry) => expect_value(Some(&entry), 1, "a wrong value was served"),
        answer => stop(format_args!(
            "an entry fresh to a patient reader was withheld while another creates: {}",
            shown(&answer)
        )),
    }
}

/// Who asks first for a stale entry is to create the next one, and gets the stale one to serve.
pub async fn a_stale_entry_comes_with_the_turn<B: LeaseBackend<Value: Sample>>(
    subject: &Subject<B>,
) {
    let name = subject.name("stale");
    set_stale(subject, Key::name(&name), 1).await;
    match ask(subject, Key::name(&name)).await {
        Answer::Create { stale, .. } => {
            expect_value(stale.as_ref(), 1, "the turn to create came without the stale entry");
        }
        answer => stop(format_args!("nobody is to create a stale entry anew: {}", shown(&answer))),
    }
}

/// While somebody creates a missing key, others are told so, and get nothing.
pub async fn the_others_are_busy<B: LeaseBackend<Value: Sample>>(subject: &Subject<B>) {
    let name = subject.name("busy");
    ask(subject, Key::name(&name)).await;
    for _ in 0..3 {
        let answer = ask(subject, Key::name(&name)).await;
        let busy = matches!(answer, Answer::Busy { stale: None });
        assert!(
            busy,
            "who asks while another creates is told so, and was answered {}",
            shown(&answer)
        );
    }
}

/// Who asks while somebody creates is answered at once, and does not wait for the creation.
pub async fn asking_never_waits<B: LeaseBackend<Value: Sample>>(subject: &Subject<B>) {
    let name = subject.name("never waits");
    ask(subject, Key::name(&name)).await;
    let answer = tokio::time::timeout(Duration::from_secs(1), ask(subject, Key::name(&name))).await;
    assert!(answer.is_ok(), "a question was not answered within 1 s while somebody creates");
}

/// While somebody creates the next entry, others get the stale one.
pub async fn a_stale_entry_comes_with_busy<B: LeaseBackend<Value: Sample>>(subject: &Subject<B>) {
    let name = subject.name("stale and busy");
    set_stale(subject, Key::name(&name), 1).await;
    ask(subject, Key::name(&name)).await;
    match ask(subject, Key::name(&name)).await {
        Answer::Busy { stale } => {
            expect_value(stale.as_ref(), 1, "the stale entry was withheld while another creates");
        }
        answer => stop(format_args!("a second caller was not told to be busy: {}", shown(&answer))),
    }
}

/// A dead entry is served to nobody.
pub async fn a_dead_entry_is_missing<B: LeaseBackend<Value: Sample>>(subject: &Subject<B>) {
    let name = subject.name("dead");
    let dead = aged(subject, 1, KEEP_FOR + Duration::from_secs(1));
    subject.set(Key::name(&name), dead).await.must("setting an entry");
    expect_missing(&ask(subject, Key::name(&name)).await, "a dead entry");
    let answer = ask(subject, Key::name(&name)).await;
    let busy = matches!(answer, Answer::Busy { stale: None });
    assert!(busy, "a dead entry was given to who waits for the next: {}", shown(&answer));
}

/// An entry of another version than the policy asks for is served to nobody.
pub async fn another_version_is_missing<B: LeaseBackend<Value: Sample>>(subject: &Subject<B>) {
    let name = subject.name("version");
    let entry = fresh(subject, 1).with_version(2);
    subject.set(Key::name(&name), entry).await.must("setting an entry");
    let freshness = policy().with_version(3).at(subject.now());
    let ask = Ask::new(Key::name(&name), freshness, LONG);
    let answer = subject.get_or_lease(&ask).await.must("asking for another version");
    expect_missing(&answer, "an entry of another version");
}

fn expect_missing<V: Sample>(answer: &Answer<V>, what: &str) {
    let missing = matches!(answer, Answer::Create { stale: None, .. });
    assert!(missing, "{what} is as good as missing, and the answer was {}", shown(answer));
}

/// An entry past its own `expires` is stale. Decline it where the stored form has no room for it.
pub async fn an_entrys_own_expiry_makes_it_stale<B: LeaseBackend<Value: Sample>>(
    subject: &Subject<B>,
) {
    let name = subject.name("expires");
    let past = subject.now().minus(Duration::from_secs(1));
    let entry = aged(subject, 1, Duration::from_secs(2)).with_expires(past);
    expect_stale(subject, &name, entry, "an entry past its own `expires`").await;
}

/// An entry stamped far ahead of the clock is stale: else it would be fresh until the clock caught up.
pub async fn an_entry_from_the_future_is_stale<B: LeaseBackend<Value: Sample>>(
    subject: &Subject<B>,
) {
    let name = subject.name("future");
    let ahead: Timestamp = subject.now().plus(Freshness::SKEW + Duration::from_secs(600));
    let entry = Entry::new(ahead, B::Value::sample(1, 32));
    expect_stale(subject, &name, entry, "an entry stamped far ahead of the clock").await;
}

async fn expect_stale<B: LeaseBackend<Value: Sample>>(
    subject: &Subject<B>,
    name: &str,
    entry: Entry<B::Value>,
    what: &str,
) {
    subject.set(Key::name(name), entry).await.must("setting an entry");
    let answer = ask(subject, Key::name(name)).await;
    let stale = matches!(answer, Answer::Create { stale: Some(_), .. });
    assert!(stale, "{what} is stale, and the answer was {}", shown(&answer));
}

/// Of 100 that ask at once for a missing key, one is to create it.
pub async fn one_of_many_creates<B>(subject: &Subject<B>)
where
    B: LeaseBackend<Value: Sample> + 'static,
{
    for round in 0..10 {
        let name = subject.name(&format!("one of many {round}"));
        let start = Arc::new(Barrier::new(100));
        let mut tasks = JoinSet::new();
        for _ in 0..100 {
            let (subject, name, start) = (subject.clone(), name.clone(), Arc::clone(&start));
            tasks.spawn(async move {
                start.wait().await;
                match ask(&subject, Key::name(&name)).await {
                    Answer::Create { .. } => 1,
                    Answer::Busy { .. } => 0,
                    Answer::Fresh(_) => stop(format_args!("a key that nobody created was served")),
                }
            });
        }
        let creators: usize = tasks.join_all().await.into_iter().sum();
        assert!(
            creators == 1,
            "of 100 that asked for a missing key at once, {creators} were to create it"
        );
    }
}

/// However quick the creator, nobody creates again what has just been created: the entry is read
/// under the lease and not before.
pub async fn what_was_just_created_is_not_created_again<B>(subject: &Subject<B>)
where
    B: LeaseBackend<Value: Sample> + 'static,
{
    for round in 0..20 {
        let name = subject.name(&format!("just created {round}"));
        set_stale(subject, Key::name(&name), 1).await;
        let seen_from = freshness(subject);
        let (start, created) = (Arc::new(Barrier::new(50)), Arc::new(AtomicUsize::new(0)));
        let mut tasks = JoinSet::new();
        for _ in 0..50 {
            let (subject, name) = (subject.clone(), name.clone());
            let (start, created) = (Arc::clone(&start), Arc::clone(&created));
            tasks.spawn(async move {
                let key = Key::name(&name);
                start.wait().await;
                let answer = subject.get_or_lease(&Ask::new(key, seen_from, LONG)).await;
                if let Answer::Create { lease, .. } = answer.must("asking") {
                    created.fetch_add(1, Ordering::SeqCst);
                    let fill = subject.fill(key, lease, fresh(&subject, 2), &options()).await;
                    let _ = fill.must("filling");
                }
            });
        }
        tasks.join_all().await;
        let created = created.load(Ordering::SeqCst);
        assert!(created == 1, "50 that asked at once created one stale entry {created} times");
    }
}
