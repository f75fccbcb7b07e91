//! The servers that tests talk to: installed where they are missing and may be installed.

use std::process::Command;

use anyhow::{Result, bail};

use crate::steps::Outcome;
use crate::workspace::Workspace;

/// A server that the tests of one crate start, each for itself on a free port.
struct Server {
    /// The crate whose tests need it.
    needed_by: &'static str,
    program: &'static str,
    /// Debian's package.
    package: &'static str,
}

const SERVERS: &[Server] = &[
    Server { needed_by: "dogpile-redis", program: "redis-server", package: "redis-server" },
    Server { needed_by: "dogpile-memcached", program: "memcached", package: "memcached" },
];

/// The step.
pub(crate) fn install(workspace: &Workspace) -> Result<Outcome> {
    let needed: Vec<&Server> =
        SERVERS.iter().filter(|server| workspace.has(server.needed_by)).collect();
    if needed.is_empty() {
        return Ok(Outcome::Skipped("no test needs one".to_owned()));
    }
    install_missing(&mut ThisMachine, &needed)
}

/// What the step asks of a machine.
trait Machine {
    /// Whether a program is on the path.
    fn has(&self, program: &str) -> bool;
    /// What a command prints, or `None` if it fails.
    fn ask(&self, command: &[&str]) -> Option<String>;
    /// Runs a command for all to see; whether it succeeded.
    fn run(&mut self, command: &[&str]) -> bool;
}

fn install_missing(machine: &mut impl Machine, needed: &[&Server]) -> Result<Outcome> {
    let missing: Vec<&str> = needed
        .iter()
        .filter(|server| !machine.has(server.program))
        .map(|server| server.package)
        .collect();
    if missing.is_empty() {
        return Ok(Outcome::Passed);
    }
    let by_hand = format!("install it by hand: apt-get install {}", missing.join(" "));
    if !machine.has("apt-get") {
        bail!("the tests need {}, and there is no apt-get here to install it", missing.join(", "));
    }
    let root: &[&str] = if machine.ask(&["id", "-u"]).is_some_and(|id| id.trim() == "0") {
        &[]
    } else if machine.ask(&["sudo", "-n", "true"]).is_some() {
        &["sudo", "-n"]
    } else {
        bail!("the tests need {}; {by_hand}", missing.join(", "));
    };
    // Another apt on the same machine is waited for; nothing is asked of a person.
    let apt = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", "DPkg::Lock::Timeout=120"];
    let update = [root, &apt, &["update", "-q"]].concat();
    let install =
        [root, &apt, &["install", "-q", "-y", "--no-install-recommends"], &missing].concat();
    // A list of packages that is a little old is no reason to fail.
    let _ = machine.run(&update);
    if !machine.run(&install) {
        bail!("apt-get could not install {}; {by_hand}", missing.join(", "));
    }
    if let Some(server) = needed.iter().find(|server| !machine.has(server.program)) {
        bail!("{} is installed, but `{}` is not on the path", server.package, server.program);
    }
    Ok(Outcome::Passed)
}

struct ThisMachine;

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
}

#[cfg(test)]
mod tests {
    use super::*;

    const REDIS: Server =
        Server { needed_by: "dogpile-redis", program: "redis-server", package: "redis-server" };

    /// A machine on paper.
    #[derive(Default)]
    struct Paper {
        programs: Vec<&'static str>,
        root: bool,
        sudo: bool,
        /// What apt-get puts on the path; `None` is an apt-get that fails.
        installs: Option<&'static str>,
        ran: Vec<String>,
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
            self.ran.push(command.join(" "));
            if command.contains(&"install") {
                self.programs.extend(self.installs);
                return self.installs.is_some();
            }
            true
        }
    }

    #[test]
    fn what_is_there_is_left_alone() {
        let mut machine = Paper { programs: vec!["redis-server"], ..Paper::default() };
        assert_eq!(install_missing(&mut machine, &[&REDIS]).unwrap(), Outcome::Passed);
        assert!(machine.ran.is_empty());
    }

    #[test]
    fn root_installs_what_is_missing() {
        let mut machine = Paper {
            programs: vec!["apt-get"],
            root: true,
            installs: Some("redis-server"),
            ..Paper::default()
        };
        assert_eq!(install_missing(&mut machine, &[&REDIS]).unwrap(), Outcome::Passed);
        assert_eq!(machine.ran.len(), 2);
        assert!(machine.ran[1].starts_with("env "), "{:?}", machine.ran);
        assert!(machine.ran[1].ends_with(" redis-server"), "{:?}", machine.ran);
    }

    #[test]
    fn sudo_without_a_password_will_do() {
        let mut machine = Paper {
            programs: vec!["apt-get"],
            sudo: true,
            installs: Some("redis-server"),
            ..Paper::default()
        };
        assert_eq!(install_missing(&mut machine, &[&REDIS]).unwrap(), Outcome::Passed);
        assert!(machine.ran.iter().all(|command| command.starts_with("sudo -n ")));
    }

    #[test]
    fn whoever_may_not_install_is_told_what_to_install() {
        let refused = |mut machine: Paper| {
            let error = install_missing(&mut machine, &[&REDIS]).unwrap_err().to_string();
            assert!(error.contains("redis-server") && !error.contains('\n'), "{error}");
        };
        refused(Paper { programs: vec!["apt-get"], ..Paper::default() });
        refused(Paper { root: true, ..Paper::default() });
        refused(Paper { programs: vec!["apt-get"], root: true, ..Paper::default() });
        refused(Paper {
            programs: vec!["apt-get"],
            root: true,
            installs: Some("something-else"),
            ..Paper::default()
        });
    }
}
