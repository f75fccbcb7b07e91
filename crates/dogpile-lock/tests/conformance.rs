//! Every lock and lease backend of this crate keeps the contracts.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

mod support;

mod local_lock {
    use dogpile_conformance::Subject;
    use dogpile_lock::LocalLock;

    dogpile_conformance::lock_suite!(async { Subject::new(LocalLock::new()) });
}

mod file_lock {
    use dogpile_conformance::Subject;
    use dogpile_lock::FileLock;

    dogpile_conformance::lock_suite!(async {
        let folder = tempfile::tempdir().unwrap();
        Subject::new(FileLock::open(folder.path()).unwrap())
            .with_other(FileLock::open(folder.path()).unwrap())
            .with_guard(folder)
    });
}

mod paired {
    use dogpile_conformance::Subject;
    use dogpile_lock::{LocalLock, Paired};

    dogpile_conformance::lease_suite!(async {
        Subject::new(Paired::new(super::support::Map::default(), LocalLock::new()))
    });
}

mod paired_over_files {
    use dogpile_conformance::Subject;
    use dogpile_lock::{FileLock, Paired};

    dogpile_conformance::lease_suite!(async {
        let folder = tempfile::tempdir().unwrap();
        let lock = FileLock::open(folder.path()).unwrap();
        Subject::new(Paired::new(super::support::Map::default(), lock)).with_guard(folder)
    });
}

mod dogpile_local {
    use dogpile_conformance::Subject;
    use dogpile_lock::Dogpile;

    dogpile_conformance::read_through_suite!(async {
        Subject::new(Dogpile::local(super::support::Map::default()))
    });
}

mod dogpile_with_a_lock_of_files {
    use dogpile_conformance::Subject;
    use dogpile_lock::{Dogpile, FileLock};

    dogpile_conformance::read_through_suite!(async {
        let folder = tempfile::tempdir().unwrap();
        let lock = FileLock::open(folder.path()).unwrap();
        Subject::new(Dogpile::with_lock(super::support::Map::default(), lock)).with_guard(folder)
    });
}

mod dogpile_leased {
    use dogpile_conformance::Subject;
    use dogpile_lock::{Dogpile, LocalLock, Paired};

    dogpile_conformance::read_through_suite!(async {
        Subject::new(Dogpile::leased(Paired::new(super::support::Map::default(), LocalLock::new())))
    });
}
