//! Remote calls that read like local ones, on fibra fibers, and that say exactly what happened when they fail.
//!
//! ```text
//!   client                                                          server
//!   proxy.add(3, 5) ─▶ Channel ═══ frames, many calls at a time ═══▶ connection ─▶ CalculatorServer ─▶ your handler
//!        parks           │                                              │
//!          ◀─ unpark ── reader fiber ◀════════ replies ═══════════ one write per batch
//! ```
//!
//! The smallest complete program (users write `fibra::` for `fibra_rpc::`, and leave `crate = ..` out):
//!
//! ```
//! use fibra_rpc::Server;
//!
//! #[fibra_rpc::service(crate = fibra_rpc)]
//! pub trait Calculator {
//!     fn add(&self, a: i64, b: i64) -> i64;
//! }
//!
//! struct Arithmetic;
//!
//! impl Calculator for Arithmetic {
//!     fn add(&self, a: i64, b: i64) -> i64 {
//!         a + b
//!     }
//! }
//!
//! # fn in_a_runtime(f: impl FnOnce() -> Result<(), Box<dyn std::error::Error>>) -> Result<(), Box<dyn std::error::Error>> {
//! #     fibra_scheduler::runtime::Builder::new(fibra_net::reactor::Factory::default()).workers(1).run(f)?
//! # }
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # in_a_runtime(|| {
//! // Within fibra::run(|| ..):
//! let server = Server::builder().service(CalculatorServer::new(Arithmetic)).bind("127.0.0.1:0")?;
//! let proxy = CalculatorClient::connect(server.local_addr())?;
//! assert_eq!(proxy.add(3, 5)?, 8);
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! # Modules
//!
//! Imports point down.
//!
//! | module | what it is |
//! |---|---|
//! | [`client`] | [`Channel`]: a connection that many callers share; [`Proxy`](client::Proxy) |
//! | [`server`] | [`Server`]: listener, connections, run to park |
//! | [`reflection`] | what a server tells of its services |
//! | [`service`](mod@service) | what a `#[service]` trait becomes: descriptor, dispatch |
//! | [`session`] | calls that are sent twice and run once: state machines without I/O |
//! | [`stream`] | any number of items while a call is under way, with flow control: state machines, and who waits for them |
//! | `outbox`, `waiters`, `scratch` | the output half of a connection, and how senders wait |
//! | `handshake`, `random` | the frame that opens a connection; names and secrets |
//! | `buffered` | what the connections of a server hold because others are slow |
//! | `glitches` | how much a peer may send that brings nothing forward |
//! | [`middleware`] | [`Middleware`](middleware::Middleware): what happens around calls, on either side |
//! | [`trace_context`], `call_span` | [`TraceContext`]: which trace a call is part of; its span |
//! | `metrics` | what a server counts, for Prometheus |
//! | [`health`] | the service by which a server says whether it wants calls |
//! | `moment` | instants as one word, for what many calls share |
//! | [`codec`] | MessagePack, the one way to and from serde |
//! | [`wire`] | the protocol without I/O: `docs/wire-format.md` |
//! | [`dialect`] | the protocols of others that a port speaks, without I/O: `docs/protocols.md` |
//! | [`error`] | [`CallError`] and whether the call ran |
//! | [`metadata`], `request` | [`Metadata`]: what travels beside the arguments; [`Request`]: a call but for its arguments |
//! | [`limits`] | every bound, by name |
//!
//! What it does not know: epoll, stacks, and how fibers are scheduled.

#![forbid(unsafe_code)]

mod buffered;
mod call_span;
pub mod client;
pub mod codec;
pub mod dialect;
pub mod error;
mod glitches;
mod handshake;
pub mod health;
pub mod limits;
pub mod metadata;
mod metrics;
pub mod middleware;
mod moment;
mod outbox;
mod random;
pub mod reflection;
mod request;
mod scratch;
pub mod server;
pub mod service;
pub mod session;
pub mod stream;
pub mod trace_context;
mod waiters;
pub mod wire;

pub use client::Channel;
pub use error::{BindError, CallError, ConnectError, Executed, ServeError};
pub use fibra_macros::service;
/// Sockets and addresses, as the generated code names them.
pub use fibra_net as net;
pub use limits::Limits;
pub use metadata::Metadata;
pub use request::Request;
pub use server::Server;
pub use service::Service;
pub use trace_context::TraceContext;
