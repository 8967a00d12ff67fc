//! From `.proto` files to readable Rust: messages by prost, with serde, and services as the traits of `#[fibra::service]`. There is no protoc.
//!
//! ```text
//!   service Bank {                          #[fibra::service(name = "bank.bank")]
//!     rpc Deposit(Deposit)      ──────▶     pub trait Bank {
//!         returns (Balance);                    fn deposit(&self, request: Deposit) -> Result<Balance, fibra::proto::Status>;
//!   }                                       }                         ... and so BankServer<T>, BankClient, BankStart
//! ```
//!
//! Source that is committed, as `fibra gen api.proto --out src/api` writes it, and in the program `mod api;`. CI says what is stale with `--check`, or a
//! test does:
//!
//! ```no_run
//! let generated = fibra_idl::Generator::new().generate(&["proto/bank.proto"])?;
//! generated.write("src/api")?; // Returns what has changed.
//! assert!(generated.check("src/api")?.is_empty());
//! # Ok::<(), fibra_idl::Error>(())
//! ```
//!
//! Or source that is made anew for every build, by a `build.rs`:
//!
//! ```no_run
//! fn main() -> Result<(), fibra_idl::Error> {
//!     fibra_idl::compile(&["proto/bank.proto"], &["proto"])
//! }
//! ```
//!
//! ```text
//! mod api {
//!     include!(concat!(env!("OUT_DIR"), "/fibra/mod.rs"));
//! }
//! ```
//!
//! Either way the program depends on `fibra` with its feature `proto`, on `prost`, and on `serde` with `derive`.
//!
//! # Messages
//!
//! A message is prost's: a struct with public fields, `Option<T>` where presence is known, an enum for each oneof, `i32` for each enum, with an
//! enum of the names that are known. Maps are `BTreeMap`s and bytes are `prost::bytes::Bytes`. So it has protobuf's encoding. It is also serde's, and this is how
//! it travels in fibra's own, MessagePack:
//!
//! * A message is a map, by its fields' names as they are in the `.proto`. What is missing has its default, what is not known is skipped: fields come and
//!   go as in protobuf. A field's *name* is what matters, though, not its number.
//! * An enum is its number, which is kept whether it has a name here or not. It may come as its name, too: who calls by JSON may write either, as proto3's
//!   JSON mapping has it. An enum that is [elsewhere](Generator::extern_path) is its number and nothing else.
//! * A oneof is a map of one member: `"shape": {"circle": {..}}`. One that is not known leaves the oneof unset.
//! * Bytes are bytes. The well-known types are what `fibra::proto` makes of them, mostly what proto3's JSON mapping does.
//!
//! proto2's `required` and defaults are prost's: a required field is no `Option`, and has its default if it is missing. Groups are messages; extensions and
//! editions are not supported, and nothing is generated for an extension.
//!
//! # Services
//!
//! A service is a trait. Its name on the wire is its package's and its own in snake case, `shop.v1.order_book`; its methods' are theirs in snake case.
//!
//! | in the `.proto` | in the trait |
//! |---|---|
//! | `rpc Get(Key) returns (Item)` | `fn get(&self, request: Key) -> Result<Item, fibra::proto::Status>` |
//! | `google.protobuf.Empty` | no argument; `()` |
//! | `returns (stream Item)` | an argument `replies: Sender<Item>`, and the value `()` |
//! | `rpc Put(stream Item)` | an argument `requests: Receiver<Item>` |
//! | `idempotency_level = IDEMPOTENT`, `NO_SIDE_EFFECTS` | `#[rpc(idempotent)]`, unless it streams |
//! | `(fibra.maybe) = true` | `#[rpc(maybe)]` |
//! | `(fibra.ordered) = true`, `(fibra.lane) = "accounts"` | `#[rpc(ordered)]`, `#[rpc(ordered = "accounts")]` |
//! | `(fibra.error) = "BankError"` | `-> Result<Item, BankError>`; `BankError` is a message |
//! | `(fibra.infallible) = true` | `-> Item` |
//! | `(fibra.service_error) = "BankError"`, of the service | that error for all its methods |
//!
//! The options that begin with `fibra.` are declared by `import "fibra/options.proto";`, which is found without being anywhere: it comes with this crate.
//!
//! A method whose name every proxy's own method has (`new`, `connect`, `local`, `channel`, `start`, `batch`, `within`, `with_metadata`, `retry`, `hedge`) is
//! called `new_` in Rust, and keeps its name on the wire.
//!
//! # Files, formatting and comments
//!
//! Each part of a package's name is a module, with a file of its own as Rust looks for it: `shop.v1` is `mod.rs`, `shop.rs` and `shop/v1.rs`, that is
//! `api::shop::v1`. Files without a package are in `mod.rs`.
//!
//! Comments become documentation, those above `package` that of its module. One that belongs to nothing stays a comment, and so does a licence at the top.
//! What is indented in one is shown as text, so that nobody's `cargo test` runs it.
//!
//! [`Generated::write`] has the source formatted by `rustfmt`, where there is one, as the project's
//! `rustfmt.toml` says, so that `cargo fmt --check` accepts it. [`Generated::check`] does not look at formatting.
//!
//! # Errors
//!
//! [`Error::Invalid`] holds every problem that was found, with file, line and column: what protobuf forbids, and what has no way to be said in Rust, such as
//! two names that would become one.
//!
//! # Modules
//!
//! | module | what it is |
//! |---|---|
//! | `generator` | [`Generator`]: the steps, in order |
//! | `sources`, `diagnosis` | the files, by protox, and its errors as problems |
//! | `conflicts`, `names` | what things are called in Rust, and which of these names collide |
//! | `types` | types that are elsewhere: the well-known ones |
//! | `options` | what a method's options make of it |
//! | `messages`, `services` | what prost-build is told, and the traits |
//! | `enums` | which names the values of an enum have, for who reads and writes them |
//! | `polish`, `docs`, `comments` | short paths, documentation that is no test, comments that are none |
//! | `layout` | which file holds what |
//! | `generated`, `rustfmt` | [`Generated`]: writing, and saying what is stale |
//! | `error`, `places` | [`Error`], [`Problem`]; where things are |

