//! The fuzz targets, which nothing else builds: each folder of them is a workspace of its own.

use anyhow::Result;

use crate::shell;
use crate::steps::Outcome;
use crate::workspace::Workspace;

const FUZZ: &str = "crates/cookie-session/fuzz/Cargo.toml";

/// The step. They are compiled and not run: that takes nightly, and as long as one likes.
pub(crate) fn check(workspace: &Workspace) -> Result<Outcome> {
    if !workspace.root.join(FUZZ).is_file() {
        return Ok(Outcome::Skipped("there are none".to_owned()));
    }
    let of_fuzz = |command| shell::cargo(&workspace.root, &[command, "--manifest-path", FUZZ]);
    // What the workspace itself needs was had already. This is more, and the gate does without it.
    if let Err(error) = shell::run(&mut of_fuzz("fetch")) {
        return Ok(Outcome::Skipped(format!("what they depend on cannot be had: {error:#}")));
    }
    let mut check = of_fuzz("check");
    check.arg("--target-dir").arg(&workspace.target);
    // Nothing is linked, so the C++ of libFuzzer need not be compiled.
    shell::run(check.env("CUSTOM_LIBFUZZER_PATH", "not/needed/libfuzzer.a"))?;
    Ok(Outcome::Passed)
}
