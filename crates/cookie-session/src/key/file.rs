//! Making and changing a file with keys, a line for each.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind as IoErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use zeroize::Zeroizing;

use super::text::{self, Line};
use crate::{Error, ErrorKind, KeyRing, KeyState, RootKey};

const HEAD: &str = "\
# The keys of sessions. Whoever can read this file can make sessions of any user.
# A line: announced, active, retiring or revoked, and a key. `cookie-session-keygen` changes it.
";

/// A file with the keys of a [`KeyRing`], to be made and changed: by `cookie-session-keygen`, or by an
/// application that rotates its keys itself.
///
/// A change is written beside the file and then put in its place, so whoever reads the file sees the
/// old keys or the new ones. Comments stay as they are, and so do the file's owner and mode; a new file
/// can be read by its owner only.
///
/// ```
/// use cookie_session::{KeyFile, KeyRing};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("session.keys");
/// let file = KeyFile::new(&path);
/// file.create()?;
/// let keys = KeyRing::from_file(&path)?;
/// // Monday: all machines get to know the next key.
/// file.announce()?;
/// assert!(keys.reload()?);
/// // Wednesday: it becomes the active one, and what the old one sealed is still read.
/// file.rotate()?;
/// assert!(keys.reload()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct KeyFile {
    path: PathBuf,
}

/// A key in a [`KeyFile`], without its secret.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct KeyEntry {
    /// What it may do.
    pub state: KeyState,
    /// Its [`RootKey::fingerprint`].
    pub fingerprint: String,
    /// What the file says of it: since when it is in this state, and what people wrote there.
    pub comment: String,
}

impl KeyFile {
    /// The file at this path. Nothing is read or written yet.
    #[must_use]
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self { path: path.as_ref().to_owned() }
    }

    /// Makes the file, with one new key that is active.
    ///
    /// # Errors
    /// Of the kind [`Unreadable`](ErrorKind::Unreadable) if there is one already, which is left as it
    /// is, or if it cannot be written.
    pub fn create(&self) -> Result<(), Error> {
        let line = Line::new(KeyState::Active, RootKey::generate()?, &since_today());
        let text = Zeroizing::new([HEAD, &line.to_text(), "\n"].concat());
        // Written whole before it has its name, which it gets only if nothing else has it.
        let draft = Draft::begin(&self.path)?;
        draft.write(&text)?;
        fs::hard_link(&draft.path, &self.path).map_err(|error| self.failed("make", error))
    }

    /// The keys in the file, in its order.
    ///
    /// # Errors
    /// As for [`KeyRing::from_file`].
    pub fn entries(&self) -> Result<Vec<KeyEntry>, Error> {
        let lines = self.read(&self.path)?;
        let entry = |line: &Line| {
            let (state, key) = line.key.as_ref()?;
            Some(KeyEntry {
                state: *state,
                fingerprint: key.fingerprint().to_owned(),
                comment: line.comment().to_owned(),
            })
        };
        Ok(lines.iter().filter_map(entry).collect())
    }

    /// Adds a new key that opens and does not seal yet. When every machine has read the file again,
    /// [`KeyFile::rotate`] makes it the active one.
    ///
    /// # Errors
    /// As for [`KeyRing::from_file`], and of the kind [`Unreadable`](ErrorKind::Unreadable) if the file
    /// cannot be written.
    pub fn announce(&self) -> Result<(), Error> {
        let key = RootKey::generate()?;
        self.change(|lines| {
            lines.push(Line::new(KeyState::Announced, key, &since_today()));
            Ok(())
        })
    }

    /// Makes the key that was announced first the active one, and the active one retiring.
    ///
    /// # Errors
    /// As for [`KeyFile::announce`], and of the kind [`Refused`](ErrorKind::Refused) if no key is
    /// announced.
    pub fn rotate(&self) -> Result<(), Error> {
        self.change(|lines| {
            let next = lines.iter().position(|line| line.is(KeyState::Announced)).ok_or_else(|| {
                let what = "no key is announced: announce one, and rotate when every machine has read \
                            it; where there is one machine, rotate now";
                Error::new(ErrorKind::Refused, what)
            })?;
            retire_active(lines);
            lines[next].set(KeyState::Active, &since_today());
            Ok(())
        })
    }

    /// Makes a new key the active one at once, and the active one retiring. A machine that has not read
    /// the file yet does not know the sessions of one that has: this is for a single machine.
    ///
    /// # Errors
    /// As for [`KeyFile::announce`].
    pub fn rotate_now(&self) -> Result<(), Error> {
        let key = RootKey::generate()?;
        self.change(|lines| {
            retire_active(lines);
            lines.push(Line::new(KeyState::Active, key, &since_today()));
            Ok(())
        })
    }

    /// Revokes a key: nothing that it sealed is opened any more. If it was the active one, the key that
    /// was announced first takes its place, or a new one.
    ///
    /// A key is named by its fingerprint, or by the beginning of it.
    ///
    /// # Errors
    /// As for [`KeyFile::announce`], and of the kind [`Refused`](ErrorKind::Refused) unless exactly one
    /// key is named so.
    pub fn revoke(&self, fingerprint: &str) -> Result<(), Error> {
        let key = RootKey::generate()?;
        self.change(|lines| {
            let at = find(lines, fingerprint)?;
            let was_active = lines[at].is(KeyState::Active);
            lines[at].set(KeyState::Revoked, &since_today());
            if was_active {
                match lines.iter().position(|line| line.is(KeyState::Announced)) {
                    Some(next) => lines[next].set(KeyState::Active, &since_today()),
                    None => lines.push(Line::new(KeyState::Active, key, &since_today())),
                }
            }
            Ok(())
        })
    }

    /// Takes a key out of the file: what it sealed is not opened any more.
    ///
    /// # Errors
    /// As for [`KeyFile::revoke`], and of the kind [`Refused`](ErrorKind::Refused) for the active key.
    pub fn remove(&self, fingerprint: &str) -> Result<(), Error> {
        self.change(|lines| {
            let at = find(lines, fingerprint)?;
            if lines[at].is(KeyState::Active) {
                let what = "the active key cannot be removed: rotate first, or revoke it";
                return Err(Error::new(ErrorKind::Refused, what));
            }
            lines.remove(at);
            Ok(())
        })
    }

    fn change(
        &self,
        change: impl FnOnce(&mut Vec<Line>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        // Where a link leads to, so that the link stays one.
        let path = fs::canonicalize(&self.path).map_err(|error| self.failed("read", error))?;
        let draft = Draft::begin(&path)?;
        let mut lines = self.read(&path)?;
        change(&mut lines)?;
        let mut text = Zeroizing::new(String::new());
        for line in &lines {
            text.push_str(&line.to_text());
            text.push('\n');
        }
        draft.write(&text)?;
        draft.adopt_owner_of(&path).map_err(|error| self.failed("keep the owner of", error))?;
        fs::rename(&draft.path, &path).map_err(|error| self.failed("replace", error))?;
        sync_folder(&path);
        Ok(())
    }

    fn read(&self, path: &Path) -> Result<Vec<Line>, Error> {
        let text = fs::read_to_string(path).map_err(|error| self.failed("read", error))?;
        let named = |error: &Error| {
            Error::new(ErrorKind::Keys, format!("{}: {error}", self.path.display()))
        };
        let lines = text::lines(&Zeroizing::new(text)).map_err(|error| named(&error))?;
        let keys = lines.iter().filter_map(|line| line.key.clone());
        KeyRing::from_keys(keys).map_err(|error| named(&error))?;
        Ok(lines)
    }

    fn failed(&self, to_do_what: &str, source: std::io::Error) -> Error {
        let what = format!("cannot {to_do_what} {}", self.path.display());
        Error::caused(ErrorKind::Unreadable, what, source)
    }
}

