//! Messages for the next request.

use crate::header::{read_bytes, write_bytes};

/// A message that is shown once, usually after a redirect.
///
/// ```
/// use cookie_session::Flash;
///
/// let message = Flash::new("error", "wrong password");
/// assert_eq!((message.level(), message.text()), ("error", "wrong password"));
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Flash {
    level: String,
    text: String,
}

impl Flash {
    /// A message of a level, which means to the page what it wants: `success`, `error`.
    pub fn new(level: impl Into<String>, text: impl Into<String>) -> Self {
        Self { level: level.into(), text: text.into() }
    }

    /// How the page shows it.
    #[must_use]
    pub fn level(&self) -> &str {
        &self.level
    }

    /// What it says.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

pub(crate) fn push(to: &mut Vec<u8>, message: &Flash) {
    write_bytes(to, message.level.as_bytes());
    write_bytes(to, message.text.as_bytes());
}

pub(crate) fn read(mut rest: &[u8]) -> Vec<Flash> {
    let mut text = || Some(String::from_utf8_lossy(read_bytes(&mut rest)?).into_owned());
    std::iter::from_fn(|| Some(Flash { level: text()?, text: text()? })).collect()
}
