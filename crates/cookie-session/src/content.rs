//! What a session holds, and whether it is still what came.

use std::ops::Deref;

/// Bytes that came with a token, or those that were put in their place.
#[derive(Clone, Default)]
pub(crate) struct Content {
    /// The end of a buffer that was opened in place.
    buffer: Vec<u8>,
    from: usize,
    changed: Option<Vec<u8>>,
}

impl Content {
    /// What came: the last bytes of a buffer.
    pub(crate) fn at_end_of(buffer: Vec<u8>, length: usize) -> Self {
        let from = buffer.len().saturating_sub(length);
        Self { buffer, from, changed: None }
    }

    pub(crate) fn set(&mut self, bytes: Vec<u8>) {
        self.changed = Some(bytes);
    }

    /// What is put back as it was is no change.
    pub(crate) fn is_changed(&self) -> bool {
        self.changed.as_deref().is_some_and(|changed| changed != self.came())
    }

    /// From now on this is what came.
    pub(crate) fn settle(&mut self) {
        if let Some(changed) = self.changed.take() {
            *self = Self { buffer: changed, from: 0, changed: None };
        }
    }

    fn came(&self) -> &[u8] {
        &self.buffer[self.from..]
    }
}

impl Deref for Content {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.changed.as_deref().unwrap_or_else(|| self.came())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_one_until_it_is_put_back_or_settled() {
        let mut content = Content::at_end_of(b"headcontent".to_vec(), 7);
        assert_eq!((&*content, content.is_changed()), (&b"content"[..], false));
        content.set(b"other".to_vec());
        assert_eq!((&*content, content.is_changed()), (&b"other"[..], true));
        content.set(b"content".to_vec());
        assert!(!content.is_changed());
        content.set(Vec::new());
        assert!(content.is_changed() && content.is_empty());
        content.settle();
        assert!(!content.is_changed() && content.is_empty());
    }
}