fn retire_active(lines: &mut [Line]) {
    for line in lines.iter_mut().filter(|line| line.is(KeyState::Active)) {
        line.set(KeyState::Retiring, &since_today());
    }
}

fn find(lines: &[Line], beginning: &str) -> Result<usize, Error> {
    let named = |line: &Line| {
        let key = line.key.as_ref().map(|(_, key)| key.fingerprint());
        !beginning.is_empty() && key.is_some_and(|key| key.starts_with(beginning))
    };
    let mut found = lines.iter().enumerate().filter(|(_, line)| named(line));
    match (found.next(), found.next()) {
        (Some((at, _)), None) => Ok(at),
        (Some(_), Some(_)) => {
            Err(Error::new(ErrorKind::Refused, "several keys have fingerprints that begin so"))
        }
        (None, _) => Err(Error::new(ErrorKind::Refused, "no key has a fingerprint that begins so")),
    }
}

/// What the file is going to be. There is one at a time, so no change is made over another.
struct Draft {
    path: PathBuf,
    file: File,
}

impl Draft {
    fn begin(of: &Path) -> Result<Self, Error> {
        let mut path = of.as_os_str().to_owned();
        path.push(".new");
        let path = PathBuf::from(path);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path).map_err(|source| {
            let path = path.display();
            let what = match source.kind() {
                IoErrorKind::AlreadyExists => format!(
                    "{path} exists: somebody changes the keys now, or was cut short; in that case \
                     remove it"
                ),
                _ => format!("cannot write {path}"),
            };
            Error::caused(ErrorKind::Unreadable, what, source)
        })?;
        Ok(Self { path, file })
    }

    fn write(&self, text: &str) -> Result<(), Error> {
        (&self.file).write_all(text.as_bytes()).and_then(|()| self.file.sync_all()).map_err(
            |source| {
                let what = format!("cannot write {}", self.path.display());
                Error::caused(ErrorKind::Unreadable, what, source)
            },
        )
    }

    #[cfg(unix)]
    fn adopt_owner_of(&self, path: &Path) -> std::io::Result<()> {
        use std::os::unix::fs::{MetadataExt, fchown};
        let (theirs, ours) = (fs::metadata(path)?, self.file.metadata()?);
        if (theirs.uid(), theirs.gid()) != (ours.uid(), ours.gid()) {
            fchown(&self.file, Some(theirs.uid()), Some(theirs.gid()))?;
        }
        self.file.set_permissions(theirs.permissions())
    }

    #[cfg(not(unix))]
    fn adopt_owner_of(&self, _path: &Path) -> std::io::Result<()> {
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Gone already if it took its place.
        let _ = fs::remove_file(&self.path);
    }
}

/// So that the change outlives a power cut; where a folder cannot be synced, it is as safe as it gets.
fn sync_folder(path: &Path) {
    if let Some(folder) = path.parent().and_then(|folder| File::open(folder).ok()) {
        let _ = folder.sync_all();
    }
}

fn since_today() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("since {}", date(now.as_secs() / 86_400))
}

/// The date of a day since 1970, as in 2026-11-24. Years begin in March here, so that the leap day is
/// the last of its year.
fn date(days: u64) -> String {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    format!("{:04}-{month:02}-{day:02}", era * 400 + year + next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        for (days, expected) in [
            (0, "1970-01-01"),
            (59, "1970-03-01"),
            (10_956, "1999-12-31"),
            (11_016, "2000-02-29"),
            (11_017, "2000-03-01"),
            (20_781, "2026-11-24"),
            (47_540, "2100-02-28"),
            (47_541, "2100-03-01"),
        ] {
            assert_eq!(date(days), expected);
        }
    }
}
