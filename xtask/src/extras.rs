//! What tests use where it can be had, and do without where it cannot: Python packages that share
//! stores with us, servers newer than Debian's, a browser.
//!
//! Tests find the Python packages in `test-tools/python` below the target folder, a virtual
//! environment; the rest is on the path. A test whose extra is missing says so and passes.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::machine::{Machine, ThisMachine, apt_install};
use crate::steps::Outcome;
use crate::workspace::Workspace;

/// Something that tests of some crates use.
struct Extra {
    name: &'static str,
    used_by: &'static [&'static str],
    how: How,
}

enum How {
    /// Wheels, pinned in a file of the folder `xtask/python`.
    Wheels { file: &'static str },
    /// Programs, and Debian's packages of them.
    Programs { programs: &'static [&'static str], packages: &'static [&'static str] },
}

const EXTRAS: &[Extra] = &[
    Extra {
        name: "Python libraries",
        used_by: &["dogpile-redis", "dogpile-memcached", "cookie-session"],
        how: How::Wheels { file: "libraries.txt" },
    },
    Extra {
        name: "libmemcached",
        used_by: &["dogpile-memcached"],
        how: How::Wheels { file: "libmemcached.txt" },
    },
    Extra {
        name: "newer servers",
        used_by: &["dogpile-redis"],
        how: How::Wheels { file: "servers.txt" },
    },
    Extra {
        name: "a browser",
        used_by: &["cookie-session"],
        how: How::Programs {
            programs: &["chromium", "chromedriver"],
            packages: &["chromium", "chromium-driver"],
        },
    },
];

/// The step.
pub(crate) fn install(workspace: &Workspace) -> Result<Outcome> {
    let used: Vec<&Extra> = EXTRAS
        .iter()
        .filter(|extra| extra.used_by.iter().any(|name| workspace.has(name)))
        .collect();
    if used.is_empty() {
        return Ok(Outcome::Skipped("no test uses any".to_owned()));
    }
    let folders = Folders {
        lists: workspace.root.join("xtask/python"),
        environment: workspace.target.join("test-tools/python"),
    };
    Ok(install_missing(&mut ThisMachine, &folders, &used))
}

struct Folders {
    /// Where the lists of wheels are.
    lists: PathBuf,
    /// The virtual environment.
    environment: PathBuf,
}

/// Nothing of this fails the gate: it says what its tests will skip.
fn install_missing(machine: &mut impl Machine, folders: &Folders, used: &[&Extra]) -> Outcome {
    let mut missing = Vec::new();
    for extra in used {
        let installed = match extra.how {
            How::Wheels { file } => wheels(machine, folders, file),
            How::Programs { programs, packages } => self::programs(machine, programs, packages),
        };
        if let Err(error) = installed {
            let tests = extra.used_by.join(", ");
            missing.push(format!("without {}, which tests of {tests} skip: {error:#}", extra.name));
        }
    }
    if missing.is_empty() { Outcome::Passed } else { Outcome::Warned(missing.join("; ")) }
}

/// Installs a list of wheels, unless that very list was installed before.
fn wheels(machine: &mut impl Machine, folders: &Folders, file: &str) -> Result<()> {
    let list = folders.lists.join(file);
    let Some(wanted) = machine.read(&list) else { bail!("{} is not there", list.display()) };
    // Last of all, so that an installation that was cut short is begun again.
    let done = folders.environment.join(file);
    if machine.read(&done).as_ref() == Some(&wanted) {
        return Ok(());
    }
    let python = environment(machine, &folders.environment)?;
    let list = list.to_string_lossy();
    // The lists name everything, dependencies too, and nothing is compiled for a test.
    #[rustfmt::skip]
    let pip = [
        &python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1",
        "--no-deps", "--only-binary", ":all:", "--require-hashes", "-r", &list,
    ];
    if !machine.run(&pip) {
        bail!("pip could not install {file}");
    }
    if !machine.write(&done, &wanted) {
        bail!("{} cannot be written", done.display());
    }
    Ok(())
}

