//! Errors of serialisation that name the field.

use std::error::Error as StdError;

use dogpile_core::{Error, ErrorKind};
use serde::{Serialize, Serializer};

/// What is said of a value that a serializer refused: the value is serialised once more, to nowhere,
/// watching where it fails. Values that can be serialised pay nothing for it.
pub(super) fn cannot_encode<T, S>(value: &T, again: S, refused: S::Error) -> Error
where
    T: Serialize,
    S: Serializer<Error: StdError + Send + Sync + 'static>,
{
    let (path, error) = match serde_path_to_error::serialize(value, again) {
        Err(error) => (error.path().to_string(), error.into_inner()),
        Ok(_) => (".".to_owned(), refused),
    };
    let message = match path.as_str() {
        "." => format!("cannot encode: {error}"),
        path => format!("cannot encode \"{path}\": {error}"),
    };
    Error::new(ErrorKind::Encode, message).with_source(error)
}

/// What is said of a value that is nested deeper than a reader would follow.
#[cold]
pub(super) fn too_deep() -> Error {
    let message = format!("cannot encode: the value is nested more than {} deep", super::MAX_DEPTH);
    Error::new(ErrorKind::Encode, message)
}