#![forbid(unsafe_code)]

mod comments;
mod conflicts;
mod diagnosis;
mod docs;
mod enums;
mod error;
mod generated;
mod generator;
mod layout;
mod messages;
mod names;
mod options;
mod places;
mod polish;
mod rustfmt;
mod services;
mod sources;
mod types;

use std::env;
use std::path::{Path, PathBuf};

pub use error::{Error, Problem};
pub use generated::{Generated, Stale, Why};
pub use generator::Generator;

/// The file `fibra/options.proto`, for tools that look for it on disk: here it is found without.
pub const OPTIONS: &str = include_str!("../proto/fibra/options.proto");

/// For build scripts: makes source of `files` into `$OUT_DIR/fibra`, and has Cargo run the script again when they, or what they import, change.
///
/// `includes` are the directories in which imports are looked for; none are the files' own.
///
/// # Errors
///
/// As [`Generator::generate`] and [`Generated::write`]; [`Error::NoOutDir`] outside of a build script.
pub fn compile(files: &[impl AsRef<Path>], includes: &[impl AsRef<Path>]) -> Result<(), Error> {
    let directory = PathBuf::from(env::var_os("OUT_DIR").ok_or(Error::NoOutDir)?).join("fibra");
    let generator = includes.iter().fold(Generator::new(), |generator, include| generator.include(include.as_ref()));
    let generated = generator.generate(files)?;
    for input in generated.inputs() {
        println!("cargo::rerun-if-changed={}", input.display());
    }
    generated.write_plain(&directory)?;
    Ok(())
}
