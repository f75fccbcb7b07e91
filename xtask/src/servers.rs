//! The servers that tests talk to: installed where they are missing and may be installed.

use anyhow::{Result, bail};

use crate::machine::{Machine, ThisMachine, apt_install};
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

fn install_missing(machine: &mut impl Machine, needed: &[&Server]) -> Result<Outcome> {
    let missing: Vec<&str> = needed
        .iter()
        .filter(|server| !machine.has(server.program))
        .map(|server| server.package)
        .collect();
    if missing.is_empty() {
        return Ok(Outcome::Passed);
    }
    apt_install(machine, &missing)?;
    if let Some(server) = needed.iter().find(|server| !machine.has(server.program)) {
        bail!("{} is installed, but `{}` is not on the path", server.package, server.program);
    }
    Ok(Outcome::Passed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::paper::Paper;

    const REDIS: Server =
        Server { needed_by: "dogpile-redis", program: "redis-server", package: "redis-server" };

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
