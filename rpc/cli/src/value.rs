//! Values between JSON, as a shell has them, and MessagePack, as they travel.
//!
//! ```text
//!   a word of the command line ─ word ─┐
//!   an element of --args ──────────────┴─▶ fit ─▶ Value ─▶ the wire ─▶ Value ─▶ Json ─▶ a line
//!                                           ▲
//!                                           └ the type that the server told
//! ```
//!
//! | Rust | JSON |
//! |---|---|
//! | bytes: `Vec<u8>`, `Bytes`, `ByteBuf`, `Box<[u8]>` | text in base64; an array of numbers is read as well |
//! | `NaN`, infinities | `"NaN"`, `"Infinity"`, `"-Infinity"` |
//! | `Option` | `null`, or the value |
//! | maps with keys that are no text | an object, with the keys as text |
//! | enums, as serde has them | `"Red"`, `{"Rgb": [1, 2, 3]}` |
//!
//! | file | holds |
//! |---|---|
//! | `fit` | JSON to a value of a type, or what is wrong with it |
//! | `json` | a value to JSON |

mod fit;
mod json;

pub(crate) use fibra::rpc::codec::Value;
pub(crate) use fit::{Misfit, fit, word};
pub(crate) use json::{Layout, json, json_of};
