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
    use dogpile_conformance::Subject;
    use dogpile_conformance::wrong::WrongCounter;

    dogpile_conformance::generation_suite!(async {
        let counter = WrongCounter::new(None);
        Subject::new(OverCounter::new(counter.clone())).with_other(OverCounter::new(counter))
    });
}

#[path = "../examples/sqlite/store.rs"]
mod sqlite_store;

mod sqlite {
    use dogpile_conformance::{ManualClock, Subject};

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
}
