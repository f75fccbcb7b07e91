//! The stores do what a store has to do.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

mod memory {
    use cookie_session::generation::MemoryStore;
    use dogpile_conformance::{ManualClock, Subject};

    mod generation {
        dogpile_conformance::generation_suite!(super::store());
    }

    mod monotonic {
        dogpile_conformance::monotonic_suite!(super::store());
    }

    async fn store() -> Subject<MemoryStore> {
        let clock = ManualClock::new();
        let store = MemoryStore::new().with_clock(clock.clone());
        Subject::new(store.clone()).with_other(store).with_clock(clock)
    }
}

/// What it cannot do is what its documentation says.
mod over_a_counter {
    use cookie_session::generation::OverCounter;
    use dogpile_conformance::wrong::WrongCounter;
    use dogpile_conformance::{ManualClock, Subject};

    dogpile_conformance::generation_suite!(async {
        let counter = WrongCounter::new(None);
        Subject::new(OverCounter::new(counter.clone()))
            .with_other(OverCounter::new(counter))
            .with_clock(ManualClock::new())
    });
}

#[path = "../examples/sqlite/store.rs"]
mod sqlite_store;

mod sqlite {
    use std::time::Duration;

    use cookie_session::generation::{GenerationStore, MonotonicStore};
    use dogpile_conformance::{ManualClock, Subject};
    use dogpile_core::{Clock, Key, Timestamp};

    use super::sqlite_store::SqliteStore;

    mod generation {
        dogpile_conformance::generation_suite!(super::store());
    }

    mod monotonic {
        dogpile_conformance::monotonic_suite!(super::store());
    }

    /// Two connections to one file, as two processes have them.
    async fn store() -> Subject<SqliteStore> {
        let (folder, clock) = (tempfile::tempdir().unwrap(), ManualClock::new());
        let [one, other] = [(); 2].map(|()| {
            SqliteStore::open(folder.path().join("sessions.db")).unwrap().with_clock(clock.clone())
        });
        Subject::new(one).with_other(other).with_clock(clock).with_guard(folder)
    }
    #[tokio::test]
    async fn rows_past_their_time_are_dropped_when_others_begin() {
        let (folder, clock) = (tempfile::tempdir().unwrap(), ManualClock::new());
        let file = folder.path().join("sessions.db");
        let store = SqliteStore::open(&file).unwrap().with_clock(clock.clone());
        let hour = Duration::from_secs(3600);
        let until = clock.now().plus(hour);
        let started = [Key::field("s", "a"), Key::field("s", "b"), Key::field("s", "longer")];
        for key in started {
            store.start(key, 1, until).await.unwrap();
        }
        store.raise(Key::field("s", "raised"), 1, until).await.unwrap();
        store.start(Key::field("user", "Ada"), 1, Timestamp::MAX).await.unwrap();
        // What is saved on the way lives longer.
        store.advance(started[2], 1, until, until.plus(hour)).await.unwrap();

        let begin = async |name: &str| {
            store.start(Key::field("s", name), 1, Timestamp::MAX).await.unwrap();
        };
        let rows = || -> Vec<String> {
            let connection = rusqlite::Connection::open(&file).unwrap();
            let names = "SELECT CAST(name AS TEXT) FROM generation ORDER BY name";
            let mut names = connection.prepare(names).unwrap();
            names.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
        };
        clock.advance(hour);
        begin("at its end").await;
        assert_eq!(rows(), ["Ada", "a", "at its end", "b", "longer", "raised"]);
        clock.advance(Duration::from_millis(1));
        begin("past it").await;
        assert_eq!(rows(), ["Ada", "at its end", "longer", "past it"]);
        clock.advance(hour);
        begin("past all").await;
        assert_eq!(rows(), ["Ada", "at its end", "past all", "past it"]);
    }
}
