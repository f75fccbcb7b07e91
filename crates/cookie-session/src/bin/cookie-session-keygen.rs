//! Makes keys for sessions, and changes a file with them.

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

use cookie_session::{KeyFile, RootKey};

const HELP: &str = "\
Makes keys for sessions, and changes a file with them. Applications read the file again when they are
told to; a change replaces it as a whole.

  cookie-session-keygen generate                  one key on standard output, for a variable
  cookie-session-keygen create FILE               a file with one key, the active one
  cookie-session-keygen inspect FILE              its keys: states and fingerprints, no secrets
  cookie-session-keygen announce FILE             add the next key: it opens and does not seal yet
  cookie-session-keygen rotate FILE               the announced key seals; the active one opens only
  cookie-session-keygen rotate --now FILE         a new key seals at once: for a single machine
  cookie-session-keygen revoke FILE FINGERPRINT   nothing that this key sealed is opened any more
  cookie-session-keygen remove FILE FINGERPRINT   forget a key whose sessions have all ended

To rotate without logging anybody out: announce, let every machine read the file, rotate, and remove
the retiring key when the longest session has ended. A fingerprint may be cut short.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["generate"] => generate(),
        ["create", file] => change(file, KeyFile::create),
        ["inspect", file] => inspect(file),
        ["announce", file] => change(file, KeyFile::announce),
        ["rotate", file] if file != "--now" => change(file, KeyFile::rotate),
        ["rotate", "--now", file] | ["rotate", file, "--now"] => change(file, KeyFile::rotate_now),
        ["revoke", file, fingerprint] => change(file, |keys| keys.revoke(fingerprint)),
        ["remove", file, fingerprint] => change(file, |keys| keys.remove(fingerprint)),
        ["help" | "--help" | "-h"] => print(HELP),
        _ => {
            eprintln!("{HELP}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let source = error.source().map(|source| format!(": {source}")).unwrap_or_default();
            eprintln!("error: {error}{source}");
            ExitCode::FAILURE
        }
    }
}

fn generate() -> Result<(), Box<dyn Error>> {
    print(&RootKey::generate()?.expose())
}

fn change(
    file: &str,
    change: impl FnOnce(&KeyFile) -> Result<(), cookie_session::Error>,
) -> Result<(), Box<dyn Error>> {
    change(&KeyFile::new(file))?;
    inspect(file)
}

fn inspect(file: &str) -> Result<(), Box<dyn Error>> {
    for key in KeyFile::new(file).entries()? {
        let line = format!("{:<9}  {}  {}", key.state, key.fingerprint, key.comment);
        print(line.trim_end())?;
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(file)?.permissions().mode();
        if mode & 0o007 != 0 {
            eprintln!("warning: every user of this machine can get at {file}: chmod 600 it");
        }
    }
    Ok(())
}

/// A closed pipe is an error to be told, not a panic.
fn print(text: &str) -> Result<(), Box<dyn Error>> {
    Ok(writeln!(std::io::stdout(), "{text}")?)
}
