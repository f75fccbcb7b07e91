//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

pub(crate) const HELP: &str = "\
The dogpile lock at work: word statistics of a folder, cached on disk, shared by processes.

Usage: quickstart [FOLDER] [OPTIONS]

  FOLDER            the folder to read [default: the present one]
  --processes N     worker processes, 1 to 64 [default: 4]
  --tasks N         tasks in each of them, 1 to 10000 [default: 50]
  --rounds N        how often the value expires, 1 to 1000 [default: 6]
  --dir FOLDER      where the cache is kept [default: a temporary folder]
  --json            print the report as one JSON object
  --help            print this";

#[derive(Clone, Debug)]
pub(crate) struct Arguments {
    pub(crate) folder: PathBuf,
    pub(crate) dir: Option<PathBuf>,
    pub(crate) processes: usize,
    pub(crate) tasks: usize,
    pub(crate) rounds: usize,
    pub(crate) json: bool,
}

pub(crate) enum Command {
    Help,
    Run(Arguments),
}

impl Arguments {
    pub(crate) fn parse(mut words: impl Iterator<Item = OsString>) -> Result<Command, String> {
        let mut folder = None;
        let mut parsed = Self {
            folder: PathBuf::from("."),
            dir: None,
            processes: 4,
            tasks: 50,
            rounds: 6,
            json: false,
        };
        while let Some(word) = words.next() {
            match word.to_str() {
                Some("--help" | "-h") => return Ok(Command::Help),
                Some("--json") => parsed.json = true,
                Some("--dir") => parsed.dir = Some(value(&mut words, "--dir")?.into()),
                Some("--processes") => parsed.processes = number(&mut words, "--processes", 64)?,
                Some("--tasks") => parsed.tasks = number(&mut words, "--tasks", 10_000)?,
                Some("--rounds") => parsed.rounds = number(&mut words, "--rounds", 1_000)?,
                Some(option) if option.starts_with('-') => {
                    return Err(format!("there is no option {option}; --help lists them"));
                }
                _ if folder.is_none() => folder = Some(PathBuf::from(word)),
                _ => {
                    return Err(format!(
                        "one folder is enough, and {} is a second one",
                        word.display()
                    ));
                }
            }
        }
        parsed.folder = folder.unwrap_or(parsed.folder);
        Ok(Command::Run(parsed))
    }
}

fn value(words: &mut impl Iterator<Item = OsString>, option: &str) -> Result<OsString, String> {
    words.next().ok_or_else(|| format!("{option} needs a value; --help shows which"))
}

fn number(
    words: &mut impl Iterator<Item = OsString>,
    option: &str,
    most: usize,
) -> Result<usize, String> {
    let word = value(words, option)?;
    let parsed = word
        .to_str()
        .and_then(|word| word.parse().ok())
        .filter(|number| (1..=most).contains(number));
    parsed.ok_or_else(|| {
        format!("{option} takes a whole number from 1 to {most}, not {}", word.display())
    })
}
