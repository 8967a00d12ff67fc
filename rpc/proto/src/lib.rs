//! What source made of `.proto` files by `fibra gen` uses at run time: protobuf's well-known types, and a [`Status`].
//!
//! ```text
//!   api.proto ──fibra gen──▶ src/api/*.rs ──names──▶ prost, serde, fibra, and what is here, as fibra::proto
//! ```
//!
//! Each well-known type is a message of prost, by which it travels in protobuf's encoding, and serde's, by which it travels in fibra's own
//! (MessagePack) and in JSON. There it is what proto3's JSON mapping makes of it, in MessagePack too, so that a call looks alike in all
//! dialects:
//!
//! ```
//! use fibra_proto::{Duration, Timestamp};
//!
//! let when: Timestamp = "2038-01-19T03:14:07.25Z".parse()?;
//! assert_eq!(when, Timestamp { seconds: 2_147_483_647, nanos: 250_000_000 });
//! assert_eq!(Duration { seconds: 90, nanos: 0 }.to_string(), "90s");
//! # Ok::<(), fibra_proto::Unreadable>(())
//! ```
//!
//! | `google.protobuf.` | in Rust | travels as |
//! |---|---|---|
//! | `Timestamp` | [`Timestamp`] | `"2038-01-19T03:14:07.250Z"` |
//! | `Duration` | [`Duration`] | `"90.500s"` |
//! | `FieldMask` | [`FieldMask`] | `"user.name,photo"`; names as in the `.proto`, as everywhere in fibra's bodies |
//! | `Any` | [`Any`] | `{"type_url": "..", "value": bytes}`: who carries it need not know the type |
//! | `Struct`, `ListValue`, `Value` | [`Struct`], [`ListValue`], [`Value`] | the map, the array, the value that it holds |
//! | `NullValue` | `i32`, as all enums; [`NullValue`] names it | `0` |
//! | `Empty` | [`Empty`]; nothing at all as what a method takes or returns | `{}` |
//! | `BoolValue`, `Int32Value`, `StringValue`, .. | `Option<bool>`, `Option<i32>`, `Option<String>`, .. | the value, or nil |
//!
//! # Modules
//!
//! | module | what it is |
//! |---|---|
//! | `timestamp`, `duration`, `fraction` | points and lengths of time, as text |
//! | `value` | JSON's values |
//! | `any`, `empty`, `field_mask` | the other well-known types |
//! | `status` | [`Status`], [`Code`]: why a method failed |
//! | `enumeration` | [`Enumeration`]: how values of enums travel, by number or by name |
//! | `oneof` | [`oneof`]: how a member of a oneof that is not known here is read |

#![forbid(unsafe_code)]

mod any;
mod duration;
mod empty;
mod enumeration;
mod field_mask;
mod fraction;
mod oneof;
mod status;
mod timestamp;
mod value;

pub use any::Any;
pub use duration::Duration;
pub use empty::Empty;
pub use enumeration::{Enumeration, Names, Numbers};
pub use field_mask::FieldMask;
pub use fraction::{OutOfRange, Unreadable};
pub use oneof::oneof;
pub use status::{Code, Status};
pub use timestamp::Timestamp;
pub use value::{Kind, ListValue, NullValue, Struct, Value};
