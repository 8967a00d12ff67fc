//! `google.protobuf.Any`: a message of any type, encoded.

use bytes::Bytes;
use prost::{DecodeError, Message};
use serde::{Deserialize, Serialize};

/// A message of any type, in protobuf's encoding, and the type's name.
///
/// In serde's formats it is these two, too: who passes it on need not know the type.
///
/// ```
/// use fibra_proto::{Any, Duration};
///
/// let any = Any::pack("google.protobuf.Duration", &Duration { seconds: 3, nanos: 0 });
/// assert_eq!(any.type_url, "type.googleapis.com/google.protobuf.Duration");
/// assert!(any.is("google.protobuf.Duration"));
/// assert_eq!(any.unpack::<Duration>()?.seconds, 3);
/// # Ok::<(), prost::DecodeError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Message, Serialize, Deserialize)]
#[serde(default)]
pub struct Any {
    /// The type: what follows the last slash is the message's full name.
    #[prost(string, tag = "1")]
    pub type_url: String,
    /// The message.
    #[prost(bytes = "bytes", tag = "2")]
    pub value: Bytes,
}

impl Any {
    /// Encodes a message, whose full name (`package.Message`) is `name`.
    pub fn pack<M: Message>(name: &str, message: &M) -> Self {
        Self { type_url: format!("type.googleapis.com/{name}"), value: message.encode_to_vec().into() }
    }

    /// Whether it holds a message of that full name.
    pub fn is(&self, name: &str) -> bool {
        self.type_url.rsplit_once('/').is_some_and(|(_, held)| held == name)
    }

    /// Decodes the message: ask [`is`](Self::is) first, for bytes of another type may be understood, too.
    ///
    /// # Errors
    ///
    /// prost's `DecodeError`: the bytes are no `M`.
    pub fn unpack<M: Message + Default>(&self) -> Result<M, DecodeError> {
        M::decode(self.value.clone())
    }
}