/// The environment's interpreter; the environment is made if it is missing.
fn environment(machine: &mut impl Machine, folder: &Path) -> Result<String> {
    let python = folder.join("bin/python").to_string_lossy().into_owned();
    if machine.ask(&[&python, "-m", "pip", "--version"]).is_some() {
        return Ok(python);
    }
    if !machine.has("python3") {
        apt_install(machine, &["python3", "python3-venv"])?;
    } else if machine.ask(&["python3", "-c", "import ensurepip, venv"]).is_none() {
        apt_install(machine, &["python3-venv"])?;
    }
    if !machine.run(&["python3", "-m", "venv", "--clear", &folder.to_string_lossy()]) {
        bail!("python3 could not make a virtual environment");
    }
    Ok(python)
}

fn programs(machine: &mut impl Machine, programs: &[&str], packages: &[&str]) -> Result<()> {
    if programs.iter().all(|program| machine.has(program)) {
        return Ok(());
    }
    apt_install(machine, packages)?;
    if let Some(program) = programs.iter().find(|program| !machine.has(program)) {
        bail!("`{program}` is not on the path although its package is installed");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::paper::Paper;

    const WHEELS: Extra =
        Extra { name: "snakes", used_by: &[], how: How::Wheels { file: "snakes.txt" } };
    const PROGRAM: Extra = Extra {
        name: "a browser",
        used_by: &[],
        how: How::Programs { programs: &["browser"], packages: &["browser-package"] },
    };

    fn folders() -> Folders {
        Folders { lists: "lists".into(), environment: "venv".into() }
    }

    fn paper(list: &str) -> Paper {
        let mut machine =
            Paper { programs: vec!["python3", "apt-get"], root: true, ..Paper::default() };
        machine.files.insert("lists/snakes.txt".into(), list.to_owned());
        machine
    }

    fn warning(outcome: Outcome) -> String {
        let Outcome::Warned(what) = outcome else { panic!("{outcome:?}") };
        assert!(!what.contains('\n'), "{what}");
        what
    }

    #[test]
    fn a_list_is_installed_once_and_again_when_it_changes() {
        let mut machine = paper("python==1");
        machine.installs = Some("python3-venv");
        assert_eq!(install_missing(&mut machine, &folders(), &[&WHEELS]), Outcome::Passed);
        assert!(machine.ran.last().unwrap().ends_with("-r lists/snakes.txt"), "{:?}", machine.ran);

        machine.ran.clear();
        assert_eq!(install_missing(&mut machine, &folders(), &[&WHEELS]), Outcome::Passed);
        assert!(machine.ran.is_empty());

        machine.files.insert("lists/snakes.txt".into(), "python==2".to_owned());
        assert_eq!(install_missing(&mut machine, &folders(), &[&WHEELS]), Outcome::Passed);
        assert!(!machine.ran.is_empty());
    }

    #[test]
    fn an_installation_that_failed_is_told_and_tried_again() {
        let mut machine = paper("python==1");
        machine.installs = Some("python3-venv");
        machine.fails = Some("pip install");
        let what = warning(install_missing(&mut machine, &folders(), &[&WHEELS]));
        assert!(what.contains("without snakes") && what.contains("pip"), "{what}");

        machine.fails = None;
        assert_eq!(install_missing(&mut machine, &folders(), &[&WHEELS]), Outcome::Passed);
    }

    #[test]
    fn what_cannot_be_had_does_not_hide_what_can() {
        let mut machine = paper("python==1");
        machine.programs.push("browser");
        machine.fails = Some("venv");
        let what = warning(install_missing(&mut machine, &folders(), &[&PROGRAM, &WHEELS]));
        assert!(what.contains("without snakes") && !what.contains("browser"), "{what}");
    }

    #[test]
    fn a_program_is_installed_where_it_may_be() {
        let mut machine = paper("");
        machine.installs = Some("browser");
        assert_eq!(install_missing(&mut machine, &folders(), &[&PROGRAM]), Outcome::Passed);
        machine.ran.clear();
        assert_eq!(install_missing(&mut machine, &folders(), &[&PROGRAM]), Outcome::Passed);
        assert!(machine.ran.is_empty());

        for mut machine in [Paper::default(), Paper { installs: Some("another"), ..paper("") }] {
            let what = warning(install_missing(&mut machine, &folders(), &[&PROGRAM]));
            assert!(what.contains("browser"), "{what}");
        }
    }
}
