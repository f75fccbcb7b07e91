//! The commands of a developer of this workspace: `cargo xtask`.

#![expect(clippy::print_stdout, reason = "this is a program for a terminal")]

mod arrows;
mod book;
mod deny;
mod extras;
mod features;
mod fuzz;
mod machine;
mod msrv;
mod package;
mod release;
mod servers;
mod shell;
mod steps;
mod test;
mod tidy;
mod tools;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;

/// One command.
struct Command {
    name: &'static str,
    /// What may follow the name, as the listing shows it.
    arguments: &'static str,
    help: &'static str,
    run: fn(&[String]) -> Result<Ending>,
}

/// How a command ended, where it is not an error of ours.
enum Ending {
    Done,
    /// It ran, and found something wrong that it has already reported.
    Failed,
    /// It ran a program that ended with this code.
    Code(u8),
    /// It was called wrongly.
    Usage(String),
}

const COMMANDS: &[Command] = &[
    Command {
        name: "test",
        arguments: "[--quick] [--only STEP]",
        help: "Run the whole gate, or its quick part, or single steps of it (`test --help` lists them)",
        run: test::run,
    },
    Command {
        name: "deny",
        arguments: "",
        help: "Check licences, duplicates and sources of all dependencies (installs cargo-deny: minutes)",
        run: deny::run,
    },
    Command {
        name: "bench",
        arguments: "[ARGUMENTS]",
        help: "Measure against other caches: builds and runs the package in tests/bench",
        run: tools::bench,
    },
    Command {
        name: "doc",
        arguments: "",
        help: "Build the API documentation and the book, and say where they are (installs mdBook: minutes)",
        run: tools::doc,
    },
    Command {
        name: "picture",
        arguments: "",
        help: "Draw the pictures of the README and the story anew, from runs of today (minutes)",
        run: tools::picture,
    },
    Command {
        name: "release",
        arguments: "--dry-run [--only STEP]",
        help: "Check that the crates could be published: versions, changelogs, documentation, packages",
        run: release::run,
    },
    Command {
        name: "demo",
        arguments: "[ARGUMENTS]",
        help: "Run a web shop that uses every crate, with a dashboard (`demo --help` lists the arguments)",
        run: tools::demo,
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(Ending::Done) => ExitCode::SUCCESS,
        Ok(Ending::Failed) => ExitCode::FAILURE,
        Ok(Ending::Code(code)) => code.into(),
        Ok(Ending::Usage(what)) => {
            eprintln!("{what}");
            ExitCode::from(2)
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[String]) -> Result<Ending> {
    let Some((name, rest)) = arguments.split_first() else {
        print!("{}", listing());
        return Ok(Ending::Done);
    };
    if matches!(name.as_str(), "help" | "--help" | "-h") {
        print!("{}", listing());
        return Ok(Ending::Done);
    }
    match COMMANDS.iter().find(|command| command.name == name) {
        Some(command) => (command.run)(rest),
        None => Ok(Ending::Usage(format!(
            "unknown command `{name}`: `cargo xtask` lists the commands there are"
        ))),
    }
}

fn listing() -> String {
    let mut out = String::from("The commands of this workspace:\n\n");
    for Command { name, arguments, help, .. } in COMMANDS {
        let call = format!("cargo xtask {name} {arguments}");
        out.push_str(&format!("  {}\n      {help}\n", call.trim_end()));
    }
    out
}

/// For commands that take no arguments: the complaint about the first one given.
fn no_arguments(name: &str, arguments: &[String]) -> Option<Ending> {
    let first = arguments.first()?;
    Some(Ending::Usage(format!("`cargo xtask {name}` takes no arguments, and was given `{first}`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(arguments: &[&str]) -> String {
        let arguments: Vec<String> = arguments.iter().map(|&a| a.to_owned()).collect();
        match dispatch(&arguments).unwrap() {
            Ending::Usage(what) => what,
            Ending::Done | Ending::Failed | Ending::Code(_) => panic!("{arguments:?} was accepted"),
        }
    }

    #[test]
    fn what_is_unknown_gets_one_line() {
        for wrong in [
            &["tset"][..],
            &["test", "--fast"],
            &["test", "--only"],
            &["test", "--only", "nothing"],
            &["doc", "--open"],
            &["deny", "everything"],
            &["picture", "1000"],
            &["release"],
            &["release", "--dry-run", "--only", "nothing"],
        ] {
            let what = usage(wrong);
            assert!(!what.is_empty() && !what.contains('\n'), "{wrong:?}: {what}");
        }
    }

    #[test]
    fn the_listing_has_a_line_of_help_for_each_command() {
        let listing = listing();
        for command in COMMANDS {
            assert!(listing.contains(&format!("cargo xtask {}", command.name)));
            assert!(listing.contains(command.help));
        }
    }
}
