//! What the steps that install something ask of a machine, and how Debian's packages come to it.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

/// A machine, or one on paper.
pub(crate) trait Machine {
    /// Whether a program is on the path.
    fn has(&self, program: &str) -> bool;
    /// What a command prints, or `None` if it fails.
    fn ask(&self, command: &[&str]) -> Option<String>;
    /// Runs a command for all to see; whether it succeeded.
    fn run(&mut self, command: &[&str]) -> bool;
    /// The text of a file, if it is there.
    fn read(&self, file: &Path) -> Option<String>;
    /// Writes a file; whether it succeeded.
    fn write(&mut self, file: &Path, text: &str) -> bool;
}

/// Installs Debian's packages; an error of one line if that cannot be.
pub(crate) fn apt_install(machine: &mut impl Machine, packages: &[&str]) -> Result<()> {
    let wanted = packages.join(", ");
    let by_hand = format!("install it by hand: apt-get install {}", packages.join(" "));
    if !machine.has("apt-get") {
        bail!("the tests need {wanted}, and there is no apt-get here to install it");
    }
    let root: &[&str] = if machine.ask(&["id", "-u"]).is_some_and(|id| id.trim() == "0") {
        &[]
    } else if machine.ask(&["sudo", "-n", "true"]).is_some() {
        &["sudo", "-n"]
    } else {
        bail!("the tests need {wanted}; {by_hand}");
    };
    // Another apt on the same machine is waited for; nothing is asked of a person.
    let apt = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", "DPkg::Lock::Timeout=120"];
    let update = [root, &apt, &["update", "-q"]].concat();
    let install =
        [root, &apt, &["install", "-q", "-y", "--no-install-recommends"], packages].concat();
    // A list of packages that is a little old is no reason to fail.
    let _ = machine.run(&update);
    if !machine.run(&install) {
        bail!("apt-get could not install {wanted}; {by_hand}");
    }
    Ok(())
}

/// The machine we run on.
pub(crate) struct ThisMachine;

impl Machine for ThisMachine {
    fn has(&self, program: &str) -> bool {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
    }

    fn ask(&self, command: &[&str]) -> Option<String> {
        let (program, arguments) = command.split_first()?;
        let output = Command::new(program).args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn run(&mut self, command: &[&str]) -> bool {
        let Some((program, arguments)) = command.split_first() else { return false };
        println!("$ {}", command.join(" "));
        Command::new(program).args(arguments).status().is_ok_and(|status| status.success())
    }

    fn read(&self, file: &Path) -> Option<String> {
        std::fs::read_to_string(file).ok()
    }

    fn write(&mut self, file: &Path, text: &str) -> bool {
        std::fs::write(file, text).is_ok()
    }
}

#[cfg(test)]
pub(crate) mod paper {
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    use super::*;

    /// A machine on paper.
    #[derive(Default)]
    pub(crate) struct Paper {
        pub(crate) programs: Vec<&'static str>,
        pub(crate) root: bool,
        pub(crate) sudo: bool,
        /// What apt-get puts on the path; `None` is an apt-get that fails.
        pub(crate) installs: Option<&'static str>,
        /// Commands with this word in them fail.
        pub(crate) fails: Option<&'static str>,
        pub(crate) files: BTreeMap<PathBuf, String>,
        pub(crate) ran: Vec<String>,
    }

    impl Machine for Paper {
        fn has(&self, program: &str) -> bool {
            self.programs.contains(&program)
        }

        fn ask(&self, command: &[&str]) -> Option<String> {
            match command {
                ["id", "-u"] => Some(if self.root { "0\n" } else { "1000\n" }.to_owned()),
                ["sudo", "-n", "true"] if self.sudo => Some(String::new()),
                _ => None,
            }
        }

        fn run(&mut self, command: &[&str]) -> bool {
            let shown = command.join(" ");
            let fails = self.fails.is_some_and(|word| shown.contains(word));
            self.ran.push(shown);
            if command.contains(&"apt-get") && command.contains(&"install") {
                self.programs.extend(self.installs);
                return self.installs.is_some();
            }
            !fails
        }

        fn read(&self, file: &Path) -> Option<String> {
            self.files.get(file).cloned()
        }

        fn write(&mut self, file: &Path, text: &str) -> bool {
            self.files.insert(file.to_owned(), text.to_owned());
            true
        }
    }
}
