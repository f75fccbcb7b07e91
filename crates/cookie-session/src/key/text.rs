//! The text form of a ring: a line for each key, its state before it.

use zeroize::Zeroizing;

use crate::{Error, ErrorKind, KeyState, RootKey};

/// A line of a file with keys, as it stands there or as it is going to.
pub(super) struct Line {
    pub(super) key: Option<(KeyState, RootKey)>,
    /// From the `#` on; all of the line where there is no key.
    rest: String,
}

/// The keys in a text; whether they make a ring is for others to say. Commas separate as line breaks
/// do, for variables that cannot hold those.
pub(super) fn parse(text: &str) -> Result<Vec<(KeyState, RootKey)>, Error> {
    let mut keys = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default();
        for entry in line.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            keys.push(parse_entry(entry).map_err(|error| in_line(at, &error))?);
        }
    }
    Ok(keys)
}

/// The lines of a file that is going to be changed.
pub(super) fn lines(text: &str) -> Result<Vec<Line>, Error> {
    text.lines()
        .enumerate()
        .map(|(at, line)| Line::parse(line).map_err(|e| in_line(at, &e)))
        .collect()
}

fn parse_entry(entry: &str) -> Result<(KeyState, RootKey), Error> {
    let Some((state, key)) = entry.split_once(char::is_whitespace) else {
        return Ok((KeyState::Active, entry.parse()?));
    };
    Ok((state.parse()?, key.trim_start().parse()?))
}

fn in_line(at: usize, error: &Error) -> Error {
    Error::new(ErrorKind::Keys, format!("line {}: {error}", at + 1))
}

impl Line {
    pub(super) fn new(state: KeyState, key: RootKey, comment: &str) -> Self {
        Self { key: Some((state, key)), rest: format!("# {comment}") }
    }

    fn parse(line: &str) -> Result<Self, Error> {
        let (entry, rest) = line.split_at(line.find('#').unwrap_or(line.len()));
        if entry.trim().is_empty() {
            return Ok(Self { key: None, rest: line.to_owned() });
        }
        if entry.contains(',') {
            let what = "several keys in a line can be read and not changed: give each a line";
            return Err(Error::new(ErrorKind::Keys, what));
        }
        Ok(Self { key: Some(parse_entry(entry.trim())?), rest: rest.to_owned() })
    }

    pub(super) fn is(&self, state: KeyState) -> bool {
        self.key.as_ref().is_some_and(|(its, _)| *its == state)
    }

    /// What is said of the key, without the `#`.
    pub(super) fn comment(&self) -> &str {
        self.rest.trim_start_matches('#').trim()
    }

    /// Puts the key into a state, and that at the beginning of its comment, instead of what an earlier
    /// change has put there.
    pub(super) fn set(&mut self, state: KeyState, since: &str) {
        if let Some((its, _)) = &mut self.key {
            *its = state;
        }
        let mut words = self.comment();
        if let Some(after) = words.strip_prefix("since ") {
            words = after.split_once(' ').map_or("", |(_, after)| after);
        }
        self.rest = format!("# {since} {words}").trim_end().to_owned();
    }

    pub(super) fn to_text(&self) -> Zeroizing<String> {
        let Some((state, key)) = &self.key else { return Zeroizing::new(self.rest.clone()) };
        let mut text = Zeroizing::new(format!("{state:<9} {}  {}", *key.expose(), self.rest));
        let length = text.trim_end().len();
        text.truncate(length);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> RootKey {
        RootKey::generate().unwrap()
    }

    #[test]
    fn keys_come_in_lines_or_between_commas() {
        let (a, b) = (key(), key());
        let (a, b) = (a.expose(), b.expose());
        let states = |text: &str| -> Vec<KeyState> {
            parse(text).unwrap().into_iter().map(|(state, _)| state).collect()
        };
        use KeyState::{Active, Announced, Retiring, Revoked};
        assert_eq!(states(&a), [Active]);
        assert_eq!(states(&format!("  {} \r\n", *a)), [Active]);
        assert_eq!(
            states(&format!("# c\n\nactive {}\nretiring\t{} # c", *a, *b)),
            [Active, Retiring]
        );
        assert_eq!(states(&format!("{}, announced {},", *a, *b)), [Active, Announced]);
        assert_eq!(states(&format!("revoked {}", *a)), [Revoked]);
        assert!(states("\n# nothing\n").is_empty());
    }

    #[test]
    fn an_error_names_the_line_and_repeats_nothing() {
        let good = key().expose();
        let secret = &good[5..];
        for bad in [
            format!("actve {}", *good),
            good[..51].to_owned(),
            format!("{}A", *good),
            secret.to_owned(),
            format!("{} {}", *good, *good),
            format!("active {} retiring", *good),
            format!("active {}", good.replace("csk1", "csk2")),
        ] {
            let error = parse(&format!("# one\n{bad}")).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Keys);
            let told = format!("{error} {error:?}");
            assert!(told.contains("line 2: "), "{told}");
            assert!(!told.contains(&secret[..8]), "{told}");
        }
    }

    #[test]
    fn a_line_that_is_not_changed_stays_and_one_that_is_keeps_its_comment() {
        let key = key();
        let text = format!("# ours\n\nactive    {}  # by Ann", *key.expose());
        let mut read = lines(&text).unwrap();
        let written = |lines: &[Line]| {
            lines.iter().map(|line| line.to_text().to_string()).collect::<Vec<_>>().join("\n")
        };
        assert_eq!(written(&read), text);
        read[2].set(KeyState::Retiring, "since 2026-01-02");
        read[2].set(KeyState::Revoked, "since 2026-03-04");
        assert_eq!(read[2].comment(), "since 2026-03-04 by Ann");
        assert!(written(&read).ends_with("  # since 2026-03-04 by Ann"));
        assert!(lines(&format!("{0},{0}", *key.expose())).is_err());
    }
}
