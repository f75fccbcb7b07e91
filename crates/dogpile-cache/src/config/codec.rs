//! The codec that a configuration names.

use bytes::Bytes;
use dogpile_core::{Codec, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::{Json, MsgPack};

/// A codec chosen when the program runs.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum AnyCodec {
    /// `"json"`: see [`Json`].
    Json,
    /// `"msgpack"`, the default: see [`MsgPack`].
    #[default]
    MsgPack,
}

impl<T: Serialize + DeserializeOwned> Codec<T> for AnyCodec {
    type Stored = Bytes;

    fn name(&self) -> &'static str {
        match self {
            Self::Json => Codec::<T>::name(&Json),
            Self::MsgPack => Codec::<T>::name(&MsgPack),
        }
    }

    fn encode(&self, value: &T) -> Result<Bytes> {
        match self {
            Self::Json => Json.encode(value),
            Self::MsgPack => MsgPack.encode(value),
        }
    }

    fn decode(&self, stored: &Bytes) -> Result<T> {
        match self {
            Self::Json => Json.decode(stored),
            Self::MsgPack => MsgPack.decode(stored),
        }
    }
}
