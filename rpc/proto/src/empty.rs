//! `google.protobuf.Empty`.

use serde::{Deserialize, Serialize};

/// Nothing, as a field: that it is there may say something. What a method takes or returns is then nothing at all instead.
#[derive(Clone, Copy, PartialEq, Eq, Hash, prost::Message, Serialize, Deserialize)]
pub struct Empty {}
