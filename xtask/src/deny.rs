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
        shell::cargo(&workspace.root, &arguments)
    };
    shell::run(&mut deny(&["bans", "licenses", "sources"]))?;
    Ok(match shell::read(&mut deny(&["advisories"])) {
        Ok(_) => Outcome::Passed,
        Err(error) => advisories(&error.to_string()),
    })
}

/// Advisories warn and do not fail: one that is published today is no fault of today's change, and
/// the database comes over a network that may not be there.
fn advisories(complaint: &str) -> Outcome {
    if complaint.contains("failed to fetch advisory database") {
        return Outcome::Warned(
            "advisories not checked: their database is out of reach".to_owned(),
        );
    }
    println!("{complaint}");
    Outcome::Warned("advisories, see above".to_owned())
}

fn installed(workspace: &Workspace) -> bool {
    shell::read(&mut shell::cargo(&workspace.root, &["deny", "--version"])).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advisories_never_fail() {
        let said = |complaint| match advisories(complaint) {
            Outcome::Warned(what) => what,
            outcome => panic!("{outcome:?}"),
        };
        assert!(
            said("[ERROR] failed to fetch advisory database https://..").contains("not checked")
        );
        assert!(said("error[vulnerability]: something").contains("see above"));
    }
}
