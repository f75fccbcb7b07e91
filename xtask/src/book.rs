//! The book: the pages of `docs/`, as mdBook builds them.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::shell;
use crate::workspace::Workspace;

/// The mdBook that the pages were looked at with.
const VERSION: &str = "0.5.4";

/// Builds the book; where it begins.
pub(crate) fn build(workspace: &Workspace) -> Result<PathBuf> {
    let mdbook = installed(workspace)?;
    let folder = workspace.target.join("book");
    let mut command = Command::new(mdbook);
    command.current_dir(&workspace.root).args(["build", "docs", "--dest-dir"]).arg(&folder);
    shell::run(&mut command)?;
    Ok(folder.join("index.html"))
}

/// mdBook in this very version, built into the target folder where it is absent.
fn installed(workspace: &Workspace) -> Result<PathBuf> {
    let tools = workspace.target.join("tools");
    let program = tools.join(format!("bin/mdbook{}", std::env::consts::EXE_SUFFIX));
    let version = shell::read(Command::new(&program).arg("--version"));
    if version.is_ok_and(|version| version.trim() == format!("mdbook v{VERSION}")) {
        return Ok(program);
    }
    println!("mdBook {VERSION} is not installed: building it takes minutes, once");
    let mut install = shell::cargo(&workspace.root, &["install", "mdbook", "--locked"]);
    // Of its features, searching is for readers; the others are for authors.
    install.args(["--version", VERSION, "--no-default-features", "--features", "search"]);
    shell::run(install.arg("--root").arg(&tools))?;
    Ok(program)
}
