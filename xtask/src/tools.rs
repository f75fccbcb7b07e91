//! The commands that only start something: `bench`, `doc`, `demo`, `picture`.

use anyhow::Result;

use crate::workspace::Workspace;
use crate::{Ending, book, no_arguments, shell};

/// The package of the measurements: a workspace of its own, because what we are measured against
/// needs a newer compiler than we do.
pub(crate) const BENCH: &str = "tests/bench/Cargo.toml";

/// `cargo xtask bench`.
pub(crate) fn bench(arguments: &[String]) -> Result<Ending> {
    let workspace = Workspace::load()?;
    if !workspace.root.join(BENCH).is_file() {
        anyhow::bail!("there is nothing to measure yet: {BENCH} is not there");
    }
    // One target folder, so that JSON and builds lie where everything else lies.
    let mut command =
        shell::cargo(&workspace.root, &["run", "--release", "--manifest-path", BENCH]);
    command.arg("--target-dir").arg(&workspace.target).arg("--").args(arguments);
    shell::run_for_code(&mut command).map(Ending::Code)
}

/// `cargo xtask doc`.
pub(crate) fn doc(arguments: &[String]) -> Result<Ending> {
    if let Some(usage) = no_arguments("doc", arguments) {
        return Ok(usage);
    }
    let workspace = Workspace::load()?;
    build_docs(&workspace)?;
    let book = book::build(&workspace)?;
    println!("\nThe book: {}", book.display());
    println!("The API:  {}", workspace.target.join("doc/dogpile_cache/index.html").display());
    Ok(Ending::Done)
}

/// `cargo xtask picture`.
pub(crate) fn picture(arguments: &[String]) -> Result<Ending> {
    if let Some(usage) = no_arguments("picture", arguments) {
        return Ok(usage);
    }
    let workspace = Workspace::load()?;
    let docs = workspace.root.join("docs");
    let draw = |example: &[&str], picture: &str| {
        let run = ["run", "--release", "--package", "tests", "--example"];
        let mut command = shell::cargo(&workspace.root, &[&run, example].concat());
        shell::run(command.arg(docs.join(picture)))
    };
    draw(&["stampede", "--", "1000"], "stampede.svg")?;
    draw(&["story", "--", "--chart"], "story.svg")?;
    Ok(Ending::Done)
}

/// `cargo xtask demo`.
pub(crate) fn demo(arguments: &[String]) -> Result<Ending> {
    let workspace = Workspace::load()?;
    let mut command =
        shell::cargo(&workspace.root, &["run", "--release", "--package", "dogpile-demo"]);
    command.arg("--").args(arguments);
    shell::run_for_code(&mut command).map(Ending::Code)
}

/// The API documentation of the published crates.
pub(crate) fn build_docs(workspace: &Workspace) -> Result<()> {
    let mut command = shell::cargo(&workspace.root, &["doc", "--no-deps", "--all-features"]);
    for package in &workspace.crates {
        command.args(["--package", &package.name]);
    }
    shell::run(command.env("RUSTDOCFLAGS", "-D warnings"))
}
