//! `cargo xtask deny`: what comes with our dependencies.

use anyhow::Result;

use crate::steps::Outcome;
use crate::workspace::Workspace;
use crate::{Ending, no_arguments, shell};

/// The command: installs cargo-deny where it is absent.
pub(crate) fn run(arguments: &[String]) -> Result<Ending> {
    if let Some(usage) = no_arguments("deny", arguments) {
        return Ok(usage);
    }
    let workspace = Workspace::load()?;
    if !installed(&workspace) {
        println!("cargo-deny is not installed: building it takes minutes, once");
        shell::run(&mut shell::cargo(&workspace.root, &["install", "cargo-deny", "--locked"]))?;
    }
    if let Outcome::Warned(what) = check(&workspace)? {
        println!("warning: {what}");
    }
    Ok(Ending::Done)
}

/// The step of the gate.
pub(crate) fn check_if_installed(workspace: &Workspace) -> Result<Outcome> {
    if !installed(workspace) {
        let why = "cargo-deny is not installed; `cargo xtask deny` installs it and runs this";
        return Ok(Outcome::Skipped(why.to_owned()));
    }
    check(workspace)
}

fn check(workspace: &Workspace) -> Result<Outcome> {
    let deny = |what: &[&str]| {
        let arguments = [&["deny", "--all-features", "check"], what].concat();
        shell::run(&mut shell::cargo(&workspace.root, &arguments))
    };
    deny(&["bans", "licenses", "sources"])?;
    // The database of advisories comes over the network, and may be out of reach.
    Ok(match deny(&["advisories"]) {
        Ok(()) => Outcome::Passed,
        Err(_) => Outcome::Warned("advisories: found, or not reachable; see above".to_owned()),
    })
}

fn installed(workspace: &Workspace) -> bool {
    shell::read(&mut shell::cargo(&workspace.root, &["deny", "--version"])).is_ok()
}
