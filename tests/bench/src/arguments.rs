//! What the program was told.

use crate::lines::{LINES, Line};

pub(crate) const HELP: &str = "\
Measures every figure that is promised, against other caches in the same run.

  --only NAME   only this line of the table; may be given more than once
  --list        the lines there are
  --rounds N    how many rounds each figure is the median of (default: 15 of what takes long,
                100 times as many of what takes microseconds)
  --quick       few rounds, to see that everything runs
  --docs        write the plots into docs/, and not beside the JSON";

pub(crate) enum Task {
    Run {
        lines: Vec<&'static Line>,
        settings: Settings,
    },
    List,
    Help,
    /// One of the processes of the line `processes`.
    Process(Vec<String>),
}

/// How much is measured.
#[derive(Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) rounds: usize,
    pub(crate) quick: bool,
    /// The plots are for the documentation.
    pub(crate) docs: bool,
}

impl Settings {
    /// Rounds of what takes microseconds.
    pub(crate) fn short_rounds(self) -> usize {
        self.rounds * 100
    }

    /// Rounds of what takes seconds.
    pub(crate) fn long_rounds(self) -> usize {
        self.rounds.div_ceil(3)
    }
}

/// What the arguments ask for; or what is wrong with them, in one line.
pub(crate) fn parse(arguments: Vec<String>) -> Result<Task, String> {
    let mut only = Vec::new();
    let mut settings = Settings { rounds: 15, quick: false, docs: false };
    let mut rounds = None;
    let mut rest = arguments.into_iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--process" => return Ok(Task::Process(rest.collect())),
            "--help" | "-h" => return Ok(Task::Help),
            "--list" => return Ok(Task::List),
            "--quick" => settings = Settings { rounds: 3, quick: true, ..settings },
            "--docs" => settings.docs = true,
            "--rounds" => {
                let number = rest.next().and_then(|number| number.parse().ok());
                match number.filter(|&number: &usize| number > 0) {
                    Some(number) => rounds = Some(number),
                    None => return Err("--rounds takes a number above zero".into()),
                }
            }
            "--only" => {
                let name = rest.next().ok_or("--only takes the name of a line: see --list")?;
                match LINES.iter().find(|line| line.name == name) {
                    Some(line) => only.push(line),
                    None => return Err(format!("there is no line `{name}`: see --list")),
                }
            }
            other => return Err(format!("unknown argument `{other}`: see --help")),
        }
    }
    settings.rounds = rounds.unwrap_or(settings.rounds);
    let lines = if only.is_empty() { LINES.iter().collect() } else { only };
    Ok(Task::Run { lines, settings })
}
