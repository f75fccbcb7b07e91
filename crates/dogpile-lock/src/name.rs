//! A key that is kept for a while.

use dogpile_core::{Key, KeyBuf};

/// How long a short key is.
const SHORT: usize = 48;

/// A key of its own: in place if it is short, as most are, and otherwise in an allocation.
pub(crate) enum Name {
    Short { bytes: [u8; SHORT], len: u8, group: Option<u8> },
    Long(KeyBuf),
}

impl Name {
    pub(crate) fn as_key(&self) -> Key<'_> {
        match self {
            Self::Short { bytes, len, group } => {
                let bytes = &bytes[..usize::from(*len)];
                let (front, name) = bytes.split_at(usize::from(group.unwrap_or(0)));
                if group.is_some() { Key::field(front, name) } else { Key::name(name) }
            }
            Self::Long(key) => key.as_key(),
        }
    }

    fn short(key: Key<'_>) -> Option<Self> {
        let (group, name) = (key.group().unwrap_or_default(), key.as_bytes());
        let mut bytes = [0; SHORT];
        let (front, back) = bytes.split_at_mut_checked(group.len())?;
        front.copy_from_slice(group);
        back.get_mut(..name.len())?.copy_from_slice(name);
        let len = u8::try_from(group.len() + name.len()).ok()?;
        let group = u8::try_from(group.len()).ok()?;
        Some(Self::Short { bytes, len, group: key.group().map(|_| group) })
    }
}

impl From<Key<'_>> for Name {
    fn from(key: Key<'_>) -> Self {
        Self::short(key).unwrap_or_else(|| Self::Long(KeyBuf::from(key)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_any_length_stay_what_they_are() {
        let bytes = [b'x'; SHORT + 2];
        for group in 0..bytes.len() {
            for name in 0..bytes.len() {
                let field = Key::field(&bytes[..group], &bytes[..name]);
                assert_eq!(Name::from(field).as_key(), field);
                let is_short = matches!(Name::from(field), Name::Short { .. });
                assert_eq!(is_short, group + name <= SHORT);
            }
            let plain = Key::name(&bytes[..group]);
            assert_eq!(Name::from(plain).as_key(), plain);
        }
    }
}
