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
