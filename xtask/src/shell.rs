//! Running programs: shown before they run, counted while they run.

use std::io::{BufRead, BufReader, IsTerminal, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// How many tests ran, by the closing lines of libtest.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Tally {
    /// Adds what a line of a test program's output says, if it is such a closing line.
    pub(crate) fn read(&mut self, line: &str) {
        let Some((_, result)) = line.split_once("test result: ") else { return };
        for part in result.split(['.', ';']) {
            match part.trim().split_once(' ') {
                Some((n, "passed")) => self.passed += n.parse().unwrap_or(0),
                Some((n, "failed")) => self.failed += n.parse().unwrap_or(0),
                _ => {}
            }
        }
    }
}

/// The cargo that runs us, in `root`.
pub(crate) fn cargo(root: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root).args(arguments);
    if std::io::stdout().is_terminal() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    command
}

/// Shows the command and runs it; an error if it fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = show(command);
    let status = command.status().with_context(|| format!("`{shown}` did not start"))?;
    if !status.success() {
        bail!("`{shown}` failed");
    }
    Ok(())
}

/// Shows the command and runs it; the code it ended with.
pub(crate) fn run_for_code(command: &mut Command) -> Result<u8> {
    let shown = show(command);
    let status = command.status().with_context(|| format!("`{shown}` did not start"))?;
    Ok(status.code().and_then(|code| code.try_into().ok()).unwrap_or(1))
}

/// Shows the command and runs it, passing what it prints on to `out` and counting its tests.
pub(crate) fn run_tests(
    command: &mut Command,
    tally: &mut Tally,
    out: &mut impl Write,
) -> Result<()> {
    let shown = show(command);
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("`{shown}` did not start"))?;
    if let Some(stdout) = child.stdout.take() {
        let mut lines = BufReader::new(stdout);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line)? > 0 {
            out.write_all(&line)?;
            out.flush()?;
            tally.read(&String::from_utf8_lossy(&line));
            line.clear();
        }
    }
    if !child.wait()?.success() {
        bail!("`{shown}` failed");
    }
    Ok(())
}

/// What the command prints, without showing anything; an error with its complaint if it fails.
pub(crate) fn read(command: &mut Command) -> Result<String> {
    let shown = written(command);
    let output = command.output().with_context(|| format!("`{shown}` did not start"))?;
    if !output.status.success() {
        bail!("`{shown}` failed:\n{}", String::from_utf8_lossy(&output.stderr).trim_end());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn show(command: &Command) -> String {
    let shown = written(command);
    println!("$ {shown}");
    shown
}

/// The command as it would be typed, with the environment it sets.
fn written(command: &Command) -> String {
    let mut out = String::new();
    for (name, value) in command.get_envs() {
        if let Some(value) = value.filter(|_| name != "CARGO_TERM_COLOR") {
            out.push_str(&format!("{}={:?} ", name.display(), value.to_string_lossy()));
        }
    }
    let program = Path::new(command.get_program());
    out.push_str(&program.file_stem().unwrap_or(program.as_os_str()).to_string_lossy());
    for argument in command.get_args() {
        out.push(' ');
        out.push_str(&argument.to_string_lossy());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_the_closing_lines_and_nothing_else() {
        let mut tally = Tally::default();
        for line in [
            "running 3 tests",
            "test tests::it_counts_3 passed ... ok",
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            "test result: \u{1b}[31mFAILED\u{1b}[m. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out",
            "7 passed; 7 failed",
        ] {
            tally.read(line);
        }
        assert_eq!(tally, Tally { passed: 15, failed: 2 });
    }

    #[test]
    fn a_failing_program_is_counted_and_told() {
        let closing = "test result: FAILED. 1 passed; 2 failed; 0 ignored";
        let mut command = Command::new("sh");
        command.args(["-c", &format!("echo '{closing}'; exit 3")]);
        let (mut tally, mut out) = (Tally::default(), Vec::new());
        assert!(run_tests(&mut command, &mut tally, &mut out).is_err());
        assert_eq!(tally, Tally { passed: 1, failed: 2 });
        assert_eq!(String::from_utf8(out).unwrap().trim_end(), closing);
    }

    #[test]
    fn a_command_is_shown_as_it_would_be_typed() {
        let mut command = Command::new("some/where/cargo");
        command.env("RUSTDOCFLAGS", "-D warnings").args(["doc", "--no-deps"]);
        assert_eq!(written(&command), "RUSTDOCFLAGS=\"-D warnings\" cargo doc --no-deps");
    }
}
